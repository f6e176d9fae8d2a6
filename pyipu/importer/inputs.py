"""The types of a graph's inputs, with dynamic dimensions filled in by `shapes=`."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence

import onnx

from pyipu.dialect.types import Tensor
from pyipu.errors import ShapeError, UnsupportedError
from pyipu.importer.elements import element_type

Shapes = Mapping[str, Sequence[int]]
_EXAMPLE_SIZE = 224
"""What an error message proposes for a dynamic dimension that is not the first; the first is proposed to be 1."""


def graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The inputs that a caller gives: those without a stored default."""
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {tensor.values.name for tensor in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in stored]


def input_types(graph: onnx.GraphProto, shapes: Shapes | None) -> dict[str, Tensor]:
    """The type of each input, in order.

    Raises:
        ShapeError: a dimension stays unknown, or `shapes` does not fit the model.
        UnsupportedError: an input is no tensor, or has an element type that pyipu does not have.
    """
    given = {name: _sizes(name, shape) for name, shape in (shapes or {}).items()}
    inputs = graph_inputs(graph)
    unknown = sorted(given.keys() - {value.name for value in inputs})
    if unknown:
        listed = ", ".join(f"'{value.name}'" for value in inputs) or "none"
        raise ShapeError(f"shapes= names '{unknown[0]}', which is no input of the model; its inputs are: {listed}")
    declared = {value.name: _declared(value) for value in inputs}
    _refuse_dynamic({name: shape for name, shape in declared.items() if name not in given})
    final = {name: _merged(name, shape, given.get(name)) for name, shape in declared.items()}
    return {value.name: Tensor(final[value.name], _dtype(value)) for value in inputs}


Declared = tuple[int | str, ...] | None
"""A shape as the model declares it: a number or a name for each dimension ('' without one); None without a rank."""


def _declared(value: onnx.ValueInfoProto) -> Declared:
    if not value.type.HasField("tensor_type"):
        raise UnsupportedError(f"input '{value.name}' is no tensor; pyipu takes models with tensors as inputs only")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param for d in tensor.shape.dim)


def _dtype(value: onnx.ValueInfoProto) -> str:
    return element_type(value.type.tensor_type.elem_type, f"input '{value.name}'")


def _sizes(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        sizes = (-1,)
    if min(sizes, default=0) < 0:
        raise ShapeError(
            f"shapes= gives {shape!r} for input '{name}'; a shape is a tuple of whole numbers, none negative"
        )
    return sizes


def _merged(name: str, declared: Declared, given: tuple[int, ...] | None) -> tuple[int, ...]:
    if given is None:
        return tuple(int(size) for size in declared or ())
    if declared is None:
        return given
    if len(given) != len(declared):
        raise ShapeError(f"shapes= gives {len(given)} dimensions for input '{name}', which has {len(declared)}")
    for axis, (own, size) in enumerate(zip(declared, given, strict=True)):
        if isinstance(own, int) and own != size:
            raise ShapeError(
                f"shapes= gives {size} for dimension {axis} of input '{name}', but the model fixes it to {own}"
            )
    return given


def _refuse_dynamic(declared: Mapping[str, Declared]) -> None:
    """Raises ShapeError unless every dimension is a number; the message shows how to call."""
    dynamic = {n: s for n, s in declared.items() if s is None or not all(isinstance(size, int) for size in s)}
    if not dynamic:
        return
    found = ", ".join(f"'{name}' {_spelled(shape)}" for name, shape in dynamic.items())
    example = ", ".join(f'"{name}": {_example(shape)}' for name, shape in dynamic.items())
    plural = "inputs have" if len(dynamic) > 1 else "input has"
    raise ShapeError(f"the {plural} dimensions that the model leaves open: {found}; fix them: shapes={{{example}}}")


def _spelled(shape: Declared) -> str:
    return "of unknown rank" if shape is None else f"({', '.join(str(size) or '?' for size in shape)})"


def _example(shape: Declared) -> tuple[int, ...]:
    sizes = (1, 3, _EXAMPLE_SIZE, _EXAMPLE_SIZE) if shape is None else shape
    return tuple(s if isinstance(s, int) else (_EXAMPLE_SIZE if axis else 1) for axis, s in enumerate(sizes))
