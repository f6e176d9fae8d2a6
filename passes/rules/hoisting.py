"""Rules that move transpositions which found nothing to cancel with back up, to where they cost less."""

from __future__ import annotations

from typing import Any

from iree.compiler import ir

from pyipu.dialect.definition import Op, Permutation
from pyipu.dialect.movement import Broadcast, Pad, Reshape, Transpose, inverse, permute
from pyipu.dialect.types import tensor_of
from pyipu.passes.rules.identities import transposed
from pyipu.passes.rules.permutations import sunk_through_reshape
from pyipu.passes.rules.rewriting import Rules, build, has_one_use, producer, shape_of, users
from pyipu.passes.rules.sinking import is_free, transposed_for_free
from pyipu.passes.session import Session

Step = tuple[dict[str, Any], Permutation]
"""The attributes of an op on transposed operands, and the permutation of these."""


def hoist_over_growth(op: Transpose, session: Session) -> ir.Value | None:
    """transpose(pad(x)) is pad(transpose(x)), which moves less; so for a broadcast."""
    inner = producer(op.operands[0], Pad, Broadcast)
    step = None if inner is None else _step(inner, op.permutation)
    if inner is None or step is None:
        return None
    return build(type(inner), session, transposed(inner.operands[0], step[1], session), **step[0])


def hoist_to_equal(op: Transpose, session: Session) -> ir.Value | None:
    """transpose(relu(x)) is relu(transpose(x)) where others need transpose(x) anyway; over any number of ops."""
    value = op.operands[0]
    return _rebuilt(value, op.permutation, session) if _can_rebuild(value, op.permutation) else None


def _can_rebuild(value: ir.Value, permutation: Permutation) -> bool:
    """The transposed value can be computed from transposed values that are there, or cost nothing."""
    op = producer(value, Op)
    if op is None or not has_one_use(value):
        return False
    step = _step(op, permutation)
    return step is not None and all(_is_there(operand, step[1]) for operand in op.operands)


def _is_there(value: ir.Value, permutation: Permutation) -> bool:
    free = is_free(value, permutation, for_views=True)
    return free or _equal_transpose(value, permutation) is not None or _can_rebuild(value, permutation)


def _equal_transpose(value: ir.Value, permutation: Permutation) -> Transpose | None:
    transposes = [user for user in users(value) if isinstance(user, Transpose)]
    return next((user for user in transposes if user.permutation == permutation), None)


def _rebuilt(value: ir.Value, permutation: Permutation, session: Session) -> ir.Value:
    op = value.owner
    step = _step(op, permutation)
    assert step is not None
    operands = [_transposed(operand, step[1], session) for operand in op.operands]
    return build(type(op), session, *operands, **step[0])


def _transposed(value: ir.Value, permutation: Permutation, session: Session) -> ir.Value:
    if is_free(value, permutation, for_views=True):
        return transposed_for_free(value, permutation, session)
    if _equal_transpose(value, permutation) is not None:
        return transposed(value, permutation, session)
    return _rebuilt(value, permutation, session)


def _step(op: Op, permutation: Permutation) -> Step | None:
    """How transpose(op(x), permutation) becomes op'(transpose(x, permutation')); None when it does not."""
    if isinstance(op, Reshape):
        return _step_over_reshape(op, permutation)
    types = [tensor_of(value) for value in op.operands]
    if not types or any(type_.rank != len(permutation) for type_ in types):
        return None
    found = type(op).permuted(inverse(permutation), types, op.values)
    return (found[0], permutation) if found is not None and found[1] == inverse(permutation) else None


def _step_over_reshape(op: Reshape, permutation: Permutation) -> Step | None:
    target = permute(op.shape, permutation)
    found = sunk_through_reshape(target, inverse(permutation), shape_of(op.operands[0]))
    return None if found is None else ({"shape": target}, inverse(found[1]))


HOISTING: Rules = {Transpose: (hoist_to_equal, hoist_over_growth)}
