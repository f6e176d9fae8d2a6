"""Normalisations, written out in simpler operations."""

from __future__ import annotations

import math

import numpy as np

from pyipu.dialect import elementwise as ipu
from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Broadcast, Reshape
from pyipu.dialect.reduction import ReduceSum
from pyipu.dialect.types import tensor_of
from pyipu.errors import ModelError, UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.arithmetic import cast, power
from pyipu.importer.operators.axes import normal_axis
from pyipu.importer.operators.windows import channels_first, channels_last
from pyipu.importer.registry import Ints, Value, operator


@operator("BatchNormalization", since=7)
def batch_normalization(
    graph: GraphBuilder,
    x: Value,
    scale: Value,
    b: Value,
    input_mean: Value,
    input_var: Value,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
    training_mode: bool = False,
) -> Value:
    """Inference: one factor and one shift per channel. `momentum` is for training alone."""
    if training_mode or spatial != 1:
        raise UnsupportedError("has training_mode=1 or spatial=0, but pyipu only normalises channels, for inference")
    dtype = tensor_of(x).dtype
    deviation = graph.create(ipu.Sqrt, graph.create(ipu.Add, input_var, graph.scalar(epsilon, input_var)))
    factor = cast(graph, graph.create(ipu.Divide, cast(graph, scale, tensor_of(deviation).dtype), deviation), dtype)
    moved = graph.create(ipu.Multiply, cast(graph, input_mean, dtype), factor)
    shift = graph.create(ipu.Subtract, cast(graph, b, dtype), moved)
    shape = (1, -1, *[1] * (tensor_of(x).rank - 2))
    scaled = graph.create(ipu.Multiply, x, _per_channel(graph, factor, shape))
    return graph.create(ipu.Add, scaled, _per_channel(graph, shift, shape))


def _per_channel(graph: GraphBuilder, value: Value, shape: Ints) -> Value:
    """A value per channel as a tensor of `shape`, in which -1 stands for the channels."""
    return graph.reshape(value, [tensor_of(value).elements if size == -1 else size for size in shape])


