"""Which rows of each tensor are computed when, if a part of the graph runs strip by strip. Knows nothing of MLIR.

Every tensor has rows; an op computes result row j from the rows [k * stride - low, k * stride - low + window) of an
operand, where k is j // repeat.

The plan pulls: the results of the part are asked for a few rows at a time, an op that lacks rows asks for
exactly those, and computes them in strips of at most its grain. Nothing is computed twice.

What is computed lies in pieces, each some consecutive rows of one tensor. An op reads rows of one piece; where it needs
rows of several, they are joined to a new piece first, without the rows that nobody needs any more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

WHOLE = 1 << 40
"""A grain without limit."""

LONG_GAP = 8
"""So many strips must run between two uses of a piece before its last rows are kept apart from the rest."""


@dataclass(frozen=True)
class RowUse:
    """How an op reads one operand: see the module's documentation. `low` is the border above the first row."""

    value: int
    window: int = 1
    stride: int = 1
    low: int = 0
    repeat: int = 1
    """So many result rows, from a multiple of it on, read the same rows."""

    def needed(self, first: int, end: int, rows: int) -> tuple[int, int]:
        """The rows of the operand, of `rows` in all, that result rows [first, end) read; border rows are left out."""
        begin = first // self.repeat * self.stride - self.low
        last = (end - 1) // self.repeat * self.stride - self.low + self.window
        return _between(begin, rows), _between(last, rows)


def _between(row: int, rows: int) -> int:
    """The nearest row boundary there is; written out, because it is looked for more often than anything else."""
    return 0 if row < 0 else rows if row > rows else row


@dataclass(frozen=True)
class RowOp:
    """An op. Its result is the value of the same number as the op."""

    rows: int
    uses: tuple[RowUse, ...]
    """Operands that have rows, by the number of their value."""
    inner_rows: int | None = None
    """For padding, the operand's rows: rows above and below them are never computed on their own."""
    grain: int = WHOLE
    """The most rows that are computed at once."""

    @cached_property
    def unit(self) -> int:
        """Strips begin at multiples of so many rows."""
        return max((use.repeat for use in self.uses), default=1)


class Part(NamedTuple):
    """Rows [first, end) of a tensor, in the piece of this number."""

    piece: int
    first: int
    end: int

    @property
    def rows(self) -> int:
        return self.end - self.first


class Kind(Enum):
    """What an action does."""

    COMPUTE = "compute"
    """Computes the rows from one part of each operand that has rows."""
    JOIN = "join"
    """Puts parts of one tensor together."""
    KEEP = "keep"
    """Copies the rows that are needed later, so that the rest of their piece can be given up."""


@dataclass(frozen=True)
class Action:
    """Makes a new piece: rows [first, end) of value `op`."""

    kind: Kind
    op: int
    made: Part
    parts: tuple[Part, ...]
    apart: bool = False
    """The parts are copied, and none is computed inside of the new piece."""


Pieces = Mapping[int, Sequence[Part]]
"""Value -> its pieces, in the order of their rows."""


def plan_strips(
    ops: Sequence[RowOp],
    pieces: Pieces,
    sinks: Sequence[int],
    steps: int,
    later: Iterable[int] = (),
    kept: float = 0.5,
) -> tuple[list[Action], dict[int, list[Part]]]:
    """Computes all rows of the `sinks` in `steps` steps; returns the actions, and the pieces of every value then.

    `pieces` holds the values that are known before, as a whole. Of sinks, and of values in `later`, no row is given up.
    Rows that are kept for long are copied out of their piece if they are at most the share `kept` of it.
    """
    puller = Puller(ops, pieces, {*sinks, *later})
    for step in range(steps):
        puller.pull_share(sinks, step + 1, steps)
    return keep_apart(puller.actions, puller.numbers, kept), puller.pieces


class Puller:
    """The state of a plan in the making: how far every value is computed, and in which pieces its rows lie."""

    def __init__(self, ops: Sequence[RowOp], pieces: Pieces, wanted_later: set[int]) -> None:
        self.ops, self.wanted_later = ops, wanted_later
        self.pieces = {value: list(parts) for value, parts in pieces.items()}
        self.done = [pieces[value][-1].end if pieces.get(value) else 0 for value in range(len(ops))]
        self.readers, self.deepest_first = _readers(ops), _deepest_first(ops)
        self.actions: list[Action] = []
        self.numbers = 1 + max((part.piece for parts in pieces.values() for part in parts), default=-1)

    def pull_share(self, sinks: Sequence[int], step: int, steps: int) -> None:
        """Brings every sink to its share of rows after `step` of `steps` steps."""
        for sink in sinks:
            self._pull(sink, share(self.ops[sink], step, steps))

    def _pull(self, sink: int, end: int) -> None:
        """Computes `sink` up to row `end`, and before it whatever that needs."""
        asked = [(sink, end)]
        while asked:
            op, end = asked[-1]
            if self.done[op] >= end:
                asked.pop()
                continue
            stop = whole_units(self.ops[op], min(self.done[op] + self.ops[op].grain, end))
            lacking = self._lacking(op, stop)
            if lacking is not None:
                asked.append(lacking)
            else:
                self._compute(op, stop)

    def _lacking(self, op: int, stop: int) -> tuple[int, int] | None:
        """An operand whose rows are not all there, and up to which row they are needed.

        What takes the longest chain of ops comes first, so that what is quickly made is not made too early.
        """
        for use in self.deepest_first[op]:
            end = use.needed(self.done[op], stop, self.ops[use.value].rows)[1]
            if self.done[use.value] < end:
                return use.value, end
        return None

    def _compute(self, op: int, stop: int) -> None:
        first = self.done[op]
        needs = [(use.value, *use.needed(first, stop, self.ops[use.value].rows)) for use in self.ops[op].uses]
        parts = tuple([self._part(*need) for need in needs])
        self._make(Kind.COMPUTE, op, first, stop, parts)
        self.done[op] = stop

    def _make(self, kind: Kind, op: int, first: int, end: int, parts: tuple[Part, ...]) -> Part:
        made = Part(self.numbers, first, end)
        self.numbers += 1
        self.actions.append(Action(kind, op, made, parts))
        self.pieces.setdefault(op, []).append(made)
        return made

    def _part(self, value: int, first: int, end: int) -> Part:
        """Rows [first, end) of a value in one piece."""
        pieces = self.pieces[value]
        stop = bisect_left(pieces, end, key=_first_row)
        start = bisect_right(pieces, first, hi=stop, key=_end_row)
        if stop - start == 1:
            return Part(pieces[start].piece, first, end)
        kept = min(self.first_needed(value), first)
        parts = tuple([Part(piece.piece, max(piece.first, kept), piece.end) for piece in pieces[start:stop]])
        rest = pieces[stop:]
        joined = self._make(Kind.JOIN, value, parts[0].first, parts[-1].end, parts)
        self.pieces[value] = [*pieces[:start], joined, *rest]
        return Part(joined.piece, first, end)

    def first_needed(self, value: int) -> int:
        """The first row of a value that is still read, by what is computed so far."""
        if value in self.wanted_later:
            return 0
        return min((self._next_read(reader, use) for reader, use in self.readers[value]), default=self.done[value])

    def _next_read(self, reader: int, use: RowUse) -> int:
        done, rows = self.done[reader], self.ops[use.value].rows
        return use.needed(done, done + 1, rows)[0] if done < self.ops[reader].rows else rows


