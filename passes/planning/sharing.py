"""The task graph of a program: which values share memory in any order, and which may take the bytes of which.

Views, and what is produced inside of a concatenation or a padding, are one block. An update in place depends on the
order, since the operand must die in it, so it stays a choice of the tasks. Where the result is itself a part of a
larger buffer, or leaves the network, the given order's choice is kept: the operand lies in that buffer from the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyipu.passes.planning.aliasing import Aliasing, Role, Step, plan_aliasing
from pyipu.passes.planning.stages import Program
from pyipu.passes.planning.task_graph import Task, TaskGraph


def task_graph(program: Program, alignment: int) -> TaskGraph:
    """One task for each step, with the same number; `alignment` in bytes."""
    given = _Given.of(program, alignment)
    blocks = _Blocks(given)
    after = _predecessors(program, blocks)
    tasks = [_task(given, blocks, number, after[number]) for number in range(len(program.steps))]
    kept = frozenset(blocks.of(value) for value in program.returned)
    return TaskGraph(tasks, [given.arena_bytes(value) for value in blocks.leaders], kept=kept)


@dataclass(frozen=True)
class _Given:
    """A program, and how memory is shared in its given order; in bytes."""

    program: Program
    alignment: int
    plan: Aliasing
    sizes: Sequence[int]
    """Of each storage."""
    results: frozenset[int]
    """Storages that lie with the caller."""

    @staticmethod
    def of(program: Program, alignment: int) -> _Given:
        plan = plan_aliasing(program.tensors, program.steps, program.returned, alignment)
        sizes = [max(program.sizes[value] for value in storage.members) for storage in plan.storages]
        return _Given(program, alignment, plan, sizes, frozenset(plan.results(program.returned)))

    def is_read_only(self, value: int) -> bool:
        return self.plan.storages[self.plan.storage_of[value]].read_only

    def fills_storage(self, value: int) -> bool:
        """Whether there is room for nothing else in the value's buffer."""
        return self.program.sizes[value] == self.sizes[self.plan.storage_of[value]]

    def arena_bytes(self, value: int) -> int:
        """What the value's buffer takes: nothing if it is read-only or a result of the network."""
        storage = self.plan.storage_of[value]
        if self.is_read_only(value) or storage in self.results:
            return 0
        return -(-self.sizes[storage] // self.alignment) * self.alignment


class _Blocks:
    """Values that always share memory, as disjoint sets."""

    def __init__(self, given: _Given) -> None:
        self.given = given
        self.parent = list(range(len(given.program.tensors)))
        self.fixed: dict[int, int] = {}
        """Steps that update an operand in place in any order, and that operand."""
        for number, step in enumerate(given.program.steps):
            for value in self._shared(number, step):
                self.parent[self._leader(value)] = self._leader(step.results[0])
        self.leaders = [value for value, parent in enumerate(self.parent) if value == parent]
        self.number = {value: block for block, value in enumerate(self.leaders)}

    def of(self, value: int) -> int:
        """The number of the value's block."""
        return self.number[self._leader(value)]

    def _leader(self, value: int) -> int:
        while self.parent[value] != value:
            self.parent[value] = self.parent[self.parent[value]]
            value = self.parent[value]
        return value

    def _shared(self, number: int, step: Step) -> list[int]:
        """The operands that lie in the first result's block."""
        if step.role is not Role.COMPUTE:
            return [value for i, value in enumerate(step.reads) if (number, i) not in self.given.plan.copies]
        if number not in self.given.plan.in_place or self._may_choose(step.results[0]):
            return []
        self.fixed[number] = self.given.plan.in_place[number]
        return [self.fixed[number]]

    def _may_choose(self, value: int) -> bool:
        """Whether a result is alone in its buffer, and that is in the arena."""
        return self.given.fills_storage(value) and self.given.arena_bytes(value) > 0


def _task(given: _Given, blocks: _Blocks, number: int, after: set[int]) -> Task:
    step = given.program.steps[number]
    values = [value for value in (*step.reads, *step.results) if not given.is_read_only(value)]
    touches = tuple(dict.fromkeys(blocks.of(value) for value in values))
    result = blocks.of(step.results[0])
    updates = tuple(blocks.of(value) for value in step.updatable if _may_update(given, blocks, step, value))
    return Task(tuple(sorted(after)), touches, result if updates else None, updates)


def _may_update(given: _Given, blocks: _Blocks, step: Step, value: int) -> bool:
    """Whether the first result may take the bytes of `value`, should it die in this step."""
    result, tensors = step.results[0], given.program.tensors
    if given.is_read_only(value) or tensors[value] != tensors[result]:
        return False
    readings = sum(blocks.of(other) == blocks.of(value) for other in set(step.reads))
    return readings == 1 and given.fills_storage(value) and given.fills_storage(result)


def _predecessors(program: Program, blocks: _Blocks) -> list[set[int]]:
    """What must run before each step: what makes its operands, and what decides how memory is shared."""
    maker = {value: number for number, step in enumerate(program.steps) for value in step.results}
    after = [{maker[value] for value in step.reads if value in maker} for step in program.steps]
    readers: dict[int, list[int]] = {}
    for number, step in enumerate(program.steps):
        if number in blocks.fixed:
            after[number].update(_readers_of_views(program, readers, blocks.fixed[number]))
        for value in step.reads:
            readers.setdefault(value, []).append(number)
    for earlier, later in _gathers_of_one_value(program.steps):
        after[later].add(earlier)
    return after


def _readers_of_views(program: Program, readers: dict[int, list[int]], value: int) -> list[int]:
    """Steps so far that read a value or a view of it."""
    found, waiting = [], [value]
    while waiting:
        for number in readers.get(waiting.pop(), []):
            found.append(number)
            step = program.steps[number]
            waiting += step.results if step.role in (Role.SLICE, Role.RESHAPE) else ()
    return found


def _gathers_of_one_value(steps: Sequence[Step]) -> Iterator[tuple[int, int]]:
    """Pairs of gathers of one value, one behind the other: the first of all holds it, the others have a copy."""
    gathers = [(number, step) for number, step in enumerate(steps) if step.role in (Role.PAD, Role.CONCAT)]
    last: dict[int, int] = {}
    for number, value in ((number, value) for number, step in gathers for value in dict.fromkeys(step.reads)):
        if value in last:
            yield last[value], number
        last[value] = number
