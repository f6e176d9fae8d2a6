"""The order of a task graph with the lowest peak, by dynamic programming over the sets of tasks that can have run.

After B. H. Ahn et al., "Ordering chaos: memory-aware scheduling of irregularly wired neural networks" (2020). What is
alive behind a set of tasks does not depend on their order, so of all orders of one set only the lowest peak counts.
Sets are visited by peak, lowest first, so the first complete set is the optimum. What cannot do harm runs at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple

from pyipu.passes.planning.task_graph import Task, TaskGraph

Path = tuple["Path", int] | None
"""The last task, behind the path to it."""


class State(NamedTuple):
    """Sets of tasks are bits of an integer."""

    done: int
    ready: int
    alive: int
    """Bytes alive now."""
    peak: int
    """The most bytes alive so far, and no less than any order needs."""
    path: Path

    def order(self) -> list[int]:
        found, path = [], self.path
        while path is not None:
            path, number = path
            found.append(number)
        return found[::-1]


@dataclass(frozen=True)
class Found:
    """The outcome of a search: an order below the limit if there is one and it was found, and what is proved."""

    order: list[int] | None
    lower_bound: int
    """Bytes; no order needs less."""


class Space:
    """The states of a task graph, and the steps between them."""

    def __init__(self, graph: TaskGraph, enough: int = 0) -> None:
        """A peak of `enough` bytes is as good as any lower one."""
        self.graph, self.count = graph, len(graph.tasks)
        self.before = [_mask(task.after) for task in graph.tasks]
        # Two tasks that do not exist touch what is alive before the first and after the last.
        start, end = 1 << self.count, 1 << self.count + 1
        touching = [_mask(tasks) for tasks in graph.touching]
        self.touching = [
            mask | (start if block in graph.held else 0) | (end if block in graph.kept else 0)
            for block, mask in enumerate(touching)
        ]
        self.complete = 2 * start - 1
        self.floor = max([graph.before_all, *self._unavoidable()])
        ready = _mask(number for number, before in enumerate(self.before) if before == 0)
        self.neighbours = [self._neighbours(task) for task in graph.tasks]
        self.tried = 0
        """How often it was looked up what a task would need: the measure of work."""
        self.start = self.settle(State(start, ready, graph.before_all, max(self.floor, enough), None), ready)

    def _neighbours(self, task: Task) -> int:
        """Tasks that touch the same blocks."""
        return reduce(or_, (self.touching[block] for block in task.touches), 0)

    def _unavoidable(self) -> Iterator[int]:
        """For each task the bytes that are alive while it runs in any order."""
        earlier, later = self.before[:], [0] * self.count
        for number, task in enumerate(self.graph.tasks):
            for one in task.after:
                earlier[number] |= earlier[one]
        for number in reversed(range(self.count)):
            later[number] = _mask(self.graph.successors[number])
            for one in self.graph.successors[number]:
                later[number] |= later[one]
        start, end = 1 << self.count, 1 << self.count + 1
        for number in range(self.count):
            yield self._alive_between(number, earlier[number] | start, later[number] | end)

    def _alive_between(self, number: int, earlier: int, later: int) -> int:
        own, sizes, touching = 1 << number, self.graph.sizes, self.touching
        alive = sum(
            size for size, mask in zip(sizes, touching, strict=True) if mask & own or (mask & earlier and mask & later)
        )
        task = self.graph.tasks[number]
        may_save = any(not touching[block] & later for block in task.updates)
        return self.graph.base + alive - (sizes[task.result] if may_save and task.result is not None else 0)

    def step(self, state: State, number: int) -> State:
        """Runs one task that is ready."""
        bit = 1 << number
        done = state.done | bit
        growth, change = self.effect(state.done, done, number)
        ready = state.ready & ~bit
        for successor in self.graph.successors[number]:
            if not self.before[successor] & ~done:
                ready |= 1 << successor
        peak = max(state.peak, state.alive + growth)
        return State(done, ready, state.alive + change, peak, (state.path, number))

    def effect(self, done: int, after: int, number: int) -> tuple[int, int]:
        """How many bytes more are alive during a task, and behind it: see `Memory.growth` and `Memory.change`."""
        self.tried += 1
        task, sizes, touching = self.graph.tasks[number], self.graph.sizes, self.touching
        begun = sum(sizes[block] for block in task.touches if not done & touching[block])
        freed = sum(sizes[block] for block in task.touches if not touching[block] & ~after)
        result = task.result
        if result is None or done & touching[result] or all(touching[block] & ~after for block in task.updates):
            return begun, begun - freed
        return begun - sizes[result], begun - freed

    def settle(self, state: State, waiting: int) -> State:
        """Runs what neither raises the peak nor leaves more alive: with it done, no other task ever needs more.

        `waiting` are the tasks that may be so.
        """
        while waiting:
            bit = waiting & -waiting
            waiting ^= bit
            number = bit.bit_length() - 1
            growth, change = self.effect(state.done, state.done | bit, number)
            if change <= 0 and state.alive + growth <= state.peak:
                before, state = state, self.step(state, number)
                waiting |= self._affected(before, state, number)
        return state

    def _affected(self, before: State, state: State, number: int) -> int:
        """What is ready and may have become harmless by a step."""
        if state.alive < before.alive or state.peak > before.peak:
            return state.ready
        return state.ready & (self.neighbours[number] | ~before.ready)

    def _settled_step(self, state: State, number: int) -> State:
        reached = self.step(state, number)
        return self.settle(reached, self._affected(state, reached, number))

    def successors(self, state: State) -> list[State]:
        """The states behind each task that is ready; only one if it can do no harm."""
        found = []
        for number in _bits(state.ready):
            reached = self._settled_step(state, number)
            valley = self._valley(state, reached) if reached.peak == state.peak else None
            if valley is not None:
                return [valley]
            found.append(reached)
        return found

    def _valley(self, state: State, reached: State) -> State | None:
        """Follows a branch without a choice; where it leaves no more alive than before, at the same peak, if it does.

        Such a stretch can run at once, for the same reason as a single task: J. W. H. Liu, "An application of
        generalized tree pebbling to sparse matrix factorization" (1987).
        """
        while reached.alive > state.alive:
            new = reached.ready & ~state.ready
            if new == 0 or new & (new - 1):
                return None
            reached = self._settled_step(reached, new.bit_length() - 1)
            if reached.peak > state.peak:
                return None
        return reached


def _mask(numbers: Iterable[int]) -> int:
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def lowest_order(space: Space, limit: int, tries: int) -> Found:
    """Looks for an order with a peak below `limit` bytes until `space.tried` has grown by `tries`."""
    known = {space.start.done: space.start.peak}
    heap = [(space.start.peak, 0, space.start)] if space.start.peak < limit else []
    last = space.tried + tries
    while heap:
        peak, _, state = heapq.heappop(heap)
        if state.done == space.complete:
            return Found(state.order(), peak)
        if space.tried > last:
            return Found(None, peak)
        if peak > known[state.done]:
            continue
        better = (one for one in space.successors(state) if one.peak < min(limit, known.get(one.done, limit)))
        for reached in better:
            known[reached.done] = reached.peak
            heapq.heappush(heap, (reached.peak, -reached.done.bit_count(), reached))
    return Found(None, limit)
