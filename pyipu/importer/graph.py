"""Builds the function `@main` node by node: values by their ONNX names, known values folded at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.movement import Reshape, Transpose
from pyipu.dialect.program import Constant, Parameter
from pyipu.dialect.types import tensor_of
from pyipu.errors import ModelError, UnsupportedError
from pyipu.importer.registry import Value
from pyipu.parameters import Parameters
from pyipu.passes.folding import add_known, fold


class GraphBuilder:
    """What the functions of `pyipu.importer.operators` build with, at the current insertion point.

    `node` is the node that is being imported.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.node = onnx.NodeProto()
        self._values: dict[str, Value | None] = {}
        self._initializers: dict[str, np.ndarray] = {}

    # Values by name -------------------------------------------------------------------------------------------------

    def define(self, name: str, value: Value | None) -> None:
        """Gives a value the name that it has in the model; None is an optional input that the caller leaves out."""
        self._values[name] = value

    def define_initializer(self, name: str, array: np.ndarray) -> None:
        """Gives a stored tensor its name; it enters the IR when it is first used."""
        self._initializers[name] = array

    def value(self, name: str) -> Value | None:
        """None for an optional value that is left out; raises ModelError when nothing has this name."""
        if not name:
            return None
        if name in self._initializers:
            array = self._initializers.pop(name)
            self._values[name] = add_known(array, name, self.parameters, ir.Location.name(name))
        if name not in self._values:
            raise ModelError(f"uses the value '{name}', which nothing computes; export the model again")
        return self._values[name]

    @contextmanager
    def scope(self, values: dict[str, Value | None]) -> Iterator[None]:
        """For a function's body: inside only `values` have names, and what it defines is forgotten after it."""
        outer, self._values = self._values, values
        initializers, self._initializers = self._initializers, {}
        try:
            yield
        finally:
            self._values, self._initializers = outer, initializers

    # Building -------------------------------------------------------------------------------------------------------

    @property
    def location(self) -> ir.Location:
        return ir.Location.name(node_name(self.node))

    def create(self, op: type[Op], *operands: Value, **attributes: Any) -> Value:
        """Builds an op, or the known value that it folds to; raises ValueError when operands do not fit it."""
        created = op.create(*operands, location=self.location, **attributes)
        with np.errstate(all="ignore"):
            folded = fold(created, self.parameters)
        if folded is None:
            return created.results[0]
        created.operation.erase()
        return folded

    def constant(self, array: np.ndarray) -> Value:
        """A known tensor: a constant when it is small, else a parameter named after the node's first output."""
        return add_known(np.asarray(array), self.node.output[0], self.parameters, self.location)

    def scalar(self, number: float, like: Value) -> Value:
        """A constant of rank 0 in the element type of `like`."""
        return self.constant(np.array(number, tensor_of(like).numpy_dtype))

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """The value itself when it has this shape already."""
        target = tuple(int(size) for size in shape)
        return value if tensor_of(value).shape == target else self.create(Reshape, value, shape=target)

    def transpose(self, value: Value, permutation: Sequence[int]) -> Value:
        """The value itself when no dimension moves."""
        order = tuple(int(i) for i in permutation)
        return value if order == tuple(range(len(order))) else self.create(Transpose, value, permutation=order)

    # Known values ---------------------------------------------------------------------------------------------------

    def known(self, value: Value) -> np.ndarray | None:
        """The elements of a value that is known at compile time, else None."""
        owner = value.owner
        if isinstance(owner, Constant):
            return owner.value
        if isinstance(owner, Parameter) and self.parameters.has_value(owner.key):
            return self.parameters[owner.key]
        return None

    def array(self, value: Value, role: str) -> np.ndarray:
        """The elements of an input that must be known; `role` is its name in ONNX's documentation."""
        array = self.known(value)
        if array is None:
            raise UnsupportedError(
                f"needs its input '{role}' at compile time, but that depends on the model's inputs; "
                "make it a constant in the model"
            )
        return array

    def integers(self, value: Value, role: str) -> tuple[int, ...]:
        """As `array`, for a list of integers."""
        return tuple(int(item) for item in self.array(value, role).reshape(-1))


def node_name(node: onnx.NodeProto) -> str:
    """The node's name; one without a name is called after its operator and its first output."""
    if node.name:
        return node.name
    output = next((name for name in node.output if name), None)
    return f"{node.op_type}_of_{output}" if output else node.op_type
