"""Orders that are found in one go, in near-linear time: good starting points, and all there is for large graphs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from pyipu.passes.planning.task_graph import Memory, TaskGraph

Priority = Callable[[int, int, int, int], tuple[int, ...]]
"""What is ready runs in the order of these. They are made from how many bytes more would be alive during a task and
behind it, how many tasks ran before it was ready, and its number."""


def _least_change(growth: int, change: int, age: int, number: int) -> tuple[int, ...]:
    """Tasks that free most first, of these the ones that need least, of these in the given order."""
    return change, growth, number


def _newest(growth: int, change: int, age: int, number: int) -> tuple[int, ...]:
    """Tasks that need no more memory first, then what was made ready last: a branch is followed to its end."""
    return change > 0, -age, growth, number


def _least_growth(growth: int, change: int, age: int, number: int) -> tuple[int, ...]:
    """Tasks that need no more memory first, then those that need least while they run."""
    return change > 0, growth, change, number


PRIORITIES: tuple[Priority, ...] = (_least_change, _newest, _least_growth)


def list_orders(graph: TaskGraph) -> Iterator[list[int]]:
    """One order for each rule there is, none of them certain to be better than another."""
    for priority in PRIORITIES:
        yield _ListScheduler(graph, priority).order()
    yield demanded_order(graph)


class _ListScheduler:
    """Runs the best of what is ready, again and again. A task becomes more urgent with time, never less."""

    def __init__(self, graph: TaskGraph, priority: Priority) -> None:
        self.graph, self.priority = graph, priority
        self.memory = Memory(graph)
        self.missing = [len(set(task.after)) for task in graph.tasks]
        self.age: dict[int, int] = {}
        self.heap: list[tuple[tuple[int, ...], int]] = []

    def order(self) -> list[int]:
        order: list[int] = []
        done = [False] * len(self.graph.tasks)
        self._make_ready([number for number, missing in enumerate(self.missing) if missing == 0], 0)
        while self.heap:
            _, number = heapq.heappop(self.heap)
            if not done[number]:
                done[number] = True
                order.append(number)
                self._run(number, len(order))
        return order

    def _make_ready(self, numbers: Sequence[int], age: int) -> None:
        for number in numbers:
            self.age[number] = age
            self._push(number)

    def _push(self, number: int) -> None:
        growth, change = self.memory.effect(number)
        heapq.heappush(self.heap, (self.priority(growth, change, self.age[number], number), number))

    def _run(self, number: int, age: int) -> None:
        touches = self.graph.tasks[number].touches
        begun = [block for block in touches if not self.memory.begun[block]]
        self.memory.run(number)
        changed = [*begun, *(block for block in touches if self.memory.left[block] == 1)]
        for other in dict.fromkeys(task for block in changed for task in self.graph.touching[block]):
            if self.missing[other] == 0 and other in self.age:
                self._push(other)
        successors = dict.fromkeys(self.graph.successors[number])
        for successor in successors:
            self.missing[successor] -= 1
        self._make_ready([one for one in successors if self.missing[one] == 0], age)


def demanded_order(graph: TaskGraph) -> list[int]:
    """Each task right before the first that needs it; of what one task needs, first what takes most on its way.

    Optimal for trees when a result is all that a subtree leaves: R. Sethi and J. D. Ullman, "The generation of optimal
    code for arithmetic expressions" (1970), with bytes in the place of registers.
    """
    demands = _demands(graph)
    order: dict[int, None] = {}
    sinks = [number for number, later in enumerate(graph.successors) if not later]
    stack = [(sink, False) for sink in reversed(sinks)]
    while stack:
        number, is_ready = stack.pop()
        if is_ready:
            order[number] = None
        elif number not in order:
            stack.append((number, True))
            stack += [(earlier, False) for earlier in reversed(demands[number])]
    return list(order)


def _demands(graph: TaskGraph) -> list[list[int]]:
    """For each task its predecessors, those first that need most beyond what they leave."""
    left = _results(graph)
    need, demands = [0] * len(graph.tasks), []
    for number, task in enumerate(graph.tasks):
        earlier = sorted(dict.fromkeys(task.after), key=lambda one: (left[one] - need[one], one))
        held = 0
        for one in earlier:
            need[number] = max(need[number], held + need[one])
            held += left[one]
        need[number] = max(need[number], held + left[number])
        demands.append(earlier)
    return demands


def _results(graph: TaskGraph) -> list[int]:
    """Bytes that each task begins, in the given order."""
    begun: set[int] = set(graph.held)
    found = []
    for task in graph.tasks:
        found.append(sum(graph.sizes[block] for block in task.touches if block not in begun))
        begun.update(task.touches)
    return found
