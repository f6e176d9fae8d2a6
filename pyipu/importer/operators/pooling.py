"""Poolings, over windows and over whole images."""

from __future__ import annotations

import numpy as np

from pyipu.dialect.elementwise import Multiply
from pyipu.dialect.reduction import ReduceMax, ReduceSum
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import MaxPool, SumPool
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.windows import (
    Windows,
    channels_first,
    channels_last,
    pad_windows,
    spatial_shape,
    windows,
)
from pyipu.importer.registry import Ints, Value, operator


@operator("MaxPool")
def max_pool(
    graph: GraphBuilder,
    x: Value,
    *,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: bool = False,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    storage_order: int = 0,
    strides: Ints | None = None,
) -> Value:
    """x [N, C, spatial…]; `storage_order` is about the optional output of indices alone."""
    place = windows(
        spatial_shape(x),
        kernel_shape,
        strides=strides,
        dilations=dilations,
        pads=pads,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
    )
    lowest = float(ReduceMax.start(tensor_of(x).numpy_dtype))
    data = pad_windows(graph, channels_last(graph, x), place, lowest)
    result = graph.create(MaxPool, data, window=place.size, strides=place.strides, dilations=place.dilations)
    return channels_first(graph, result)


@operator("AveragePool")
def average_pool(
    graph: GraphBuilder,
    x: Value,
    *,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    dilations: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:
    """x [N, C, spatial…]."""
    spatial = spatial_shape(x)
    place = windows(
        spatial,
        kernel_shape,
        strides=strides,
        dilations=dilations,
        pads=pads,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
    )
    data = pad_windows(graph, channels_last(graph, x), place)
    total = graph.create(SumPool, data, window=place.size, strides=place.strides, dilations=place.dilations)
    weights = (1 / _counts(spatial, place, count_include_pad)).astype(tensor_of(x).numpy_dtype)
    return channels_first(graph, graph.create(Multiply, total, graph.constant(weights)))


def _counts(spatial: Ints, place: Windows, include_pad: bool) -> np.ndarray:
    """How many elements each window averages: one number when all agree, else of shape [positions…, 1]."""
    counts = np.ones(())
    for axis, positions in enumerate(place.positions(spatial)):
        starts = np.arange(positions) * place.strides[axis] - place.low[axis]
        taps = starts[:, None] + np.arange(place.size[axis]) * place.dilations[axis]
        first = -place.low[axis] if include_pad else 0
        end = spatial[axis] + (place.high[axis] if include_pad else 0)
        counts = counts[..., None] * ((taps >= first) & (taps < end)).sum(1)
    uniform = (counts == counts.flat[0]).all()
    return counts.reshape(-1)[0:1].reshape(()) if uniform else counts[None, ..., None]


@operator("GlobalAveragePool")
def global_average_pool(graph: GraphBuilder, x: Value) -> Value:
    """x [N, C, spatial…]."""
    axes = tuple(range(2, 2 + len(spatial_shape(x))))
    total = graph.create(ReduceSum, x, axes=axes, keep=True)
    return graph.create(Multiply, total, graph.scalar(1 / np.prod(spatial_shape(x)), x))


@operator("GlobalMaxPool")
def global_max_pool(graph: GraphBuilder, x: Value) -> Value:
    """x [N, C, spatial…]."""
    return graph.create(ReduceMax, x, axes=tuple(range(2, 2 + len(spatial_shape(x)))), keep=True)
