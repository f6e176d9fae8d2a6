"""What a scheduler orders: tasks, the blocks of memory that they touch, and how many bytes are alive while they run.

A block holds values that share memory whatever the order is: a tensor, its views, and what is concatenated or padded
inside of it. It is alive from the first task that touches it to the last one. A task whose result begins a block may
take the bytes of an operand's block instead, if no later task touches that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Task:
    """One step. `after` are the tasks that must run before it, `touches` the blocks that it reads or writes, each once.

    `updates` are the blocks whose bytes `result`, one of the blocks it touches, may take; they are no smaller.
    """

    after: tuple[int, ...]
    touches: tuple[int, ...]
    result: int | None = None
    updates: tuple[int, ...] = ()


@dataclass(frozen=True)
class TaskGraph:
    """Tasks in an order in which they can run, and the blocks by number; `sizes` are bytes.

    Blocks in `held` are alive before the first task, those in `kept` after the last one; `base` bytes are alive all the
    time.
    """

    tasks: Sequence[Task]
    sizes: Sequence[int]
    held: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    base: int = 0

    @cached_property
    def before_all(self) -> int:
        """Bytes alive before the first task."""
        return self.base + sum(self.sizes[block] for block in self.held)

    @cached_property
    def successors(self) -> list[list[int]]:
        """For each task those that must run after it."""
        found: list[list[int]] = [[] for _ in self.tasks]
        for number, task in enumerate(self.tasks):
            for earlier in task.after:
                found[earlier].append(number)
        return found

    @cached_property
    def touching(self) -> list[list[int]]:
        """For each block the tasks that touch it."""
        found: list[list[int]] = [[] for _ in self.sizes]
        for number, task in enumerate(self.tasks):
            for block in task.touches:
                found[block].append(number)
        return found


class Memory:
    """The bytes alive while tasks run one after the other, in any order that their dependences allow."""

    def __init__(self, graph: TaskGraph) -> None:
        self.graph = graph
        self.alive = graph.before_all
        """Bytes alive between the last task that ran and the next."""
        self.begun = [False] * len(graph.sizes)
        self.left = [len(tasks) for tasks in graph.touching]
        """For each block the tasks that will still touch it; a block that is kept never gets to zero."""
        for block in graph.held:
            self.begun[block] = True
        for block in graph.kept:
            self.left[block] += 1

    def effect(self, number: int) -> tuple[int, int]:
        """How many bytes more would be alive while the task runs, and behind it."""
        task, sizes = self.graph.tasks[number], self.graph.sizes
        begun = freed = 0
        for block in task.touches:
            if not self.begun[block]:
                begun += sizes[block]
            if self.left[block] == 1:
                freed += sizes[block]
        return begun - self._saved(task), begun - freed

    def run(self, number: int) -> int:
        """Runs a task; returns the bytes alive meanwhile."""
        growth, change = self.effect(number)
        during = self.alive + growth
        self.alive += change
        for block in self.graph.tasks[number].touches:
            self.begun[block] = True
            self.left[block] -= 1
        return during

    def _saved(self, task: Task) -> int:
        """Bytes of the result if it takes those of an operand that dies."""
        if task.result is None or self.begun[task.result]:
            return 0
        return self.graph.sizes[task.result] if any(self.left[block] == 1 for block in task.updates) else 0


def peak_of(graph: TaskGraph, order: Sequence[int]) -> int:
    """The most bytes alive at once, if the tasks run in this order."""
    memory = Memory(graph)
    return max((memory.run(number) for number in order), default=graph.before_all)
