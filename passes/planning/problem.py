"""The form in which the placement methods see an allocation problem: integer live ranges over maximal cliques.

What is placed are parts. Most buffers are one part; one whose bytes are needed in different steps has several, at fixed
distances from its beginning.
"""

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
    """Parts numbered 0 … n-1; `size` counts units, and part p is alive in the cliques first[p] … last[p]-1.

    A clique is a maximal set of parts that are alive at one step. Two parts conflict exactly if they share a
    clique, and no other step can have a larger load, so the cliques replace the steps without loss.

    Part p begins shift[p] units behind the beginning of buffer[p]; without these arrays each part is a buffer.
    """

    first: IntArray
    last: IntArray
    size: IntArray
    buffer: IntArray | None = None
    shift: IntArray | None = None

    @classmethod
    def from_steps(
        cls,
        start: IntArray,
        end: IntArray,
        size: IntArray,
        buffer: IntArray | None = None,
        shift: IntArray | None = None,
    ) -> Problem:
        """Compresses half-open step ranges [start, end) to ranges of cliques, in O(n log n)."""
        cliques = _clique_steps(start, end)
        return cls(np.searchsorted(cliques, start), np.searchsorted(cliques, end), size, buffer, shift)

    def select(self, parts: NDArray[np.bool_]) -> Problem:
        """The problem of these parts alone, each a buffer; the cliques keep their numbers."""
        return Problem(self.first[parts], self.last[parts], self.size[parts])

    def peak(self, offsets: IntArray) -> int:
        """Units that the arena needs for this placement."""
        return int((offsets + self.size).max(initial=0))

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self.size)

    @cached_property
    def parts(self) -> list[list[tuple[int, int]]]:
        """For each buffer its parts, and how far each is from its beginning."""
        if self.buffer is None or self.shift is None:
            return [[(part, 0)] for part in range(self.count)]
        parts: list[list[tuple[int, int]]] = [[] for _ in range(int(self.buffer.max(initial=-1)) + 1)]
        for part, (buffer, shift) in enumerate(zip(self.buffer.tolist(), self.shift.tolist(), strict=True)):
            parts[buffer].append((part, shift))
        return parts

    @cached_property
    def whole(self) -> Problem:
        """Each buffer as one part that is alive as long as any of it is: itself where that is so already."""
        if self.buffer is None or self.shift is None:
            return self
        ends = np.zeros((3, len(self.parts)), dtype=np.int64)
        ends[0] = self.clique_count
        np.minimum.at(ends[0], self.buffer, self.first)
        np.maximum.at(ends[1], self.buffer, self.last)
        np.maximum.at(ends[2], self.buffer, self.shift + self.size)
        return Problem(*ends)

    def spread(self, offsets: IntArray) -> IntArray:
        """The offsets of the parts from those of the buffers."""
        if self.buffer is None or self.shift is None:
            return offsets
        return offsets[self.buffer] + self.shift

    def owner(self, part: int) -> int:
        """The buffer of a part."""
        return part if self.buffer is None else int(self.buffer[part])

    @cached_property
    def area(self) -> IntArray:
        """For each buffer, units times cliques in which they are alive."""
        area = self.size * (self.last - self.first)
        if self.buffer is None:
            return area
        sums = np.zeros(len(self.parts), dtype=np.int64)
        np.add.at(sums, self.buffer, area)
        return sums

    @cached_property
    def sizes(self) -> list[int]:
        """`size` as Python's own numbers, for loops over single parts."""
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
        """How many pairs of parts are alive together, in O(n log n)."""
        return int(self._later_conflicts.sum())

    @cached_property
    def conflicts(self) -> Sequence[Sequence[int]]:
        """For each part, the parts that are alive together with it."""
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
    def rivals(self) -> Sequence[Sequence[int]]:
        """For each buffer, the others that some part of it is alive together with."""
        if self.buffer is None:
            return self.conflicts
        owner = self.buffer.tolist()
        return [
            sorted({owner[other] for part, _ in parts for other in self.conflicts[part]} - {buffer})
            for buffer, parts in enumerate(self.parts)
        ]

    @cached_property
    def neighbours(self) -> Sequence[Callable[[Sequence[Any]], tuple[Any, ...]]]:
        """For each part, what picks the items of `conflicts` from a sequence with one item per part."""
        return [_picker(others) for others in self.conflicts]

    @cached_property
    def _by_first(self) -> IntArray:
        return np.argsort(self.first, kind="stable")

    @cached_property
    def _later_conflicts(self) -> IntArray:
        """In order of `first`: how many of the parts after this one begin before this one ends."""
        first = self.first[self._by_first]
        return np.searchsorted(first, self.last[self._by_first]) - np.arange(1, self.count + 1)


def _picker(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """In C where there are several: this is where greedy placements spend their time."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda items: tuple(items[number] for number in numbers)


def _clique_steps(start: IntArray, end: IntArray) -> IntArray:
    """The starts that are followed by an end before the next start: there the set of live parts is maximal."""
    starts, ends = np.unique(start), np.unique(end)
    next_start = np.append(starts[1:], np.iinfo(np.int64).max)
    ends_up_to = np.searchsorted(ends, next_start, side="right") - np.searchsorted(ends, starts, side="right")
    return starts[ends_up_to > 0]
