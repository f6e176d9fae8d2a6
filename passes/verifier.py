"""Checks a whole module: every op against its declaration, every vertex against its codelet."""

from __future__ import annotations

from collections.abc import Iterator

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Execute, Vertex
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.errors import VerificationError


class _BrokenError(Exception):
    def __init__(self, operation: ir.Operation, sentence: str) -> None:
        self.operation, self.sentence = operation, sentence


def verify(module: ir.Module) -> None:
    """Raises VerificationError with the location and the reason at the first broken op."""
    try:
        _verify(module)
    except _BrokenError as failure:
        raise VerificationError(f"{failure.sentence} at {failure.operation.location}") from None


def diagnose(module: ir.Module) -> bool:
    """As `verify`, but reports through MLIR's diagnostics; true when all is well."""
    try:
        _verify(module)
    except _BrokenError as failure:
        failure.operation.location.emit_error(failure.sentence)
        return False
    return True


def _verify(module: ir.Module) -> None:
    if not module.operation.verify():
        raise _BrokenError(module.operation, "MLIR does not verify the module")
    functions = {op.name.value: op for op in module.body.operations if isinstance(op, func.FuncOp)}
    for op in all_ops(module):
        _check_op(op, functions)


def _check_op(op: ir.OpView, functions: dict[str, func.FuncOp]) -> None:
    if not isinstance(op, Op):
        if op.operation.name.startswith("ipu."):
            raise _BrokenError(op.operation, f"'{op.operation.name}' is no operation of the ipu dialect")
        return
    try:
        op.check()
        if isinstance(op, Vertex | Execute):
            _check_call(op, functions)
    except VerificationError as error:
        raise _BrokenError(op.operation, str(error)) from None


def _check_call(op: Vertex | Execute, functions: dict[str, func.FuncOp]) -> None:
    """Operand and result tensors are those of the codelet."""
    codelet = functions.get(op.codelet)
    if codelet is None:
        raise VerificationError(f"'{op.OPERATION_NAME}' op names the codelet @{op.codelet}, which is not in the module")
    tensors = [tensor_of(value) for value in (*op.operands, *op.results)]
    type_ = codelet.type
    expected = [Tensor.parse(str(t)) for t in (*type_.inputs, *type_.results)]
    if tensors != expected:
        raise VerificationError(f"'{op.OPERATION_NAME}' op does not fit its codelet @{op.codelet}: {type_}")


def all_ops(module: ir.Module) -> Iterator[ir.OpView]:
    """Every op inside the functions of the module, in order."""
    functions = [op for op in module.body.operations if len(op.operation.regions) == 1]
    for block in (block for function in functions for block in function.operation.regions[0].blocks):
        yield from block.operations
