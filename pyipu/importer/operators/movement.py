"""What moves elements and computes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyipu.dialect import movement as ipu
from pyipu.dialect.definition import MOST_OPERANDS
from pyipu.dialect.elementwise import Where
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators import windows
from pyipu.importer.operators.axes import normal_axes, normal_axis
from pyipu.importer.registry import Ints, Value, operator


@operator("Reshape")
def reshape_1(graph: GraphBuilder, data: Value, *, shape: Ints, consumed_inputs: Ints | None = None) -> Value:
    """`consumed_inputs` was a hint for memory planning."""
    return _reshape(graph, data, shape, False)


@operator("Reshape", since=5)
def reshape(graph: GraphBuilder, data: Value, shape: Value, *, allowzero: bool = False) -> Value:
    """A size of 0 means that of the input unless `allowzero`; one of -1 what is left."""
    return _reshape(graph, data, graph.integers(shape, "shape"), allowzero)


def _reshape(graph: GraphBuilder, data: Value, shape: Sequence[int], allow_zero: bool) -> Value:
    tensor = tensor_of(data)
    sizes = [tensor.shape[i] if size == 0 and not allow_zero else size for i, size in enumerate(shape)]
    if -1 in sizes:
        known = math.prod(size for size in sizes if size != -1)
        if sizes.count(-1) > 1 or known == 0 or tensor.elements % known:
            raise ValueError(f"cannot reshape {tensor} to {list(shape)}")
        sizes[sizes.index(-1)] = tensor.elements // known
    return graph.reshape(data, sizes)


@operator("Flatten")
def flatten(graph: GraphBuilder, input: Value, *, axis: int = 1) -> Value:
    """To a matrix: the dimensions before `axis`, and those from it on."""
    shape = tensor_of(input).shape
    first = axis + len(shape) if axis < 0 else axis
    return graph.reshape(input, (math.prod(shape[:first]), math.prod(shape[first:])))


@operator("Squeeze")
def squeeze_1(graph: GraphBuilder, data: Value, *, axes: Ints | None = None) -> Value:
    return _squeeze(graph, data, axes)


@operator("Squeeze", since=13)
def squeeze(graph: GraphBuilder, data: Value, axes: Value | None = None) -> Value:
    return _squeeze(graph, data, None if axes is None else graph.integers(axes, "axes"))


def _squeeze(graph: GraphBuilder, data: Value, axes: Ints | None) -> Value:
    shape = tensor_of(data).shape
    dropped = [i for i, size in enumerate(shape) if size == 1] if axes is None else normal_axes(axes, data)
    if any(shape[axis] != 1 for axis in dropped):
        raise ValueError(f"cannot drop the dimensions {list(dropped)} of {tensor_of(data)}")
    return graph.reshape(data, [size for i, size in enumerate(shape) if i not in dropped])


@operator("Unsqueeze")
def unsqueeze_1(graph: GraphBuilder, data: Value, *, axes: Ints) -> Value:
    return _unsqueeze(graph, data, axes)


@operator("Unsqueeze", since=13)
def unsqueeze(graph: GraphBuilder, data: Value, axes: Value) -> Value:
    return _unsqueeze(graph, data, graph.integers(axes, "axes"))


def _unsqueeze(graph: GraphBuilder, data: Value, axes: Ints) -> Value:
    shape = list(tensor_of(data).shape)
    for axis in normal_axes(axes, data, extra=len(axes)):
        shape.insert(axis, 1)
    return graph.reshape(data, shape)


@operator("Transpose")
def transpose(graph: GraphBuilder, data: Value, *, perm: Ints | None = None) -> Value:
    """Without `perm`, the dimensions in reverse order."""
    rank = tensor_of(data).rank
    return graph.transpose(data, range(rank)[::-1] if perm is None else perm)


@operator("Concat", since=4)
def concat(graph: GraphBuilder, *inputs: Value, axis: int) -> Value:
    if not inputs:
        raise ValueError("it has no inputs")
    place = normal_axis(axis, inputs[0])
    return concatenated(graph, list(inputs), place)


def concatenated(graph: GraphBuilder, values: list[Value], axis: int) -> Value:
    """In parts where there are more values than one op takes."""
    if len(values) == 1:
        return values[0]
    if len(values) <= MOST_OPERANDS:
        return graph.create(ipu.Concat, *values, axis=axis)
    chunks = [values[i : i + MOST_OPERANDS] for i in range(0, len(values), MOST_OPERANDS)]
    return concatenated(graph, [concatenated(graph, chunk, axis) for chunk in chunks], axis)


@operator("Split", since=2)
def split_2(graph: GraphBuilder, input: Value, *, axis: int = 0, split: Ints | None = None) -> list[Value]:
    return _split(graph, input, normal_axis(axis, input), split)


@operator("Split", since=13)
def split(
    graph: GraphBuilder,
    input: Value,
    split: Value | None = None,
    *,
    axis: int = 0,
    num_outputs: int | None = None,
) -> list[Value]:
    return _split(graph, input, normal_axis(axis, input), None if split is None else graph.integers(split, "split"))


def _split(graph: GraphBuilder, input: Value, axis: int, sizes: Ints | None) -> list[Value]:
    """One result per output of the node; without `sizes`, equal ones but for the last."""
    whole, count = tensor_of(input).shape[axis], len(graph.node.output)
    step = -(-whole // count)
    parts = sizes or tuple(max(min(step, whole - i * step), 0) for i in range(count))
    if sum(parts) != whole:
        raise ValueError(f"parts of {list(parts)} do not make up dimension {axis} of {tensor_of(input)}")
    starts = np.cumsum([0, *parts[:-1]]).tolist()
    return [take(graph, input, {axis: range(start, start + size)}) for start, size in zip(starts, parts, strict=True)]


def take(graph: GraphBuilder, data: Value, places: dict[int, range]) -> Value:
    """The elements at regular places of some dimensions; the value itself when these are all."""
    shape = tensor_of(data).shape
    chosen = [places.get(axis, range(size)) for axis, size in enumerate(shape)]
    backwards = {axis: place for axis, place in places.items() if place.step < 0 and len(place) > 0}
    for axis, place in backwards.items():
        data = gather_known(graph, data, np.array(place), axis)
        chosen[axis] = range(len(place))
    if all(len(place) == size for place, size in zip(chosen, tensor_of(data).shape, strict=True)):
        return data
    return graph.create(
        ipu.Slice,
        data,
        offsets=tuple(place.start if place else 0 for place in chosen),
        sizes=tuple(len(place) for place in chosen),
        strides=tuple(max(place.step, 1) for place in chosen),
    )


@operator("Slice")
def slice_1(graph: GraphBuilder, data: Value, *, starts: Ints, ends: Ints, axes: Ints | None = None) -> Value:
    return _slice(graph, data, starts, ends, axes, None)


@operator("Slice", since=10)
def slice_(
    graph: GraphBuilder,
    data: Value,
    starts: Value,
    ends: Value,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Value:
    return _slice(
        graph,
        data,
        graph.integers(starts, "starts"),
        graph.integers(ends, "ends"),
        None if axes is None else graph.integers(axes, "axes"),
        None if steps is None else graph.integers(steps, "steps"),
    )


def _slice(graph: GraphBuilder, data: Value, starts: Ints, ends: Ints, axes: Ints | None, steps: Ints | None) -> Value:
    """Bounds are cut off at the dimension's ends, as in Python."""
    along = range(len(starts)) if axes is None else [normal_axis(axis, data) for axis in axes]
    shape = tensor_of(data).shape
    bounds = zip(along, starts, ends, steps or (1,) * len(starts), strict=True)
    return take(graph, data, {i: range(*slice(a, b, step).indices(shape[i])) for i, a, b, step in bounds})


