"""Between numbers and integers of 8 or 16 bits: `number = (integer - zero) * scale`, as ONNX has it."""

from __future__ import annotations

import numpy as np

from pyipu.dialect.definition import require
from pyipu.dialect.elementwise.base import Elementwise, broadcast
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import NUMPY_DTYPES, Tensor

INTEGERS = ("ui8", "i8", "ui16", "i16")
"""What numbers are quantized to."""

WHOLE = 1.5 * 2**23
"""Has no digits for fractions, so that what is added to it is rounded, and is in its lowest bits then."""

WHOLE_BITS = int(np.float32(WHOLE).view(np.int32))


class Quantize(Elementwise, mnemonic="quantize"):
    """input / scale + zero as an integer of the type of `zero`: ties become even, and what is outside the limit."""

    @staticmethod
    def infer(input: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        fits = input.dtype == scale.dtype == "f32" and zero.dtype in INTEGERS
        require(fits, f"cannot quantize {input} in steps of {scale} around {zero}")
        return zero.with_shape(broadcast(input.shape, scale.shape, zero.shape))

    @staticmethod
    def evaluate(input: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        limits = np.iinfo(zero.dtype)
        steps = np.rint(input / scale) + zero.astype(input.dtype)
        return np.clip(np.nan_to_num(steps, nan=limits.min), limits.min, limits.max).astype(zero.dtype)

    @staticmethod
    def scalar(scalars: Scalars, input: Scalar, scale: Scalar, zero: Scalar) -> Scalar:
        limits, offset = np.iinfo(NUMPY_DTYPES[zero.dtype]), scalars.cast(zero, "f32")
        low, high = (scalars.subtract(scalars.constant(limit, "f32"), offset) for limit in (limits.min, limits.max))
        steps = scalars.divide(input, scale)
        # Comparisons are false for NaN, which no integer is, and each is one instruction with its choice.
        above = scalars.select(scalars.compare("gt", steps, low), steps, low)
        inside = scalars.select(scalars.compare("lt", above, high), above, high)
        rounded = scalars.bits(scalars.add(inside, scalars.constant(WHOLE, "f32")))
        integer = scalars.subtract(rounded, scalars.constant(WHOLE_BITS, "i32"))
        return scalars.cast(scalars.add(integer, scalars.cast(zero, "i32")), zero.dtype)


class Dequantize(Elementwise, mnemonic="dequantize"):
    """(input - zero) * scale: the number that an integer stands for."""

    @staticmethod
    def infer(input: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        fits = input.dtype == zero.dtype in (*INTEGERS, "i32") and scale.is_float
        require(fits, f"cannot dequantize {input} in steps of {scale} around {zero}")
        return scale.with_shape(broadcast(input.shape, scale.shape, zero.shape))

    @staticmethod
    def evaluate(input: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
        return ((input.astype(np.int32) - zero.astype(np.int32)).astype(scale.dtype) * scale).astype(scale.dtype)

    @staticmethod
    def scalar(scalars: Scalars, input: Scalar, scale: Scalar, zero: Scalar) -> Scalar:
        steps = scalars.subtract(scalars.cast(input, "i32"), scalars.cast(zero, "i32"))
        return scalars.multiply(scalars.cast(steps, scale.dtype), scale)
