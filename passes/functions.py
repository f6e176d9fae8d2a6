"""Finding one's way among the functions of a module."""

from __future__ import annotations

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast
from pyipu.dialect.linear import NARROW
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import tensor_of
from pyipu.errors import VerificationError


def main_function(module: ir.Module) -> func.FuncOp:
    """The public function: `@main`, or the only one that is not private; raises VerificationError without one."""
    functions = [op for op in module.body.operations if isinstance(op, func.FuncOp)]
    public = [op for op in functions if "sym_visibility" not in op.attributes]
    named = [op for op in public if op.name.value == "main"]
    if not named and len(public) != 1:
        raise VerificationError("the module needs one public function, @main")
    return (named or public)[0]


def codelets(module: ir.Module) -> dict[str, func.FuncOp]:
    """The private functions by name: the bodies of vertices."""
    functions = [op for op in module.body.operations if isinstance(op, func.FuncOp)]
    return {op.name.value: op for op in functions if "sym_visibility" in op.attributes}


def copy_of(module: ir.Module) -> ir.Module:
    """The same module once more, with its locations, in the same context."""
    return ir.Module.parse(module.operation.get_asm(enable_debug_info=True), module.context)


def is_extension(op: Op) -> bool:
    """Casts an argument of a codelet to a wider type, which sums are of: the codelet reads it in the narrow one."""
    if not isinstance(op, Cast) or not isinstance(op.operands[0], ir.BlockArgument):
        return False
    source, result = tensor_of(op.operands[0]), tensor_of(op.results[0])
    if result.dtype == "i32":
        return source.dtype in NARROW
    return result.is_float and source.dtype != "i1" and source.numpy_dtype.itemsize < result.numpy_dtype.itemsize


def returned_value(codelet: func.FuncOp) -> ir.Value:
    """What a codelet computes."""
    body = codelet.regions[0].blocks[0]
    return body.operations[len(body.operations) - 1].operands[0]


def erase_unread_parameters(block: ir.Block) -> None:
    """Removes the parameters that nobody reads; their values stay in the archive until it is cleared."""
    for op in [op for op in ipu_ops(block) if isinstance(op, Parameter) and not list(op.results[0].uses)]:
        op.operation.erase()
