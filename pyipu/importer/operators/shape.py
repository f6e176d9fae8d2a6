"""Constants, element types, and what asks for a shape."""

from __future__ import annotations

import numpy as np

from pyipu.dialect.movement import Broadcast
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.elements import element_type
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators import arithmetic
from pyipu.importer.registry import Floats, Ints, Value, operator


@operator("Constant")
def constant(
    graph: GraphBuilder,
    *,
    value: np.ndarray | None = None,
    value_float: float | None = None,
    value_floats: Floats | None = None,
    value_int: int | None = None,
    value_ints: Ints | None = None,
) -> Value:
    if value is not None:
        return graph.constant(value)
    floats = value_floats if value_float is None else value_float
    if floats is not None:
        return graph.constant(np.array(floats, np.float32))
    integers = value_ints if value_int is None else value_int
    if integers is None:
        raise ValueError("it has no value")
    return graph.constant(np.array(integers, np.int64))


@operator("ConstantOfShape", since=9)
def constant_of_shape(graph: GraphBuilder, input: Value, *, value: np.ndarray | None = None) -> Value:
    """One number everywhere; a view of that number, so that a large tensor costs no memory."""
    number = np.zeros((), np.float32) if value is None else value.reshape(())
    return graph.constant(np.broadcast_to(number, graph.integers(input, "input")))


@operator("Shape")
def shape(graph: GraphBuilder, data: Value, *, start: int = 0, end: int | None = None) -> Value:
    return graph.constant(np.array(tensor_of(data).shape[start:end], np.int64))


@operator("Size")
def size(graph: GraphBuilder, data: Value) -> Value:
    return graph.constant(np.array(tensor_of(data).elements, np.int64))


@operator("Cast", since=6)
def cast(graph: GraphBuilder, input: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Value:
    """`saturate` and `round_mode` are about float8 types alone."""
    return arithmetic.cast(graph, input, element_type(to, "has a result that"))


@operator("CastLike", since=15)
def cast_like(
    graph: GraphBuilder, input: Value, target_type: Value, *, saturate: int = 1, round_mode: str = "up"
) -> Value:
    """`saturate` and `round_mode` are about float8 types alone."""
    return arithmetic.cast(graph, input, tensor_of(target_type).dtype)


@operator("Identity")
def identity(graph: GraphBuilder, input: Value) -> Value:
    return input


@operator("Dropout", since=7)
def dropout_7(graph: GraphBuilder, data: Value, *, ratio: float = 0.5) -> list[Value]:
    """Inference: nothing is dropped, and the mask is true everywhere."""
    return [data, graph.constant(np.broadcast_to(np.True_, tensor_of(data).shape))]


@operator("Dropout", since=12)
def dropout(
    graph: GraphBuilder,
    data: Value,
    ratio: Value | None = None,
    training_mode: Value | None = None,
    *,
    seed: int = 0,
) -> list[Value]:
    """Inference: nothing is dropped, and the mask is true everywhere."""
    if training_mode is not None and graph.array(training_mode, "training_mode").any():
        raise UnsupportedError("has training_mode=true, but pyipu runs models for inference only")
    return dropout_7(graph, data)


@operator("Range", since=11)
def range_(graph: GraphBuilder, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Value:
    """From start to before limit; numpy's precision is enough whatever `stash_type`."""
    first, end, step = (
        graph.array(value, role).reshape(()) for value, role in ((start, "start"), (limit, "limit"), (delta, "delta"))
    )
    if step == 0:
        raise ValueError("its delta is 0")
    count = max(int(np.ceil((end - first) / step)), 0)
    return graph.constant((first + np.arange(count) * step).astype(first.dtype))


@operator("Expand", since=8)
def expand(graph: GraphBuilder, input: Value, shape: Value) -> Value:
    """Broadcasts both ways: where `shape` has a 1, the input's size stays."""
    own = tensor_of(input).shape
    wanted = tuple(np.broadcast_shapes(own, graph.integers(shape, "shape")))
    return input if wanted == own else graph.create(Broadcast, input, shape=wanted)


@operator("EyeLike", since=9)
def eye_like(graph: GraphBuilder, input: Value, *, dtype: int | None = None, k: int = 0) -> Value:
    """Ones on the k-th diagonal."""
    tensor = tensor_of(input)
    rows, columns = tensor.shape
    wanted = tensor if dtype is None else tensor.with_dtype(element_type(dtype, "has a result that"))
    return graph.constant(np.eye(rows, columns, k, wanted.numpy_dtype))
