"""Beam search over canonical placements: many partial placements grow side by side, from the arena's bottom up.

Any placement can be pushed down until every buffer stands on another one or on the floor; its buffers, sorted by
offset, are then a sequence in which each takes the lowest offset above all earlier ones that it overlaps. So it is
enough to search such sequences with offsets that never fall (the canonical solutions and the monotonic floor of
Moffitt, "MiniMalloc: A Lightweight Memory Allocator for Hardware-Accelerated Machine Learning", ASPLOS 2023).
MiniMalloc backtracks on a fixed capacity; here a beam of states competes on what their cliques must at least reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyipu.passes.planning.floor_table import FloorTable
from pyipu.passes.planning.patience import Patience
from pyipu.passes.planning.problem import IntArray, Problem

Grid = NDArray[np.integer]
"""A row per buffer or clique, a column per state."""

LEVEL, BRANCHED, PLACED = 200e-6, 30e-9, 30e-9
"""Seconds for each buffer that is placed, and for each item of the states before and after that."""

SHRINK = 0.85
"""Rows are dropped once this part of them is still to be placed in some state."""


@dataclass(frozen=True)
class Settings:
    """What one run of the beam search prefers.

    `width` states survive each level; each tries its `branching` lowest buffers, by `rank` where offsets are equal.
    A high `sharpness` makes the fullest clique alone decide which states survive; a low one counts all cliques.
    """

    width: int
    branching: int
    sharpness: float
    rank: IntArray


@dataclass(frozen=True, eq=False)
class _Part:
    """The buffers that some state has still to place, and the cliques in which they are alive."""

    problem: Problem
    buffers: IntArray
    rank: IntArray
    label: IntArray

    @classmethod
    def whole(cls, problem: Problem, rank: IntArray) -> _Part:
        label = np.random.default_rng(0).integers(1, 1 << 62, problem.count)
        return cls(problem, np.arange(problem.count), rank, label)

    @cached_property
    def floors(self) -> FloorTable:
        return FloorTable(self.problem.first, self.problem.last, self.problem.clique_count)

    def select(self, rows: NDArray[np.bool_]) -> tuple[_Part, NDArray[np.bool_]]:
        """The part that holds the given rows only, and which cliques stay."""
        kept = self.problem.select(rows)
        cliques = np.zeros(self.problem.clique_count, dtype=bool)
        cliques[: kept.clique_count] = kept.load > 0
        position = np.concatenate([[0], np.cumsum(cliques)])
        smaller = Problem(position[kept.first], position[kept.last], kept.size)
        return _Part(smaller, self.buffers[rows], self.rank[rows], self.label[rows]), cliques


@dataclass(frozen=True, eq=False)
class _Moves:
    """Arrays over children: the parent's column, the row of the buffer that it places, and the offset."""

    parent: IntArray
    row: IntArray
    offset: Grid

    def select(self, chosen: IntArray) -> _Moves:
        return _Moves(self.parent[chosen], self.row[chosen], self.offset[chosen])


@dataclass(frozen=True, eq=False)
class _States:
    """Partial placements: the lowest offset open to each buffer, the load still to come in each clique, the peak.

    `lowest` is `placed` for a buffer that has its offset. States with equal `key` hold the same placement.
    """

    lowest: Grid
    remaining: Grid
    peak: Grid
    key: IntArray
    placed: int

    @classmethod
    def root(cls, problem: Problem, target: int) -> _States:
        small = 4 * target < np.iinfo(np.int32).max
        dtype: type[np.signedinteger] = np.int32 if small else np.int64
        lowest = np.zeros((problem.count, 1), dtype=dtype)
        remaining = problem.load.astype(dtype)[:, None]
        placed = int(np.iinfo(dtype).max) // 2
        return cls(lowest, remaining, np.zeros(1, dtype=dtype), np.zeros(1, dtype=np.int64), placed)

    def columns(self, chosen: IntArray) -> _States:
        lowest, remaining = np.take(self.lowest, chosen, axis=1), np.take(self.remaining, chosen, axis=1)
        return _States(lowest, remaining, self.peak[chosen], self.key[chosen], self.placed)

    def rows(self, buffers: NDArray[np.bool_], cliques: NDArray[np.bool_]) -> _States:
        return _States(self.lowest[buffers], self.remaining[cliques], self.peak, self.key, self.placed)


def search(
    problem: Problem, settings: Settings, target: int, patience: Patience, prefix: Sequence[int] = ()
) -> IntArray | None:
    """Offsets, in units, of a placement whose peak is less than `target`, or None if the beam dies out.

    Every size must be positive. The buffers in `prefix` are placed first, in that order, each as low as it goes.
    Also None once the patience is over.
    """
    part, states = _Part.whole(problem, settings.rank), _States.root(problem, target)
    history: list[tuple[IntArray, IntArray, Grid]] = []
    for level in range(problem.count):
        if level < len(prefix):
            moves, states = _replay(part, states, prefix[level])
        else:
            patience.spend(BRANCHED * states.lowest.size)
            moves, states = _advance(part, states, settings, target)
        patience.spend(LEVEL + PLACED * (states.lowest.size + states.remaining.size))
        if not len(moves.parent) or patience.is_over:
            return None
        history.append((moves.parent, part.buffers[moves.row], moves.offset))
        part, states = _shrink(part, states)
    return _read_back(history, int(np.argmin(states.peak)))


