"""What a program needs when its values share more and more memory: the first figures of the memory certificate.

In all of them a size is rounded up to the alignment, a reshape is its operand under another shape and has no bytes of
its own, inputs and parameters do not count, and neither does what is returned: that lies with the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyipu.passes.planning.aliasing import Aliasing, Role, Step, Tensor, plan_aliasing
from pyipu.passes.planning.allocation import Interval, greedy_peak


@dataclass(frozen=True)
class Program:
    """Steps over numbered values, in the order in which they run; `sizes[v]` is in bytes."""

    tensors: Sequence[Tensor]
    sizes: Sequence[int]
    steps: Sequence[Step]
    returned: Sequence[int]


Measure = Callable[[Program, int], int]
"""Bytes that a program needs, for an alignment in bytes."""


def sum_bytes(program: Program, alignment: int) -> int:
    """Every value has a buffer of its own, and no two buffers share a byte."""
    return sum(-(-interval.size // alignment) * alignment for interval in separate_intervals(program))


def reuse_bytes(program: Program, alignment: int) -> int:
    """Every value has a buffer of its own, whose bytes others use before it is written and after it was read."""
    return greedy_peak(separate_intervals(program), alignment)


def in_place_bytes(program: Program, alignment: int) -> int:
    """As `aliasing.plan_aliasing` has it: results in place of operands, parts inside of wholes, views for slices."""
    return greedy_peak(shared_intervals(program, alignment), alignment)


def separate_intervals(program: Program) -> list[Interval]:
    """The live intervals of values that share nothing: concatenation, padding and slicing are copies."""
    owner = list(range(len(program.tensors)))
    for step in program.steps:
        if step.role is Role.RESHAPE:
            owner[step.results[0]] = owner[step.reads[0]]
    elsewhere = {owner[value] for value in program.returned}
    touches = ((number, owner[v]) for number, step in enumerate(program.steps) for v in (*step.reads, *step.results))
    kept = (at for at in touches if at[1] not in elsewhere and not program.tensors[at[1]].read_only)
    return _intervals(kept, program.sizes)


def shared_intervals(program: Program, alignment: int) -> list[Interval]:
    """The live intervals of storages; what moves nothing, such as a concatenation of parts in place, is no use."""
    plan = plan_aliasing(program.tensors, program.steps, program.returned, alignment)
    elsewhere = plan.results(program.returned)
    touches = ((number, plan.storage_of[value]) for number, value in _moved(program, plan))
    kept = (at for at in touches if at[1] not in elsewhere and not plan.storages[at[1]].read_only)
    return _intervals(kept, [max(program.sizes[v] for v in storage.members) for storage in plan.storages])


def _moved(program: Program, plan: Aliasing) -> Iterator[tuple[int, int]]:
    """Each step with the values that it really reads or writes; results that lie elsewhere are copied at the end."""
    for number, step in enumerate(program.steps):
        computes = step.role is Role.COMPUTE
        read = [source for i, source in enumerate(step.reads) if computes or (number, i) in plan.copies]
        yield from ((number, value) for value in read)
        yield from ((number, value) for value in step.results if computes or read)
    yield from ((len(program.steps), value) for value in program.returned)


def _intervals(touches: Iterable[tuple[int, int]], sizes: Sequence[int]) -> list[Interval]:
    """From the first step that touches a buffer to the last."""
    steps: dict[int, tuple[int, int]] = {}
    for number, buffer in touches:
        steps[buffer] = (steps.get(buffer, (number,))[0], number + 1)
    return [Interval(str(buffer), start, end, sizes[buffer]) for buffer, (start, end) in steps.items()]
