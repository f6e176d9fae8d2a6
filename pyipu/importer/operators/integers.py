"""Sums of products of integers of 8 bits, in i32."""

from __future__ import annotations

import numpy as np

from pyipu.dialect.elementwise import Multiply, Subtract
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.arithmetic import cast
from pyipu.importer.operators.linear import mat_mul
from pyipu.importer.operators.windows import channels_first, channels_last, pad_windows, spatial_shape, windows
from pyipu.importer.registry import Ints, Value, operator


@operator("ConvInteger", since=10)
def conv_integer(
    graph: GraphBuilder,
    x: Value,
    w: Value,
    x_zero_point: Value | None = None,
    w_zero_point: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints | None = None,
    group: int = 1,
    kernel_shape: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:
    """x [N, C, spatial…], w [F, C / group, window…]; what is around x is its zero point."""
    rank, size = tensor_of(w).rank, tensor_of(w).shape[2:]
    if kernel_shape not in (None, size):
        raise ValueError(f"kernel_shape {kernel_shape} is not that of the weights {tensor_of(w)}")
    place = windows(spatial_shape(x), size, strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad)

    def product(data: Value, weights: Value, border: float) -> Value:
        padded = pad_windows(graph, data, place, border)
        return graph.create(Conv, padded, weights, strides=place.strides, dilations=place.dilations, groups=group)

    data, weights = channels_last(graph, x), graph.transpose(w, (*range(2, rank), 1, 0))
    narrow, border = _narrow(graph, weights, w_zero_point), _number(graph, x_zero_point)
    if narrow is None or border is None:
        wide = product(_moved(graph, data, x_zero_point), _moved(graph, weights, w_zero_point), 0.0)
        return channels_first(graph, wide)
    sums = narrow.sum(axis=tuple(range(rank - 1)), dtype=np.int32)
    total = product(data, graph.constant(narrow), border)
    return channels_first(graph, _without(graph, total, x_zero_point, sums))


@operator("MatMulInteger", since=10)
def mat_mul_integer(
    graph: GraphBuilder, a: Value, b: Value, a_zero_point: Value | None = None, b_zero_point: Value | None = None
) -> Value:
    """As MatMul; a may have a zero point for each row, b one for each column."""
    rows = a_zero_point
    if rows is not None and tensor_of(rows).rank == 1 and tensor_of(rows).elements > 1:
        rows = graph.reshape(rows, (tensor_of(rows).elements, 1))
    narrow = _narrow(graph, b, b_zero_point) if min(tensor_of(a).rank, tensor_of(b).rank) > 1 else None
    if narrow is None:
        return mat_mul(graph, _moved(graph, a, rows), _moved(graph, b, b_zero_point))
    sums = narrow.sum(axis=-2, keepdims=True, dtype=np.int32)
    return _without(graph, mat_mul(graph, a, graph.constant(narrow)), rows, sums)


def _narrow(graph: GraphBuilder, weights: Value, zero: Value | None) -> np.ndarray | None:
    """Known weights around zero, if 8 bits hold them."""
    known, around = graph.known(weights), np.zeros((), np.int32) if zero is None else graph.known(zero)
    if known is None or around is None:
        return None
    moved = known.astype(np.int32) - around.astype(np.int32)
    limits = np.iinfo(np.int8)
    fits = moved.min(initial=0) >= limits.min and moved.max(initial=0) <= limits.max
    return moved.astype(np.int8) if fits else None


def _number(graph: GraphBuilder, zero: Value | None) -> float | None:
    """A zero point that is known."""
    known = np.zeros(1) if zero is None else graph.known(zero)
    return None if known is None else float(known.reshape(-1)[0])


def _moved(graph: GraphBuilder, value: Value, zero: Value | None) -> Value:
    """The integers around zero, in i32."""
    wide = cast(graph, value, "i32")
    return wide if zero is None else graph.create(Subtract, wide, cast(graph, zero, "i32"))


def _without(graph: GraphBuilder, total: Value, zero: Value | None, sums: np.ndarray) -> Value:
    """The sum of products of (data - zero): weights that add up to `sums` have been multiplied with zero, too."""
    if zero is None:
        return total
    excess = graph.create(Multiply, cast(graph, zero, "i32"), graph.constant(sums))
    return graph.create(Subtract, total, excess)
