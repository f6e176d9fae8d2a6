"""The order of tasks with the lowest peak of memory: proved where that is feasible, else the best that was found.

The graph is cut into sections that can be ordered alone. Each is ordered by simple rules first, and then by a search
that ends with a proof or when its tries are spent. In every section the given order stays if none needs less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyipu.passes.planning.list_scheduling import list_orders
from pyipu.passes.planning.order_search import Found, Space, lowest_order
from pyipu.passes.planning.sections import Arrangement, sections
from pyipu.passes.planning.task_graph import TaskGraph, peak_of

SEARCHED = 256
"""Tasks of the largest section that is searched as a whole."""
WINDOWS = (16, 32, 64)
"""Tasks around a peak that are searched at once: more when fewer do not help."""


@dataclass(frozen=True)
class Schedule:
    """An order of the tasks; peaks in bytes."""

    order: tuple[int, ...]
    peak: int
    given_peak: int
    """The peak of the order in which the tasks were given."""
    lower_bound: int
    """No order has a lower peak."""

    @property
    def exact(self) -> bool:
        """Whether the peak is proved to be the lowest."""
        return self.peak == self.lower_bound


def schedule(graph: TaskGraph, tries: int = 100_000) -> Schedule:
    """Orders the tasks; `tries` bounds the work of all searches, so the result is the same on every machine.

    A section keeps its given order unless another one lowers the peak of the whole.
    """
    given, order = Arrangement(graph, range(len(graph.tasks))), list(range(len(graph.tasks)))
    peaks = {(first, end): max(given.during[first:end]) for first, end in sections(graph)}
    fixed = [peaks[bounds] for bounds in peaks if bounds[1] - bounds[0] == 1]
    budget, peak, lower_bound = Budget(tries), graph.before_all, max([_touched_at_once(graph), *fixed])
    for first, end in sorted(peaks, key=lambda bounds: (-peaks[bounds], bounds)):
        if peaks[first, end] <= peak:
            break
        section = given.section(first, end)
        solved = _solve(section.graph, peaks[first, end], peak, budget)
        order[first:end] = section.reordered(solved.order)
        peak, lower_bound = max(peak, solved.peak), max(lower_bound, solved.lower_bound)
    return Schedule(tuple(order), peak, max(peaks.values(), default=peak), lower_bound)


@dataclass
class Budget:
    """How often searches may still look up what a task would need."""

    left: int

    def search(self, space: Space, limit: int) -> Found:
        """A search for an order with a peak below `limit` that takes at most half of what is left."""
        found = lowest_order(space, limit, self.left // 2)
        self.left -= space.tried
        return found


def _solve(graph: TaskGraph, given: int, enough: int, budget: Budget) -> Schedule:
    """One section, whose given order has the peak `given`; a peak of `enough` bytes is as good as any lower one."""
    space = Space(graph, enough) if len(graph.tasks) <= SEARCHED else None
    bound = space.floor if space is not None else _touched_at_once(graph)
    best = _best_listed(graph, Schedule(tuple(range(len(graph.tasks))), given, given, bound), enough)
    best = _lowered(graph, best, enough, budget)
    if space is None or best.peak <= max(enough, best.lower_bound):
        return best
    return _searched(space, best, enough, budget)


def _touched_at_once(graph: TaskGraph) -> int:
    """Bytes that one task touches at least, the blocks that it may take the bytes of left out."""
    blocks = (set(task.touches) - set(task.updates) for task in graph.tasks)
    return max([graph.before_all, *(sum(graph.sizes[block] for block in touched) for touched in blocks)])


def _best_listed(graph: TaskGraph, best: Schedule, enough: int) -> Schedule:
    """The best of the given order and those that simple rules make; the first that is good enough."""
    for order in list_orders(graph):
        if best.peak <= max(enough, best.lower_bound):
            break
        peak = peak_of(graph, order)
        if peak < best.peak:
            best = replace(best, order=tuple(order), peak=peak)
    return best


def _searched(space: Space, best: Schedule, enough: int, budget: Budget) -> Schedule:
    """What a search of the whole section finds or proves."""
    found = budget.search(space, best.peak)
    if found.lower_bound > enough:
        best = replace(best, lower_bound=found.lower_bound)
    if found.order is None:
        return best
    return replace(best, order=tuple(found.order), peak=peak_of(space.graph, found.order))


def _lowered(graph: TaskGraph, best: Schedule, enough: int, budget: Budget) -> Schedule:
    """Searches for a better order of the tasks around the peak, again and again until it cannot be lowered."""
    arrangement = Arrangement(graph, best.order)
    while budget.left > 0 and arrangement.peak()[0] > max(enough, best.lower_bound):
        if not _lower_peak(arrangement, enough, budget):
            break
    return replace(best, order=tuple(arrangement.order), peak=arrangement.peak()[0])


def _lower_peak(arrangement: Arrangement, enough: int, budget: Budget) -> bool:
    """Whether a search around the peak found an order that needs less there, which is the order now."""
    peak, middle = arrangement.peak()
    for length in WINDOWS:
        first = max(middle - length // 2, 0)
        section = arrangement.section(first, min(first + length, len(arrangement.order)))
        found = budget.search(Space(section.graph, enough), peak)
        if found.order is not None:
            arrangement.rearrange(first, section, found.order)
            return True
    return False