def _replay(part: _Part, states: _States, buffer: int) -> tuple[_Moves, _States]:
    """One level without a choice: the only state places the given buffer."""
    row, parent = np.flatnonzero(part.buffers == buffer), np.zeros(1, dtype=np.int64)
    moves = _Moves(parent, row, states.lowest[row, parent])
    return moves, _apply(part, states, moves, states.key)


def _advance(part: _Part, states: _States, settings: Settings, target: int) -> tuple[_Moves, _States]:
    """One level: every state places one more buffer in several ways, and the most promising children survive."""
    moves = _candidates(part, states, settings.branching)
    moves, key = _without_duplicates(part, states, moves)
    children = _apply(part, states, moves, key)
    reach = _reach(part, children)
    possible = np.flatnonzero(reach.max(axis=0) < target)
    survivors = possible[_most_promising(reach[:, possible].astype(np.float32) / target, settings)]
    return moves.select(survivors), children.columns(survivors)


def _candidates(part: _Part, states: _States, branching: int) -> _Moves:
    """The buffers that may come next: those that start below the lowest top of any buffer still to be placed.

    Were a buffer above that top to come next, the buffer below it would fit underneath, out of order.
    """
    lowest = states.lowest
    limit = (lowest + _column(part.problem.size, lowest)).min(axis=0)
    never = np.iinfo(np.int64).max
    urgency = np.where(lowest < limit, lowest.astype(np.int64) * len(part.rank) + part.rank[:, None], never)
    if branching < len(urgency):
        rows = np.argpartition(urgency, branching - 1, axis=0)[:branching]
    else:
        rows = np.broadcast_to(np.arange(len(urgency))[:, None], urgency.shape)
    choice, parent = np.nonzero(np.take_along_axis(urgency, rows, axis=0) < never)
    row = rows[choice, parent]
    return _Moves(parent, row, lowest[row, parent])


def _without_duplicates(part: _Part, states: _States, moves: _Moves) -> tuple[_Moves, IntArray]:
    """One move for each placement that the moves lead to, and the keys of these placements."""
    placement = part.label[moves.row] * (2 * moves.offset.astype(np.int64) + 1)
    key, chosen = np.unique(states.key[moves.parent] + placement, return_index=True)
    return moves.select(chosen), key


def _apply(part: _Part, states: _States, moves: _Moves, key: IntArray) -> _States:
    """The states after the moves: what overlaps the new buffer rises above it, and all else at least to its offset."""
    children = states.columns(moves.parent)
    problem, lowest, remaining = part.problem, children.lowest, children.remaining
    size = problem.size[moves.row].astype(lowest.dtype)
    first, last, top = problem.first[moves.row], problem.last[moves.row], moves.offset + size
    overlaps = (problem.first[:, None] < last) & (problem.last[:, None] > first)
    np.maximum(lowest, np.where(overlaps, top, moves.offset), out=lowest)
    lowest[moves.row, np.arange(len(moves.row))] = children.placed
    clique = np.arange(problem.clique_count)[:, None]
    remaining -= ((clique >= first) & (clique < last)) * size
    return _States(lowest, remaining, np.maximum(children.peak, top), key, children.placed)


def _reach(part: _Part, states: _States) -> Grid:
    """What each clique must at least reach: its lowest buffer, and all that are still to come on top of each other.

    The peak so far is one more row.
    """
    reach = part.floors.minima(states.lowest, states.placed) + states.remaining
    reach[states.remaining == 0] = 0
    return np.vstack([reach, states.peak])


def _most_promising(fill: NDArray[np.floating], settings: Settings) -> IntArray:
    """The columns with the lowest sums of an exponential of how full, from 0 to 1, their cliques are."""
    if fill.shape[1] <= settings.width:
        return np.arange(fill.shape[1])
    cost = np.exp(settings.sharpness * (fill - 1)).sum(axis=0)
    return np.argpartition(cost, settings.width - 1)[: settings.width]


def _shrink(part: _Part, states: _States) -> tuple[_Part, _States]:
    """Drops the buffers that every state has placed, once they are many."""
    open_rows = np.any(states.lowest < states.placed, axis=1)
    if np.count_nonzero(open_rows) > SHRINK * len(open_rows):
        return part, states
    part, cliques = part.select(open_rows)
    return part, states.rows(open_rows, cliques)


def _read_back(history: list[tuple[IntArray, IntArray, Grid]], column: int) -> IntArray:
    """The offsets along the path that leads to the given column of the last level."""
    offsets = np.zeros(len(history), dtype=np.int64)
    for parent, buffer, offset in reversed(history):
        offsets[buffer[column]] = offset[column]
        column = parent[column]
    return offsets


def _column(values: IntArray, like: Grid) -> Grid:
    return values.astype(like.dtype)[:, None]
