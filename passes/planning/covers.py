"""The cheapest way from one end of a run to the other, stretch by stretch: shortest paths, over arrays.

Stretches lead from boundary to boundary. They come ordered by where they end, so once those with one end are looked at,
everything that may stand in front of them is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NEVER = int(np.iinfo(np.int64).max)
"""More bytes than anything has."""


class Edge(NamedTuple):
    """A stretch as the search sees it: bytes, microseconds, between which boundaries, and behind which op it ends."""

    peak: int
    cost: float
    before: Hashable
    behind: Hashable
    end: int


class CoverTable:
    """Stretches by their number. Inside they are sorted by the boundary behind them, and by number where it is one."""

    def __init__(self, edges: Sequence[Edge], first: Hashable, last: Hashable) -> None:
        number = {boundary: place for place, boundary in enumerate(dict.fromkeys(edge.behind for edge in edges), 1)}
        number[first] = 0
        behind = np.array([number[edge.behind] for edge in edges])
        self.order: Array = np.argsort(behind, kind="stable")
        self.place: Array = np.argsort(self.order)
        self.peak: Array = np.array([edge.peak for edge in edges], dtype=np.int64)[self.order]
        self.cost: Array = np.array([edge.cost for edge in edges], dtype=np.float64)[self.order]
        self.nowhere, self.last = len(number), number[last]
        self.before: Array = np.array([number.get(edge.before, self.nowhere) for edge in edges])[self.order]
        self.starts = [*np.flatnonzero(np.diff(behind[self.order], prepend=0)).tolist(), len(edges)]
        ends = [edges[self.order[start]].end for start in self.starts[:-1]]
        self.groups = [i for i in range(len(ends)) if i == 0 or ends[i] != ends[i - 1]] + [len(ends)]

    def change(self, number: int, peak: int, cost: float) -> None:
        """A stretch turned out to have another peak and another cost."""
        self.peak[self.place[number]], self.cost[self.place[number]] = peak, cost

    def cheapest(self, limit: int, hidden: Array | None = None) -> list[int]:
        """The stretches of the cheapest cover none of which is above `limit` bytes; none where there is no such cover.

        Of equally cheap ones the first is taken. `hidden` says of each stretch whether it must not be.
        """
        possible = self.peak <= limit if hidden is None else (self.peak <= limit) & ~hidden[self.order]
        costs, best = self._paths(np.where(possible, self.cost, np.inf), np.inf, np.add)
        return self._trace(costs) if best[self.last] < np.inf else []

    def least_peak(self, hidden: Array | None = None) -> int:
        """The least peak of any cover; pieces at a cut are as wide as the strips on both sides of it."""
        peak = self.peak if hidden is None else np.where(hidden[self.order], NEVER, self.peak)
        return int(self._paths(peak, NEVER, np.maximum)[1][self.last])

    def peaks_from(self, least: int, hidden: Array | None = None) -> list[int]:
        """The peaks of all stretches that are at least so high, in rising order."""
        peaks: list[int] = np.unique(
            self.peak[self.peak >= least] if hidden is None else self.peak[(self.peak >= least) & ~hidden[self.order]]
        ).tolist()
        return peaks

    def _paths(self, weight: Array, never: float, joined: Callable[[Array, Array], Array]) -> tuple[Array, Array]:
        """Of the best path that ends with each stretch, and of that to each boundary, the sum or the largest weight."""
        paths = np.empty_like(weight)
        best = np.full(self.nowhere + 1, never, dtype=weight.dtype)
        best[0] = 0
        for first, end in pairwise(self.groups):
            begin = self.starts[first]
            inside = slice(begin, self.starts[end])
            paths[inside] = joined(best[self.before[inside]], weight[inside])
            best[first + 1 : end + 1] = np.minimum.reduceat(paths[inside], np.array(self.starts[first:end]) - begin)
        return paths, best

    def _trace(self, paths: Array) -> list[int]:
        """From the last stretch of the best path back to the first; of equally good ones the first in order."""
        boundary, cover = self.last, list[int]()
        while boundary:
            inside = slice(self.starts[boundary - 1], self.starts[boundary])
            place = inside.start + int(np.argmin(paths[inside]))
            cover.insert(0, int(self.order[place]))
            boundary = int(self.before[place])
        return cover
