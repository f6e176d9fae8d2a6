"""A run of row-wise ops, as the planner of strips sees it: rows, bytes, and what shares memory when nothing is cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyipu.passes.planning.row_strips import RowOp, RowUse

IntArray = NDArray[np.int64]

MOST_CUTS = 64
"""So many places of one run are considered, so that planning stays near-linear."""


STEP = 1.2
"""A stretch may also begin or end where so many times as many bytes are alive one op further."""


class Role(Enum):
    """What an op does with memory."""

    COMPUTE = "compute"
    """Writes a new tensor."""
    GATHER = "gather"
    """Concatenates or pads: operands are produced inside the result."""
    VIEW = "view"
    """Shows bytes of its operand."""


@dataclass(frozen=True)
class StreamOp:
    """A row-wise op, or a tensor from outside of the run, which has no uses."""

    rows: RowOp
    """Operands are numbered within the run."""
    row_bytes: int
    """Bytes of one row of the result."""
    row_pixels: int = 1
    weight_bytes: int = 0
    weight_elements: int = 0
    """How many products are added up for each pixel of the result."""
    role: Role = Role.COMPUTE
    takes: tuple[int, ...] = ()
    """Values whose bytes the result may take if they are not read later."""
    weight_parts: int = 1
    """The weights are gone through in so many parts, each with all pixels before the next."""

    @property
    def bytes(self) -> int:
        return self.rows.rows * self.row_bytes

    @property
    def values(self) -> tuple[int, ...]:
        """What it reads."""
        return tuple(use.value for use in self.rows.uses)


@dataclass(frozen=True)
class RowRun:
    """Ops in program order; the first `given` of them are tensors from outside.

    `leaves` are the values that are read behind the run. Ops in `apart` copy what they gather when they run whole.
    """

    ops: tuple[StreamOp, ...]
    given: int
    leaves: frozenset[int]
    apart: frozenset[int] = frozenset()

    @cached_property
    def last_reads(self) -> tuple[int, ...]:
        """The last op that reads each value; the number of ops when it is read behind the run, too."""
        last = list(range(len(self.ops)))
        for number, op in enumerate(self.ops):
            for use in op.rows.uses:
                last[use.value] = number
        return tuple(len(self.ops) if value in self.leaves else reader for value, reader in enumerate(last))

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """Where a stretch may begin or end: where no fewer bytes are alive one op earlier or later; both ends, too.

        Of too many such places those are taken that lie lowest between higher ones.
        """
        alive = self.bytes_across.tolist()
        inner = range(self.given + 1, len(self.ops))
        lows = [p for p in inner if alive[p] <= min(alive[p - 1], alive[p + 1]) or _is_step(alive, p)]
        deepest = sorted(lows, key=lambda p: -_prominence(alive, p))[:MOST_CUTS]
        return (self.given, *sorted(deepest), len(self.ops))

    @cached_property
    def buffers(self) -> Buffers:
        """What is allocated when every op runs whole, gathered and in place where it can."""
        return _buffers(self, gathers=True, in_place=True)

    @cached_property
    def tensors(self) -> Buffers:
        """What is alive between strips: a tensor is no part of what later strips will gather it into."""
        return _buffers(self, gathers=False, in_place=False)

    @cached_property
    def gathered_bytes(self) -> tuple[tuple[int, int], ...]:
        """For each value the number of the buffer that it is gathered into, and the bytes of that."""
        group = _groups(self, gathers=True, in_place=False)
        roots = [_root(group, value) for value in range(len(self.ops))]
        size = [0] * len(self.ops)
        for value, op in enumerate(self.ops):
            size[roots[value]] = max(size[roots[value]], op.bytes)
        return tuple((root, size[root]) for root in roots)

    @cached_property
    def bytes_across(self) -> IntArray:
        """Bytes alive between op p - 1 and op p, for each p up to the number of ops."""
        return self.alive_across(self.tensors)

    def alive_across(self, buffers: Buffers) -> IntArray:
        """The same, of certain buffers."""
        places = np.arange(len(self.ops) + 1)[:, np.newaxis]
        alive: IntArray = ((buffers.begin < places) & (buffers.last >= places)) @ buffers.size
        return alive

    def copied_bytes(self, first: int, end: int) -> int:
        """Bytes that ops [first, end) copy when they run whole."""
        copied = (self.ops[use.value] for number in self.apart if first <= number < end for use in self._uses(number))
        return sum(op.bytes for op in copied)

    def _uses(self, number: int) -> tuple[RowUse, ...]:
        return self.ops[number].rows.uses

    def whole_peak(self, first: int, end: int) -> int:
        """The most bytes alive while ops [first, end) run whole."""
        times = np.arange(first, end)[:, np.newaxis]
        alive = (self.buffers.begin <= times) & (self.buffers.last >= times)
        return int((alive @ self.buffers.size).max(initial=0))

    def boundary_bytes(self, first: int, end: int) -> tuple[int, int, int]:
        """Bytes that stay alive while ops [first, end) run, that die there, and that are made there for later.

        What stays may lie in what is gathered later, and with that counts as a whole.
        """
        begin, last, size = self.tensors.begin, self.tensors.last, self.tensors.size
        earlier, here = begin < first, (begin >= first) & (begin < end)
        dies = earlier & (last >= first) & (last < end) & (begin >= self.given)
        stays = np.flatnonzero(earlier & (last >= first) & ~dies).tolist()
        around = sum(dict(self.gathered_bytes[value] for value in stays).values())
        return around, int(size[dies].sum()), int(size[here & (last >= end)].sum())


@dataclass(frozen=True, eq=False)
class Buffers:
    """One entry per buffer: the first op that writes it, the last one that reads it, its bytes."""

    begin: IntArray
    last: IntArray
    size: IntArray


def _groups(run: RowRun, gathers: bool, in_place: bool) -> list[int]:
    """For each value another one in the same buffer; following them leads to the one that stands for the buffer."""
    group = list(range(len(run.ops)))
    gathered: set[int] = set()
    copies = range(len(run.ops)) if not gathers else run.apart
    sharing = ((i, op) for i, op in enumerate(run.ops) if op.role is not Role.GATHER or i not in copies)
    for number, op in sharing:
        for value in _shared_values(run, number, op, gathered, in_place):
            group[_root(group, value)] = number
    return group


def _buffers(run: RowRun, gathers: bool, in_place: bool) -> Buffers:
    group = _groups(run, gathers, in_place)
    begin, last, size = list(range(len(run.ops))), list(run.last_reads), [0] * len(run.ops)
    for value, op in enumerate(run.ops):
        root = _root(group, value)
        begin[root] = min(begin[root], value)
        last[root] = max(last[root], run.last_reads[value])
        size[root] = max(size[root], op.bytes)
    return Buffers(np.array(begin), np.array(last), np.array(size))


def _is_step(alive: list[int], place: int) -> bool:
    """Much more is alive one op later, or was one op earlier."""
    return max(alive[place + 1], alive[place - 1]) > STEP * alive[place]


def _prominence(heights: list[int], place: int) -> int:
    """How far one must climb from a low place to get to a lower one, or to the end, on the easier side."""
    walls = []
    for side in (heights[place - 1 :: -1] if place else [], heights[place + 1 :]):
        lower = next((i for i, height in enumerate(side) if height < heights[place]), len(side))
        walls.append(max(side[:lower], default=heights[place]))
    return min(walls) - heights[place]


def _root(group: list[int], value: int) -> int:
    while group[value] != value:
        group[value] = group[group[value]]
        value = group[value]
    return value


def _shared_values(run: RowRun, number: int, op: StreamOp, gathered: set[int], in_place: bool) -> list[int]:
    """The operands that lie in the buffer of the op's result; an operand is gathered only once."""
    own = [use.value for use in op.rows.uses if use.value >= run.given]
    if op.role is Role.VIEW:
        return own
    if op.role is Role.GATHER:
        fresh = [value for value in dict.fromkeys(own) if value not in gathered]
        gathered.update(fresh)
        return fresh
    dying = (value for value in op.takes if in_place and value in own and run.last_reads[value] == number)
    return [value for value in dying if run.ops[value].bytes == op.bytes and value not in gathered][:1]
