"""From an ONNX model to `ipu` graph IR: `func.func @main`, one call of an importer function per node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx
from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.types import Tensor, mlir_type, tensor_of
from pyipu.errors import ModelError
from pyipu.importer import operators as _operators  # noqa: F401  (declares them)
from pyipu.importer.functions import Functions, refuse_unsupported
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.inputs import Shapes, input_types
from pyipu.importer.model import Model, ModelSource, check, read
from pyipu.importer.nodes import NodeImporter
from pyipu.importer.registry import Value
from pyipu.parameters import Parameters
from pyipu.plan import TensorDescription


@dataclass(frozen=True)
class Imported:
    """A module with `@main`; its arguments and results are the graph's inputs and outputs, in the model's order."""

    module: ir.Module
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]


def import_model(
    source: ModelSource | Model, context: ir.Context, parameters: Parameters, shapes: Shapes | None = None
) -> Imported:
    """Reads an ONNX model and builds its graph of `ipu` operations.

    Args:
        source: a path, the content of a file, a loaded model, or one that was read.
        context: where the module is built, as `pyipu.dialect.context()` makes it.
        parameters: receives the model's large known tensors.
        shapes: the shape of each input whose dimensions the model leaves open.

    Raises:
        ModelError: the file is missing or no ONNX model, or its graph is broken.
        UnsupportedError: the model needs something that pyipu does not have; the message lists all such operators.
        ShapeError: a dimension is not known, or `shapes` does not fit the model.
    """
    model = read(source)
    _check(model)
    types = input_types(model.proto.graph, shapes)
    refuse_unsupported(model.proto)
    with context, ir.Location.unknown():
        return _build(model, types, GraphBuilder(parameters))


def _check(model: Model) -> None:
    """The checker stops at the first operator that ONNX lacks; who has such a model wants to know all of them."""
    try:
        check(model)
    except ModelError as error:
        if "No Op registered" in str(error):
            refuse_unsupported(model.proto)
        raise


def _build(model: Model, types: Mapping[str, Tensor], graph: GraphBuilder) -> Imported:
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        main = func.FuncOp("main", ([_mlir_type(name, type_) for name, type_ in types.items()], []))
    block = main.add_entry_block()
    _define_inputs(graph, model, types, block)
    with ir.InsertionPoint(block):
        importer = NodeImporter(graph, Functions.of(model.proto))
        importer.run(model.proto.graph.node, model.opsets)
        results = _return(graph, model.proto.graph)
    main.attributes["function_type"] = ir.TypeAttr.get(
        ir.FunctionType.get([argument.type for argument in block.arguments], [value.type for value in results])
    )
    _erase_unused(block)
    names = [output.name for output in model.proto.graph.output]
    return Imported(module, _described(types, types.values()), _described(names, map(tensor_of, results)))


def _mlir_type(name: str, type_: Tensor) -> ir.Type:
    try:
        return mlir_type(type_)
    except ir.MLIRError as error:
        raise ModelError(f"input '{name}' has the impossible type {type_}") from error


def _define_inputs(graph: GraphBuilder, model: Model, types: Iterable[str], block: ir.Block) -> None:
    for name, argument in zip(types, block.arguments, strict=True):
        graph.define(name, argument)
    for name, array in model.initializers().items():
        graph.define_initializer(name, array)


def _return(graph: GraphBuilder, proto: onnx.GraphProto) -> list[Value]:
    """Builds the function's end and returns what it returns."""
    try:
        values = [graph.value(output.name) for output in proto.output]
    except ModelError as error:
        raise ModelError(f"the graph's end {error}") from error
    results = [value for value in values if value is not None]
    if len(results) < len(values):
        raise ModelError("the graph has an output without a name; export the model again")
    func.ReturnOp(results)
    return results


def _erase_unused(block: ir.Block) -> None:
    """Known values that were folded away, and nodes that no output needs."""
    for op in reversed(list(block.operations)):
        if isinstance(op, Op) and op.pure and not any(list(result.uses) for result in op.results):
            op.operation.erase()


def _described(names: Iterable[str], types: Iterable[Tensor]) -> tuple[TensorDescription, ...]:
    pairs = zip(names, types, strict=True)
    return tuple(TensorDescription(name, type_.shape, type_.numpy_dtype) for name, type_ in pairs)
