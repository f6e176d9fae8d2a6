"""Which stretches of a graph to run in strips of rows, and how narrow: the cheapest way to stay below a peak.

Works on a run of row-wise ops in program order, see `row_strips.py`. Between two stretches tensors are whole, or lie in
pieces that the next stretch gives up one by one. The cost of strips is time: each is one more dispatch and reads its
weights again, and rows that several pieces hold are copied.

Stretches are first judged by bounds, which are quick to find. Those that a cover needs are planned in earnest, until a
cover is found of which everything is known.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from pyipu.passes.planning.covers import CoverTable, Edge
from pyipu.passes.planning.long_gathers import with_copied_gathers
from pyipu.passes.planning.row_run import RowRun
from pyipu.passes.planning.strip_bounds import COPIED_BYTES, WIDE, WIDTHS, StripBounds, Width, compute_cost
from pyipu.passes.planning.strip_plan import plan_cost, plan_peak, plan_stretch, sample_pieces

LONGEST = 48
"""Most cuts that one stretch spans: longer ones are not tried, so that planning stays near-linear."""

PATIENCE = 60_000
"""So many strips are planned in earnest for one cover, some seconds; then the best of what was planned is taken."""

BUDGET_PATIENCE = 100_000
"""The same where memory counts more than the time of compilation."""


@dataclass(frozen=True)
class Stretch:
    """Ops [first, end) of the run, whole or in strips of some width."""

    first: int
    end: int
    peak: int
    """Estimated bytes alive at most."""
    cost: float
    """Microseconds that the strips take longer than the whole ops, by estimate."""
    width: Width | None = None
    pieces_in: bool = False
    """What it reads lies in pieces that are given up one by one."""
    pieces_out: bool = False
    """What it computes stays in pieces, for a stretch that takes it so."""
    exact: bool = False
    """Peak and cost are those of a plan, and no bounds."""
    strips: int = 0
    """How many strips the plan has, of all ops together."""

    @property
    def in_strips(self) -> bool:
        return self.width is not None

    @property
    def before(self) -> Boundary:
        """Where it begins, and how narrow the strips are that left the pieces there."""
        return self.first, self.width if self.pieces_in else None

    @property
    def behind(self) -> Boundary:
        return self.end, self.width if self.pieces_out else None


Boundary = tuple[int, Width | None]


Cover = tuple[Stretch, ...]
"""Stretches that follow each other from the first op of a run to the last."""


@dataclass(frozen=True)
class Covered:
    """A run and the stretches that it is made of; the run says which concatenations copy."""

    run: RowRun
    cover: Cover

    @cached_property
    def peak(self) -> int:
        return max((stretch.peak for stretch in self.cover), default=0)

    @cached_property
    def cost(self) -> float:
        return sum(stretch.cost for stretch in self.cover)


def cheapest_stretches(run: RowRun, enough: int, planners: Planners | None = None) -> Covered:
    """The cheapest cover with a peak of at most `enough` bytes; where there is none, the one with the least peak."""
    known = planners or Planners()
    found = [Covered(one, known.planner(one, None).cover(enough)) for one in known.variants(run)]
    return min(found, key=lambda one: (max(one.peak, enough), one.cost))


def free_stretches(run: RowRun, allowance: float, planners: Planners | None = None) -> Covered:
    """The cover with the least peak of those whose strips and copies cost at most this part of the run's time."""
    known = planners or Planners()
    found = [Covered(one, known.planner(one, allowance).cover(0)) for one in known.variants(run)]
    return _needed(min(found, key=lambda one: (one.cost > allowance * run_time(run), one.peak)))


def _needed(covered: Covered) -> Covered:
    """Without the strips that do not lower the peak: they were no faster, even if they are thought to be."""
    run, peak = covered.run, covered.peak
    needless = {one for one in covered.cover if one.in_strips and run.whole_peak(one.first, one.end) <= peak}
    parts = [_cut(run, one) if one in needless else [one] for one in covered.cover]
    return replace(covered, cover=tuple(stretch for part in parts for stretch in part))


def _cut(run: RowRun, stretch: Stretch) -> list[Stretch]:
    cuts = [cut for cut in run.cuts if stretch.first <= cut <= stretch.end]
    return [_whole(run, first, end) for first, end in pairwise(cuts)]


def _whole(run: RowRun, first: int, end: int) -> Stretch:
    """Ops that run whole; concatenations that copy take time even so."""
    return Stretch(first, end, run.whole_peak(first, end), run.copied_bytes(first, end) / COPIED_BYTES, exact=True)


def run_time(run: RowRun) -> float:
    """Microseconds that the ops of a run take when they run whole, by estimate."""
    return sum(compute_cost(op, op.rows.rows) for op in run.ops[run.given :])


