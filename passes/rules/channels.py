"""Rewrites that change how many filters a contraction has: groups on their own, and filters that fill vectors.

What follows a contraction element by element is computed with it, so it changes along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from iree.compiler import ir

from pyipu.dialect.definition import MOST_OPERANDS, Op
from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.linear import Einsum, MatMul, split_equation
from pyipu.dialect.movement import Concat, Pad, Reshape, Slice
from pyipu.dialect.windows import Conv
from pyipu.passes.folding import is_known
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import build, producer, shape_of, users
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
            parts.append(replayed(one, op, epilogue, _slicing(i * filters, filters, op, session), session))
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
        value = replayed(one, op, epilogue, lambda known: wide(known) if has_filters(known, op) else known, session)
        narrow = _cut(value, before, filters, users(last.results[0]), session)
    last.results[0].replace_all_uses_with(narrow)


@dataclass(frozen=True)
class Weave:
    """A contraction like 'nxyc,cijf->nxiyjf': each pixel becomes a block of pixels, whose places are i and j.

    `within` are the weights' axes of these places and `places` the result's; `inner`, c, and `column`, f, are axes of
    the weights.
    """

    within: tuple[int, ...]
    places: tuple[int, ...]
    inner: int
    column: int

    @staticmethod
    def of(op: Einsum) -> Weave | None:
        """None for a contraction of another form."""
        data, weights, result = split_equation(op.equation)
        places = tuple(axis for axis, letter in enumerate(result[:-1]) if letter in weights)
        block = {result[axis] for axis in places}
        pixels = "".join(letter for letter in result if letter not in block)
        if not block or set(weights) != {data[-1], result[-1], *block} or pixels != data[:-1] + result[-1]:
            return None
        within = tuple(weights.index(result[axis]) for axis in places)
        return Weave(within, places, weights.index(data[-1]), weights.index(result[-1]))

    def sizes(self, op: Einsum) -> tuple[int, ...]:
        """How many places a block has in each direction."""
        return tuple(shape_of(op.operands[1])[axis] for axis in self.within)

    def applies(self, op: Einsum) -> bool:
        """The weights are known, and the epilogue tells filters apart alone."""
        inside = {op.results[0], *(member.results[0] for member in epilogue_of(op))}
        others = [value for member in epilogue_of(op) for value in member.operands if value not in inside]
        few = max(self.sizes(op)) <= MOST_OPERANDS
        return few and is_known(op.operands[1]) and all(set(shape_of(value)[:-1]) <= {1} for value in others)


def unweave(op: Einsum, weave: Weave, session: Session) -> None:
    """Replaces a contraction and its epilogue by a matrix product for each place in a block, and weaves the results."""
    epilogue = epilogue_of(op)
    last = [op, *epilogue][-1]
    pixels = tuple(1 if axis in weave.places else size for axis, size in enumerate(shape_of(op.results[0])[:-1]))
    with ir.InsertionPoint(last.operation), op.location:
        parts = []
        # The products have all dimensions of the result, so that they can be written to their places in it.
        data = reshaped(op.operands[0], (*pixels, shape_of(op.operands[0])[-1]), session)
        for matrix in _matrices(op, weave, session):
            product = build(MatMul, session, data, matrix)
            parts.append(replayed(product, op, epilogue, lambda known: _flat(known, session), session))
        woven = _woven(parts, op, weave, session)
    last.results[0].replace_all_uses_with(woven)


def _flat(known: ir.Value, session: Session) -> ir.Value:
    """Without the leading dimensions, which are one."""
    return reshaped(known, shape_of(known)[-1:], session)


def _matrices(op: Einsum, weave: Weave, session: Session) -> Iterator[ir.Value]:
    """The weights of each place in a block, [added up, filters]."""
    ordered = transposed(op.operands[1], (*weave.within, weave.inner, weave.column), session)
    matrix = shape_of(ordered)[-2:]
    stacked = reshaped(ordered, (math.prod(weave.sizes(op)), *matrix), session)
    for place in range(shape_of(stacked)[0]):
        part = build(Slice, session, stacked, offsets=(place, 0, 0), sizes=(1, *matrix), strides=(1, 1, 1))
        yield reshaped(part, matrix, session)


def _woven(parts: list[ir.Value], op: Einsum, weave: Weave, session: Session) -> ir.Value:
    """Concatenated along each direction of the block, the last one first."""
    for size, axis in reversed(list(zip(weave.sizes(op), weave.places, strict=True))):
        rows = [parts[i : i + size] for i in range(0, len(parts), size)]
        parts = [build(Concat, session, *row, axis=axis) if size > 1 else row[0] for row in rows]
    return parts[0]


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


def replayed(value: ir.Value, op: Op, epilogue: Sequence[Op], fit: Fit, session: Session) -> ir.Value:
    """The epilogue of `op` applied to `value`."""
    replaced = {op.results[0]: value}
    for one in epilogue:
        operands = [replaced[operand] if operand in replaced else fit(operand) for operand in one.operands]
        replaced[one.results[0]] = value = build(type(one), session, *operands, **one.values)
    return value


def _slicing(first: int, filters: int, op: Op, session: Session) -> Fit:
    return lambda value: _channels(value, first, filters, session) if has_filters(value, op) else value


def has_filters(value: ir.Value, op: Op) -> bool:
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
    """The reverse. Groups are cut in one piece, which costs nothing, where their readers can read them as they lie."""
    groups, present = before
    shape = (*shape_of(value)[:-1], groups * present)
    if groups > 1 and all(_reads_groups(reader, shape) for reader in readers):
        split = reshaped(value, (*shape[:-1], groups, filters), session)
        return reshaped(_channels(split, 0, present, session), shape, session)
    parts = [_channels(value, i * filters, present, session) for i in range(groups)]
    return build(Concat, session, *parts, axis=len(shape_of(value)) - 1) if groups > 1 else parts[0]


def _reads_groups(reader: object, shape: tuple[int, ...]) -> bool:
    """Under another shape, or element by element together with tensors of the same one."""
    if isinstance(reader, Elementwise):
        return all(shape_of(value) == shape for value in reader.operands)
    return isinstance(reader, Reshape)


def read_groups(op: Elementwise, session: Session) -> ir.Value | None:
    """add(reshape(cut), y) is reshape(add(cut, reshape(y))): no copy puts the groups side by side."""
    shape = shape_of(op.results[0])
    cut = [_groups_of(value) for value in op.operands]
    groups = next((one for one in cut if one is not None), None)
    if groups is None or not _reads_groups(op, shape):
        return None
    pairs = zip(cut, op.operands, strict=True)
    operands = [one if one is not None else reshaped(value, shape_of(groups), session) for one, value in pairs]
    return reshaped(build(type(op), session, *operands, **op.values), shape, session)


def _groups_of(value: ir.Value) -> ir.Value | None:
    """Groups […, G, N] that were cut out of larger ones, of which `value` is […, G * N]."""
    reshape = producer(value, Reshape)
    cut = None if reshape is None else producer(reshape.operands[0], Slice)
    if reshape is None or cut is None:
        return None
    *outer, groups, present = shape_of(cut.result)
    return cut.result if reshape.shape == (*outer, groups * present) else None
