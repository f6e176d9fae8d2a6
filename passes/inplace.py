"""The graph becomes a placed program: buffers, views of them, and vertices that run from views to views.

Concatenation and padding become stores into a larger buffer, slices and reshapes become views, and a vertex takes the
bytes of an operand that it reads element by element and nobody reads later. What could not share memory says why.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.movement import Concat, Copy, Pad, Reshape, Slice
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.types import tensor_of
from pyipu.errors import VerificationError
from pyipu.passes.base import Pass
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.placement import ProgramWriter
from pyipu.passes.planning import aliasing
from pyipu.passes.planning.aliasing import Aliasing, Place, Role, Step, plan_aliasing
from pyipu.passes.planning.region import Region
from pyipu.passes.session import Session
from pyipu.passes.updates import updatable_operands


@dataclass(frozen=True)
class InPlace(Pass):
    """Decides which tensors share memory, and writes the program over buffers."""

    NAME: ClassVar[str] = "ipu-inplace"

    alignment: int = 64
    """Bytes: what a view of a buffer under another shape must start at a multiple of."""
    sums: bool = True
    """A residual may be where a sum of products starts; IREE's code generators for GPUs cannot do that in place."""

    def run(self, module: ir.Module, session: Session) -> None:
        graph = Graph.read(module, self.sums)
        plan = plan_aliasing(graph.tensors, graph.steps, graph.returned, self.alignment)
        names = ir.AsmState(module.operation)
        for refusal in plan.refusals:
            name = graph.values[refusal.value].get_name(names)
            session.remark(self.NAME, graph.ops[refusal.step].location, f"no alias with {name}: {refusal.reason}")
        _write_program(module, graph, plan, self.alignment)


@dataclass(frozen=True)
class Graph:
    """The main function as the planner sees it; `values[i]` is value i, `ops[i]` is step i."""

    values: list[ir.Value]
    tensors: list[aliasing.Tensor]
    ops: list[Op]
    steps: list[Step]
    returned: list[int]

    @staticmethod
    def read(module: ir.Module, sums: bool) -> Graph:
        """Raises VerificationError for an op that is neither a vertex nor movement: those must be fused before."""
        block = main_function(module).regions[0].blocks[0]
        known = [op.results[0] for op in ipu_ops(block) if isinstance(op, Parameter)]
        ops = [op for op in ipu_ops(block) if not isinstance(op, Parameter)]
        values = [*block.arguments, *known, *(result for op in ops for result in op.results)]
        number = {value: i for i, value in enumerate(values)}
        bodies = codelets(module)
        updatable = functools.cache(lambda codelet: updatable_operands(bodies[codelet], sums))
        steps = [_step(op, number, updatable) for op in ops]
        read_only = len(block.arguments) + len(known)
        tensors = [_tensor(value, i < read_only) for i, value in enumerate(values)]
        returned = [number[value] for value in block.operations[len(block.operations) - 1].operands]
        return Graph(values, tensors, ops, steps, returned)


def _tensor(value: ir.Value, read_only: bool) -> aliasing.Tensor:
    tensor = tensor_of(value)
    return aliasing.Tensor(tensor.shape, tensor.dtype, read_only)


def _step(op: Op, number: dict[ir.Value, int], updatable: Callable[[str], list[int]]) -> Step:
    """`updatable` maps a codelet to the positions of the operands whose bytes it can take."""
    reads = tuple(number[value] for value in op.operands)
    results = tuple(number[value] for value in op.results)
    if isinstance(op, Vertex):
        return Step(Role.COMPUTE, reads, results, updatable=tuple(reads[i] for i in updatable(op.codelet)))
    if isinstance(op, Reshape):
        return Step(Role.RESHAPE, reads, results)
    if isinstance(op, Copy):
        return Step(Role.COPY, reads, results)
    if isinstance(op, Slice):
        return Step(Role.SLICE, reads, results, ((op.offsets, op.sizes, op.strides),))
    if isinstance(op, Pad):
        steps = tuple(gap + 1 for gap in op.interior)
        return Step(Role.PAD, reads, results, ((op.low, tensor_of(op.operands[0]).shape, steps),))
    if isinstance(op, Concat):
        return Step(Role.CONCAT, reads, results, tuple(_concat_places(op)), apart=bool(op.apart))
    raise VerificationError(f"'{op.OPERATION_NAME}' op at {op.location} is in no vertex: run ipu-fuse first")


def _concat_places(op: Concat) -> list[Place]:
    position, places = 0, []
    for value in op.operands:
        shape = tensor_of(value).shape
        offsets = tuple(position if i == op.axis else 0 for i in range(len(shape)))
        places.append((offsets, shape, (1,) * len(shape)))
        position += shape[op.axis]
    return places


def _write_program(module: ir.Module, graph: Graph, plan: Aliasing, alignment: int) -> None:
    """Replaces the main function by one over references."""
    old = main_function(module)
    writer = ProgramWriter(module, old, graph.values, plan, alignment)
    writer.mark_results(graph.returned)
    borders = _first_writes(graph, plan)
    with ir.InsertionPoint(writer.body), ir.Location.unknown():
        for number, op in enumerate(graph.ops):
            _write_borders(writer, borders.get(number, []), graph)
            _write_step(writer, number, op, graph.steps[number], plan)
        writer.finish(graph.returned)
    old.operation.erase()


def _write_borders(writer: ProgramWriter, paddings: list[int], graph: Graph) -> None:
    for number in paddings:
        step, op = graph.steps[number], graph.ops[number]
        assert isinstance(op, Pad)
        writer.border(step.results[0], step.places[0], op)


def _write_step(writer: ProgramWriter, number: int, op: Op, step: Step, plan: Aliasing) -> None:
    if isinstance(op, Vertex):
        writer.execute(op.codelet, step.reads, step.results, op.location)
    for i, source in enumerate(step.reads):
        if (number, i) in plan.copies:
            writer.copy(source, step.results[0], step.places[i] if step.places else None, op.location)


def _first_writes(graph: Graph, plan: Aliasing) -> dict[int, list[int]]:
    """Step -> the paddings whose border must be written before it, outer ones first.

    A border is written before the first step that writes into the padded tensor, its own copy at the latest.
    """
    writes = _writes(graph, plan)
    borders: dict[int, list[int]] = {}
    for number in reversed([i for i, step in enumerate(graph.steps) if step.role is Role.PAD]):
        (padded,) = graph.steps[number].results
        begin, end, *_ = plan.region(padded).runs
        first = (i for i, *runs in writes.get(plan.storage_of[padded], []) if runs[0] < end and runs[1] > begin)
        borders.setdefault(min(next(first, number), number), []).append(number)
    return borders


def _writes(graph: Graph, plan: Aliasing) -> dict[int, list[tuple[int, int, int]]]:
    """For each storage the steps that write into it, in order, and between which elements."""
    writes: dict[int, list[tuple[int, int, int]]] = {}
    for number, step in enumerate(graph.steps):
        for value, region in _written(number, step, plan):
            begin, end, *_ = region.runs
            writes.setdefault(plan.storage_of[value], []).append((number, begin, end))
    return writes


def _written(number: int, step: Step, plan: Aliasing) -> Iterator[tuple[int, Region]]:
    """The values that a step writes or copies to, and where in their storage."""
    if step.role is Role.COMPUTE:
        yield from ((value, plan.region(value)) for value in step.results)
    for i in (i for i in range(len(step.reads)) if (number, i) in plan.copies):
        region = plan.region(step.results[0])
        yield step.results[0], region.slice(*step.places[i]) if step.places else region
