"""Normalizations, each as one op."""

from __future__ import annotations

import math

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.reduction import ReduceSum
from pyipu.dialect.row_loops import StandardizedRows, has_vector_rows
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value


class Standardize(Op, mnemonic="standardize"):
    """(x - mean) / sqrt(variance + epsilon), mean and variance over `axes`: layer, group and instance normalization.

    What scales and shifts it is element-wise behind it.
    """

    axes: tuple[int, ...]
    epsilon: float
    takes_epilogue = True
    in_place = True
    widens = True

    @staticmethod
    def infer(input: Tensor, *, axes: tuple[int, ...], epsilon: float) -> Tensor:
        require(input.is_float, f"needs a floating-point operand, got {input}")
        inside = len(set(axes)) == len(axes) > 0 and all(0 <= axis < input.rank for axis in axes)
        require(inside, f"cannot take the mean over the dimensions {list(axes)} of {input}")
        return input

    @staticmethod
    def evaluate(input: np.ndarray, *, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
        wide = input.astype(np.float64)
        centered = wide - wide.mean(axes, keepdims=True)
        deviation = np.sqrt((centered * centered).mean(axes, keepdims=True) + epsilon)
        return (centered / deviation).astype(input.dtype)

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, axes: tuple[int, ...], epsilon: float) -> Value:
        if has_vector_rows(input.tensor, axes, writer.tiles.lanes(input.tensor)):
            return StandardizedRows(writer, input, epsilon).write()
        return _of_reductions(writer, input, axes, epsilon)


def _of_reductions(writer: CodeletWriter, input: Value, axes: tuple[int, ...], epsilon: float) -> Value:
    """Sums, and element-wise loops over what they give."""
    count = math.prod(input.tensor.shape[axis] for axis in axes)
    total = ReduceSum.nested(writer, input, axes=axes, keep=True)
    centered = writer.elementwise([input, total], input.tensor, lambda scalars, x, sum_: _less(scalars, x, sum_, count))
    squares = writer.elementwise([centered], input.tensor, lambda scalars, x: scalars.multiply(x, x))
    spread = ReduceSum.nested(writer, squares, axes=axes, keep=True)

    def normal(scalars: Scalars, x: Scalar, sum_: Scalar) -> Scalar:
        variance = scalars.divide(sum_, scalars.constant(count, sum_.dtype))
        return scalars.divide(x, scalars.math("sqrt", scalars.add(variance, scalars.constant(epsilon, x.dtype))))

    return writer.elementwise([centered, spread], input.tensor, normal)


def _less(scalars: Scalars, x: Scalar, total: Scalar, count: int) -> Scalar:
    """An element less the mean."""
    return scalars.subtract(x, scalars.divide(total, scalars.constant(count, total.dtype)))
