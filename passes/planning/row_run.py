"""A run of row-wise ops, as the planner of strips sees it: rows, bytes, and what shares memory when nothing is cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyipu.passes.planning.row_strips import RowOp

IntArray = NDArray[np.int64]


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
    role: Role = Role.COMPUTE
    takes: tuple[int, ...] = ()
    """Values whose bytes the result may take if they are not read later."""

    @property
    def bytes(self) -> int:
        return self.rows.rows * self.row_bytes


@dataclass(frozen=True)
class RowRun:
    """Ops in program order; the first `given` of them are tensors from outside.

    `leaves` are the values that are read behind the run.
    """

    ops: tuple[StreamOp, ...]
    given: int
    leaves: frozenset[int]

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
        """Where a stretch may begin or end: where no fewer bytes are alive one op earlier or later; both ends, too."""
        alive = self.bytes_across
        inner = range(self.given + 1, len(self.ops))
        lows = (p for p in inner if alive[p] <= min(alive[p - 1], alive[p + 1]))
        return (self.given, *lows, len(self.ops))

    @cached_property
    def buffers(self) -> Buffers:
        """What is allocated when every op runs whole, and in place where it can."""
        return _buffers(self, in_place=True)

    @cached_property
    def tensors(self) -> Buffers:
        """What is allocated when nothing runs in place."""
        return _buffers(self, in_place=False)

    @cached_property
    def bytes_across(self) -> IntArray:
        """Bytes alive between op p - 1 and op p, for each p up to the number of ops."""
        places = np.arange(len(self.ops) + 1)[:, np.newaxis]
        alive = (self.tensors.begin < places) & (self.tensors.last >= places)
        return alive @ self.tensors.size

    def whole_peak(self, first: int, end: int) -> int:
        """The most bytes alive while ops [first, end) run whole."""
        times = np.arange(first, end)[:, np.newaxis]
        alive = (self.buffers.begin <= times) & (self.buffers.last >= times)
        return int((alive @ self.buffers.size).max(initial=0))

    def boundary_bytes(self, first: int, end: int) -> tuple[int, int, int]:
        """Bytes that stay alive while ops [first, end) run, that die there, and that are made there for later."""
        begin, last, size = self.tensors.begin, self.tensors.last, self.tensors.size
        earlier, here = begin < first, (begin >= first) & (begin < end)
        dies = earlier & (last >= first) & (last < end) & (begin >= self.given)
        stays = earlier & (last >= first) & ~dies
        return int(size[stays].sum()), int(size[dies].sum()), int(size[here & (last >= end)].sum())


@dataclass(frozen=True, eq=False)
class Buffers:
    """One entry per buffer: the first op that writes it, the last one that reads it, its bytes."""

    begin: IntArray
    last: IntArray
    size: IntArray


def _buffers(run: RowRun, in_place: bool) -> Buffers:
    group = list(range(len(run.ops)))
    gathered: set[int] = set()
    for number, op in enumerate(run.ops):
        for value in _shared_values(run, number, op, gathered, in_place):
            group[_root(group, value)] = number
    begin, last, size = list(range(len(run.ops))), list(run.last_reads), [0] * len(run.ops)
    for value, op in enumerate(run.ops):
        root = _root(group, value)
        begin[root] = min(begin[root], value)
        last[root] = max(last[root], run.last_reads[value])
        size[root] = max(size[root], op.bytes)
    return Buffers(np.array(begin), np.array(last), np.array(size))


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
