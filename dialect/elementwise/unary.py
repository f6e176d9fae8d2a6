"""Element-wise operations on one operand. A leaf is its meaning twice: numpy and scalar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from pyipu.dialect.definition import require
from pyipu.dialect.elementwise.base import Elementwise
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import NUMPY_DTYPES, Tensor


class Unary(Elementwise):
    """One operand, result of the same type."""

    @staticmethod
    def infer(input: Tensor, **attributes: Any) -> Tensor:
        return input


class FloatUnary(Unary):
    """A function of one floating-point operand."""

    @staticmethod
    def infer(input: Tensor, **attributes: Any) -> Tensor:
        require(input.is_float, f"needs a floating-point operand, got {input}")
        return input


class MathUnary(FloatUnary):
    """A function that MLIR's math dialect has under the name `function`."""

    function: ClassVar[str]
    numpy_function: ClassVar[Callable[..., np.ndarray]]

    @classmethod
    def evaluate(cls, input: np.ndarray) -> np.ndarray:
        return cls.numpy_function(input)

    @classmethod
    def scalar(cls, scalars: Scalars, x: Scalar) -> Scalar:
        return scalars.math(cls.function, x)


class Exp(MathUnary, mnemonic="exp"):
    """e to the power x."""

    function, numpy_function = "exp", np.exp


class Log(MathUnary, mnemonic="log"):
    """The natural logarithm."""

    function, numpy_function = "log", np.log


class Sqrt(MathUnary, mnemonic="sqrt"):
    """The square root."""

    function, numpy_function = "sqrt", np.sqrt


class Tanh(MathUnary, mnemonic="tanh"):
    """The hyperbolic tangent."""

    function, numpy_function = "tanh", np.tanh


class Floor(MathUnary, mnemonic="floor"):
    """The largest whole number that is not above x."""

    function, numpy_function = "floor", np.floor


class Ceil(MathUnary, mnemonic="ceil"):
    """The smallest whole number that is not below x."""

    function, numpy_function = "ceil", np.ceil


_ERF_NUMERATOR = (
    0.00022905065861350646,
    0.0034082910107109506,
    0.050955695062380861,
    0.18520832239976145,
    1.128379143519084,
)
_ERF_DENOMINATOR = (
    -1.1791602954361697e-7,
    0.000023547966471313185,
    0.0010179625278914885,
    0.014070470171167667,
    0.11098505178285362,
    0.49746925110067538,
    1.0,
)
_ERF_IS_ONE = 3.7439211627767994
"""From here on erf rounds to 1 in f32."""


class Erf(FloatUnary, mnemonic="erf"):
    """The error function, to 4e-7: x times a quotient of polynomials in x^2, with the coefficients of XLA's ErfImpl32.

    MLIR's own polynomials, one for each of several ranges, take twice as long.
    """

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        from math import erf

        return np.vectorize(erf, otypes=[np.float64])(input).astype(input.dtype)

    @classmethod
    def scalar(cls, scalars: Scalars, x: Scalar) -> Scalar:
        if x.dtype != "f32":
            return scalars.cast(cls.scalar(scalars, scalars.cast(x, "f32")), x.dtype)
        low, high = (scalars.constant(limit, x.dtype) for limit in (-_ERF_IS_ONE, _ERF_IS_ONE))
        inside = scalars.minimum(scalars.maximum(x, low), high)
        square = scalars.multiply(inside, inside)
        numerator = scalars.multiply(inside, _polynomial(scalars, square, _ERF_NUMERATOR))
        return scalars.divide(numerator, _polynomial(scalars, square, _ERF_DENOMINATOR))


def _polynomial(scalars: Scalars, x: Scalar, coefficients: Sequence[float]) -> Scalar:
    """By Horner's rule; the coefficient of the highest power comes first."""
    first, *rest = (scalars.constant(number, x.dtype) for number in coefficients)
    for coefficient in rest:
        first = scalars.add(scalars.multiply(first, x), coefficient)
    return first


class Abs(Unary, mnemonic="abs"):
    """The magnitude."""

    evaluate = staticmethod(np.abs)

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar) -> Scalar:
        if x.is_unsigned:
            return x
        return scalars.math("absf" if x.is_float else "absi", x)


