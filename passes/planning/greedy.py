"""Greedy placement: buffers in a fixed order, each into a gap between the neighbours that are already placed."""

from __future__ import annotations

import sys
from bisect import bisect, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from pyipu.passes.planning.problem import IntArray, Problem

CONFLICT_LIMIT = 5_000_000
"""Pairs of buffers up to which conflicts are listed: that takes about 0.5 GB."""

Range = tuple[int, int]
Ranges = list[Range]


def placements(problem: Problem) -> Iterator[tuple[str, IntArray]]:
    """Each classic method with its offsets in units, best first on networks; none if there are too many conflicts."""
    if problem.conflict_count > CONFLICT_LIMIT:
        return
    for name, order in orders(problem).items():
        yield f"best fit by {name}", place(problem, order, best_fit=True)
        yield f"first fit by {name}", place(problem, order, best_fit=False)


def orders(problem: Problem) -> dict[str, list[int]]:
    """Large buffers, large areas, long lives, or late starts first."""
    duration = problem.last - problem.first
    size, area = problem.size, problem.size * duration
    return {
        "size": np.lexsort((-duration, -size)).tolist(),
        "area": np.lexsort((-size, -area)).tolist(),
        "duration": np.lexsort((-size, -duration)).tolist(),
        "latest start": np.lexsort((-size, -problem.first)).tolist(),
    }


def place(problem: Problem, order: Iterable[int], best_fit: bool) -> IntArray:
    """Offsets, in units, of all buffers, placed in `order`, each in its lowest or (best fit) its smallest gap.

    Takes O(conflicts) steps plus a sort per buffer. Greedy by size is the method of Pisarchyk and Lee, "Efficient
    Memory Management for Deep Neural Net Inference" (2020).
    """
    offsets = place_within(problem, order, best_fit, sys.maxsize, {})
    assert offsets is not None
    return offsets


def place_within(
    problem: Problem, order: Iterable[int], best_fit: bool, limit: int, fixed: Mapping[int, int]
) -> IntArray | None:
    """As `place`, around the `fixed` buffers, which keep their offsets and are not in `order`.

    None as soon as a buffer ends beyond `limit` units.
    """
    taken: list[Range | None] = [None] * problem.count
    for buffer, offset in fixed.items():
        taken[buffer] = (offset, offset + problem.sizes[buffer])
    for buffer in order:
        taken[buffer] = placed = fit(problem, buffer, taken, best_fit)
        if placed[1] > limit:
            return None
    return np.array([placed[0] if placed else -1 for placed in taken], dtype=np.int64)


def fit(problem: Problem, buffer: int, taken: Sequence[Range | None], best_fit: bool) -> Range:
    """Where a buffer goes between those that are `taken`: to its lowest or its smallest gap."""
    find_gap, size = _smallest_gap if best_fit else _lowest_gap, problem.sizes[buffer]
    offset = find_gap(sorted(filter(None, problem.neighbours[buffer](taken))), size)
    return offset, offset + size


def sweep(problem: Problem) -> IntArray:
    """Offsets, in units, of a first fit in order of time, as a run-time allocator would do it.

    Takes O(n · live buffers) steps and O(n) memory: it never lists the conflicts, so it suits any problem.
    """
    sizes, first, last = problem.size.tolist(), problem.first.tolist(), problem.last.tolist()
    offsets = [0] * problem.count
    ending: dict[int, Ranges] = {}
    live: Ranges = []
    clique = 0
    for buffer in np.lexsort((-problem.size, problem.first)).tolist():
        for ended in range(clique + 1, first[buffer] + 1):
            _release(live, ending.pop(ended, []))
        clique = first[buffer]
        offsets[buffer] = offset = _lowest_gap(live, sizes[buffer])
        taken = (offset, offset + sizes[buffer])
        insort(live, taken)
        ending.setdefault(last[buffer], []).append(taken)
    return np.array(offsets, dtype=np.int64)


def _release(live: Ranges, ended: Ranges) -> None:
    for taken in ended:
        del live[bisect(live, taken) - 1]


def _lowest_gap(occupied: Ranges, size: int) -> int:
    """The lowest offset at which `size` units are free between the occupied ranges, which are sorted."""
    top = 0
    for begin, end in occupied:
        if begin - top >= size:
            return top
        top = max(top, end)
    return top


def _smallest_gap(occupied: Ranges, size: int) -> int:
    """The offset of the smallest gap between the sorted occupied ranges that holds `size`, else their top."""
    top, best, smallest = 0, -1, -1
    for begin, end in occupied:
        if begin - top >= size and (best < 0 or begin - top < smallest):
            best, smallest = top, begin - top
        top = max(top, end)
    return top if best < 0 else best
