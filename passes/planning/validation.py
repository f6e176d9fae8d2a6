"""An independent check of memory plans: it shares no code with the methods that make them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from pyipu.errors import PlanError

if TYPE_CHECKING:
    from pyipu.passes.planning.allocation import Allocation, Interval

REPORTED = 10
"""Conflicts that an error lists; the rest are counted."""


def validate(intervals: Sequence[Interval], allocation: Allocation, alignment: int = 64) -> None:
    """Raises PlanError, with the first ten conflicts, unless every interval has bytes of its own inside the arena.

    `alignment` is in bytes. Takes O(n log n) comparisons for a valid plan.
    """
    conflicts = overlaps(intervals, allocation.offsets, alignment=alignment, peak=allocation.peak)
    if not conflicts:
        return
    more = [f"and {len(conflicts) - REPORTED} more"] if len(conflicts) > REPORTED else []
    listed = "; ".join(conflicts[:REPORTED] + more)
    raise PlanError(f"the memory plan is not valid (conflicts: {len(conflicts)}): {listed}")


def overlaps(
    intervals: Sequence[Interval], offsets: Mapping[str, int], *, alignment: int = 64, peak: int | None = None
) -> list[str]:
    """One sentence for each conflict of a plan; none means that the plan is valid.

    A conflict is a missing, negative or misaligned offset, an interval that ends beyond `peak`, or two intervals that
    share bytes at the same step. `offsets`, `alignment` and `peak` are in bytes.
    """
    placed = [interval for interval in intervals if interval.name in offsets]
    conflicts = [f"{interval.name!r} has no offset" for interval in intervals if interval.name not in offsets]
    for interval in placed:
        conflicts += _misplaced(interval, offsets[interval.name], alignment, peak)
    return conflicts + list(_shared_bytes(placed, offsets))


def _misplaced(interval: Interval, offset: int, alignment: int, peak: int | None) -> Iterator[str]:
    if offset < 0:
        yield f"{interval.name!r} has the negative offset {offset}"
    if offset % alignment:
        yield f"{interval.name!r} has the offset {offset}, which is no multiple of {alignment}"
    if peak is not None and offset + interval.size > peak:
        yield f"{interval.name!r} ends at byte {offset + interval.size}, beyond the peak of {peak}"


class _Range(NamedTuple):
    """The bytes [begin, end) of a live interval."""

    begin: int
    end: int
    name: str


@dataclass
class _Arena:
    """What is alive at one step.

    `disjoint` is sorted and free of conflicts, so that a search in it need only look at neighbours; the few ranges
    that conflict with it are kept apart, as `intruders`.
    """

    disjoint: list[_Range] = field(default_factory=list)
    intruders: list[_Range] = field(default_factory=list)
    ending: list[tuple[int, _Range]] = field(default_factory=list)

    def release(self, step: int) -> None:
        """Forgets what has ended by this step."""
        while self.ending and self.ending[0][0] <= step:
            _, ended = heappop(self.ending)
            if ended in self.intruders:
                self.intruders.remove(ended)
            else:
                del self.disjoint[bisect_left(self.disjoint, ended)]

    def insert(self, new: _Range, end_step: int) -> list[_Range]:
        """Adds a range and returns those that share bytes with it."""
        position = bisect_left(self.disjoint, new)
        neighbours = self.disjoint[max(position - 1, 0) : position]
        while position < len(self.disjoint) and self.disjoint[position].begin < new.end:
            neighbours.append(self.disjoint[position])
            position += 1
        shared = [other for other in neighbours + self.intruders if other.begin < new.end and new.begin < other.end]
        if shared:
            self.intruders.append(new)
        else:
            insort(self.disjoint, new)
        heappush(self.ending, (end_step, new))
        return shared


def _shared_bytes(placed: Sequence[Interval], offsets: Mapping[str, int]) -> Iterator[str]:
    """A sweep over the steps: what starts at a step meets what is alive there."""
    arena = _Arena()
    parts = [(part, interval.name) for interval in placed for part in interval.pieces if part.size > 0]
    for part, name in sorted(parts, key=lambda one: one[0].start):
        arena.release(part.start)
        begin = offsets[name] + part.offset
        new = _Range(begin, begin + part.size, name)
        for other in arena.insert(new, part.end):
            low, high = max(begin, other.begin), min(new.end, other.end)
            yield f"{other.name!r} and {name!r} share the bytes [{low}, {high}) at step {part.start}"
