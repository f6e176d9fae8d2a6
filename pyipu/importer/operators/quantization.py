"""Quantized operators: between numbers and integers, and sums of products of integers.

QuantizeLinear and DequantizeLinear become element-wise ops, and operators such as QLinearConv what they stand for: the
numbers of their operands, computed with and quantized again. `ipu-integers` computes that with integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyipu.dialect.elementwise import (
    INTEGERS,
    Dequantize,
    Divide,
    Equal,
    Maximum,
    Minimum,
    Multiply,
    Quantize,
    Subtract,
    Where,
)
from pyipu.dialect.reduction import ReduceMax, ReduceMin
from pyipu.dialect.types import NUMPY_DTYPES, tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.elements import element_type
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.arithmetic import cast
from pyipu.importer.operators.axes import normal_axis
from pyipu.importer.operators.convolution import conv
from pyipu.importer.operators.linear import mat_mul
from pyipu.importer.registry import Ints, Value, operator
from pyipu.passes.folding import is_known

STEPS = 255
"""Between the integers of 8 bits."""


@operator("QuantizeLinear", domain="com.microsoft")
@operator("QuantizeLinear", since=10)
def quantize_linear(
    graph: GraphBuilder,
    x: Value,
    y_scale: Value,
    y_zero_point: Value | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Value:
    """One scale, or one for each index along the axis; `saturate` is about floating-point results alone."""
    _refuse_blocks(block_size)
    dtype = element_type(output_dtype, "its result") if output_dtype else "ui8"
    if y_zero_point is not None:
        dtype = tensor_of(y_zero_point).dtype
    if dtype not in INTEGERS:
        raise UnsupportedError(f"quantizes to {dtype}; pyipu quantizes to {', '.join(INTEGERS)}")
    scale = _along(graph, cast(graph, y_scale, "f32"), x, axis)
    zero = _zero(graph, y_zero_point, dtype, x, axis)
    return graph.create(Quantize, cast(graph, x, "f32"), scale, zero)


@operator("DequantizeLinear", domain="com.microsoft")
@operator("DequantizeLinear", since=10)
def dequantize_linear(
    graph: GraphBuilder,
    x: Value,
    x_scale: Value,
    x_zero_point: Value | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Value:
    """The result is of the type of the scale."""
    _refuse_blocks(block_size)
    dtype = element_type(output_dtype, "its result") if output_dtype else tensor_of(x_scale).dtype
    zero = _zero(graph, x_zero_point, tensor_of(x).dtype, x, axis)
    return cast(graph, _number(graph, x, _along(graph, x_scale, x, axis), zero), dtype)


def _refuse_blocks(block_size: int) -> None:
    if block_size:
        raise UnsupportedError(f"has block_size={block_size}; pyipu has one scale for a tensor or for each channel")


def _along(graph: GraphBuilder, value: Value, x: Value, axis: int) -> Value:
    """A number for all of x, or for each index along the axis, in the shape in which it broadcasts to x."""
    tensor, rank = tensor_of(value), tensor_of(x).rank
    if tensor.elements == 1:
        return graph.reshape(value, ())
    if tensor.rank != 1:
        raise UnsupportedError(f"has scales of {tensor}; pyipu has one scale for a tensor or for each channel")
    place = normal_axis(axis, x)
    return graph.reshape(value, tuple(tensor.elements if i == place else 1 for i in range(rank)))


def _zero(graph: GraphBuilder, value: Value | None, dtype: str, x: Value, axis: int) -> Value:
    return graph.constant(np.zeros((), NUMPY_DTYPES[dtype])) if value is None else _along(graph, value, x, axis)


def _number(graph: GraphBuilder, x: Value, scale: Value, zero: Value) -> Value:
    """What x stands for. Known weights stay integers in the graph, which may be computed with as they are."""
    if is_known(x) and tensor_of(x).rank > 1:
        return Dequantize.create(x, scale, zero, location=graph.location).result
    return graph.create(Dequantize, x, scale, zero)


@operator("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(graph: GraphBuilder, x: Value) -> Sequence[Value]:
    """ui8, scale and zero point, so that 255 steps reach from the smallest number to the largest one, and over zero."""
    axes, zero = tuple(range(tensor_of(x).rank)), graph.scalar(0, x)
    low = graph.create(Minimum, graph.create(ReduceMin, x, axes=axes, keep=False), zero)
    high = graph.create(Maximum, graph.create(ReduceMax, x, axes=axes, keep=False), zero)
    steps = graph.create(Divide, graph.create(Subtract, high, low), graph.scalar(STEPS, x))
    # Of nothing but zeros any scale is right; ONNX Runtime takes one.
    scale = graph.create(Where, graph.create(Equal, steps, zero), graph.scalar(1, x), steps)
    below = graph.create(Subtract, zero, low)
    around = graph.create(Quantize, below, scale, graph.constant(np.zeros((), np.uint8)))
    return graph.create(Quantize, x, scale, around), scale, around


# What is computed with numbers and quantized again ----------------------------------------------------------------


@operator("QLinearConv", since=10)
def q_linear_conv(
    graph: GraphBuilder,
    x: Value,
    x_scale: Value,
    x_zero_point: Value,
    w: Value,
    w_scale: Value,
    w_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints | None = None,
    group: int = 1,
    kernel_shape: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:
    """As Conv; the bias is in steps of x_scale * w_scale."""
    bias = b if b is None else dequantize_linear(graph, b, bias_scale(graph, b, x_scale, w_scale), None, axis=0)
    result = conv(
        graph,
        dequantize_linear(graph, x, x_scale, x_zero_point),
        dequantize_linear(graph, w, w_scale, w_zero_point, axis=0),
        bias,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    return quantize_linear(graph, result, y_scale, y_zero_point)


def bias_scale(graph: GraphBuilder, bias: Value, *scales: Value) -> Value:
    """One step for each element of the bias, or one for all of them."""
    flat = [graph.reshape(scale, ()) if tensor_of(scale).elements == 1 else scale for scale in scales]
    return graph.create(Multiply, *flat)


@operator("QLinearMatMul", since=10)
def q_linear_mat_mul(
    graph: GraphBuilder,
    a: Value,
    a_scale: Value,
    a_zero_point: Value,
    b: Value,
    b_scale: Value,
    b_zero_point: Value,
    y_scale: Value,
    y_zero_point: Value,
) -> Value:
    """As MatMul; a may have a scale for each row, b one for each column."""
    product = mat_mul(
        graph,
        dequantize_linear(graph, a, a_scale, a_zero_point, axis=-2),
        dequantize_linear(graph, b, b_scale, b_zero_point, axis=-1),
    )
    return quantize_linear(graph, product, y_scale, y_zero_point)
