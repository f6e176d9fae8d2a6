"""The form in which the placement methods see an allocation problem: integer live ranges over maximal cliques."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Problem:
    """Buffers numbered 0 … n-1; `size` counts units, and buffer b is alive in the cliques first[b] … last[b]-1.

    A clique is a maximal set of buffers that are alive at one step. Two buffers conflict exactly if they share a
    clique, and no other step can have a larger load, so the cliques replace the steps without loss.
    """

    first: IntArray
    last: IntArray
    size: IntArray

    @classmethod
    def from_steps(cls, start: IntArray, end: IntArray, size: IntArray) -> Problem:
        """Compresses half-open step ranges [start, end) to ranges of cliques, in O(n log n)."""
        cliques = _clique_steps(start, end)
        return cls(np.searchsorted(cliques, start), np.searchsorted(cliques, end), size)

    def select(self, buffers: NDArray[np.bool_]) -> Problem:
        """The problem of these buffers alone; the cliques keep their numbers."""
        return Problem(self.first[buffers], self.last[buffers], self.size[buffers])

    def peak(self, offsets: IntArray) -> int:
        """Units that the arena needs for this placement."""
        return int((offsets + self.size).max(initial=0))

    @property
    def count(self) -> int:
        """How many buffers there are."""
        return len(self.size)

    @cached_property
    def sizes(self) -> list[int]:
        """`size` as Python's own numbers, for loops over single buffers."""
        return self.size.tolist()

    @cached_property
    def clique_count(self) -> int:
        """How many maximal cliques there are."""
        return int(self.last.max(initial=0))

    @cached_property
    def load(self) -> IntArray:
        """Units alive in each clique."""
        change = np.zeros(self.clique_count + 1, dtype=np.int64)
        np.add.at(change, self.first, self.size)
        np.add.at(change, self.last, -self.size)
        return np.cumsum(change)[:-1]

    @cached_property
    def lower_bound(self) -> int:
        """The largest load, in units: no placement has a lower peak."""
        return int(self.load.max(initial=0))

    @cached_property
    def conflict_count(self) -> int:
        """How many pairs of buffers are alive together, in O(n log n)."""
        return int(self._later_conflicts.sum())

    @cached_property
    def conflicts(self) -> Sequence[Sequence[int]]:
        """For each buffer, the buffers that are alive together with it."""
        later = self._later_conflicts
        earlier_one = np.repeat(np.arange(self.count), later)
        position = np.arange(len(earlier_one)) - np.repeat(np.cumsum(later) - later, later)
        later_one = earlier_one + 1 + position
        left = np.concatenate([earlier_one, later_one])
        right = self._by_first[np.concatenate([later_one, earlier_one])]
        grouped = right[np.argsort(left, kind="stable")].tolist()
        bounds = np.concatenate([[0], np.cumsum(np.bincount(left, minlength=self.count))]).tolist()
        in_order = [grouped[low:high] for low, high in pairwise(bounds)]
        return [in_order[rank] for rank in np.argsort(self._by_first).tolist()]

    @cached_property
    def neighbours(self) -> Sequence[Callable[[Sequence[Any]], tuple[Any, ...]]]:
        """For each buffer, what picks the items of `conflicts` from a sequence with one item per buffer."""
        return [_picker(others) for others in self.conflicts]

    @cached_property
    def _by_first(self) -> IntArray:
        return np.argsort(self.first, kind="stable")

    @cached_property
    def _later_conflicts(self) -> IntArray:
        """In order of `first`: how many of the buffers after this one begin before this one ends."""
        first = self.first[self._by_first]
        return np.searchsorted(first, self.last[self._by_first]) - np.arange(1, self.count + 1)


def _picker(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """In C where there are several: this is where greedy placements spend their time."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda items: tuple(items[number] for number in numbers)


def _clique_steps(start: IntArray, end: IntArray) -> IntArray:
    """The starts that are followed by an end before the next start: there the set of live buffers is maximal."""
    starts, ends = np.unique(start), np.unique(end)
    next_start = np.append(starts[1:], np.iinfo(np.int64).max)
    ends_up_to = np.searchsorted(ends, next_start, side="right") - np.searchsorted(ends, starts, side="right")
    return starts[ends_up_to > 0]
