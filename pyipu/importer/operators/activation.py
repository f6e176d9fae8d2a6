"""Activation functions."""

from __future__ import annotations

import math

from ml_dtypes import finfo

from pyipu.dialect import elementwise as ipu
from pyipu.dialect.reduction import ReduceMax, ReduceSum, Softmax
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.arithmetic import power
from pyipu.importer.operators.axes import normal_axis
from pyipu.importer.registry import Value, operator


@operator("Relu", since=6)
def relu(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Relu, x)


@operator("LeakyRelu", since=6)
def leaky_relu(graph: GraphBuilder, x: Value, *, alpha: float = 0.01) -> Value:
    return graph.create(ipu.LeakyRelu, x, slope=alpha)


@operator("PRelu", since=7)
def prelu(graph: GraphBuilder, x: Value, slope: Value) -> Value:
    """`slope` broadcasts to x."""
    negative = graph.create(ipu.Less, x, graph.scalar(0, x))
    return graph.create(ipu.Where, negative, graph.create(ipu.Multiply, x, slope), x)


@operator("Elu", since=6)
def elu(graph: GraphBuilder, x: Value, *, alpha: float = 1.0) -> Value:
    """x where positive, else alpha * (e^x - 1)."""
    below = graph.create(ipu.Subtract, graph.create(ipu.Exp, x), graph.scalar(1, x))
    scaled = graph.create(ipu.Multiply, below, graph.scalar(alpha, x))
    return graph.create(ipu.Where, graph.create(ipu.Less, x, graph.scalar(0, x)), scaled, x)


@operator("Sigmoid", since=6)
def sigmoid(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Sigmoid, x)


@operator("HardSigmoid", since=6)
def hard_sigmoid(graph: GraphBuilder, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Value:
    return graph.create(ipu.HardSigmoid, x, slope=alpha, offset=beta)


@operator("HardSwish", since=14)
def hard_swish(graph: GraphBuilder, x: Value) -> Value:
    return graph.create(ipu.Multiply, x, graph.create(ipu.HardSigmoid, x, slope=1 / 6, offset=0.5))


@operator("Tanh", since=6)
def tanh(graph: GraphBuilder, input: Value) -> Value:
    return graph.create(ipu.Tanh, input)


@operator("Gelu", since=20)
def gelu(graph: GraphBuilder, x: Value, *, approximate: str = "none") -> Value:
    """x times the normal distribution function of x, exactly or through tanh."""
    if approximate not in ("none", "tanh"):
        raise UnsupportedError(f"has approximate='{approximate}'; ONNX knows none and tanh")
    if approximate == "none":
        inner = graph.create(ipu.Erf, graph.create(ipu.Multiply, x, graph.scalar(math.sqrt(0.5), x)))
    else:
        cube = graph.create(ipu.Multiply, power(graph, x, 3), graph.scalar(0.044715, x))
        scaled = graph.create(ipu.Multiply, graph.create(ipu.Add, x, cube), graph.scalar(math.sqrt(2 / math.pi), x))
        inner = graph.create(ipu.Tanh, scaled)
    weight = graph.create(ipu.Add, inner, graph.scalar(1, x))
    return graph.create(ipu.Multiply, graph.create(ipu.Multiply, x, graph.scalar(0.5, x)), weight)


@operator("Softmax", since=13)
def softmax(graph: GraphBuilder, input: Value, *, axis: int = -1) -> Value:
    return graph.create(Softmax, input, axis=normal_axis(axis, input))


@operator("Softmax")
def softmax_1(graph: GraphBuilder, input: Value, *, axis: int = 1) -> Value:
    """Before opset 13: over all dimensions from `axis` on together."""
    matrix, shape = _flattened(graph, input, axis)
    return graph.reshape(graph.create(Softmax, matrix, axis=1), shape)


def _flattened(graph: GraphBuilder, input: Value, axis: int) -> tuple[Value, tuple[int, ...]]:
    shape = tensor_of(input).shape
    first = axis + len(shape) if axis < 0 else axis
    return graph.reshape(input, (math.prod(shape[:first]), math.prod(shape[first:]))), shape


@operator("LogSoftmax", since=13)
def log_softmax(graph: GraphBuilder, input: Value, *, axis: int = -1) -> Value:
    axes = (normal_axis(axis, input),)
    centered = graph.create(ipu.Subtract, input, graph.create(ReduceMax, input, axes=axes, keep=True))
    total = graph.create(ReduceSum, graph.create(ipu.Exp, centered), axes=axes, keep=True)
    return graph.create(ipu.Subtract, centered, graph.create(ipu.Log, total))


@operator("LogSoftmax")
def log_softmax_1(graph: GraphBuilder, input: Value, *, axis: int = 1) -> Value:
    """Before opset 13: over all dimensions from `axis` on together."""
    matrix, shape = _flattened(graph, input, axis)
    return graph.reshape(log_softmax(graph, matrix, axis=1), shape)


@operator("Clip", since=6)
def clip_6(graph: GraphBuilder, input: Value, *, min: float = float("-inf"), max: float = float("inf")) -> Value:
    return _clip(graph, input, min, max)


@operator("Clip", since=11)
def clip(graph: GraphBuilder, input: Value, min: Value | None = None, max: Value | None = None) -> Value:
    """Bounds are scalars; known bounds of floating-point data become attributes."""
    bounds = [None if bound is None else graph.known(bound) for bound in (min, max)]
    unknown = any(a is not None and b is None for a, b in zip((min, max), bounds, strict=True))
    if tensor_of(input).is_float and not unknown:
        low, high = (bound if bound is None else float(bound.reshape(())) for bound in bounds)
        return _clip(graph, input, -math.inf if low is None else low, math.inf if high is None else high)
    above = input if min is None else graph.create(ipu.Maximum, input, graph.reshape(min, ()))
    return above if max is None else graph.create(ipu.Minimum, above, graph.reshape(max, ()))


def _clip(graph: GraphBuilder, input: Value, low: float, high: float) -> Value:
    limits = finfo(tensor_of(input).numpy_dtype)
    if low <= limits.min and high >= limits.max:
        return input
    if low == 0 and high >= limits.max:
        return graph.create(ipu.Relu, input)
    return graph.create(ipu.Clip, input, low=low, high=high)
