"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyipu.dialect import linear, movement
from pyipu.dialect import windows as ipu_windows
from pyipu.dialect.elementwise import Add
from pyipu.dialect.types import tensor_of
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.windows import (
    channels_first,
    channels_last,
    pad,
    pad_windows,
    reaches,
    spatial_shape,
    split_padding,
    windows,
)
from pyipu.importer.registry import Ints, Value, operator


@operator("Conv")
def conv(
    graph: GraphBuilder,
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints | None = None,
    group: int = 1,
    kernel_shape: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:
    """x [N, C, spatial…], w [F, C / group, window…], b [F]."""
    size = _kernel(w, kernel_shape)
    place = windows(spatial_shape(x), size, strides=strides, dilations=dilations, pads=pads, auto_pad=auto_pad)
    weights = graph.transpose(w, (*range(2, tensor_of(w).rank), 1, 0))
    data = pad_windows(graph, channels_last(graph, x), place)
    result = graph.create(
        ipu_windows.Conv, data, weights, strides=place.strides, dilations=place.dilations, groups=group
    )
    return channels_first(graph, _add_bias(graph, result, b))


def _kernel(w: Value, kernel_shape: Ints | None) -> Ints:
    size = tensor_of(w).shape[2:]
    if kernel_shape is not None and kernel_shape != size:
        raise ValueError(f"kernel_shape {list(kernel_shape)} is not that of the weights {tensor_of(w)}")
    return size


def _add_bias(graph: GraphBuilder, result: Value, bias: Value | None) -> Value:
    """Channels-last, so that a bias per filter broadcasts as it is."""
    return result if bias is None else graph.create(Add, result, bias)


@operator("ConvTranspose")
def conv_transpose(
    graph: GraphBuilder,
    x: Value,
    w: Value,
    b: Value | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints | None = None,
    group: int = 1,
    kernel_shape: Ints | None = None,
    output_padding: Ints | None = None,
    output_shape: Ints | None = None,
    pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:
    """x [N, C, spatial…], w [C, F / group, window…], b [F]."""
    spatial, size = spatial_shape(x), _kernel(w, kernel_shape)
    rank = len(spatial)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    output_padding = output_padding or (0,) * rank
    reach = reaches(size, dilations)
    full = [(n - 1) * s + r + o for n, s, r, o in zip(spatial, strides, reach, output_padding, strict=True)]
    low, high = _cropping(full, spatial, strides, pads, auto_pad, output_shape)
    data = channels_last(graph, x)
    if size == strides and group == 1 and not any((*low, *high, *output_padding)) and set(dilations) == {1}:
        result = _side_by_side(graph, data, w)
    else:
        low = [r - 1 - cut for r, cut in zip(reach, low, strict=True)]
        high = [r - 1 - cut + o for r, cut, o in zip(reach, high, output_padding, strict=True)]
        result = _spread_out(graph, data, _flipped(graph, w, group), strides, dilations, group, low, high)
    return channels_first(graph, _add_bias(graph, result, b))


def _cropping(
    full: Sequence[int],
    spatial: Sequence[int],
    strides: Sequence[int],
    pads: Ints | None,
    auto_pad: str,
    output_shape: Ints | None,
) -> tuple[Sequence[int], Sequence[int]]:
    """How much of the full result is cut off at both ends; formulas of ONNX's documentation of ConvTranspose."""
    rank = len(full)
    wanted = output_shape and output_shape[-rank:]
    if auto_pad in ("SAME_UPPER", "SAME_LOWER") and not wanted:
        wanted = tuple(n * s for n, s in zip(spatial, strides, strict=True))
    if wanted:
        total = [size - target for size, target in zip(full, wanted, strict=True)]
        return split_padding(total, auto_pad if auto_pad == "SAME_UPPER" else "SAME_LOWER")
    return (pads[:rank], pads[rank:]) if pads and auto_pad in ("NOTSET", "") else ((0,) * rank, (0,) * rank)


def _side_by_side(graph: GraphBuilder, data: Value, w: Value) -> Value:
    """Windows that neither overlap nor leave gaps: one contraction, such as 'nhwc,cijf->nhiwjf'."""
    batch, *spatial, _ = tensor_of(data).shape
    _, filters, *size = tensor_of(w).shape
    place, inside = "xyzuvw"[: len(size)], "ijklmo"[: len(size)]
    woven = "".join(a + b for a, b in zip(place, inside, strict=True))
    weights = graph.transpose(w, (0, *range(2, 2 + len(size)), 1))
    blocks = graph.create(linear.Einsum, data, weights, equation=f"n{place}c,c{inside}f->n{woven}f")
    return graph.reshape(blocks, (batch, *(n * k for n, k in zip(spatial, size, strict=True)), filters))


def _spread_out(
    graph: GraphBuilder,
    data: Value,
    weights: Value,
    strides: Ints,
    dilations: Ints,
    group: int,
    low: Sequence[int],
    high: Sequence[int],
) -> Value:
    """A convolution over the data with zeros between neighbours; `low` and `high` are the border."""
    gaps = (0, *(stride - 1 for stride in strides), 0)
    spread = pad(graph, data, (0, *low, 0), (0, *high, 0), interior=gaps)
    ones = (1,) * len(strides)
    return graph.create(ipu_windows.Conv, spread, weights, strides=ones, dilations=dilations, groups=group)


def _flipped(graph: GraphBuilder, w: Value, group: int) -> Value:
    """[C, F / group, window…] to [window…, C / group, F], each window from its end to its start."""
    channels, filters, *size = tensor_of(w).shape
    if channels % group:
        raise ValueError(f"{channels} channels cannot be split into {group} groups")
    rank = len(size)
    grouped = graph.reshape(w, (group, channels // group, filters, *size))
    ordered = graph.transpose(grouped, (*range(3, 3 + rank), 1, 0, 2))
    weights = graph.reshape(ordered, (*size, channels // group, group * filters))
    for axis, extent in enumerate(size):
        if extent > 1:
            backwards = graph.constant(np.arange(extent)[::-1].astype(np.int64))
            weights = graph.create(movement.Gather, weights, backwards, axis=axis)
    return weights