class _Planner:
    """The stretches of a run; what was once planned in earnest is kept for the next cover."""

    def __init__(self, run: RowRun, allowance: float | None) -> None:
        self.run, self.allowance = run, allowance
        self.options = list(_options(run, wide=allowance is not None))
        edges = [Edge(one.peak, one.cost, one.before, one.behind, one.end) for one in self.options]
        self.table = CoverTable(edges, (run.cuts[0], None), (run.cuts[-1], None))
        self.bounded = np.array([not one.exact for one in self.options])

    def cover(self, enough: int) -> Cover:
        return tuple(self.options[number] for number in self._found(enough))

    def _found(self, enough: int) -> list[int]:
        work, patience = 0, BUDGET_PATIENCE if self.allowance is None else PATIENCE
        while work < patience:
            cover = self._best(enough)
            unknown = [number for number in cover if self.bounded[number]]
            if not unknown:
                return cover
            work += sum(self._plan(number) for number in unknown)
        return self._best(enough, self.bounded)

    def _best(self, enough: int, hidden: NDArray[np.bool_] | None = None) -> list[int]:
        table = self.table
        if self.allowance is None:
            return table.cheapest(enough, hidden) or table.cheapest(table.least_peak(hidden), hidden)
        peaks = table.peaks_from(table.least_peak(hidden), hidden)
        covers = partial(table.cheapest, hidden=hidden)
        most = self.allowance * run_time(self.run)
        affordable = bisect_left(peaks, True, key=lambda peak: self._time(covers(peak), peak) <= most)
        return covers(peaks[min(affordable, len(peaks) - 1)])

    def _time(self, cover: Sequence[int], peak: int) -> float:
        """What the strips cost that stay, see `_needed`: what the others would gain pays for nothing."""
        stretches = (self.options[number] for number in cover)
        return sum(one.cost for one in stretches if not one.in_strips or self.run.whole_peak(one.first, one.end) > peak)

    def _plan(self, number: int) -> int:
        """Plans a stretch in earnest; returns its strips."""
        self.options[number] = found = planned(self.run, self.options[number])
        self.table.change(number, found.peak, found.cost)
        self.bounded[number] = False
        return found.strips


class Planners:
    """The planners of a graph's runs: a budget asks for several covers, and what was planned for one serves the next.

    Bounds are not exact, so what is known may decide a cover: it depends on which ones were asked for before.
    """

    def __init__(self) -> None:
        self._variants: dict[RowRun, tuple[RowRun, ...]] = {}
        self._planners: dict[tuple[RowRun, float | None], _Planner] = {}

    def variants(self, run: RowRun) -> tuple[RowRun, ...]:
        """The run as it is, and with copies where that may lower its memory."""
        if run not in self._variants:
            copying = with_copied_gathers(run)
            self._variants[run] = (run,) if copying is None else (run, copying)
        return self._variants[run]

    def planner(self, run: RowRun, allowance: float | None) -> _Planner:
        if (run, allowance) not in self._planners:
            self._planners[run, allowance] = _Planner(run, allowance)
        return self._planners[run, allowance]


def _options(run: RowRun, wide: bool) -> Iterator[Stretch]:
    """All stretches between two cuts, ordered by their end; if `wide`, those that need not wait for weights."""
    cuts = run.cuts
    widths = [StripBounds(run, width) for width in WIDTHS if width.pixels >= WIDE or not wide]
    ends = ((False, False),) if wide else ((False, False), (False, True), (True, False), (True, True))
    for j in range(1, len(cuts)):
        yield _whole(run, cuts[j - 1], cuts[j])
        for first, bounds in _bounds(widths, cuts[max(0, j - LONGEST) : j], cuts[j], wide):
            yield from _between(run, first, cuts[j], bounds, ends)


Bound = tuple[int, float, Width]
"""Bytes that strips hold between them, their cost in microseconds, and their width."""


def _bounds(
    widths: Sequence[StripBounds], starts: Sequence[int], end: int, wide: bool
) -> Iterator[tuple[int, list[Bound]]]:
    """For each start the strips that differ from the wider ones; if `wide`, only those that may pay."""
    found: dict[int, dict[tuple[int, float], Width]] = {first: {} for first in starts if end - first > 1}
    for one in (one for one in widths if one.grains[end - 1] < one.run.ops[end - 1].rows.rows):
        windows, costs = one.windows(starts[0], end).tolist(), one.costs(starts[0], end).tolist()
        for first, known in found.items():
            known.setdefault((windows[first - starts[0]], costs[first - starts[0]]), one.width)
    for first, known in found.items():
        bounds = sorted((cost, held, width) for (held, cost), width in known.items())
        yield first, [(held, cost, width) for cost, held, width in (_holding_less(bounds) if wide else bounds)]


def _holding_less(bounds: Sequence[tuple[float, int, Width]]) -> Iterator[tuple[float, int, Width]]:
    """All but strips that hold no less than cheaper ones, by their bounds."""
    least = math.inf
    for cost, held, width in bounds:
        if held < least:
            yield cost, held, width
        least = min(least, held)


def _between(
    run: RowRun, first: int, end: int, bounds: list[Bound], ends: Sequence[tuple[bool, bool]]
) -> Iterator[Stretch]:
    """With what is alive around the stretch: while pieces come in as others go out, the larger of both."""
    stays, dies, made = run.boundary_bytes(first, end)
    for (held, cost, width), (pieces_in, pieces_out) in product(bounds, ends):
        around = max(dies, made) if pieces_in and pieces_out else dies + made
        yield Stretch(first, end, held + stays + around, cost, width, pieces_in, pieces_out)


def planned(run: RowRun, stretch: Stretch) -> Stretch:
    """The stretch with the peak and the cost of its plan."""
    assert stretch.width is not None
    known = sample_pieces(run, stretch.first, stretch.width if stretch.pieces_in else None)
    plan = plan_stretch(run, stretch.first, stretch.end, stretch.width, known)
    peak = plan_peak(run, plan, stretch.first, known, stretch.pieces_in, stretch.pieces_out)
    cost = plan_cost(run, plan, stretch.first, stretch.end)
    return replace(stretch, peak=peak, cost=cost, exact=True, strips=len(plan.actions))
