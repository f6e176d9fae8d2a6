"""Arithmetic, element by element."""

from __future__ import annotations

from functools import reduce

import numpy as np

from pyipu.dialect import elementwise as ipu
from pyipu.dialect.types import tensor_of
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.registry import Value, operator


@operator("Add", since=7)
def add(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Add, a, b)


@operator("Sub", since=7)
def sub(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Subtract, a, b)


@operator("Mul", since=7)
def mul(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Multiply, a, b)


@operator("Div", since=7)
def div(graph: GraphBuilder, a: Value, b: Value) -> Value:
    return graph.create(ipu.Divide, a, b)


@operator("Mod", since=10)
def mod(graph: GraphBuilder, a: Value, b: Value, *, fmod: bool = False) -> Value:
    """The remainder has the sign of `a` when `fmod`, else that of `b`."""
    quotient = graph.create(ipu.Divide, a, b)
    if tensor_of(a).is_float:
        quotient = _rounded_to_zero(graph, quotient)
    remainder = graph.create(ipu.Subtract, a, graph.create(ipu.Multiply, quotient, b))
    if fmod or tensor_of(a).dtype.startswith("ui"):
        return remainder
    zero = graph.scalar(0, a)
    signs_differ = graph.create(ipu.Less, graph.create(ipu.Multiply, remainder, b), zero)
    return graph.create(ipu.Where, signs_differ, graph.create(ipu.Add, remainder, b), remainder)


def _rounded_to_zero(graph: GraphBuilder, value: Value) -> Value:
    negative = graph.create(ipu.Less, value, graph.scalar(0, value))
    return graph.create(ipu.Where, negative, graph.create(ipu.Ceil, value), graph.create(ipu.Floor, value))


@operator("Pow", since=7)
def pow(graph: GraphBuilder, x: Value, y: Value) -> Value:
    """y may have another element type; the result has that of x."""
    exponents = graph.known(y)
    if exponents is not None and exponents.size == 1 and tensor_of(y).rank <= tensor_of(x).rank:
        return power(graph, x, float(exponents.reshape(())))
    return _powf(graph, x, y)


def power(graph: GraphBuilder, x: Value, exponent: float) -> Value:
    """x to a known power, by products and roots where these are enough."""
    if exponent == 1:
        return x
    if exponent in (2, 3):
        square = graph.create(ipu.Multiply, x, x)
        return square if exponent == 2 else graph.create(ipu.Multiply, square, x)
    if not tensor_of(x).is_float:
        return _powf(graph, x, graph.constant(np.array(exponent)))
    if exponent == -1:
        return graph.create(ipu.Reciprocal, x)
    if exponent in (0.5, 0.75):
        root = graph.create(ipu.Sqrt, x)
        return root if exponent == 0.5 else graph.create(ipu.Multiply, root, graph.create(ipu.Sqrt, root))
    return graph.create(ipu.Power, x, graph.scalar(exponent, x))


def _powf(graph: GraphBuilder, x: Value, y: Value) -> Value:
    """Whole numbers go through float64, which has them exactly up to 2^53."""
    dtype = tensor_of(x).dtype
    common = dtype if tensor_of(x).is_float else "f64"
    return cast(graph, graph.create(ipu.Power, cast(graph, x, common), cast(graph, y, common)), dtype)


def cast(graph: GraphBuilder, value: Value, dtype: str) -> Value:
    """The value itself when it has this element type."""
    return value if tensor_of(value).dtype == dtype else graph.create(ipu.Cast, value, dtype=dtype)


@operator("Sqrt", since=6)
def sqrt(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Sqrt, x)


@operator("Exp", since=6)
def exp(graph: GraphBuilder, input: Value) -> Value:
    return graph.create(ipu.Exp, input)


@operator("Log", since=6)
def log(graph: GraphBuilder, input: Value) -> Value:
    return graph.create(ipu.Log, input)


@operator("Erf", since=9)
def erf(graph: GraphBuilder, input: Value) -> Value:
    return graph.create(ipu.Erf, input)


@operator("Neg", since=6)
def neg(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Negate, x)


@operator("Abs", since=6)
def abs(graph: GraphBuilder, x: Value) -> Value:
    unsigned = tensor_of(x).dtype.startswith("ui")
    return x if unsigned else graph.create(ipu.Abs, x)


@operator("Floor", since=6)
def floor(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Floor, x)


@operator("Ceil", since=6)
def ceil(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Ceil, x)


@operator("Reciprocal", since=6)
def reciprocal(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Reciprocal, x)


@operator("Sign", since=9)
def sign(graph: GraphBuilder, input: Value) -> Value:
    zero, one = graph.scalar(0, input), graph.scalar(1, input)
    positive = graph.create(ipu.Where, graph.create(ipu.Greater, input, zero), one, zero)
    if tensor_of(input).dtype.startswith("ui"):
        return positive
    negative = graph.create(ipu.Less, input, zero)
    return graph.create(ipu.Where, negative, graph.scalar(-1, input), positive)


@operator("Sum", since=8)
def sum(graph: GraphBuilder, *data_0: Value) -> Value:
    return reduce(lambda a, b: graph.create(ipu.Add, a, b), data_0)


@operator("Max", since=8)
def max(graph: GraphBuilder, *data_0: Value) -> Value:
    return reduce(lambda a, b: graph.create(ipu.Maximum, a, b), data_0)


@operator("Min", since=8)
def min(graph: GraphBuilder, *data_0: Value) -> Value:
    return reduce(lambda a, b: graph.create(ipu.Minimum, a, b), data_0)


@operator("Mean", since=8)
def mean(graph: GraphBuilder, *data_0: Value) -> Value:
    total = sum(graph, *data_0)
    return graph.create(ipu.Multiply, total, graph.scalar(1 / len(data_0), total))
