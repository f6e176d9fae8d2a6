"""Hill climbing over the order in which a greedy method places buffers.

What reaches up to the peak is placed earlier, in front of something that it conflicts with; an order that is no worse
is kept. This is the search of Arm's Vela compiler ("HillClimb", Ethos-U Vela, 2021) in its simplest form.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from pyipu.passes.planning import greedy
from pyipu.passes.planning.patience import Patience
from pyipu.passes.planning.problem import IntArray, Problem

STALE = 150
"""So many orders in a row without a lower peak end the climb from one order."""


def improvements(problem: Problem, peak: int, patience: Patience, seed: int) -> Iterator[IntArray]:
    """Offsets, in units, with lower and lower peaks, all below `peak`, until the patience ends or the lower bound."""
    if problem.conflict_count > greedy.CONFLICT_LIMIT:
        return
    starts = greedy.orders(problem)
    for number, name in enumerate(("area", "duration", "size")):
        climb = _Climb(problem, starts[name], number % 2 == 1, random.Random(seed + number))
        for offsets in climb.lower_than(peak, patience):
            peak = climb.peak
            yield offsets


class _Climb:
    """The order that is best so far, and its placement."""

    def __init__(self, problem: Problem, order: list[int], best_fit: bool, chance: random.Random) -> None:
        self.problem, self.best_fit, self.chance = problem, best_fit, chance
        self._accept(order, greedy.place(problem, order, best_fit))
        self.stale = 0

    def lower_than(self, peak: int, patience: Patience) -> Iterator[IntArray]:
        """Placements below `peak`, each lower than the one before."""
        while self.stale < STALE and peak > self.problem.lower_bound and not patience.is_over:
            self._step()
            if self.peak < peak:
                peak = self.peak
                yield self.offsets

    def _accept(self, order: list[int], offsets: IntArray) -> None:
        self.order, self.offsets, self.peak = order, offsets, self.problem.peak(offsets)

    def _step(self) -> None:
        """Tries one other order; what is in front of the change stays where it is."""
        before = self.peak
        place, order = self._changed()
        fixed = dict(zip(order[:place], self.offsets[order[:place]].tolist(), strict=True))
        offsets = greedy.place_within(self.problem, order[place:], self.best_fit, self.peak, fixed)
        if offsets is not None:
            self._accept(order, offsets)
        self.stale = 0 if self.peak < before else self.stale + 1

    def _changed(self) -> tuple[int, list[int]]:
        """A buffer at the peak goes in front of a conflicting one that was placed before it; to which place."""
        highest = np.flatnonzero(self.offsets + self.problem.size == self.peak).tolist()
        moved = self.chance.choice(highest)
        place = self.order.index(moved)
        conflicts = set(self.problem.conflicts[moved])
        earlier = [i for i in range(place) if self.order[i] in conflicts]
        if not earlier:
            return place, self.order
        target = self.chance.choice(earlier)
        return target, [*self.order[:target], moved, *self.order[target:place], *self.order[place + 1 :]]
