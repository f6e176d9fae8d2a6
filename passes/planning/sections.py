"""Parts of a task graph that can be ordered on their own, each a task graph again."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pyipu.passes.planning.task_graph import Memory, Task, TaskGraph


@dataclass(frozen=True)
class Section:
    """Consecutive tasks of an order: `tasks` by their number in the whole graph, and the graph of these alone."""

    tasks: tuple[int, ...]
    graph: TaskGraph

    def reordered(self, order: Sequence[int]) -> tuple[int, ...]:
        """Numbers in the whole graph, for an order of the section's graph."""
        return tuple(self.tasks[number] for number in order)


def sections(graph: TaskGraph) -> list[tuple[int, int]]:
    """The positions [first, end) of the sections: cuts are at tasks that need all earlier ones and that all later need.

    Every order runs such a task at the same position, so the lowest peak of the graph is the largest of its sections'.
    """
    needing_all_before = _sole_ends((number, task.after) for number, task in enumerate(graph.tasks))
    needed_by_all_behind = _sole_ends(reversed(list(enumerate(graph.successors))))
    fixed = needing_all_before & needed_by_all_behind
    bounds = sorted({0, len(graph.tasks), *fixed, *(position + 1 for position in fixed)})
    return list(pairwise(bounds))


def _sole_ends(visits: Iterable[tuple[int, Sequence[int]]]) -> set[int]:
    """Of tasks visited with those they are linked to: tasks that, when visited, alone are linked to by none so far."""
    linked: set[int] = set()
    ends, found = 0, set()
    for number, links in visits:
        ends += 1 - len(set(links) - linked)
        linked.update(links)
        if ends == 1:
            found.add(number)
    return found


class Arrangement:
    """An order of a graph that changes piece by piece; it takes linear time to make, each piece its own length."""

    def __init__(self, graph: TaskGraph, order: Sequence[int]) -> None:
        self.graph, self.order = graph, list(order)
        self.position = [0] * len(self.order)
        self.first = [-1 if block in graph.held else len(self.order) for block in range(len(graph.sizes))]
        self.last = [len(self.order) if block in graph.kept else -1 for block in range(len(graph.sizes))]
        self.during = [0] * len(self.order)
        self.alive = [graph.before_all] * (len(self.order) + 1)
        self._peaks: list[tuple[int, int]] = []
        self._note(0, Memory(graph), self.order)

    def _note(self, first: int, memory: Memory, numbers: Iterable[int]) -> None:
        """What is alive from position `first` on; `numbers` are the memory's names for the tasks from there on."""
        for position, number in enumerate(numbers, first):
            task = self.order[position]
            self.position[task] = position
            self.during[position] = memory.run(number)
            self.alive[position + 1] = memory.alive
            heapq.heappush(self._peaks, (-self.during[position], position))
            for block in self.graph.tasks[task].touches:
                self.first[block] = min(self.first[block], position)
                self.last[block] = max(self.last[block], position)

    def peak(self) -> tuple[int, int]:
        """Most bytes alive, and the first position where they are."""
        while -self._peaks[0][0] != self.during[self._peaks[0][1]]:
            heapq.heappop(self._peaks)
        return -self._peaks[0][0], self._peaks[0][1]

    def rearrange(self, first: int, section: Section, order: Sequence[int]) -> None:
        """Another order for the section that starts at position `first`."""
        end = first + len(order)
        for block in {block for task in section.tasks for block in self.graph.tasks[task].touches}:
            self.first[block] = end if self.first[block] >= first else self.first[block]
            self.last[block] = -1 if self.last[block] < end else self.last[block]
        self.order[first:end] = section.reordered(order)
        self._note(first, Memory(section.graph), order)

    def section(self, first: int, end: int) -> Section:
        """The tasks at the positions [first, end)."""
        tasks = tuple(self.order[first:end])
        blocks = list(dict.fromkeys(block for number in tasks for block in self.graph.tasks[number].touches))
        number = {block: i for i, block in enumerate(blocks)}
        held = frozenset(number[block] for block in blocks if self.first[block] < first)
        kept = frozenset(number[block] for block in blocks if self.last[block] >= end)
        sizes = [self.graph.sizes[block] for block in blocks]
        base = self.alive[first] - sum(sizes[block] for block in held)
        inner = tuple(self._inner(self.graph.tasks[task], first, number) for task in tasks)
        return Section(tasks, TaskGraph(inner, sizes, held, kept, base))

    def _inner(self, task: Task, first: int, number: dict[int, int]) -> Task:
        """The task as the section numbers it."""
        after = tuple(self.position[one] - first for one in task.after if self.position[one] >= first)
        touches = tuple(number[block] for block in task.touches)
        updates = tuple(number[block] for block in task.updates)
        return Task(after, touches, None if task.result is None else number[task.result], updates)
