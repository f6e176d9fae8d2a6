"""How little strips can hold and cost, for all stretches that end at one place: fast, and never too much by far.

The state of a chain of strips is how far every op is computed. Rows come in at the top; an op is computed as far as its
operands allow and its readers ask. What lies between the first row that is still needed and the last one that is
computed has to be held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyipu.passes.planning.row_run import IntArray, Role, RowRun, StreamOp
from pyipu.passes.planning.row_strips import RowOp, RowUse, whole_units

SAMPLES = 96
"""So many states of a chain are looked at."""

WIDE = 56
"""From so many pixels on strips do not wait for their weights."""


class Width(NamedTuple):
    """Strips have at least so many pixels, as many rows as so many bytes hold, and are at most so many `parts`."""

    pixels: int
    bytes: int = 0
    parts: int = 1 << 40

    def rows(self, op: StreamOp) -> int:
        """How many rows of an op that is, at least one."""
        return max(1, -(-self.pixels // op.row_pixels), self.bytes // max(op.row_bytes, 1), op.rows.rows // self.parts)


WIDTHS = (
    *(Width(WIDE, parts=parts) for parts in (2, 3, 4, 6, 8, 12, 16)),
    *(Width(WIDE, size) for size in (2**18, 2**17, 2**16, 2**15)),
    *(Width(pixels) for pixels in (448, 224, 112, WIDE, 28, 14, 1)),
)
"""How wide strips are tried: few parts cost least, equal bytes hold little for what they cost, equal pixels least."""

DISPATCH = 2.0
"""Microseconds that one more dispatch takes on two threads."""
COPIED_BYTES = 10e3
"""Bytes per microsecond that are copied."""
MULTIPLY_ADDS = 100e3
"""Multiply-adds per microsecond, of two cores."""
CACHED = 2**19
"""Bytes of a result up to which it is still in a cache when the next op reads it."""
OWN_CACHE = 2**20
"""Bytes of weights up to which they stay in a core's own cache, and are read while it computes."""
SHARED_BYTES = 65e3
"""Bytes per microsecond that two cores write to the cache that they share or read from it, as far as networks that run
in strips and whole tell: with 30e3 strips were thought to be free that cost DenseNet-121 an eighth of its time."""
SHARED_CACHE = 2**23
"""Bytes of a result up to which it is still in that cache."""
MEMORY_BYTES = 30e3
"""The same of memory."""
WEIGHT_BYTES = 20e3
"""Bytes of weights per microsecond that two cores read out of their caches."""


