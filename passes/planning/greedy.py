"""Greedy placement: buffers in a fixed order, each into a gap between the neighbours that are already placed."""

from __future__ import annotations

import sys
from bisect import bisect, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from pyipu.passes.planning.problem import IntArray, Problem

CONFLICT_LIMIT = 5_000_000
"""Pairs of buffers up to which conflicts are listed: that takes about 0.5 GB."""

PLACED, COMPARED = 2e-6, 0.1e-6
"""Seconds that it takes to place a part, and to look at each other one that is alive together with it."""
SWEPT = 7e-6
"""Seconds for each part where all are placed: there are too many for caches. Of 100,000 all took 0.8 seconds."""

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
    whole, area = problem.whole, problem.area
    first, size, duration = whole.first, whole.size, whole.last - whole.first
    return {
        "size": np.lexsort((-duration, -size)).tolist(),
        "area": np.lexsort((-size, -area)).tolist(),
        "duration": np.lexsort((-size, -duration)).tolist(),
        "latest start": np.lexsort((-size, -first)).tolist(),
    }


def place(problem: Problem, order: Iterable[int], best_fit: bool) -> IntArray:
    """Offsets, in units, of all parts; buffers are placed in `order`, each in its lowest or (best fit) smallest gap.

    Takes O(conflicts) steps plus a sort per buffer. Greedy by size is the method of Pisarchyk and Lee, "Efficient
    Memory Management for Deep Neural Net Inference" (2020).
    """
    offsets = place_within(problem, order, best_fit, sys.maxsize, {})
    assert offsets is not None
    return offsets


def place_within(
    problem: Problem, order: Iterable[int], best_fit: bool, limit: int, fixed: Mapping[int, int]
) -> IntArray | None:
    """As `place`, around the `fixed` parts, which keep their offsets; their buffers are not in `order`.

    None as soon as a part ends beyond `limit` units.
    """
    taken: list[Range | None] = [None] * problem.count
    for part, offset in fixed.items():
        taken[part] = (offset, offset + problem.sizes[part])
    for buffer in order:
        ranges = fit(problem, buffer, taken, best_fit)
        take(taken, ranges)
        if any(top > limit for _, (_, top) in ranges):
            return None
    return np.array([placed[0] if placed else -1 for placed in taken], dtype=np.int64)


def seconds(problem: Problem, buffer: int | None = None) -> float:
    """What it takes to place a buffer, or by default all of them, by estimate."""
    if buffer is None:
        return SWEPT * problem.count + 2 * COMPARED * problem.conflict_count
    return sum(PLACED + COMPARED * len(problem.conflicts[part]) for part, _ in problem.parts[buffer])


def take(taken: list[Range | None], ranges: Iterable[tuple[int, Range]]) -> None:
    """Notes where parts lie."""
    for part, placed in ranges:
        taken[part] = placed


def fit(problem: Problem, buffer: int, taken: Sequence[Range | None], best_fit: bool) -> list[tuple[int, Range]]:
    """Where the parts of a buffer go between those that are `taken`: to its lowest or its smallest gap."""
    find_gap, parts = _smallest_gap if best_fit else _lowest_gap, problem.parts[buffer]
    if len(parts) == 1:
        part, size = parts[0][0], problem.sizes[parts[0][0]]
        offset = find_gap(sorted(filter(None, problem.neighbours[part](taken))), size)
        return [(part, (offset, offset + size))]
    offset = find_gap(sorted(_forbidden(problem, parts, taken)), 1)
    return [(part, (offset + shift, offset + shift + problem.sizes[part])) for part, shift in parts]


def _forbidden(problem: Problem, parts: Ranges, taken: Sequence[Range | None]) -> Iterator[Range]:
    """Where a buffer must not begin: some part of it would share units with one that is taken."""
    for part, shift in parts:
        reach = shift + problem.sizes[part] - 1
        for begin, end in filter(None, problem.neighbours[part](taken)):
            yield begin - reach, end - shift


def sweep(problem: Problem) -> IntArray:
    """Offsets, in units, of a first fit in order of time, as a run-time allocator would do it: no parts by themselves.

    Takes O(n · live buffers) steps and O(n) memory: it never lists the conflicts, so it suits any problem.
    """
    return problem.spread(_sweep(problem.whole))


def _sweep(problem: Problem) -> IntArray:
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