@operator("Gather")
def gather(graph: GraphBuilder, data: Value, indices: Value, *, axis: int = 0) -> Value:
    """Known indices without gaps are a slice."""
    along = normal_axis(axis, data)
    known = graph.known(indices)
    if known is None:
        return graph.create(ipu.Gather, data, indices, axis=along)
    return gather_known(graph, data, known, along)


def gather_known(graph: GraphBuilder, data: Value, indices: np.ndarray, axis: int) -> Value:
    """Elements at known places of one dimension; raises ValueError for a place outside of it."""
    shape = tensor_of(data).shape
    places = np.where(indices < 0, indices + shape[axis], indices).astype(np.int64)
    if places.size and not (places.min() >= 0 and places.max() < shape[axis]):
        raise ValueError(f"an index lies outside of dimension {axis} of {tensor_of(data)}")
    flat = places.reshape(-1)
    if flat.size and (np.diff(flat) == 1).all():
        part = take(graph, data, {axis: range(int(flat[0]), int(flat[-1]) + 1)})
        return graph.reshape(part, (*shape[:axis], *indices.shape, *shape[axis + 1 :]))
    return graph.create(ipu.Gather, data, graph.constant(places), axis=axis)


@operator("Pad", since=2)
def pad_2(graph: GraphBuilder, data: Value, *, pads: Ints, mode: str = "constant", value: float = 0.0) -> Value:
    return _pad(graph, data, pads, mode, value)


