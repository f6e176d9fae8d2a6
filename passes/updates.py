"""Which operand of a codelet may share its bytes with the result, and how the codelet must then be computed.

A code generator may write partial sums into the result before it reads the operands of the epilogue. So an operand may
be updated in place only if everything is element-wise, or if loops are written out so that they allow it, or if the
sums can start from it, or if the result is of a narrower type than the sums: then those cannot be where the result is,
and an element is read before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add, Multiply
from pyipu.dialect.types import tensor_of
from pyipu.passes.functions import is_extension, returned_value


def updatable_operands(codelet: func.FuncOp, sums: bool = True) -> list[int]:
    """Positions of the operands whose bytes the result may take, the best first; `sums` may start from an operand."""
    body = codelet.regions[0].blocks[0]
    result, ops = returned_value(codelet), _computing(codelet)
    if ops and ops[0].in_place:
        return [argument.arg_number for argument in _read_before(body.arguments, ops[0], result)]
    if any(not op.elementwise for op in ops):
        found = _added_to_sum(ops, result) + _read_by_epilogue(body.arguments, ops, result)
        return [argument.arg_number for argument in found] if sums else []
    return [i for i, argument in enumerate(body.arguments) if argument.type == result.type and argument != result]


def _read_before(arguments: Sequence[ir.BlockArgument], first: Op, result: ir.Value) -> list[ir.BlockArgument]:
    """The arguments of the result's type that loops read before they store there: the first operand, and epilogues'."""
    leading, *others = (_as_stored(value) for value in first.operands)
    found = [one for one in arguments if one.type == result.type and one not in others]
    return sorted(found, key=lambda one: one != leading)


def _as_stored(value: ir.Value) -> ir.Value:
    """What was extended, or the value itself."""
    owner = value.owner
    return owner.operands[0] if isinstance(owner, Op) and is_extension(owner) else value


@dataclass(frozen=True)
class Start:
    """Where a sum of products starts instead of at zero."""

    op: Op
    operand: ir.BlockArgument
    addition: Add
    """What this replaces."""
    scale: ir.BlockArgument | None
    """What the sum is multiplied with before the addition: it must start from so much less."""


def start_of(codelet: func.FuncOp, operand: int) -> Start | None:
    """How sums start from `operand` of a codelet; None where they start from zero, or there are none."""
    ops = _computing(codelet)
    additions = _additions_to_sum(ops) if any(not op.elementwise for op in ops) else []
    starts = (Start(ops[0], argument, addition, _scale(ops[0])) for addition, argument in additions)
    return next((start for start in starts if start.operand.arg_number == operand), None)


def is_bare_sum(codelet: func.FuncOp) -> bool:
    """It returns a sum of products, or what that becomes on top of another tensor."""
    ops = _computing(codelet)
    additions = [addition for addition, _ in _additions_to_sum(ops)] if ops else []
    return len(ops) > 0 and ops[0].accumulates and ops[1:] == additions


def _computing(codelet: func.FuncOp) -> list[Op]:
    """What is computed from operands, once those are extended."""
    ops = [op for op in codelet.regions[0].blocks[0].operations if isinstance(op, Op) and op.operands]
    return [op for op in ops if not is_extension(op)]


def _added_to_sum(ops: list[Op], result: ir.Value) -> list[ir.BlockArgument]:
    """The arguments that a sum of products may start from, in the bytes of the result."""
    return [argument for _, argument in _additions_to_sum(ops) if argument.type == result.type]


def _read_by_epilogue(arguments: Sequence[ir.BlockArgument], ops: list[Op], result: ir.Value) -> list[ir.BlockArgument]:
    """The arguments of the result's type that are read in its loops alone, behind a sum in a wider type."""
    first, *rest = ops
    bits = tensor_of(first.results[0]).numpy_dtype.itemsize, tensor_of(result).numpy_dtype.itemsize
    shapes = {tensor_of(op.results[0]).shape for op in ops}
    if not first.accumulates or bits[0] <= bits[1] or len(shapes) > 1 or not all(op.elementwise for op in rest):
        return []
    return [one for one in arguments if one.type == result.type and first not in _readers(one)]


def _readers(argument: ir.Value) -> list[ir.OpView]:
    """Who reads an argument, as it is or extended."""
    owners = [use.owner for use in argument.uses]
    extensions = [op for op in owners if isinstance(op, Op) and is_extension(op)]
    return owners + [use.owner for op in extensions for use in op.results[0].uses]


def _additions_to_sum(ops: list[Op]) -> list[tuple[Add, ir.BlockArgument]]:
    """The additions right behind a sum of products that add an argument of the sum's type."""
    found: list[tuple[Add, ir.BlockArgument]] = []
    value = ops[0].results[0]
    if not ops[0].accumulates:
        return found
    if _scale(ops[0]) is not None:
        value = next(use.owner for use in value.uses).results[0]
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


def _scale(total: Op) -> ir.BlockArgument | None:
    """The step of integer weights, for each channel, that multiplies their sum of products right behind it.

    Nothing else that multiplies a sum is known not to be zero, as these steps are.
    """
    users = [use.owner for use in total.results[0].uses]
    if len(users) != 1 or not isinstance(users[0], Multiply) or not _has_integer_weights(total):
        return None
    factor = next((value for value in users[0].operands if value != total.results[0]), None)
    return factor if isinstance(factor, ir.BlockArgument) and tensor_of(factor).rank == 1 else None


def _has_integer_weights(total: Op) -> bool:
    weights = total.operands[1].owner if len(total.operands) == 2 else None
    return isinstance(weights, Op) and is_extension(weights) and tensor_of(weights.operands[0]).dtype == "i8"
