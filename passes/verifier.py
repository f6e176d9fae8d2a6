"""Checks a whole module: every op against its declaration, every vertex against its codelet."""

from __future__ import annotations

from collections.abc import Iterator

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Execute, Vertex
from pyipu.dialect.types import Type, parse_type, tensor_of
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
    codelets = _Codelets(module)
    for op in all_ops(module):
        _check_op(op, codelets)


class _Codelets:
    """The functions that vertices may name; each one's types are read once."""

    def __init__(self, module: ir.Module) -> None:
        self.functions = {op.name.value: op for op in module.body.operations if isinstance(op, func.FuncOp)}
        self._tensors: dict[str, list[Type]] = {}

    def tensors(self, name: str) -> list[Type]:
        """The types of operands and results; raises KeyError when there is no such function."""
        if name not in self._tensors:
            type_ = self.functions[name].type
            self._tensors[name] = [parse_type(one) for one in (*type_.inputs, *type_.results)]
        return self._tensors[name]


def _check_op(op: ir.OpView, codelets: _Codelets) -> None:
    if not isinstance(op, Op):
        if op.operation.name.startswith("ipu."):
            raise _BrokenError(op.operation, f"'{op.operation.name}' is no operation of the ipu dialect")
        return
    try:
        op.check()
        if isinstance(op, Vertex | Execute):
            _check_call(op, codelets)
    except VerificationError as error:
        raise _BrokenError(op.operation, str(error)) from None


def _check_call(op: Vertex | Execute, codelets: _Codelets) -> None:
    """Operand and result tensors are those of the codelet."""
    name = op.codelet
    if name not in codelets.functions:
        raise VerificationError(f"'{op.OPERATION_NAME}' op names the codelet @{name}, which is not in the module")
    tensors = [tensor_of(value) for value in (*op.operands, *op.results)]
    if tensors != codelets.tensors(name):
        type_ = codelets.functions[name].type
        raise VerificationError(f"'{op.OPERATION_NAME}' op does not fit its codelet @{name}: {type_}")


def all_ops(module: ir.Module) -> Iterator[ir.OpView]:
    """Every op inside the functions of the module, in order."""
    functions = [op for op in module.body.operations if len(op.operation.regions) == 1]
    for block in (block for function in functions for block in function.operation.regions[0].blocks):
        yield from block.operations