@operator("InstanceNormalization", since=6)
def instance_normalization(
    graph: GraphBuilder, input: Value, scale: Value, b: Value, *, epsilon: float = 1e-5
) -> Value:
    """input [N, C, spatial…]: each channel of each image on its own.

    Exporters write group normalization so, with a group's channels as one.
    """
    rank, groups = tensor_of(input).rank, tensor_of(input).shape[1]
    apart = _channels_apart(input)
    if apart is not None:
        scales = [_repeated(graph, value, tensor_of(apart).shape[1] // groups) for value in (scale, b)]
        result = group_normalization(graph, apart, *scales, num_groups=groups, epsilon=epsilon)
        return graph.reshape(result, tensor_of(input).shape)
    normal, *_ = _standardized(graph, input, tuple(range(2, rank)), epsilon)
    shape = (1, -1, *[1] * (rank - 2))
    scaled = graph.create(ipu.Multiply, normal, _per_channel(graph, scale, shape))
    return graph.create(ipu.Add, scaled, _per_channel(graph, b, shape))


@operator("GroupNormalization", since=21)
def group_normalization(
    graph: GraphBuilder,
    x: Value,
    scale: Value,
    bias: Value,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Value:
    """x [N, C, spatial…]: neighbouring channels of an image together, in float32 whatever `stash_type`."""
    dtype, rank = tensor_of(x).dtype, tensor_of(x).rank
    if tensor_of(x).shape[1] % num_groups:
        raise ModelError(f"cannot put the {tensor_of(x).shape[1]} channels of its input into {num_groups} groups")
    wide = cast(graph, x, "f32" if dtype in ("f16", "bf16") else dtype)
    shape = (1, -1, *[1] * (rank - 2))
    scaled = graph.create(ipu.Multiply, _by_group(graph, wide, num_groups, epsilon), _per_channel(graph, scale, shape))
    return cast(graph, graph.create(ipu.Add, scaled, _per_channel(graph, bias, shape)), dtype)


def _channels_apart(value: Value) -> Value | None:
    """Of groups of channels as one channel each, [N, G, …], the image whose channels they have, [N, C, spatial…]."""
    if not isinstance(value.owner, Reshape):
        return None
    image = value.owner.operands[0]
    batch, groups, *_ = tensor_of(value).shape
    joined = tensor_of(image).rank > 2 and tensor_of(image).shape[0] == batch
    return image if joined and _is_multiple(tensor_of(image).shape[1], groups) else None


def _is_multiple(channels: int, groups: int) -> bool:
    return channels > groups > 0 and channels % groups == 0


def _repeated(graph: GraphBuilder, value: Value, times: int) -> Value:
    """A value per group as one per channel."""
    groups = tensor_of(value).elements
    column = graph.reshape(value, (groups, 1))
    return graph.reshape(graph.create(Broadcast, column, shape=(groups, times)), (groups * times,))


def _by_group(graph: GraphBuilder, x: Value, groups: int, epsilon: float) -> Value:
    """x with mean 0 and variance 1 in each group of channels.

    Sums are of channels first: no tensor of groups is made, whose layout would have to be another one.
    """
    mean = _average_of_groups(graph, x, groups)
    centered = graph.create(ipu.Subtract, x, mean)
    variance = _average_of_groups(graph, graph.create(ipu.Multiply, centered, centered), groups)
    deviation = graph.create(ipu.Sqrt, graph.create(ipu.Add, variance, graph.scalar(epsilon, x)))
    return graph.create(ipu.Multiply, centered, graph.create(ipu.Reciprocal, deviation))


def _average_of_groups(graph: GraphBuilder, x: Value, groups: int) -> Value:
    """The mean of each channel's group, [N, C, 1…]."""
    batch, channels, *spatial = tensor_of(x).shape
    means = average(graph, x, tuple(range(2, len(spatial) + 2)))
    split = graph.reshape(means, (batch, groups, channels // groups))
    together = graph.create(Broadcast, average(graph, split, (2,)), shape=tensor_of(split).shape)
    return graph.reshape(together, (batch, channels, *[1] * len(spatial)))


@operator("LayerNormalization", since=17)
def layer_normalization(
    graph: GraphBuilder,
    x: Value,
    scale: Value,
    b: Value | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> list[Value]:
    """Over the dimensions from `axis` on; also returns the mean and the inverse deviation.

    Both steps are computed in float32 for smaller element types, whatever `stash_type`.
    """
    dtype, rank = tensor_of(x).dtype, tensor_of(x).rank
    axes = tuple(range(normal_axis(axis, x), rank))
    wide = cast(graph, x, "f32" if dtype in ("f16", "bf16") else dtype)
    normal, mean, inverse = _standardized(graph, wide, axes, epsilon)
    result = graph.create(ipu.Multiply, cast(graph, normal, dtype), scale)
    return [result if b is None else graph.create(ipu.Add, result, b), mean, inverse]


def _standardized(graph: GraphBuilder, x: Value, axes: Ints, epsilon: float) -> tuple[Value, Value, Value]:
    """x with mean 0 and variance 1 over `axes`, the mean, and the inverse of the deviation."""
    mean = average(graph, x, axes)
    centered = graph.create(ipu.Subtract, x, mean)
    variance = average(graph, graph.create(ipu.Multiply, centered, centered), axes)
    deviation = graph.create(ipu.Sqrt, graph.create(ipu.Add, variance, graph.scalar(epsilon, x)))
    inverse = graph.create(ipu.Reciprocal, deviation)
    return graph.create(ipu.Multiply, centered, inverse), mean, inverse


def average(graph: GraphBuilder, x: Value, axes: Ints) -> Value:
    """The mean over `axes`, which stay as dimensions of size one."""
    count = math.prod(tensor_of(x).shape[axis] for axis in axes)
    total = graph.create(ReduceSum, x, axes=axes, keep=True)
    if tensor_of(x).is_float and count:
        return graph.create(ipu.Multiply, total, graph.scalar(1 / count, x))
    return graph.create(ipu.Divide, total, graph.scalar(count, x))


@operator("LRN")
def lrn(
    graph: GraphBuilder, x: Value, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Value:
    """x / (bias + alpha / size * the sum of squares over `size` neighbouring channels)^beta.

    The sums are a product with a band matrix, in channels-last order.
    """
    data = channels_last(graph, x)
    channels = tensor_of(data).shape[-1]
    below, above = (size - 1) // 2, size // 2
    band = np.tril(np.triu(np.ones((channels, channels)), -above), below) * (alpha / size)
    squares = graph.create(ipu.Multiply, data, data)
    weights = graph.constant(band.astype(tensor_of(x).numpy_dtype))
    sums = graph.create(ipu.Add, graph.create(MatMul, squares, weights), graph.scalar(bias, x))
    return channels_first(graph, graph.create(ipu.Divide, data, power(graph, sums, beta)))


@operator("LpNormalization")
def lp_normalization(graph: GraphBuilder, input: Value, *, axis: int = -1, p: int = 2) -> Value:
    """input divided by its norm along `axis`; zeros stay zeros."""
    if p not in (1, 2):
        raise UnsupportedError(f"has p={p}; ONNX knows 1 and 2")
    sizes = graph.create(ipu.Abs, input) if p == 1 else graph.create(ipu.Multiply, input, input)
    total = graph.create(ReduceSum, sizes, axes=(normal_axis(axis, input),), keep=True)
    norm = total if p == 1 else graph.create(ipu.Sqrt, total)
    is_zero = graph.create(ipu.Equal, norm, graph.scalar(0, norm))
    return graph.create(ipu.Divide, input, graph.create(ipu.Where, is_zero, graph.scalar(1, norm), norm))
