"""Contractions of narrow numbers, with weights in the order of instructions that multiply two or four at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.linear import multiply_add
from pyipu.dialect.types import NUMPY_DTYPES, Tensor
from pyipu.dialect.windows import window_positions, windows_of
from pyipu.dialect.writer import CodeletWriter, Map, Value, identity_map


class DotConv(Op):
    """Convolution of [N, spatial…, G * C] with weights [G * B, window…, C / D, F, D], summed up in a wider type.

    The result is [N, spatial…, G * B * F] for G groups. Channels lie D by D, so that one instruction multiplies so many
    of them for each of F filters. Without a window it is the product of […, G * C] with a matrix.
    """

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    accumulates = True

    together: ClassVar[int]
    """How many channels one instruction multiplies, D."""
    types: ClassVar[tuple[str, str, str]]
    """Element types of data, weights and sums."""

    @classmethod
    def infer(
        cls, input: Tensor, weights: Tensor, *, strides: tuple[int, ...], dilations: tuple[int, ...], groups: int
    ) -> Tensor:
        lies = weights.rank >= 4 and weights.shape[-1] == cls.together
        require(lies, f"needs weights in blocks of channels {cls.together} by {cls.together}, got {weights}")
        fits = (input.dtype, weights.dtype) == cls.types[:2]
        require(fits, f"needs operands of {cls.types[0]} and {cls.types[1]}, got {input} and {weights}")
        blocks, *window, depth, columns, _ = weights.shape
        channels = groups * cls.together * depth
        fits = input.rank >= 1 and input.shape[-1] == channels and len(window) in (0, input.rank - 2)
        require(fits and blocks % groups == 0, f"cannot convolve {input} with {weights} in {groups} groups")
        require(len(strides) == len(dilations) == len(window), f"needs {len(window)} strides and dilations")
        positions = window_positions(input.shape[1:-1], window, strides, dilations) if window else input.shape[1:-1]
        return Tensor((*input.shape[:-1][:1], *positions, blocks * columns), cls.types[2])

    @classmethod
    def evaluate(
        cls,
        input: np.ndarray,
        weights: np.ndarray,
        *,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
    ) -> np.ndarray:
        blocks, *window, depth, columns, _ = weights.shape
        sums = NUMPY_DTYPES[cls.types[2]]
        wide, factors = input.astype(sums), weights.astype(sums)
        views = windows_of(wide, window, strides, dilations) if window else wide
        split = views.reshape(*views.shape[: wide.ndim - 1], groups, depth, cls.together, *window)
        grouped = factors.reshape(groups, blocks // groups, *factors.shape[1:])
        letters = "uvw"[: len(window)]
        result = np.einsum(f"...gcp{letters},gb{letters}cfp->...gbf", split, grouped, optimize=True)
        return result.reshape(*result.shape[:-3], blocks * columns)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        return cls.infer(*operands, **attributes).elements * math.prod(operands[1].shape[1:-2]) * cls.together

    @classmethod
    def lower(
        cls,
        writer: CodeletWriter,
        input: Value,
        weights: Value,
        *,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
    ) -> Value:
        result = cls.infer(input.tensor, weights.tensor, strides=strides, dilations=dilations, groups=groups)
        blocks, *_, depth, columns, _ = weights.tensor.shape
        split = writer.reshape(input, (*input.tensor.shape[:-1], groups, depth, cls.together))
        grouped = writer.reshape(weights, (groups, blocks // groups, *weights.tensor.shape[1:]))
        tensor = result.with_shape((*result.shape[:-1], groups, blocks // groups, columns))
        total = writer.generic(
            *_operands(writer, split, grouped, tensor, strides, dilations),
            ["parallel"] * tensor.rank + ["reduction"] * (len(strides) + 2),
            multiply_add,
            squeeze=False,
        )
        return writer.folded(total, (*((size,) for size in result.shape[:-1]), tensor.shape[-3:]))


class PairedConv(DotConv, mnemonic="paired_conv"):
    """Convolution of bf16 with weights [G * B, window…, C / 2, F, 2], summed up in f32: channels lie in pairs."""

    together = 2
    types = ("bf16", "bf16", "f32")


class QuadConv(DotConv, mnemonic="quad_conv"):
    """Convolution of ui8 with weights of i8, [G * B, window…, C / 4, F, 4], summed up in i32."""

    together = products_at_once = 4
    types = ("ui8", "i8", "i32")


Operand = tuple[Value, Map]


def _operands(
    writer: CodeletWriter,
    input: Value,
    weights: Value,
    result: Tensor,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[list[Operand], Operand]:
    """The loops are the result's dimensions […, G, B, F], the window, and channels, in two dimensions."""
    *pixels, group, block, column = loops = identity_map(result.rank)
    *window, depth, one = (f"d{result.rank + i}" for i in range(len(strides) + 2))
    steps = zip(pixels[1:], strides, window, dilations, strict=False)
    places = [f"{pixel} * {stride} + {step} * {dilation}" for pixel, stride, step, dilation in steps]
    source: Map = [*(pixels[:1] if window else pixels), *places, group, depth, one]
    return [(input, source), (weights, [group, block, *window, depth, column, one])], (
        writer.accumulator(result),
        loops,
    )


def paired(weights: np.ndarray, columns: int, together: int = 2) -> np.ndarray:
    """Weights [window…, C, F] in blocks of `columns` filters, and of channels that are multiplied `together`."""
    *window, channels, filters = weights.shape
    split = weights.reshape(*window, channels // together, together, filters // columns, columns)
    rank = split.ndim
    return np.ascontiguousarray(split.transpose(rank - 2, *range(rank - 3), rank - 1, rank - 3))
