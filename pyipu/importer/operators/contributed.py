"""Quantized operators that ONNX lacks and ONNX Runtime's tools write: they compute with what operands stand for."""

from __future__ import annotations

from pyipu.dialect.elementwise import Add, Multiply
from pyipu.dialect.movement import Concat
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.axes import normal_axis
from pyipu.importer.operators.linear import gemm
from pyipu.importer.operators.pooling import global_average_pool
from pyipu.importer.operators.quantization import bias_scale, dequantize_linear, quantize_linear
from pyipu.importer.registry import Value, operator

CONTRIBUTED = "com.microsoft"


@operator("QGemm", domain=CONTRIBUTED)
def q_gemm(
    graph: GraphBuilder,
    a: Value,
    a_scale: Value,
    a_zero_point: Value,
    b: Value,
    b_scale: Value,
    b_zero_point: Value,
    c: Value | None = None,
    y_scale: Value | None = None,
    y_zero_point: Value | None = None,
    *,
    alpha: float = 1.0,
    transA: bool = False,  # noqa: N803
    transB: bool = False,  # noqa: N803
) -> Value:
    """As Gemm; c is in steps of alpha * a_scale * b_scale, and without y_scale the result is a number."""
    steps = graph.create(Multiply, a_scale, graph.scalar(alpha, a_scale))
    bias = c if c is None else dequantize_linear(graph, c, bias_scale(graph, c, steps, b_scale), None, axis=-1)
    numbers = (
        dequantize_linear(graph, a, a_scale, a_zero_point),
        dequantize_linear(graph, b, b_scale, b_zero_point, axis=0 if transB else 1),
    )
    result = gemm(graph, *numbers, bias, alpha=alpha, transA=transA, transB=transB)
    return result if y_scale is None else quantize_linear(graph, result, y_scale, y_zero_point)


@operator("QLinearAdd", domain=CONTRIBUTED)
def q_linear_add(
    graph: GraphBuilder,
    a: Value,
    a_scale: Value,
    a_zero_point: Value | None,
    b: Value,
    b_scale: Value,
    b_zero_point: Value | None,
    c_scale: Value,
    c_zero_point: Value | None = None,
) -> Value:
    """As Add."""
    numbers = dequantize_linear(graph, a, a_scale, a_zero_point), dequantize_linear(graph, b, b_scale, b_zero_point)
    return quantize_linear(graph, graph.create(Add, *numbers), c_scale, c_zero_point)


@operator("QLinearMul", domain=CONTRIBUTED)
def q_linear_mul(
    graph: GraphBuilder,
    a: Value,
    a_scale: Value,
    a_zero_point: Value | None,
    b: Value,
    b_scale: Value,
    b_zero_point: Value | None,
    c_scale: Value,
    c_zero_point: Value | None = None,
) -> Value:
    """As Mul."""
    numbers = dequantize_linear(graph, a, a_scale, a_zero_point), dequantize_linear(graph, b, b_scale, b_zero_point)
    return quantize_linear(graph, graph.create(Multiply, *numbers), c_scale, c_zero_point)


@operator("QLinearConcat", domain=CONTRIBUTED)
def q_linear_concat(graph: GraphBuilder, y_scale: Value, y_zero_point: Value, *inputs: Value, axis: int) -> Value:
    """The inputs come by three: integers, their scale and their zero."""
    parts = [dequantize_linear(graph, *inputs[i : i + 3]) for i in range(0, len(inputs), 3)]
    whole = graph.create(Concat, *parts, axis=normal_axis(axis, parts[0]))
    return quantize_linear(graph, whole, y_scale, y_zero_point)


@operator("QLinearGlobalAveragePool", domain=CONTRIBUTED)
def q_linear_global_average_pool(
    graph: GraphBuilder,
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
    *,
    channels_last: bool = False,
) -> Value:
    """x [N, C, spatial…]."""
    if channels_last:
        raise UnsupportedError("has channels_last=1; only ONNX Runtime's own rewrites write that")
    mean = global_average_pool(graph, dequantize_linear(graph, x, x_scale, x_zero_point))
    return quantize_linear(graph, mean, y_scale, y_zero_point)
