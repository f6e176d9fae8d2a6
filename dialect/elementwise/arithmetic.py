"""Element-wise arithmetic on two operands. A leaf is its meaning twice: numpy and scalar."""

from __future__ import annotations

import numpy as np

from pyipu.dialect.definition import require
from pyipu.dialect.elementwise.base import Binary
from pyipu.dialect.elementwise.unary import Negate
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor


class Add(Binary, mnemonic="add"):
    """left + right."""

    evaluate = staticmethod(np.add)

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.add(left, right)


class Subtract(Binary, mnemonic="subtract"):
    """left - right."""

    evaluate = staticmethod(np.subtract)

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.subtract(left, right)


class Multiply(Binary, mnemonic="multiply"):
    """left * right."""

    evaluate = staticmethod(np.multiply)

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.multiply(left, right)


class Divide(Binary, mnemonic="divide"):
    """left / right; integers truncate toward zero."""

    @staticmethod
    def evaluate(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if np.issubdtype(left.dtype, np.integer):
            return (np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right))).astype(left.dtype)
        return left / right

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.divide(left, right)


class Maximum(Binary, mnemonic="maximum"):
    """The larger of both."""

    evaluate = staticmethod(np.maximum)

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.maximum(left, right)


class Minimum(Binary, mnemonic="minimum"):
    """The smaller of both."""

    evaluate = staticmethod(np.minimum)

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.minimum(left, right)


class Power(Binary, mnemonic="power"):
    """left to the power right, of floating-point numbers."""

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        require(left.is_float, f"needs floating-point operands, got {left}")
        return Binary.infer(left, right)

    evaluate = staticmethod(np.power)

    @staticmethod
    def scalar(scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        # IREE computes powf through a logarithm: the sign of a negative base comes from the exponent's parity.
        magnitude = _power_of_magnitude(scalars, left, right)
        halved = scalars.multiply(right, scalars.constant(0.5, left.dtype))
        is_even = scalars.compare("eq", scalars.math("floor", halved), halved)
        is_whole = scalars.compare("eq", scalars.math("floor", right), right)
        signed = scalars.select(is_even, magnitude, Negate.scalar(scalars, magnitude))
        real = scalars.select(is_whole, signed, scalars.constant(float("nan"), left.dtype))
        return scalars.select(scalars.compare("lt", left, scalars.constant(0, left.dtype)), real, magnitude)


def _power_of_magnitude(scalars: Scalars, base: Scalar, exponent: Scalar) -> Scalar:
    """|base| to the power exponent; 1 for 0 to the power 0 and for 1 to the power infinity."""
    one, magnitude = scalars.constant(1, base.dtype), scalars.math("absf", base)
    is_flat = scalars.compare("eq", magnitude, one)
    is_constant = scalars.compare("eq", exponent, scalars.constant(0, base.dtype))
    power = scalars.math("powf", magnitude, exponent)
    return scalars.select(scalars.bitwise("or", is_flat, is_constant), one, power)
