"""Contractions of bf16 that are summed up in f32, with weights in the order of instructions on pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.linear import multiply_add
from pyipu.dialect.types import Tensor
from pyipu.dialect.windows import window_positions, windows_of
from pyipu.dialect.writer import CodeletWriter, Map, Value, identity_map


class PairedConv(Op, mnemonic="paired_conv"):
    """Convolution of bf16 [N, spatial…, G * C] with weights [G * B, window…, C / 2, F, 2], summed up in f32.

    The result is [N, spatial…, G * B * F] for G groups. Channels lie in pairs, so that one instruction multiplies two
    of them for each of F filters. Without a window it is the product of […, G * C] with a matrix.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    accumulates = True

    @staticmethod
    def infer(
        input: Tensor, weights: Tensor, *, strides: tuple[int, ...], dilations: tuple[int, ...], groups: int
    ) -> Tensor:
        require(weights.rank >= 4 and weights.shape[-1] == 2, f"needs weights in blocks of pairs, got {weights}")
        require(input.dtype == weights.dtype == "bf16", f"needs operands of bf16, got {input} and {weights}")
        blocks, *window, pairs, columns, _ = weights.shape
        fits = input.rank >= 1 and input.shape[-1] == groups * 2 * pairs and len(window) in (0, input.rank - 2)
        require(fits and blocks % groups == 0, f"cannot convolve {input} with {weights} in {groups} groups")
        require(len(strides) == len(dilations) == len(window), f"needs {len(window)} strides and dilations")
        positions = window_positions(input.shape[1:-1], window, strides, dilations) if window else input.shape[1:-1]
        return Tensor((*input.shape[:-1][:1], *positions, blocks * columns), "f32")

    @staticmethod
    def evaluate(
        input: np.ndarray,
        weights: np.ndarray,
        *,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
    ) -> np.ndarray:
        blocks, *window, pairs, columns, _ = weights.shape
        wide, factors = input.astype(np.float32), weights.astype(np.float32)
        views = windows_of(wide, window, strides, dilations) if window else wide
        split = views.reshape(*views.shape[: wide.ndim - 1], groups, pairs, 2, *window)
        grouped = factors.reshape(groups, blocks // groups, *factors.shape[1:])
        letters = "uvw"[: len(window)]
        result = np.einsum(f"...gcp{letters},gb{letters}cfp->...gbf", split, grouped, optimize=True)
        return result.reshape(*result.shape[:-3], blocks * columns)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        return cls.infer(*operands, **attributes).elements * math.prod(operands[1].shape[1:-2]) * 2

    @staticmethod
    def lower(
        writer: CodeletWriter,
        input: Value,
        weights: Value,
        *,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
    ) -> Value:
        result = PairedConv.infer(input.tensor, weights.tensor, strides=strides, dilations=dilations, groups=groups)
        blocks, *_, pairs, columns, _ = weights.tensor.shape
        split = writer.reshape(input, (*input.tensor.shape[:-1], groups, pairs, 2))
        grouped = writer.reshape(weights, (groups, blocks // groups, *weights.tensor.shape[1:]))
        tensor = result.with_shape((*result.shape[:-1], groups, blocks // groups, columns))
        total = writer.generic(
            *_operands(writer, split, grouped, tensor, strides, dilations),
            ["parallel"] * tensor.rank + ["reduction"] * (len(strides) + 2),
            multiply_add,
            squeeze=False,
        )
        return writer.folded(total, (*((size,) for size in result.shape[:-1]), tensor.shape[-3:]))


Operand = tuple[Value, Map]


def _operands(
    writer: CodeletWriter,
    input: Value,
    weights: Value,
    result: Tensor,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[list[Operand], Operand]:
    """The loops are the result's dimensions […, G, B, F], and then the window, pairs of channels, and two of them."""
    *pixels, group, block, column = loops = identity_map(result.rank)
    *window, pair, one = (f"d{result.rank + i}" for i in range(len(strides) + 2))
    steps = zip(pixels[1:], strides, window, dilations, strict=False)
    places = [f"{pixel} * {stride} + {step} * {dilation}" for pixel, stride, step, dilation in steps]
    source: Map = [*(pixels[:1] if window else pixels), *places, group, pair, one]
    return [(input, source), (weights, [group, block, *window, pair, column, one])], (writer.accumulator(result), loops)


def paired(weights: np.ndarray, columns: int) -> np.ndarray:
    """Weights [window…, C, F], C even, in blocks of `columns` filters and pairs of channels."""
    *window, channels, filters = weights.shape
    split = weights.reshape(*window, channels // 2, 2, filters // columns, columns)
    rank = split.ndim
    return np.ascontiguousarray(split.transpose(rank - 2, *range(rank - 3), rank - 1, rank - 3))
