"""Reductions. Their axes are an attribute in older opsets and an input in newer ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyipu.dialect import elementwise as ipu
from pyipu.dialect import reduction
from pyipu.dialect.movement import Reshape
from pyipu.dialect.types import tensor_of
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.arithmetic import cast
from pyipu.importer.operators.axes import normal_axes, normal_axis
from pyipu.importer.operators.normalization import average
from pyipu.importer.registry import Ints, Value, operator

Reduction = Callable[[GraphBuilder, Value, Ints], Value]
"""Reduces the axes and keeps them as dimensions of size one."""


def _declare(name: str, axes_are_input: int, reduce: Reduction) -> None:
    """Declares both forms of a reduction; `axes_are_input` is the opset from which on the axes are an input."""

    @operator(name)
    def with_attribute(graph: GraphBuilder, data: Value, *, axes: Ints | None = None, keepdims: bool = True) -> Value:
        return _reduce(graph, data, axes or (), keepdims, reduce)

    @operator(name, since=axes_are_input)
    def with_input(
        graph: GraphBuilder,
        data: Value,
        axes: Value | None = None,
        *,
        keepdims: bool = True,
        noop_with_empty_axes: bool = False,
    ) -> Value:
        known = () if axes is None else graph.integers(axes, "axes")
        if not known and noop_with_empty_axes:
            return _reduce_nothing(graph, data, reduce)
        return _reduce(graph, data, known, keepdims, reduce)


def _reduce(graph: GraphBuilder, data: Value, axes: Sequence[int], keep: bool, reduce: Reduction) -> Value:
    shape = tensor_of(data).shape
    chosen = normal_axes(axes, data) or tuple(range(len(shape)))
    kept = reduce(graph, data, chosen)
    return kept if keep else graph.reshape(kept, [size for i, size in enumerate(shape) if i not in chosen])


def _reduce_nothing(graph: GraphBuilder, data: Value, reduce: Reduction) -> Value:
    """Without axes, what a reduction does to each element still happens, such as squaring it."""
    shape = tensor_of(data).shape
    single = graph.create(Reshape, data, shape=(1, *shape))
    return graph.reshape(reduce(graph, single, (0,)), shape)


def _plain(op: type[reduction.Reduce]) -> Reduction:
    """A reduction that the dialect has; truth values are numbers for it."""

    def reduce(graph: GraphBuilder, data: Value, axes: Ints) -> Value:
        tensor = tensor_of(data)
        if tensor.dtype == "i1":
            return cast(graph, reduce(graph, cast(graph, data, "ui8"), axes), "i1")
        if tensor.elements:
            return graph.create(op, data, axes=axes, keep=True)
        start = np.array(op.start(tensor.numpy_dtype), tensor.numpy_dtype)
        shape = op.infer(tensor, axes=axes, keep=True).shape
        return graph.constant(np.broadcast_to(start, shape))

    return reduce


_sum, _max = _plain(reduction.ReduceSum), _plain(reduction.ReduceMax)


def _sum_of_squares(graph: GraphBuilder, data: Value, axes: Ints) -> Value:
    return _sum(graph, graph.create(ipu.Multiply, data, data), axes)


def _log_sum(graph: GraphBuilder, data: Value, axes: Ints) -> Value:
    return graph.create(ipu.Log, _sum(graph, data, axes))


def _log_sum_exp(graph: GraphBuilder, data: Value, axes: Ints) -> Value:
    """The largest element is taken out first, so that no power overflows."""
    largest = _max(graph, data, axes)
    powers = graph.create(ipu.Exp, graph.create(ipu.Subtract, data, largest))
    return graph.create(ipu.Add, _log_sum(graph, powers, axes), largest)


_declare("ReduceSum", 13, _sum)
_declare("ReduceMean", 18, average)
_declare("ReduceMax", 18, _max)
_declare("ReduceMin", 18, _plain(reduction.ReduceMin))
_declare("ReduceProd", 18, _plain(reduction.ReduceProduct))
_declare("ReduceL1", 18, lambda graph, data, axes: _sum(graph, graph.create(ipu.Abs, data), axes))
_declare("ReduceL2", 18, lambda graph, data, axes: graph.create(ipu.Sqrt, _sum_of_squares(graph, data, axes)))
_declare("ReduceSumSquare", 18, _sum_of_squares)
_declare("ReduceLogSum", 18, _log_sum)
_declare("ReduceLogSumExp", 18, _log_sum_exp)


@operator("ArgMax")
def arg_max(
    graph: GraphBuilder, data: Value, *, axis: int = 0, keepdims: bool = True, select_last_index: bool = False
) -> Value:
    return _position(graph, data, reduction.ReduceMax, normal_axis(axis, data), keepdims, select_last_index)


@operator("ArgMin")
def arg_min(
    graph: GraphBuilder, data: Value, *, axis: int = 0, keepdims: bool = True, select_last_index: bool = False
) -> Value:
    return _position(graph, data, reduction.ReduceMin, normal_axis(axis, data), keepdims, select_last_index)


def _position(
    graph: GraphBuilder, data: Value, extreme: type[reduction.Reduce], axis: int, keep: bool, last: bool
) -> Value:
    """The first, or last, index at which the extreme element stands."""
    tensor = tensor_of(data)
    size = tensor.shape[axis]
    places = np.arange(size).reshape([size if i == axis else 1 for i in range(tensor.rank)])
    found = graph.create(ipu.Equal, data, graph.create(extreme, data, axes=(axis,), keep=True))
    nowhere = graph.constant(np.array(-1 if last else size))
    candidates = graph.create(ipu.Where, found, graph.constant(places), nowhere)
    return graph.create(reduction.ReduceMax if last else reduction.ReduceMin, candidates, axes=(axis,), keep=keep)
