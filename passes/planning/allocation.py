"""Memory allocation: one offset per live interval, so that the arena's peak comes near its lower bound.

A portfolio: greedy placements first, then searches that improve on the best of them. It stops as soon as a peak
equals the lower bound, which no plan can beat, and a search that gains nothing any more ends early.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pyipu.passes.planning import climbing, greedy, restarts
from pyipu.passes.planning.patience import Patience
from pyipu.passes.planning.problem import IntArray, Problem

ESTIMATED_CONFLICTS = 200_000
"""Pairs of buffers whose several placements take some tenths of a second; DenseNet-121 has 538 before it is tiled."""

CLIMBED = 0.25
"""The part of the time for searching that hill climbing may take: it gains early or not at all."""
STALLED = 0.25
"""The part of that time without a gain after which a search ends."""

_SEARCHES = (("hill climbing", climbing.improvements, CLIMBED), ("beam search", restarts.improvements, 1.0))
"""What improves on a placement, one after the other, and the part that it may take of the time that is left."""


class Part(NamedTuple):
    """Bytes [offset, offset + size) of a buffer, which are needed in the steps [start, end)."""

    offset: int
    size: int
    start: int
    end: int


@dataclass(frozen=True)
class Interval:
    """The live interval of a buffer (of a class of aliases): it needs its bytes in the steps [start, end).

    Where it does not need all of them all the while, `parts` tell which when: all its bytes, in rising order, each part
    from a multiple of the alignment on.
    """

    name: str
    start: int
    end: int
    size: int
    parts: tuple[Part, ...] = ()

    @property
    def pieces(self) -> tuple[Part, ...]:
        """Its parts, or all of it as one."""
        return self.parts or (Part(0, self.size, self.start, self.end),)


@dataclass(frozen=True)
class Allocation:
    """Offsets in one arena, all in bytes.

    `lower_bound` is the largest sum of padded sizes that are alive at one step; `method` names the member of the
    portfolio that found these offsets.
    """

    offsets: Mapping[str, int]
    peak: int
    lower_bound: int
    method: str

    @property
    def proved_optimal(self) -> bool:
        """Whether the peak meets the lower bound, so that no plan can be smaller."""
        return self.peak == self.lower_bound


def lower_bound(intervals: Sequence[Interval], alignment: int = 64) -> int:
    """The largest sum of padded sizes, in bytes, that are alive at one step; no allocation has a lower peak.

    A sweep in O(n log n). Raises ValueError as `allocate` does.
    """
    return _problem(intervals, alignment).lower_bound * alignment


def allocate(
    intervals: Sequence[Interval], *, alignment: int = 64, time_limit: float = 2.0, seed: int = 0
) -> Allocation:
    """Places every interval in one arena such that no two that are alive at the same step share a byte.

    Sizes are rounded up to `alignment` bytes, so every offset and the peak are multiples of it. `time_limit` is in
    seconds as searches are estimated to take them; the first placement is finished even if it takes longer. A search
    ends before it if it gained nothing for a quarter of the time, and for as long as it took to gain what it did. No
    clock is read: the result depends on the arguments alone.

    Raises ValueError if names repeat, an interval is empty or a size is negative, or the alignment is no positive
    integer.
    """
    problem = _problem(intervals, alignment)
    method, offsets = _best(problem, time_limit, seed)
    placed = {interval.name: 0 for interval in intervals}
    for interval, parts in zip(_sized(intervals), problem.parts, strict=True):
        placed[interval.name] = int(offsets[parts[0][0]] - parts[0][1]) * alignment
    return Allocation(placed, problem.peak(offsets) * alignment, problem.lower_bound * alignment, method)


def greedy_peak(intervals: Sequence[Interval], alignment: int = 64) -> int:
    """The peak in bytes of a greedy placement, which depends on the intervals alone: about what `allocate` finds.

    The best of several placements, or first fit in time if more than `ESTIMATED_CONFLICTS` pairs are alive together.
    Raises ValueError as `allocate` does.
    """
    problem = _problem(intervals, alignment)
    if problem.conflict_count > ESTIMATED_CONFLICTS:
        return problem.peak(greedy.sweep(problem)) * alignment
    _, offsets = _best_greedy(problem, Patience(math.inf, math.inf))
    return problem.peak(offsets) * alignment


def _problem(intervals: Sequence[Interval], alignment: int) -> Problem:
    _check(intervals, alignment)
    parts = [(number, *part) for number, interval in enumerate(_sized(intervals)) for part in interval.pieces]
    buffer, offset, size, start, end = np.array(parts, dtype=np.int64).reshape(-1, 5).T
    units = -(-size // alignment)
    if len(buffer) == len(np.unique(buffer)):
        return Problem.from_steps(start, end, units)
    return Problem.from_steps(start, end, units, buffer, offset // alignment)


def _sized(intervals: Sequence[Interval]) -> list[Interval]:
    """The intervals that need bytes."""
    return [interval for interval in intervals if interval.size > 0]


def _check(intervals: Sequence[Interval], alignment: int) -> None:
    if alignment < 1:
        raise ValueError(f"alignment is {alignment} bytes; it must be at least 1")
    names: set[str] = set()
    for interval in intervals:
        if interval.name in names:
            raise ValueError(f"interval {interval.name!r} appears twice; give every interval a name of its own")
        if interval.end <= interval.start:
            raise ValueError(f"interval {interval.name!r} ends at {interval.end}, not after its start {interval.start}")
        if interval.size < 0:
            raise ValueError(f"interval {interval.name!r} has the negative size {interval.size}")
        if interval.parts:
            _check_parts(interval, alignment)
        names.add(interval.name)


def _check_parts(interval: Interval, alignment: int) -> None:
    ends = [0, *(part.offset + part.size for part in interval.parts)]
    follow = [part.offset for part in interval.parts] == ends[:-1] and ends[-1] == interval.size
    if not follow or any(part.offset % alignment or part.size <= 0 for part in interval.parts):
        raise ValueError(f"the parts of interval {interval.name!r} are not its bytes in order, at aligned offsets")
    if any(not interval.start <= part.start < part.end <= interval.end for part in interval.parts):
        raise ValueError(
            f"a part of interval {interval.name!r} is not needed within [{interval.start}, {interval.end})"
        )


def _best(problem: Problem, time_limit: float, seed: int) -> tuple[str, IntArray]:
    """The method and the offsets of the lowest peak."""
    first = Patience(time_limit, time_limit)
    method, offsets = _best_greedy(problem, first)
    left = max(time_limit - first.spent, 0.0)
    waits = left * STALLED
    for name, improvements, share in _SEARCHES:
        patience = Patience(left * share, waits)
        for better in improvements(problem, problem.peak(offsets), patience, seed):
            method, offsets = name, better
            patience.gain()
        left = max(left - patience.spent, 0.0)
    return method, offsets


def _best_greedy(problem: Problem, patience: Patience) -> tuple[str, IntArray]:
    """The first greedy placement at the lower bound, else the best that is found before the patience ends."""
    method, offsets = "first fit in time", greedy.sweep(problem)
    seconds = greedy.seconds(problem)
    patience.spend(seconds)
    others = _greedy(problem)
    while problem.peak(offsets) > problem.lower_bound and patience.spent + seconds <= patience.end:
        found = next(others, None)
        if found is None:
            break
        patience.spend(seconds)
        method, offsets = min((method, offsets), found, key=lambda one: problem.peak(one[1]))
    return method, offsets


def _greedy(problem: Problem) -> Iterator[tuple[str, IntArray]]:
    """Placements of buffers in their parts, and of whole buffers: parts at fixed distances may fit together worse."""
    yield from greedy.placements(problem)
    if problem.whole is not problem:
        yield from ((method, problem.spread(offsets)) for method, offsets in greedy.placements(problem.whole))
