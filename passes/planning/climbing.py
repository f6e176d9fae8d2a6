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

KEPT = 0.5e-6
"""Seconds that an order takes for each buffer."""


def improvements(problem: Problem, peak: int, patience: Patience, seed: int) -> Iterator[IntArray]:
    """Offsets, in units, with lower and lower peaks, all below `peak`, until the patience ends or the lower bound."""
    if problem.conflict_count > greedy.CONFLICT_LIMIT:
        return
    starts = greedy.orders(problem)
    for number, name in enumerate(("area", "duration", "size")):
        if peak == problem.lower_bound or patience.is_over:
            return
        climb = Climb(problem, starts[name], number % 2 == 1, seed + number)
        for offsets in climb.lower_than(peak, patience):
            peak = climb.peak
            yield offsets


class Climb:
    """The order that is best so far, and its placement."""

    def __init__(self, problem: Problem, order: list[int], best_fit: bool, seed: int) -> None:
        self.problem, self.best_fit, self.chance = problem, best_fit, random.Random(seed)
        self.stale, self.seconds = 0, 0.0
        self._accept(order, greedy.place(problem, order, best_fit).tolist())

    def lower_than(self, peak: int, patience: Patience) -> Iterator[IntArray]:
        """Placements below `peak`, each lower than the one before."""
        while self.stale < STALE and peak > self.problem.lower_bound and not patience.is_over:
            before = self.seconds
            self.step()
            patience.spend(self.seconds - before)
            if self.peak < peak:
                peak = self.peak
                yield np.array(self.offsets, dtype=np.int64)

    def _accept(self, order: list[int], offsets: list[int]) -> None:
        self.order, self.offsets = order, offsets
        self.tops = [offset + size for offset, size in zip(offsets, self.problem.sizes, strict=True)]
        self.peak = max(self.tops)

    def step(self) -> None:
        """Tries one other order."""
        before = self.peak
        place, order = self._changed()
        offsets = self._placed(place, order)
        if offsets is not None:
            self._accept(order, offsets)
        self.stale = 0 if self.peak < before else self.stale + 1

    def _placed(self, place: int, order: list[int]) -> list[int] | None:
        """The offsets in an order in which `order[place]` came forward, or None above the peak.

        Only what conflicts with something that moves can move itself.
        """
        taken: list[greedy.Range | None] = [None] * self.problem.count
        self.seconds += KEPT * place
        for buffer in order[:place]:
            greedy.take(taken, self._ranges(buffer))
        unsure = {order[place], *self.problem.rivals[order[place]]}
        for buffer in order[place:]:
            old = self._ranges(buffer)
            new = self._fit(buffer, taken) if buffer in unsure else old
            self.seconds += KEPT
            greedy.take(taken, new)
            if any(top > self.peak for _, (_, top) in new):
                return None
            unsure.update(self.problem.rivals[buffer] if new != old else ())
        return [placed[0] for placed in taken if placed is not None]

    def _fit(self, buffer: int, taken: list[greedy.Range | None]) -> list[tuple[int, greedy.Range]]:
        self.seconds += greedy.seconds(self.problem, buffer)
        return greedy.fit(self.problem, buffer, taken, self.best_fit)

    def _ranges(self, buffer: int) -> list[tuple[int, greedy.Range]]:
        return [(part, (self.offsets[part], self.tops[part])) for part, _ in self.problem.parts[buffer]]

    def _changed(self) -> tuple[int, list[int]]:
        """A buffer at the peak goes in front of a conflicting one that was placed before it; to which place."""
        highest = [part for part, top in enumerate(self.tops) if top == self.peak]
        moved = self.problem.owner(self.chance.choice(highest))
        place = self.order.index(moved)
        conflicts = set(self.problem.rivals[moved])
        earlier = [i for i in range(place) if self.order[i] in conflicts]
        if not earlier:
            return place, self.order
        target = self.chance.choice(earlier)
        return target, [*self.order[:target], moved, *self.order[target:place], *self.order[place + 1 :]]
