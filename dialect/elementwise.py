"""Operations that work element by element, with numpy's broadcasting. A leaf is its meaning twice: numpy and scalar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pyipu.dialect.definition import Op, Permutation, require
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import NUMPY_DTYPES, Tensor
from pyipu.dialect.writer import CodeletWriter, Value


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape as numpy broadcasts; raises ValueError naming the shapes when there is none."""
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise ValueError(f"operands of shapes {', '.join(map(str, shapes))} do not broadcast") from error


class Elementwise(Op):
    """Base of all element-wise operations: `scalar` says what happens to one element."""

    elementwise = True

    @staticmethod
    def scalar(scalars: Scalars, *arguments: Any, **attributes: Any) -> Scalar:
        raise NotImplementedError

    @classmethod
    def lower(cls, writer: CodeletWriter, *operands: Value, **attributes: Any) -> Value:
        result = cls.result_types([value.tensor for value in operands], attributes)[0]
        assert isinstance(result, Tensor)
        return writer.elementwise(operands, result, lambda scalars, *a: cls.scalar(scalars, *a, **attributes))

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        return dict(attributes), permutation


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


class Erf(MathUnary, mnemonic="erf"):
    """The error function."""

    function = "erf"

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        from math import erf

        return np.vectorize(erf, otypes=[np.float64])(input).astype(input.dtype)


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


class Binary(Elementwise):
    """Two operands of one element type."""

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        require(left.dtype == right.dtype, f"needs operands of one element type, got {left} and {right}")
        return left.with_shape(broadcast(left.shape, right.shape))


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


class Comparison(Binary):
    """Two operands of one type, a truth value as the result; `word` as in MLIR's predicates."""

    word: ClassVar[str]
    numpy_function: ClassVar[Callable[..., np.ndarray]]

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        return Binary.infer(left, right).with_dtype("i1")

    @classmethod
    def evaluate(cls, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return cls.numpy_function(left, right)

    @classmethod
    def scalar(cls, scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.compare(cls.word, left, right)


class Equal(Comparison, mnemonic="equal"):
    """left == right."""

    word, numpy_function = "eq", np.equal


class Less(Comparison, mnemonic="less"):
    """left < right."""

    word, numpy_function = "lt", np.less


class LessOrEqual(Comparison, mnemonic="less_or_equal"):
    """left <= right."""

    word, numpy_function = "le", np.less_equal


class Greater(Comparison, mnemonic="greater"):
    """left > right."""

    word, numpy_function = "gt", np.greater


class GreaterOrEqual(Comparison, mnemonic="greater_or_equal"):
    """left >= right."""

    word, numpy_function = "ge", np.greater_equal


class Logical(Binary):
    """Two truth values; `word` is and, or, xor."""

    word: ClassVar[str]
    numpy_function: ClassVar[Callable[..., np.ndarray]]

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        require(left.dtype == "i1", f"needs truth values, got {left}")
        return Binary.infer(left, right)

    @classmethod
    def evaluate(cls, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return cls.numpy_function(left, right)

    @classmethod
    def scalar(cls, scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.bitwise(cls.word, left, right)


class And(Logical, mnemonic="and"):
    """Both are true."""

    word, numpy_function = "and", np.logical_and


class Or(Logical, mnemonic="or"):
    """At least one is true."""

    word, numpy_function = "or", np.logical_or


class Xor(Logical, mnemonic="xor"):
    """Exactly one is true."""

    word, numpy_function = "xor", np.logical_xor


class Where(Elementwise, mnemonic="where"):
    """left where the condition holds, right elsewhere."""

    @staticmethod
    def infer(condition: Tensor, left: Tensor, right: Tensor) -> Tensor:
        require(condition.dtype == "i1", f"needs truth values as its condition, got {condition}")
        require(left.dtype == right.dtype, f"needs operands of one element type, got {left} and {right}")
        return left.with_shape(broadcast(condition.shape, left.shape, right.shape))

    evaluate = staticmethod(np.where)

    @staticmethod
    def scalar(scalars: Scalars, condition: Scalar, left: Scalar, right: Scalar) -> Scalar:
        return scalars.select(condition, left, right)
