"""Every buffer of the arena gets its offset, from the live intervals of the placed program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import KINDS
from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Allocate, Border, Execute
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import main_function
from pyipu.passes.planning.allocation import Allocation, Interval, allocate, lower_bound
from pyipu.passes.planning.lifetimes import Touch, live_interval
from pyipu.passes.planning.validation import validate
from pyipu.passes.references import accesses, base_of, border_bytes, bound_bytes, region_of
from pyipu.passes.session import Session


@dataclass(frozen=True)
class AllocateArena(Pass):
    """Places all buffers in one arena, and reports the lower bound next to the peak."""

    NAME: ClassVar[str] = "ipu-allocate"

    alignment: int = 64
    """Bytes: every buffer starts at a multiple of it."""
    time_limit: float = 2.0
    """Seconds, as searches are estimated to take them, after which the best offsets so far are taken, unless they met
    the lower bound or stalled before; the offsets are the same on every machine."""

    def run(self, module: ir.Module, session: Session) -> None:
        main = main_function(module)
        buffers = arena_buffers(main)
        intervals = live_intervals(main, buffers, self.alignment)
        allocation = allocate(intervals, alignment=self.alignment, time_limit=self.time_limit)
        validate(intervals, allocation, self.alignment)
        for name, op in buffers.items():
            op.attributes["offset"] = KINDS["int"].encode(allocation.offsets[name])
        _record(main, allocation)
        if not allocation.proved_optimal:
            excess = allocation.peak - allocation.lower_bound
            session.remark(self.NAME, main.location, f"the arena is {excess} bytes above its lower bound")

    def least(self, module: ir.Module) -> int:
        """Bytes that no arena can be smaller than, of a placed program; without looking for offsets."""
        main = main_function(module)
        return lower_bound(live_intervals(main, arena_buffers(main), self.alignment), self.alignment)


def arena_buffers(main: func.FuncOp) -> dict[str, Allocate]:
    """The buffers that need an offset, by a name that counts them in program order."""
    allocations = [op for op in ipu_ops(main.regions[0].blocks[0]) if isinstance(op, Allocate) and op.space == "arena"]
    return {f"buffer_{number}": op for number, op in enumerate(allocations)}


def steps(main: func.FuncOp) -> Iterator[Border | Execute]:
    """What runs, in order; a live interval counts these."""
    return (op for op in ipu_ops(main.regions[0].blocks[0]) if isinstance(op, Border | Execute))


def live_intervals(main: func.FuncOp, buffers: dict[str, Allocate], alignment: int) -> list[Interval]:
    """From the first to the last step that touches a buffer, and each part of it; sizes in bytes."""
    touches: dict[ir.Value, list[Touch]] = {}
    for number, op in enumerate(steps(main)):
        for base, begin, end in _touched(op):
            touches.setdefault(base, []).append(Touch(number, begin, end))
    return [live_interval(name, op.size, touches.get(op.results[0], []), alignment) for name, op in buffers.items()]


def _touched(op: Border | Execute) -> Iterator[tuple[ir.Value, int, int]]:
    """Buffers, and the bytes of them that a step writes or reads."""
    if isinstance(op, Border):
        base = base_of(op.operands[0])
        begin = bound_bytes(op.operands[0])[0] - op.operands[0].owner.start
        yield from ((base, offset - begin, offset - begin + length) for offset, length in border_bytes(op))
        return
    for reference in accesses(op):
        runs, itemsize = region_of(reference).runs, tensor_of(reference).numpy_dtype.itemsize
        yield base_of(reference), runs.begin * itemsize, runs.end * itemsize


def _record(main: func.FuncOp, allocation: Allocation) -> None:
    """The figures stand on the function, so that they are visible in the printed IR and reach plan.json."""
    figures = {
        "ipu.arena_bytes": allocation.peak,
        "ipu.lower_bound_bytes": allocation.lower_bound,
    }
    for name, value in figures.items():
        main.attributes[name] = KINDS["int"].encode(value)
    main.attributes["ipu.allocation_method"] = KINDS["str"].encode(allocation.method)
