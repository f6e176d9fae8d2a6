"""From programs to task graphs: what counts as one block, what may be updated, and how much branchy networks gain."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from pyipu.passes.planning.aliasing import Role, Step, Tensor
from pyipu.passes.planning.allocation import lower_bound
from pyipu.passes.planning.scheduling import Schedule, schedule
from pyipu.passes.planning.sharing import task_graph
from pyipu.passes.planning.stages import Program, shared_intervals
from pyipu.passes.planning.task_graph import Task, peak_of

SHAPE = (1, 28, 28, 16)
BYTES = 4 * math.prod(SHAPE)


@dataclass
class Network:
    """Value 0 is the input of the network; all values but concatenations have one shape."""

    tensors: list[Tensor] = field(default_factory=lambda: [Tensor(SHAPE, "f32", read_only=True)])
    steps: list[Step] = field(default_factory=list)

    def _value(self, channels: int = SHAPE[-1]) -> int:
        self.tensors.append(Tensor((*SHAPE[:-1], channels), "f32"))
        return len(self.tensors) - 1

    def compute(self, *reads: int, updates: bool = False) -> int:
        result = self._value()
        self.steps.append(Step(Role.COMPUTE, reads, (result,), updatable=reads if updates else ()))
        return result

    def concat(self, *reads: int) -> int:
        result = self._value(len(reads) * SHAPE[-1])
        places = tuple(((0, 0, 0, i * SHAPE[-1]), SHAPE, (1, 1, 1, 1)) for i in range(len(reads)))
        self.steps.append(Step(Role.CONCAT, reads, (result,), places))
        return result

    def join_rows(self, *reads: int) -> int:
        """One tensor of as many times as many rows."""
        self.tensors.append(Tensor((1, len(reads) * SHAPE[1], *SHAPE[2:]), "f32"))
        result = len(self.tensors) - 1
        places = tuple(((0, i * SHAPE[1], 0, 0), SHAPE, (1, 1, 1, 1)) for i in range(len(reads)))
        self.steps.append(Step(Role.CONCAT, reads, (result,), places))
        return result

    def rows(self, value: int, number: int) -> int:
        result = self._value()
        place = ((0, number * SHAPE[1], 0, 0), SHAPE, (1, 1, 1, 1))
        self.steps.append(Step(Role.SLICE, (value,), (result,), (place,)))
        return result

    def chain(self, value: int, length: int) -> int:
        for _ in range(length):
            value = self.compute(value)
        return value

    def program(self, *returned: int) -> Program:
        sizes = [4 * math.prod(tensor.shape) for tensor in self.tensors]
        return Program(self.tensors, sizes, self.steps, returned)


def reordered(program: Program, found: Schedule) -> Program:
    return replace(program, steps=[program.steps[number] for number in found.order])


def arena_bound(program: Program) -> int:
    """The most bytes alive at once, as aliasing and live intervals have it."""
    return lower_bound(shared_intervals(program, 64), 64)


def checked(program: Program) -> Schedule:
    """The schedule, after its peaks were compared with those of the aliased program in both orders."""
    found = schedule(task_graph(program, 64))
    assert found.given_peak == arena_bound(program)
    assert found.peak == arena_bound(reordered(program, found))
    return found


def test_rows_have_their_bytes_only_while_they_are_needed() -> None:
    """Two joined tensors are read one after the other; what reads the first takes no room beside both."""
    network = Network()
    joined = network.join_rows(network.compute(0), network.compute(0))
    first = network.compute(network.rows(joined, 0))
    network.compute(first, network.rows(joined, 1))
    found = schedule(task_graph(network.program(), 64))
    assert found.peak == found.given_peak == 3 * BYTES
    assert sum(task_graph(network.program(), 64).sizes) == 4 * BYTES


def test_joined_rows_are_computed_when_they_are_read() -> None:
    """Each row waits for nobody: computed in front of its reader, two are never alive together."""
    network = Network()
    parts = [network.compute(0) for _ in range(4)]
    joined = network.join_rows(*parts)
    read = [network.compute(network.rows(joined, i)) for i in range(4)]
    network.compute(*read)
    assert schedule(task_graph(network.program(), 64)).peak == 5 * BYTES


def test_rows_that_are_copied_are_a_block_of_their_own() -> None:
    """The input of the network cannot lie in the joined tensor."""
    network = Network()
    network.compute(network.join_rows(0, network.compute(0)))
    assert sum(task_graph(network.program(), 64).sizes) == 3 * BYTES


def test_parts_of_a_concatenation_are_one_block_from_the_first_part_on() -> None:
    network = Network()
    parts = [network.compute(0), network.compute(0)]
    joined = network.concat(*parts)
    graph = task_graph(network.program(network.compute(joined)), 64)
    assert graph.tasks[0].touches == graph.tasks[1].touches == graph.tasks[2].touches
    assert peak_of(graph, range(4)) == 2 * BYTES


def test_what_is_returned_and_what_is_read_only_takes_nothing_of_the_arena() -> None:
    network = Network()
    graph = task_graph(network.program(network.compute(0)), 64)
    assert peak_of(graph, [0]) == 0


def test_a_dying_operand_may_be_updated_and_a_choice_remains() -> None:
    network = Network()
    x = network.compute(0)
    y = network.compute(x, updates=True)
    z = network.compute(x, updates=True)
    graph = task_graph(network.program(network.compute(y, z)), 64)
    assert graph.tasks[1] == Task((0,), (1, 2), 2, (1,))
    assert peak_of(graph, [0, 1, 2, 3]) == peak_of(graph, [0, 2, 1, 3]) == 2 * BYTES


def test_an_update_inside_of_a_concatenation_stays_as_given() -> None:
    """The operand lies in the concatenation already, so what else reads it must run before."""
    network = Network()
    first = network.compute(0)
    x = network.compute(first)
    other = network.compute(x)
    y = network.compute(x, updates=True)
    program = network.program(network.compute(network.concat(first, y), other))
    graph = task_graph(program, 64)
    assert graph.tasks[3].after == (1, 2)
    assert graph.tasks[1].touches == graph.tasks[0].touches
    checked(program)


def test_gathers_of_one_value_keep_their_order_because_only_the_first_holds_it() -> None:
    network = Network()
    x = network.compute(0)
    first, second = network.concat(x, network.compute(0)), network.concat(x, network.compute(0))
    graph = task_graph(network.program(network.compute(first, second)), 64)
    gathers = [number for number, step in enumerate(network.steps) if step.role is Role.CONCAT]
    assert gathers[0] in graph.tasks[gathers[1]].after


def nasnet_cell(network: Network, before: int, last: int) -> int:
    """The normal cell of NASNet-A (Zoph et al., 2018), exported branch by branch and only then summed up."""
    h, p = network.compute(last), network.compute(before)
    separable = 4
    branches = [(h, separable), (p, separable), (h, separable), (h, 1), (p, 1), (p, 1), (p, separable), (p, separable)]
    values = [network.chain(value, length) for value, length in branches]
    pairs = [(values[0], h), (values[1], values[2]), (values[3], p), (values[4], values[5]), (values[6], values[7])]
    return network.concat(*(network.compute(*pair, updates=True) for pair in pairs), p)


def test_cells_of_a_searched_architecture_need_a_ninth_less() -> None:
    network = Network()
    before = network.compute(0)
    last = network.compute(before)
    for _ in range(3):
        before, last = last, nasnet_cell(network, before, last)
    found = checked(network.program(network.compute(last)))
    assert found.exact
    assert found.peak <= 8 / 9 * found.given_peak
