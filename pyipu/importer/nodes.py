"""Imports one node after the other, and functions by their bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import onnx
from iree.compiler import ir

from pyipu.dialect.types import tensor_of
from pyipu.errors import Error, ModelError, UnsupportedError
from pyipu.importer.functions import Functions, Opsets, function_opsets
from pyipu.importer.graph import GraphBuilder, node_name
from pyipu.importer.model import first_line, normal_domain
from pyipu.importer.registry import Value, find

_MISFITS = (ValueError, IndexError, OverflowError, MemoryError, ir.MLIRError)
"""What numpy, MLIR and the dialect raise when a node's inputs and attributes do not fit each other."""


@dataclass(frozen=True)
class NodeImporter:
    """Builds nodes with `graph`; an operator without an importer function is built by its definition in `functions`."""

    graph: GraphBuilder
    functions: Functions

    def run(self, nodes: Iterable[onnx.NodeProto], opsets: Opsets) -> None:
        """Builds the nodes and gives their results their names.

        Raises:
            ModelError: a node is broken.
            UnsupportedError: a node needs what pyipu does not have. Both errors say which node it is.
        """
        for node in nodes:
            self._import(node, opsets)

    def _import(self, node: onnx.NodeProto, opsets: Opsets) -> None:
        with _errors_name(node, opsets):
            inputs = [self.graph.value(name) for name in node.input]
            operator = find(node.op_type, normal_domain(node.domain), opsets.get(normal_domain(node.domain), 0))
            if operator is not None:
                self.graph.node = node
                self._define(node, operator.run(self.graph, node, inputs))
                return
            function = self._definition(node, opsets, inputs)
        self._define(node, self._call(function, node, opsets, inputs))

    def _definition(self, node: onnx.NodeProto, opsets: Opsets, inputs: Sequence[Value | None]) -> onnx.FunctionProto:
        types = [None if value is None else tensor_of(value) for value in inputs]
        function = self.functions.body(node, opsets, types)
        if function is None:
            raise UnsupportedError("is of an operator that pyipu does not have")
        if len(inputs) > len(function.input):
            raise ModelError(f"has {len(inputs)} inputs, but the operator takes {len(function.input)}")
        return function

    def _call(
        self, function: onnx.FunctionProto, node: onnx.NodeProto, opsets: Opsets, inputs: Sequence[Value | None]
    ) -> list[Value | None]:
        missing = [None] * (len(function.input) - len(inputs))
        with self.graph.scope(dict(zip(function.input, [*inputs, *missing], strict=True))):
            self.run(function.node, function_opsets(function, opsets))
            wanted = zip(function.output, node.output, strict=False)
            return [self.graph.value(name) if outside else None for name, outside in wanted]

    def _define(self, node: onnx.NodeProto, results: Sequence[Value | None]) -> None:
        for index, name in enumerate(node.output):
            value = results[index] if index < len(results) else None
            if name and value is None:
                raise UnsupportedError(f"has the optional output '{name}', which pyipu does not compute")
            if name:
                self.graph.define(name, value)


@contextmanager
def _errors_name(node: onnx.NodeProto, opsets: Opsets) -> Iterator[None]:
    """Puts the node before an error's sentence: "Conv node 'conv1' (opset 9) lacks the input 'W'"."""
    subject = f"{node.op_type} node '{node_name(node)}' (opset {opsets.get(normal_domain(node.domain), '?')})"
    try:
        yield
    except Error as error:
        raise type(error)(f"{subject} {error}") from error
    except _MISFITS as error:
        raise ModelError(f"{subject} does not fit its inputs: {first_line(error)}") from error