class Negate(Unary, mnemonic="negate"):
    """0 - x."""

    evaluate = staticmethod(np.negative)

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar) -> Scalar:
        if x.is_float:
            return scalars.write(f"arith.negf {x.name} : {x.type}", x.dtype)
        return scalars.subtract(scalars.constant(0, x.dtype), x)


class Relu(Unary, mnemonic="relu"):
    """max(x, 0)."""

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        return np.maximum(input, np.zeros((), input.dtype))

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar) -> Scalar:
        return scalars.maximum(x, scalars.constant(0, x.dtype))


class LeakyRelu(FloatUnary, mnemonic="leaky_relu"):
    """x where x >= 0, slope * x elsewhere."""

    slope: float = 0.01

    @staticmethod
    def evaluate(input: np.ndarray, *, slope: float) -> np.ndarray:
        return np.where(input >= 0, input, input * input.dtype.type(slope))

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar, *, slope: float) -> Scalar:
        zero = scalars.constant(0, x.dtype)
        return scalars.select(scalars.compare("ge", x, zero), x, scalars.multiply(x, scalars.constant(slope, x.dtype)))


class Clip(Unary, mnemonic="clip"):
    """min(max(x, low), high)."""

    low: float
    high: float

    @staticmethod
    def evaluate(input: np.ndarray, *, low: float, high: float) -> np.ndarray:
        low, high = _bounds(input.dtype, low, high)
        return np.minimum(np.maximum(input, input.dtype.type(low)), input.dtype.type(high))

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar, *, low: float, high: float) -> Scalar:
        low, high = _bounds(NUMPY_DTYPES[x.dtype], low, high)
        above = scalars.maximum(x, scalars.constant(low, x.dtype))
        return scalars.minimum(above, scalars.constant(high, x.dtype))


def _bounds(dtype: np.dtype, low: float, high: float) -> tuple[float, float]:
    """Integers have no infinity: an open bound is the type's own."""
    if not np.issubdtype(dtype, np.integer):
        return low, high
    limits = np.iinfo(dtype)
    return max(low, limits.min), min(high, limits.max)


class Sigmoid(FloatUnary, mnemonic="sigmoid"):
    """1 / (1 + e^-x)."""

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-input))).astype(input.dtype)

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar) -> Scalar:
        one = scalars.constant(1, x.dtype)
        return scalars.divide(one, scalars.add(one, scalars.math("exp", Negate.scalar(scalars, x))))


class HardSigmoid(FloatUnary, mnemonic="hard_sigmoid"):
    """min(max(slope * x + offset, 0), 1)."""

    slope: float = 0.2
    offset: float = 0.5

    @staticmethod
    def evaluate(input: np.ndarray, *, slope: float, offset: float) -> np.ndarray:
        return np.clip(input * input.dtype.type(slope) + input.dtype.type(offset), 0, 1).astype(input.dtype)

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar, *, slope: float, offset: float) -> Scalar:
        scaled = scalars.multiply(x, scalars.constant(slope, x.dtype))
        return Clip.scalar(scalars, scalars.add(scaled, scalars.constant(offset, x.dtype)), low=0.0, high=1.0)


class Reciprocal(FloatUnary, mnemonic="reciprocal"):
    """1 / x."""

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        return np.reciprocal(input)

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar) -> Scalar:
        return scalars.divide(scalars.constant(1, x.dtype), x)


class Not(Unary, mnemonic="not"):
    """Logical negation."""

    evaluate = staticmethod(np.logical_not)

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar) -> Scalar:
        return scalars.bitwise("xor", x, scalars.constant(True, "i1"))


class Cast(Elementwise, mnemonic="cast"):
    """The same numbers in another element type."""

    dtype: str

    @staticmethod
    def infer(input: Tensor, *, dtype: str) -> Tensor:
        require(dtype in NUMPY_DTYPES, f"does not know the element type {dtype}")
        return input.with_dtype(dtype)

    @staticmethod
    def evaluate(input: np.ndarray, *, dtype: str) -> np.ndarray:
        return input.astype(NUMPY_DTYPES[dtype])

    @staticmethod
    def scalar(scalars: Scalars, x: Scalar, *, dtype: str) -> Scalar:
        return scalars.cast(x, dtype)