_first_row, _end_row = attrgetter("first"), attrgetter("end")


def _readers(ops: Sequence[RowOp]) -> list[list[tuple[int, RowUse]]]:
    readers: list[list[tuple[int, RowUse]]] = [[] for _ in ops]
    for number, op in enumerate(ops):
        for use in op.uses:
            readers[use.value].append((number, use))
    return readers


def _deepest_first(ops: Sequence[RowOp]) -> list[list[RowUse]]:
    """The uses of each op, ordered by the longest chain of ops that leads to them."""
    depth: list[int] = []
    for op in ops:
        depth.append(1 + max((depth[use.value] for use in op.uses), default=0))
    return [sorted(op.uses, key=lambda use: -depth[use.value]) for op in ops]


def share(op: RowOp, step: int, steps: int) -> int:
    """How many rows a sink has after `step` of `steps` steps: as even as whole rows allow."""
    return whole_units(op, -(-step * op.rows // steps))


def whole_units(op: RowOp, end: int) -> int:
    """At least `end` rows, such that the next strip begins at a multiple of the op's unit.

    For padding: at least one row of the operand, and all of the lower border together with the last of them.
    """
    if op.inner_rows is None:
        return min(-(-end // op.unit) * op.unit, op.rows)
    low = op.uses[0].low
    least = max(end, low + 1)
    return op.rows if least >= low + op.inner_rows else least


def keep_apart(actions: Sequence[Action], numbers: int, share_kept: float) -> list[Action]:
    """Adds actions that keep the last rows of a piece when nothing else of it is needed for long; see `LONG_GAP`.

    They are at most `share_kept` of the piece. New pieces get the numbers from `numbers` on.
    """
    uses: dict[int, list[tuple[int, Part]]] = {
        action.made.piece: [(t, action.made)] for t, action in enumerate(actions)
    }
    for time, action in enumerate(actions):
        for part in action.parts:
            uses.setdefault(part.piece, []).append((time, part))
    kept: dict[int, list[Action]] = {}
    renamed: dict[int, dict[int, int]] = {}
    for action in actions:
        found = _kept_part(action.made, uses[action.made.piece], share_kept)
        if found is None:
            continue
        when, part = found
        kept.setdefault(when, []).append(Action(Kind.KEEP, action.op, part._replace(piece=numbers), (part,)))
        for after in (after for after, _ in uses[part.piece] if after > when):
            renamed.setdefault(after, {})[part.piece] = numbers
        numbers += 1
    together = _joined_apart(actions) if share_kept > 0.5 else actions
    return [
        one
        for time, action in enumerate(together)
        for one in (_renamed(action, renamed[time]) if time in renamed else action, *kept.get(time, ()))
    ]


def _joined_apart(actions: Sequence[Action]) -> list[Action]:
    """Joins whose parts were computed long before copy them: the room for all of them is not needed as early."""
    made = {action.made: time for time, action in enumerate(actions)}
    return [
        replace(action, apart=True)
        if action.kind is Kind.JOIN and any(time - made.get(part, time) > LONG_GAP for part in action.parts)
        else action
        for time, action in enumerate(actions)
    ]


def _kept_part(made: Part, uses: Sequence[tuple[int, Part]], share_kept: float) -> tuple[int, Part] | None:
    """After which action to keep which rows of a piece: a small enough share, and none that are used soon."""
    for i in range(1, len(uses)):
        before = uses[i - 1][0]
        if uses[i][0] - before <= LONG_GAP:
            continue
        first, end = min(part.first for _, part in uses[i:]), max(part.end for _, part in uses[i:])
        if end - first <= share_kept * made.rows:
            return before, Part(made.piece, first, end)
    return None


def _renamed(action: Action, numbers: Mapping[int, int]) -> Action:
    return replace(
        action, parts=tuple(part._replace(piece=numbers.get(part.piece, part.piece)) for part in action.parts)
    )
