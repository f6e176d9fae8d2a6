"""Hill climbing over the order in which a greedy method places buffers.

What reaches up to the peak is placed earlier, in front of something that it conflicts with; an order that is no worse
is kept. This is the search of Arm's Vela compiler ("HillClimb", Ethos-U Vela, 2021) in its simplest form.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import numpy as np

from pyipu.passes.planning import greedy
from pyipu.passes.planning.problem import IntArray, Problem

STALE = 150
"""So many orders in a row without a lower peak end the climb from one order."""


def improvements(problem: Problem, peak: int, deadline: float, seed: int) -> Iterator[IntArray]:
    """Offsets, in units, with lower and lower peaks, all below `peak`, until the deadline or the lower bound."""
    if problem.conflict_count > greedy.CONFLICT_LIMIT:
        return
    starts = greedy.orders(problem)
    for number, name in enumerate(("area", "duration", "size")):
        climb = _Climb(problem, starts[name], number % 2 == 1, random.Random(seed + number))
        for offsets in climb.lower_than(peak, deadline):
            peak = climb.peak
            yield offsets


class _Climb:
    """The order that is best so far, and its placement."""

    def __init__(self, problem: Problem, order: list[int], best_fit: bool, chance: random.Random) -> None:
        self.problem, self.order, self.best_fit, self.chance = problem, order, best_fit, chance
        self.offsets = greedy.place(problem, order, best_fit)
        self.peak = problem.peak(self.offsets)
        self.stale = 0

    def lower_than(self, peak: int, deadline: float) -> Iterator[IntArray]:
        """Placements below `peak`, each lower than the one before."""
        while self.stale < STALE and peak > self.problem.lower_bound and time.monotonic() < deadline:
            self._step()
            if self.peak < peak:
                peak = self.peak
                yield self.offsets

    def _step(self) -> None:
        """Tries one other order."""
        order = self._changed()
        offsets = greedy.place(self.problem, order, self.best_fit)
        peak = self.problem.peak(offsets)
        self.stale = 0 if peak < self.peak else self.stale + 1
        if peak <= self.peak:
            self.order, self.offsets, self.peak = order, offsets, peak

    def _changed(self) -> list[int]:
        """A buffer at the peak goes in front of a conflicting one that was placed before it."""
        highest = np.flatnonzero(self.offsets + self.problem.size == self.peak).tolist()
        moved = self.chance.choice(highest)
        place = self.order.index(moved)
        conflicts = set(self.problem.conflicts[moved])
        earlier = [i for i in range(place) if self.order[i] in conflicts]
        if not earlier:
            return self.order
        target = self.chance.choice(earlier)
        return [*self.order[:target], moved, *self.order[target:place], *self.order[place + 1 :]]
