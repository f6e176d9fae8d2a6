"""Rules that move transpositions through ops, so that they meet and cancel, or vanish into what absorbs them."""

from __future__ import annotations

from dataclasses import dataclass

from iree.compiler import ir

from pyipu.dialect.definition import Op, Permutation
from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.movement import Broadcast, Reshape, Transpose, inverse, permute
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv, Pool
from pyipu.passes.folding import is_known
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.permutations import (
    compose,
    is_identity,
    moves_only_units,
    sunk_through_reshape,
    unit_permutation,
    with_leading,
)
from pyipu.passes.rules.rewriting import Rules, build, producer, result_tensor, shape_of, users
from pyipu.passes.session import Session


@dataclass(frozen=True)
class Transposed:
    """A value seen as `transpose(source, permutation)`."""

    source: ir.Value
    permutation: Permutation

    @property
    def moves_elements(self) -> bool:
        return not moves_only_units(shape_of(self.source), self.permutation)


def seen_as_transposed(value: ir.Value) -> Transposed:
    """What a transpose, or a reshape that only moves dimensions of size one, was made of; else the value as it is."""
    transpose = producer(value, Transpose)
    if transpose is not None:
        return Transposed(transpose.operands[0], transpose.permutation)
    reshape = producer(value, Reshape)
    units = unit_permutation(shape_of(reshape.operands[0]), reshape.shape) if reshape is not None else None
    if reshape is not None and units is not None:
        return Transposed(reshape.operands[0], units)
    return Transposed(value, tuple(range(len(shape_of(value)))))


def sink(op: Op, session: Session) -> ir.Value | None:
    """op(transpose(x), y) is transpose(op(x, y')) when y' costs nothing."""
    if type(op).permuted.__func__ is Op.permuted.__func__ or _is_last(op):  # type: ignore[attr-defined]
        return None
    attempts = (_sunk(op, operand, session) for operand in _candidates(op))
    return next((value for value in attempts if value is not None), None)


def _is_last(op: Op) -> bool:
    """Nothing comes after the op through which its operand's transposition could sink further."""
    return len(op.operands) == 1 and all(isinstance(user, Conv | Pool) for user in users(op.results[0]))


def _candidates(op: Op) -> list[Transposed]:
    """The transposed operands; those first whose elements really move."""
    seen = [seen_as_transposed(value) for value in op.operands if not is_known(value)]
    found = [operand for operand in seen if not is_identity(operand.permutation)]
    return sorted(found, key=lambda operand: not operand.moves_elements)


def _rank(op: Op) -> int:
    """The rank to which operands are aligned: where an op broadcasts, the result's."""
    ranks = [len(shape_of(value)) for value in op.operands]
    return max([*ranks, result_tensor(op).rank] if isinstance(op, Elementwise | Broadcast) else ranks)


def _sunk(op: Op, operand: Transposed, session: Session) -> ir.Value | None:
    """`op` on operands that are transposed back, and then its result transposed; None when one is in the way."""
    permutation = with_leading(operand.permutation, _rank(op))
    back = inverse(permutation)
    types = [tensor_of(value).with_shape(_full_shape(value, len(back))) for value in op.operands]
    found = type(op).permuted(permutation, types, op.values)
    if found is None or not all(is_free(value, back, operand.moves_elements) for value in op.operands):
        return None
    attributes, after = found
    if not operand.moves_elements and not moves_only_units(permute(result_tensor(op).shape, inverse(after)), after):
        return None
    operands = [transposed_for_free(value, back, session) for value in op.operands]
    return transposed(build(type(op), session, *operands, **attributes), after, session)


def _full_shape(value: ir.Value, rank: int) -> tuple[int, ...]:
    shape = shape_of(value)
    return (*[1] * (rank - len(shape)), *shape)


def is_free(value: ir.Value, permutation: Permutation, for_views: bool) -> bool:
    """Transposing the value, with leading ones to full rank, costs nothing: it is known, or both cancel.

    Where elements move, a view of a computed value is free as well; where they do not, a view would be worth nothing,
    and its operands could hand it to each other for ever.
    """
    rank = len(permutation)
    seen = seen_as_transposed(value)
    whole = compose(with_leading(seen.permutation, rank), permutation)
    if is_known(value) or tensor_of(value).elements == 1:
        return True
    return moves_only_units(_full_shape(seen.source, rank), whole) if for_views else is_identity(whole)


def transposed_for_free(value: ir.Value, permutation: Permutation, session: Session) -> ir.Value:
    if tensor_of(value).elements == 1:
        return value
    rank = len(permutation)
    seen = seen_as_transposed(value)
    source = reshaped(seen.source, _full_shape(seen.source, rank), session)
    return transposed(source, compose(with_leading(seen.permutation, rank), permutation), session)


def sink_through_reshape(op: Reshape, session: Session) -> ir.Value | None:
    """reshape(transpose(x)) is transpose(reshape(x)) when the reshape splits and merges what stayed together."""
    inner = producer(op.operands[0], Transpose)
    if inner is None:
        return None
    source = inner.operands[0]
    sunk = sunk_through_reshape(shape_of(source), inner.permutation, op.shape)
    return None if sunk is None else transposed(reshaped(source, sunk[0], session), sunk[1], session)


def meet_across_reshape(op: Transpose, session: Session) -> ir.Value | None:
    """transpose(reshape(transpose(x))) is reshape(transpose(x)) when the outer one can move up to the inner one."""
    middle = producer(op.operands[0], Reshape)
    inner = None if middle is None else producer(middle.operands[0], Transpose)
    if middle is None or inner is None:
        return None
    hoisted = sunk_through_reshape(result_tensor(op).shape, inverse(op.permutation), shape_of(inner.result))
    if hoisted is None:
        return None
    whole = compose(inner.permutation, inverse(hoisted[1]))
    return reshaped(transposed(inner.operands[0], whole, session), result_tensor(op).shape, session)


SINKING: Rules = {
    Op: (sink,),
    Reshape: (sink_through_reshape,),
    Transpose: (meet_across_reshape,),
}
"""Transpositions move towards the results."""
