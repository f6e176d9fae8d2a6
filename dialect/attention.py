"""Attention: each query takes from all values, by the softmax of its products with the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyipu.dialect.attention_loops import most_keys, write_attention
from pyipu.dialect.definition import Op, require
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value


class Attention(Op, mnemonic="attention"):
    """softmax(scale * query · key + mask) · value, each of H heads on its own: [N, L, H, E].

    The operands are queries [N, L, H, D], keys [N, S, H, D], values [N, S, H, E], and perhaps a mask that broadcasts
    to the scores, [N, H, L, S], but has all S of them. What lies in memory are never more than some scores.
    """

    scale: float
    in_place = True
    takes_epilogue = True
    widens = True

    @staticmethod
    def infer(*operands: Tensor, scale: float) -> Tensor:
        require(3 <= len(operands) <= 4, f"takes query, key, value and perhaps a mask, got {len(operands)} operands")
        query, key, value = operands[:3]
        require(query.rank == key.rank == value.rank == 4, f"needs [N, L, H, D], got {query}, {key} and {value}")
        batch, length, heads, depth = query.shape
        fits = key.shape == (batch, key.shape[1], heads, depth) and value.shape[:3] == key.shape[:3]
        require(fits, f"the shapes of {query}, {key} and {value} do not fit each other")
        one_type = query.is_float and {one.dtype for one in operands} == {query.dtype}
        require(one_type, "needs floating-point operands of one element type")
        for mask in operands[3:]:
            _check_mask(mask, (batch, heads, length, key.shape[1]))
        return query.with_shape((batch, length, heads, value.shape[3]))

    @staticmethod
    def evaluate(*operands: np.ndarray, scale: float) -> np.ndarray:
        query, key, value, *masks = operands
        scores = np.einsum("nlhd,nshd->nhls", query * query.dtype.type(scale), key, optimize=True)
        weights = Softmax.evaluate(sum(masks, scores), axis=3)
        return np.einsum("nhls,nshe->nlhe", weights, value, optimize=True).astype(query.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        query, key, value = operands[:3]
        return query.elements // query.shape[3] * key.shape[1] * (key.shape[3] + value.shape[3])

    @staticmethod
    def lower(writer: CodeletWriter, *operands: Value, scale: float) -> Value:
        result = Attention.infer(*(one.tensor for one in operands), scale=scale)
        lanes = lanes_of(operands[0].tensor.shape[3], result.shape[3], writer.tiles.lanes(result))
        if lanes:
            return write_attention(writer, operands, result, scale, lanes)
        return _by_the_code_generator(writer, operands, result, scale)


def _check_mask(mask: Tensor, scores: tuple[int, ...]) -> None:
    fits = mask.rank == 4 and all(size in (1, extent) for size, extent in zip(mask.shape, scores, strict=True))
    require(fits and mask.shape[3] == scores[3], f"cannot add the mask {mask} to scores {list(scores)}")


def lanes_of(depth: int, columns: int, most: int) -> int:
    """How many elements the vectors have, at most so many, in loops over keys and values of such sizes.

    0 where there are no such loops: vectors would not be full, or there is no room for scores.
    """
    fitting = (n for n in (most, most // 2) if n and depth % n == columns % n == 0)
    return next((n for n in fitting if most_keys(depth, columns, n)), 0)


def _by_the_code_generator(writer: CodeletWriter, operands: Sequence[Value], result: Tensor, scale: float) -> Value:
    """IREE's operation for it: loops batch, head, query, key, depth, column."""
    read = [writer.widened(one) for one in operands]
    maps = ["d0, d2, d1, d4", "d0, d3, d1, d4", "d0, d3, d1, d5", "", *_mask_maps(operands[3:]), "d0, d2, d1, d5"]
    listed = ", ".join(f"affine_map<(d0, d1, d2, d3, d4, d5) -> ({one})>" for one in maps)
    empty, dtype = writer.empty(result), result.dtype
    names = [*(one.name for one in read[:3]), writer.scalar(scale, dtype), *(one.name for one in read[3:])]
    types = [*(one.type for one in read[:3]), dtype, *(one.type for one in read[3:])]
    return writer.write(
        f"iree_linalg_ext.attention <{{indexing_maps = [{listed}]}}> ins({', '.join(names)} : {', '.join(types)}) "
        f"outs({empty.name} : {empty.type}) {{\n^bb0(%score: f32):\n  iree_linalg_ext.yield %score : f32\n}} "
        f"-> {empty.type}",
        result,
    )


def _mask_maps(masks: Sequence[Value]) -> list[str]:
    pairs = [zip(mask.tensor.shape, ("d0", "d1", "d2", "d3"), strict=True) for mask in masks]
    return [", ".join("0" if size == 1 else loop for size, loop in pair) for pair in pairs]
