"""Which operand of a codelet may share its bytes with the result, and how the codelet must then be computed.

A code generator may write partial sums into the result before it reads the operands of the epilogue. So an operand may
be updated in place only if everything is element-wise, or if the sums can start from it.
"""

from __future__ import annotations

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add


def updatable_operands(codelet: func.FuncOp, sums: bool = True) -> list[int]:
    """Positions of the operands whose bytes the result may take, the best first; `sums` may start from an operand."""
    body = codelet.regions[0].blocks[0]
    ops = [op for op in body.operations if isinstance(op, Op) and op.operands]
    if any(not op.elementwise for op in ops):
        return [argument.arg_number for _, argument in _added_to_sum(ops)] if sums else []
    result = body.operations[len(body.operations) - 1].operands[0]
    return [i for i, argument in enumerate(body.arguments) if argument.type == result.type and argument != result]


def addition_of(codelet: func.FuncOp, operand: int) -> tuple[Op, Add] | None:
    """The op whose sums start from `operand`, and the addition that this replaces; None in an element-wise codelet."""
    ops = [op for op in codelet.regions[0].blocks[0].operations if isinstance(op, Op) and op.operands]
    if all(op.elementwise for op in ops):
        return None
    return ops[0], next(addition for addition, argument in _added_to_sum(ops) if argument.arg_number == operand)


def _added_to_sum(ops: list[Op]) -> list[tuple[Add, ir.BlockArgument]]:
    """The additions right behind a sum of products that add an argument of the result's type."""
    found: list[tuple[Add, ir.BlockArgument]] = []
    value = ops[0].results[0]
    if not ops[0].accumulates:
        return found
    while (addition := _only_addition(value)) is not None:
        other = next(operand for operand in addition.operands if operand != value)
        if isinstance(other, ir.BlockArgument) and other.type == value.type and len(list(other.uses)) == 1:
            found.append((addition, other))
        value = addition.results[0]
    return found


def _only_addition(value: ir.Value) -> Add | None:
    """The addition that alone uses `value`, with something else and without broadcasting it."""
    users = [use.owner for use in value.uses]
    if len(users) != 1 or not isinstance(users[0], Add) or users[0].results[0].type != value.type:
        return None
    return users[0] if list(users[0].operands).count(value) == 1 else None
