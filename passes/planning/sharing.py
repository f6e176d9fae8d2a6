"""The task graph of a program: which values share memory in any order, and which may take the bytes of which.

Views, and what is produced inside of a padding or a concatenation, are one block. Where a concatenation's operands are
each one piece of its memory, such as rows, they stay blocks: each has its bytes from when it is computed. An update in
place depends on the order, since the operand must die in it, so it stays a choice of the tasks. Where the result is
itself a part of a larger buffer, or leaves the network, the given order's choice is kept: the operand lies in that
buffer from the start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyipu.passes.planning.aliasing import Aliasing, Role, Step, plan_aliasing
from pyipu.passes.planning.region import Region
from pyipu.passes.planning.stages import Program
from pyipu.passes.planning.task_graph import Task, TaskGraph


def task_graph(program: Program, alignment: int) -> TaskGraph:
    """One task for each step, with the same number; `alignment` in bytes."""
    given = _Given.of(program, alignment)
    blocks = _Blocks(given)
    after = _predecessors(program, blocks)
    tasks = [_task(given, blocks, number, after[number]) for number in range(len(program.steps))]
    kept = frozenset(block for value in program.returned for block in blocks.of(value))
    return TaskGraph(tasks, blocks.sizes, kept=kept)


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

    def is_in_arena(self, value: int) -> bool:
        """Whether a value takes bytes of the arena: it is neither read-only nor a part of a result of the network."""
        return not self.is_read_only(value) and self.plan.storage_of[value] not in self.results

    def arena_bytes(self, value: int, size: int) -> int:
        """What so many bytes of a value take: what has a buffer of its own begins at an aligned byte."""
        if not self.is_in_arena(value):
            return 0
        return -(-size // self.alignment) * self.alignment if self.fills_storage(value) else size


class _Extent(NamedTuple):
    """Elements [begin, end) of a value lie in the same block as another value."""

    value: int
    begin: int
    end: int


class _Blocks:
    """Values that always share memory, as disjoint sets. A value may consist of several, one behind the other."""

    def __init__(self, given: _Given) -> None:
        self.given = given
        self.parent = list(range(len(given.program.tensors)))
        self.own_bytes = list(given.program.sizes)
        """Of each value, without what lies in the blocks that it consists of."""
        self.extents: dict[int, list[_Extent]] = {}
        """What values consist of that are no part of one block."""
        self.fixed: dict[int, int] = {}
        """Steps that update an operand in place in any order, and that operand."""
        for number, step in enumerate(given.program.steps):
            self._add(number, step)
        leaders = [value for value, parent in enumerate(self.parent) if value == parent]
        self.number = {value: block for block, value in enumerate(leaders)}
        self.sizes = [0] * len(leaders)
        for value, size in enumerate(self.own_bytes):
            block = self.number[self._leader(value)]
            self.sizes[block] = max(self.sizes[block], given.arena_bytes(value, size))

    def of(self, value: int) -> list[int]:
        """The numbers of the value's blocks, each once."""
        leaders = [self._leader(extent.value) for extent in self._extents(value)]
        own = [self._leader(value)] if self.own_bytes[value] else []
        return list(dict.fromkeys(self.number[leader] for leader in own + leaders))

    def _extents(self, value: int) -> list[_Extent]:
        return self.extents.get(value, [])

    def _add(self, number: int, step: Step) -> None:
        shared, result = self._shared(number, step), step.results[0]
        if step.role is Role.CONCAT and self._is_in_pieces(step):
            self._consist(result, step, shared)
        elif step.role in (Role.SLICE, Role.RESHAPE) and shared and self._extents(shared[0]):
            self._show(result, step, shared[0])
        else:
            for value in shared:
                self._unite(value, result)

    def _unite(self, value: int, result: int) -> None:
        for one in (value, *(extent.value for extent in self._extents(value))):
            self.parent[self._leader(one)] = self._leader(result)

    def _is_in_pieces(self, step: Step) -> bool:
        """Whether each operand is one piece of the concatenation's memory."""
        whole = Region.all_of(self.given.program.tensors[step.results[0]].shape)
        return all(whole.slice(*place).distance is not None for place in step.places)

    def _consist(self, result: int, step: Step, shared: Sequence[int]) -> None:
        """The result consists of what is computed inside of it, and has bytes of its own for what is copied there."""
        begin, self.extents[result], self.own_bytes[result] = 0, [], 0
        for value in step.reads:
            elements = math.prod(self.given.program.tensors[value].shape)
            if value in shared:
                inner = self._extents(value) or [_Extent(value, 0, elements)]
                self.extents[result] += [_Extent(e.value, begin + e.begin, begin + e.end) for e in inner]
            else:
                self.own_bytes[result] += self.given.program.sizes[value]
            begin += elements

    def _show(self, result: int, step: Step, source: int) -> None:
        """A view consists of what it shows of its operand."""
        region = Region.all_of(self.given.program.tensors[source].shape)
        runs = (region.slice(*step.places[0]) if step.role is Role.SLICE else region).runs
        touched = [e for e in self._extents(source) if e.begin < runs.end and e.end > runs.begin]
        self.extents[result] = [_Extent(e.value, e.begin - runs.begin, e.end - runs.begin) for e in touched]
        self.own_bytes[result] = 0

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
        return self.given.fills_storage(value) and self.given.is_in_arena(value) and self.given.program.sizes[value] > 0


def _task(given: _Given, blocks: _Blocks, number: int, after: set[int]) -> Task:
    step = given.program.steps[number]
    values = [value for value in (*step.reads, *step.results) if not given.is_read_only(value)]
    touches = tuple(dict.fromkeys(block for value in values for block in blocks.of(value)))
    updates = tuple(blocks.of(value)[0] for value in step.updatable if _may_update(given, blocks, step, value))
    return Task(tuple(sorted(after)), touches, blocks.of(step.results[0])[0] if updates else None, updates)


def _may_update(given: _Given, blocks: _Blocks, step: Step, value: int) -> bool:
    """Whether the first result may take the bytes of `value`, should it die in this step."""
    result, tensors = step.results[0], given.program.tensors
    if given.is_read_only(value) or tensors[value] != tensors[result]:
        return False
    own = blocks.of(value)
    readings = sum(not set(own).isdisjoint(blocks.of(other)) for other in set(step.reads))
    return readings == 1 and len(own) == 1 and given.fills_storage(value) and given.fills_storage(result)


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
