"""Memory allocation: one offset per live interval, so that the arena's peak comes near its lower bound.

A portfolio: greedy placements first, then searches that improve on the best of them. It stops as soon as a peak
equals the lower bound, which no plan can beat, and a search that gains nothing any more ends early.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pyipu.passes.planning import climbing, greedy, restarts
from pyipu.passes.planning.patience import Patience
from pyipu.passes.planning.problem import IntArray, Problem

ESTIMATED_CONFLICTS = 200_000
"""Pairs of buffers whose several placements take some tenths of a second; DenseNet-121 has 538 before it is tiled."""

CLIMBED = 0.25
"""The part of the time for searching that hill climbing may take."""
STALLED = 0.25
"""The part of that time without a gain after which a search ends."""

Improvements = Callable[[Problem, int, Patience, int], Iterator[IntArray]]
"""Placements with lower and lower peaks, of a problem, below a peak, for as long as the patience lasts, by a seed."""


@dataclass(frozen=True)
class Interval:
    """The live interval of a buffer (of a class of aliases): it needs its bytes in the steps [start, end)."""

    name: str
    start: int
    end: int
    size: int


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
    seconds; the first placement is finished even if it takes longer. A search ends before it if it gained nothing for a
    quarter of the time, and for as long as it took to gain what it did. The result depends on `seed` alone, unless time
    ends a search.

    Raises ValueError if names repeat, an interval is empty or a size is negative, or the alignment is no positive
    integer.
    """
    deadline = time.monotonic() + time_limit
    problem = _problem(intervals, alignment)
    sized = problem.size > 0
    offsets = np.zeros(problem.count, dtype=np.int64)
    method, offsets[sized] = _best(problem.select(sized), deadline, seed)
    names = (interval.name for interval in intervals)
    placed = dict(zip(names, (offsets * alignment).tolist(), strict=True))
    return Allocation(placed, problem.peak(offsets) * alignment, problem.lower_bound * alignment, method)


def greedy_peak(intervals: Sequence[Interval], alignment: int = 64) -> int:
    """The peak in bytes of a greedy placement, which depends on the intervals alone: about what `allocate` finds.

    The best of several placements, or first fit in time if more than `ESTIMATED_CONFLICTS` pairs are alive together.
    Raises ValueError as `allocate` does.
    """
    problem = _problem([interval for interval in intervals if interval.size > 0], alignment)
    if problem.conflict_count > ESTIMATED_CONFLICTS:
        return problem.peak(greedy.sweep(problem)) * alignment
    _, offsets = _best_greedy(problem, deadline=math.inf)
    return problem.peak(offsets) * alignment


def _problem(intervals: Sequence[Interval], alignment: int) -> Problem:
    _check(intervals, alignment)
    start = np.array([interval.start for interval in intervals], dtype=np.int64)
    end = np.array([interval.end for interval in intervals], dtype=np.int64)
    size = np.array([-(-interval.size // alignment) for interval in intervals], dtype=np.int64)
    return Problem.from_steps(start, end, size)


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
        names.add(interval.name)


def _best(problem: Problem, deadline: float, seed: int) -> tuple[str, IntArray]:
    """The method and the offsets of the lowest peak."""
    method, offsets = _best_greedy(problem, deadline)
    for name, patience, improvements in _searches(deadline):
        for better in improvements(problem, problem.peak(offsets), patience, seed):
            method, offsets = name, better
            patience.gain()
    return method, offsets


def _searches(deadline: float) -> Iterator[tuple[str, Patience, Improvements]]:
    """What improves on a placement, one after the other: hill climbing gains early or not at all."""
    left = max(deadline - time.monotonic(), 0)
    yield "hill climbing", Patience(deadline - left * (1 - CLIMBED), left * STALLED), climbing.improvements
    yield "beam search", Patience(deadline, left * STALLED), restarts.improvements


def _best_greedy(problem: Problem, deadline: float) -> tuple[str, IntArray]:
    """The first greedy placement at the lower bound, else the best that is found before the deadline."""
    method, offsets = "first fit in time", greedy.sweep(problem)
    for other_method, other in greedy.placements(problem):
        if problem.peak(offsets) == problem.lower_bound or time.monotonic() > deadline:
            break
        if problem.peak(other) < problem.peak(offsets):
            method, offsets = other_method, other
    return method, offsets
