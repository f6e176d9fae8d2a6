"""Rewrites that change how many filters a contraction has: groups on their own, and filters that fill vectors.

What follows a contraction element by element is computed with it, so it changes along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from iree.compiler import ir

from pyipu.dialect.definition import MOST_OPERANDS, Op
from pyipu.dialect.linear import Einsum, MatMul, split_equation
from pyipu.dialect.movement import Broadcast, Concat, Pad, Reshape, Slice
from pyipu.dialect.windows import Conv
from pyipu.passes.folding import is_known
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import build, shape_of, users
from pyipu.passes.session import Session

Fit = Callable[[ir.Value], ir.Value]
"""What a known operand of the epilogue becomes."""


def split_groups(op: Conv, session: Session) -> None:
    """Replaces a grouped convolution and its epilogue by one for each group, and a concatenation of their results."""
    epilogue = epilogue_of(op)
    last = [op, *epilogue][-1]
    data, weights = op.operands
    channels, filters = shape_of(data)[-1] // op.groups, shape_of(weights)[-1] // op.groups
    with ir.InsertionPoint(last.operation), op.location:
        parts = []
        for i in range(op.groups):
            own = [_channels(data, i * channels, channels, session), _channels(weights, i * filters, filters, session)]
            one = build(Conv, session, *own, strides=op.strides, dilations=op.dilations)
            parts.append(_replayed(one, op, epilogue, _slicing(i * filters, filters, op, session), session))
        whole = build(Concat, session, *parts, axis=len(shape_of(last.results[0])) - 1)
    last.results[0].replace_all_uses_with(whole)


def widen(op: Conv | MatMul, groups: int, filters: int, session: Session) -> None:
    """Gives each group of a contraction with known weights `filters` filters; the new ones are cut off behind it."""
    epilogue = epilogue_of(op)
    last = [op, *epilogue][-1]
    before = (groups, shape_of(op.results[0])[-1] // groups)

    def wide(value: ir.Value) -> ir.Value:
        return _padded(value, before, filters, session)

    with ir.InsertionPoint(last.operation), op.location:
        one = build(type(op), session, op.operands[0], wide(op.operands[1]), **op.values)
        value = _replayed(one, op, epilogue, lambda known: wide(known) if _has_filters(known, op) else known, session)
        narrow = _cut(value, before, filters, users(last.results[0]), session)
    last.results[0].replace_all_uses_with(narrow)


@dataclass(frozen=True)
class Weave:
    """A contraction like 'nxyc,cijf->nxiyjf': each pixel becomes a block of pixels, whose rows are woven in.

    `rows` is the weights' axis of those rows, i, and `columns` are the axes of what stays together, j and f; `inner` is
    the one that is added up, c. `place` is the result's axis of the rows.
    """

    rows: int
    columns: tuple[int, ...]
    inner: int
    place: int

    @staticmethod
    def of(op: Einsum) -> Weave | None:
        """None for a contraction of another form."""
        data, weights, result = split_equation(op.equation)
        woven = [letter for letter in result if letter in weights]
        columns = "".join(woven[1:])
        inner = data[-1:]
        place = result.find(woven[0]) if woven else -1
        rest = result[:place] + result[place + 1 :]
        if not columns or set(weights) != {inner, *woven} or rest != data[:-1] + columns:
            return None
        axes = {letter: axis for axis, letter in enumerate(weights)}
        return Weave(axes[woven[0]], tuple(axes[letter] for letter in columns), axes[inner], place)

    def block(self, op: Einsum) -> tuple[int, ...]:
        """Sizes of what stays together."""
        return tuple(shape_of(op.operands[1])[axis] for axis in self.columns)

    def applies(self, op: Einsum) -> bool:
        """The weights are known, and the epilogue treats all blocks alike."""
        rank = len(self.columns)
        inside = {op.results[0], *(member.results[0] for member in epilogue_of(op))}
        others = [value for member in epilogue_of(op) for value in member.operands if value not in inside]
        few = shape_of(op.operands[1])[self.rows] <= MOST_OPERANDS
        return few and is_known(op.operands[1]) and all(set(shape_of(value)[:-rank]) <= {1} for value in others)


def unweave(op: Einsum, weave: Weave, session: Session) -> None:
    """Replaces a contraction and its epilogue by a matrix product for each row of a block; their results are woven."""
    epilogue = epilogue_of(op)
    last = [op, *epilogue][-1]
    whole, block = shape_of(op.results[0]), weave.block(op)
    single = tuple(1 if axis == weave.place else size for axis, size in enumerate(whole))

    def fit(known: ir.Value) -> ir.Value:
        spread = build(Broadcast, session, reshaped(known, shape_of(known)[-len(block) :], session), shape=block)
        return reshaped(spread, (math.prod(block),), session)

    with ir.InsertionPoint(last.operation), op.location:
        parts = []
        for matrix in _matrices(op.operands[1], weave, session):
            product = build(MatMul, session, op.operands[0], matrix)
            parts.append(reshaped(_replayed(product, op, epilogue, fit, session), single, session))
        woven = build(Concat, session, *parts, axis=weave.place)
    last.results[0].replace_all_uses_with(woven)


def _matrices(weights: ir.Value, weave: Weave, session: Session) -> Iterator[ir.Value]:
    """The weights of each row of a block, [added up, columns]."""
    ordered = transposed(weights, (weave.rows, weave.inner, *weave.columns), session)
    count, depth, *columns = shape_of(ordered)
    stacked = reshaped(ordered, (count, depth, math.prod(columns)), session)
    for row in range(count):
        sizes = (1, depth, math.prod(columns))
        part = build(Slice, session, stacked, offsets=(row, 0, 0), sizes=sizes, strides=(1, 1, 1))
        yield reshaped(part, sizes[1:], session)


def epilogue_of(op: Op) -> list[Op]:
    """The element-wise ops behind `op` with known tensors, up to where one of their results alone is used."""
    members: list[Op] = []
    complete = 0
    while (following := _next_member([op, *members])) is not None:
        members.append(following)
        inner = [user for member in [op, *members[:-1]] for user in users(member.results[0])]
        complete = len(members) if all(user in members for user in inner) else complete
    return members[:complete]


def _next_member(members: Sequence[Op]) -> Op | None:
    """An op that takes nothing but results of members and known tensors, and is no member itself."""
    results = [member.results[0] for member in members]
    candidates = [user for result in results for user in users(result) if user not in members]
    return next((user for user in candidates if isinstance(user, Op) and _extends(user, results)), None)


def _extends(op: Op, results: Sequence[ir.Value]) -> bool:
    same_shape = op.elementwise and shape_of(op.results[0]) == shape_of(results[0])
    return same_shape and all(value in results or is_known(value) for value in op.operands)


def _replayed(value: ir.Value, op: Op, epilogue: Sequence[Op], fit: Fit, session: Session) -> ir.Value:
    """The epilogue of `op` applied to `value`."""
    replaced = {op.results[0]: value}
    for one in epilogue:
        operands = [replaced[operand] if operand in replaced else fit(operand) for operand in one.operands]
        replaced[one.results[0]] = value = build(type(one), session, *operands, **one.values)
    return value


def _slicing(first: int, filters: int, op: Op, session: Session) -> Fit:
    return lambda value: _channels(value, first, filters, session) if _has_filters(value, op) else value


def _has_filters(value: ir.Value, op: Op) -> bool:
    shape = shape_of(value)
    return bool(shape) and shape[-1] == shape_of(op.results[0])[-1]


def _channels(value: ir.Value, first: int, count: int, session: Session) -> ir.Value:
    shape = shape_of(value)
    offsets, ones = (*[0] * (len(shape) - 1), first), (1,) * len(shape)
    return build(Slice, session, value, offsets=offsets, sizes=(*shape[:-1], count), strides=ones)


def _padded(value: ir.Value, before: tuple[int, int], filters: int, session: Session) -> ir.Value:
    """Zeros behind each of so many groups of filters, as `before` says."""
    groups, present = before
    shape = shape_of(value)[:-1]
    split = reshaped(value, (*shape, *before), session)
    none = (0,) * len(shape_of(split))
    padded = build(Pad, session, split, low=none, high=(*none[1:], filters - present), interior=none)
    return reshaped(padded, (*shape, groups * filters), session)


def _cut(
    value: ir.Value, before: tuple[int, int], filters: int, readers: Sequence[object], session: Session
) -> ir.Value:
    """The reverse. Groups that are only read under other shapes are cut in one piece, which costs nothing."""
    groups, present = before
    if groups > 1 and all(isinstance(reader, Reshape) for reader in readers):
        shape = shape_of(value)[:-1]
        split = reshaped(value, (*shape, groups, filters), session)
        return reshaped(_channels(split, 0, present, session), (*shape, groups * present), session)
    parts = [_channels(value, i * filters, present, session) for i in range(groups)]
    return build(Concat, session, *parts, axis=len(shape_of(value)) - 1) if groups > 1 else parts[0]