@dataclass(frozen=True, eq=False)
class StripBounds:
    """Bounds for the strips of a run that are so wide."""

    run: RowRun
    width: Width

    @cached_property
    def grains(self) -> tuple[int, ...]:
        """For each op, the most rows that are computed at once."""
        return tuple(grain(op, self.width) for op in self.run.ops)

    def windows(self, low: int, end: int) -> IntArray:
        """Bytes that the ops from each place in [low, end) on hold between them while everything up to `end` runs."""
        done, first = self._lazy(low, end)
        rows = np.array([op.row_bytes for op in self.run.ops[low:end]])
        held = np.maximum(done - first, 0) * (rows * self._own_memory(low, end))[:, np.newaxis]
        most: IntArray = np.flip(np.cumsum(np.flip(held, 0), 0), 0).max(1, initial=0)
        return most

    def costs(self, low: int, end: int) -> NDArray[np.float64]:
        """Microseconds that the ops from each place in [low, end) on take longer than as a whole."""
        extra = np.array([self._extra(number) for number in range(low, end)])
        for number in range(low, end):
            for use in (use for use in self.run.ops[number].rows.uses if use.value >= low):
                extra[use.value - low] += self._overlap(number, use)
        return np.flip(np.cumsum(np.flip(extra)))

    def _overlap(self, number: int, use: RowUse) -> float:
        """Microseconds to copy the rows of an operand that a strip has in common with the one before it."""
        op, rows = self.run.ops[number], use.window - use.stride
        if op.role is not Role.COMPUTE or rows <= 0:
            return 0.0
        strips = -(-op.rows.rows // self.grains[number])
        return (strips - 1) * (DISPATCH + rows * self.run.ops[use.value].row_bytes / COPIED_BYTES)

    def _extra(self, number: int) -> float:
        op, rows = self.run.ops[number], self.grains[number]
        return op.rows.rows / rows * compute_cost(op, rows) - compute_cost(op, op.rows.rows)

    def _own_memory(self, low: int, end: int) -> IntArray:
        """1 for each op whose rows are held by themselves: no views, and nothing that leaves or is gathered at once."""
        gathered = self._gathered
        own = [
            self.run.ops[number].role is not Role.VIEW
            and self.run.last_reads[number] < end
            and gathered.get(number, end) >= end
            for number in range(low, end)
        ]
        return np.array(own, dtype=np.int64)

    @cached_property
    def _gathered(self) -> dict[int, int]:
        """Value -> the op that gathers it, if nothing else reads it."""
        gathers = ((number, op) for number, op in enumerate(self.run.ops) if op.role is Role.GATHER)
        return {
            use.value: number for number, op in gathers for use in op.rows.uses if len(self._readers[use.value]) == 1
        }

    @cached_property
    def _readers(self) -> list[list[tuple[int, RowUse, bool]]]:
        """For each value who reads it, how, and whether that is the deepest operand of the reader."""
        readers: list[list[tuple[int, RowUse, bool]]] = [[] for _ in self.run.ops]
        depth: list[int] = []
        for number, op in enumerate(self.run.ops):
            depth.append(1 + max((depth[use.value] for use in op.rows.uses), default=0))
            deepest = max((depth[use.value] for use in op.rows.uses), default=0)
            for use in op.rows.uses:
                readers[use.value].append((number, use, depth[use.value] == deepest))
        return readers

    @cached_property
    def _eager(self) -> IntArray:
        """[op, sample]: up to which row an op can be computed when the rows from outside have come in so far."""
        samples = np.arange(1, SAMPLES + 1)
        eager = np.zeros((len(self.run.ops), SAMPLES), dtype=np.int64)
        for number, op in enumerate(self.run.ops):
            eager[number] = -(-samples * op.rows.rows // SAMPLES) if not op.rows.uses else op.rows.rows
            for use in op.rows.uses:
                reach = _computable(op.rows, use, eager[use.value], self.run.ops[use.value].rows.rows)
                eager[number] = np.minimum(eager[number], reach)
        return eager

    def _lazy(self, low: int, end: int) -> tuple[IntArray, IntArray]:
        """[op, sample]: up to which row each op in [low, end) is computed, and the first row that is still needed."""
        done = self._eager[low:end].copy()
        first = done.copy()
        for number in range(end - 1, low - 1, -1):
            readers = [one for one in self._readers[number] if one[0] < end]
            if not readers or self.run.last_reads[number] >= end:
                continue
            rows = self.run.ops[number].rows.rows
            asked = [self._asked(done[reader - low], reader, use, deep, rows) for reader, use, deep in readers]
            done[number - low] = np.minimum(done[number - low], np.max(asked, axis=0))
            needed = [self._needed(done[reader - low], reader, use, rows) for reader, use, _ in readers]
            first[number - low] = np.min(needed, axis=0)
        return done, first

    def _asked(self, done: IntArray, reader: int, use: RowUse, deep: bool, rows: int) -> IntArray:
        """Up to which row a reader wants its operand: for the next strip if it waits for this operand."""
        total = self.run.ops[reader].rows.rows
        end = np.minimum(done + self.grains[reader], total) if deep else done
        return np.clip((end - 1) // use.repeat * use.stride - use.low + use.window, 0, rows)

    def _needed(self, done: IntArray, reader: int, use: RowUse, rows: int) -> IntArray:
        over = done >= self.run.ops[reader].rows.rows
        return np.where(over, rows, np.clip(done // use.repeat * use.stride - use.low, 0, rows))


def _computable(op: RowOp, use: RowUse, there: IntArray, rows: int) -> IntArray:
    """How many rows of an op can be computed from so many rows of an operand."""
    reach = np.clip(((there + use.low - use.window) // use.stride + 1) * use.repeat, 0, op.rows)
    return np.where(there >= rows, op.rows, np.where(there > 0, reach, 0))


def grain(op: StreamOp, width: Width) -> int:
    """Rows of an op that computes, in nearly equal strips; what only moves rows does so for as many as it is asked."""
    if op.role is not Role.COMPUTE:
        return op.rows.rows
    strips = max(1, op.rows.rows // width.rows(op))
    return whole_units(op.rows, -(-op.rows.rows // strips))


def compute_cost(op: StreamOp, rows: int) -> float:
    """Microseconds that so many rows of an op take, by estimate."""
    if op.role is not Role.COMPUTE:
        return 0.0
    work = rows * op.row_pixels * op.weight_elements / MULTIPLY_ADDS
    size = rows * op.row_bytes
    reading = op.weight_bytes / WEIGHT_BYTES
    waiting = reading if op.weight_bytes > OWN_CACHE * op.weight_parts else 0.0
    return DISPATCH + max(work, reading) + waiting + _traffic(size)


def _traffic(size: int) -> float:
    """Microseconds to write a result and to read it again."""
    if size <= CACHED:
        return 0.0
    return 2 * size / (SHARED_BYTES if size <= SHARED_CACHE else MEMORY_BYTES)


def row_ops(run: RowRun, first: int, end: int, grains: Sequence[int]) -> list[RowOp]:
    """The ops up to `end`, as `plan_strips` takes them; what is earlier than `first` is there already."""
    given = [RowOp(op.rows.rows, ()) for op in run.ops[:first]]
    inner = range(first, end)
    return given + [
        RowOp(run.ops[i].rows.rows, run.ops[i].rows.uses, run.ops[i].rows.inner_rows, grains[i]) for i in inner
    ]


def sinks_of(run: RowRun, first: int, end: int) -> list[int]:
    """What is computed in [first, end) and read behind it."""
    return [value for value in range(first, end) if run.last_reads[value] >= end or value == end - 1]