@operator("Pad", since=11)
def pad(
    graph: GraphBuilder,
    data: Value,
    pads: Value,
    constant_value: Value | None = None,
    axes: Value | None = None,
    *,
    mode: str = "constant",
) -> Value:
    """`pads` are the widths at the start of each of `axes`, then those at the end."""
    rank = tensor_of(data).rank
    along = range(rank) if axes is None else [normal_axis(a, data) for a in graph.integers(axes, "axes")]
    widths, given = [0] * (2 * rank), graph.integers(pads, "pads")
    for i, axis in enumerate(along):
        widths[axis], widths[axis + rank] = given[i], given[i + len(along)]
    number = 0.0 if constant_value is None else float(graph.array(constant_value, "constant_value").reshape(()))
    return _pad(graph, data, tuple(widths), mode, number)


def _pad(graph: GraphBuilder, data: Value, widths: Ints, mode: str, number: float) -> Value:
    rank = tensor_of(data).rank
    low, high = widths[:rank], widths[rank:]
    if mode == "constant":
        return windows.pad(graph, data, low, high, number)
    if mode not in ("reflect", "edge", "wrap"):
        raise UnsupportedError(f"has mode='{mode}'; ONNX knows constant, reflect, edge and wrap")
    for axis, ends in enumerate(zip(low, high, strict=True)):
        if any(ends):
            places = np.pad(np.arange(tensor_of(data).shape[axis]), [max(end, 0) for end in ends], mode)  # type: ignore[call-overload]
            data = gather_known(graph, data, places, axis)
    return windows.pad(graph, data, [min(w, 0) for w in low], [min(w, 0) for w in high])


@operator("Tile", since=6)
def tile(graph: GraphBuilder, input: Value, repeats: Value) -> Value:
    """The tensor `repeats[i]` times along each dimension i."""
    shape, times = tensor_of(input).shape, graph.integers(repeats, "repeats")
    apart = graph.reshape(input, [n for size in shape for n in (1, size)])
    copies = [n for size, count in zip(shape, times, strict=True) for n in (count, size)]
    many = graph.create(ipu.Broadcast, apart, shape=tuple(copies))
    return graph.reshape(many, [size * count for size, count in zip(shape, times, strict=True)])


@operator("DepthToSpace")
def depth_to_space(graph: GraphBuilder, input: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    """Channels become blocks of the image; `mode` tells the order of depth, column and row among the channels."""
    batch, channels, height, width = tensor_of(input).shape
    depth = channels // blocksize**2
    if mode not in ("DCR", "CRD"):
        raise UnsupportedError(f"has mode='{mode}'; ONNX knows DCR and CRD")
    split = (blocksize, blocksize, depth) if mode == "DCR" else (depth, blocksize, blocksize)
    order = (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)
    blocks = graph.transpose(graph.reshape(input, (batch, *split, height, width)), order)
    return graph.reshape(blocks, (batch, depth, height * blocksize, width * blocksize))


@operator("SpaceToDepth")
def space_to_depth(graph: GraphBuilder, input: Value, *, blocksize: int, mode: str = "DCR") -> Value:
    """Blocks of the image become channels; `mode` tells the order of depth, column and row among the channels."""
    batch, channels, height, width = tensor_of(input).shape
    rows, columns = height // blocksize, width // blocksize
    if mode not in ("DCR", "CRD"):
        raise UnsupportedError(f"has mode='{mode}'; ONNX knows DCR and CRD")
    blocks = graph.reshape(input, (batch, channels, rows, blocksize, columns, blocksize))
    ordered = graph.transpose(blocks, (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
    return graph.reshape(ordered, (batch, channels * blocksize**2, rows, columns))


@operator("Trilu", since=14)
def trilu(graph: GraphBuilder, input: Value, k: Value | None = None, *, upper: bool = True) -> Value:
    """Keeps one side of the k-th diagonal of each matrix; zero elsewhere."""
    diagonal = 0 if k is None else int(graph.array(k, "k").reshape(()))
    side = np.ones(tensor_of(input).shape[-2:], np.bool_)
    kept = np.triu(side, diagonal) if upper else np.tril(side, diagonal)
    return graph.create(Where, graph.constant(kept), input, graph.scalar(0, input))
