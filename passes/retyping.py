"""Changes what codelets read and return: each type in memory is one thing, the type to compute with another."""

from __future__ import annotations

from collections.abc import Sequence

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import KINDS, Symbol
from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast
from pyipu.dialect.movement import Broadcast, Gather, Interleave, Transpose
from pyipu.dialect.program import Vertex
from pyipu.dialect.types import Tensor, mlir_type, tensor_of
from pyipu.passes.functions import codelets, main_function, returned_value

_CARRIES = (Broadcast, Gather, Interleave, Transpose)
"""What only moves elements does so in any type."""


def own_codelet(module: ir.Module, vertex: Vertex) -> func.FuncOp:
    """The codelet of a vertex, or a copy of it where other vertices name it, too."""
    known = codelets(module)
    codelet = known[vertex.codelet]
    block = main_function(module).regions[0].blocks[0]
    if sum(isinstance(op, Vertex) and op.codelet == vertex.codelet for op in ipu_ops(block)) == 1:
        return codelet
    name = next(name for i in range(len(known) + 1) if (name := f"{vertex.codelet}_{i}") not in known)
    with ir.InsertionPoint(module.body):
        copy = codelet.operation.clone().opview
    copy.attributes["sym_name"] = ir.StringAttr.get(name)
    vertex.attributes["codelet"] = KINDS["Symbol"].encode(Symbol(name))
    return copy


def retype_codelet(codelet: func.FuncOp, arguments: Sequence[ir.Type], result: ir.Type) -> None:
    """Gives a codelet other element types from outside; inside it computes with the types that it had."""
    body = codelet.regions[0].blocks[0]
    extended: dict[ir.Value, Tensor] = {}
    for argument, type_ in zip(body.arguments, arguments, strict=True):
        if argument.type != type_:
            extended[argument] = tensor_of(argument)
            argument.set_type(type_)
    for op in list(ipu_ops(body)):
        _retype_operands(op, extended)
    _retype_result(codelet, result)
    sign_anew(codelet)


def _retype_operands(op: Op, extended: dict[ir.Value, Tensor]) -> None:
    """Extends what `op` reads; what only carries elements carries them in the type in which they are stored."""
    narrow = [i for i, value in enumerate(op.operands) if value in extended]
    if narrow and isinstance(op, _CARRIES):
        result = op.results[0]
        extended[result] = tensor_of(result)
        result.set_type(mlir_type(tensor_of(result).with_dtype(tensor_of(op.operands[narrow[0]]).dtype)))
        return
    for i in narrow:
        value = op.operands[i]
        with ir.InsertionPoint(op.operation):
            op.operands[i] = Cast.create(value, dtype=extended[value].dtype, location=op.location).result


def _retype_result(codelet: func.FuncOp, type_: ir.Type) -> None:
    value = returned_value(codelet)
    if value.type == type_:
        return
    end = codelet.regions[0].blocks[0].operations[-1]
    with ir.InsertionPoint(end):
        end.operands[0] = Cast.create(value, dtype=Tensor.parse(str(type_)).dtype, location=end.location).result


def is_weight(argument: ir.BlockArgument) -> bool:
    """A sum of products reads it, or a table is looked up in it."""
    users = [use.owner for use in argument.uses]
    return any(isinstance(op, Gather) or (isinstance(op, Op) and op.accumulates) for op in users)


def sign_anew(codelet: func.FuncOp) -> None:
    """Writes the types of the arguments and of the result into the function's signature."""
    body = codelet.regions[0].blocks[0]
    types = [argument.type for argument in body.arguments], [returned_value(codelet).type]
    codelet.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(*types))
