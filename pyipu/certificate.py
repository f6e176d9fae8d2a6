"""The memory certificate of a placed program: read off what will run, not off what was planned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.program import Execute, View
from pyipu.dialect.types import tensor_of
from pyipu.parameters import Parameters
from pyipu.passes.account import recorded_stages
from pyipu.passes.allocate import AllocateArena, arena_buffers, live_intervals
from pyipu.passes.functions import main_function
from pyipu.passes.session import place
from pyipu.plan import Buffer, BufferPart, Member, MemoryPlan


def memory_plan(module: ir.Module, parameters: Parameters, code_bytes: int) -> MemoryPlan:
    """The figures and buffers of a program to which `ipu-allocate` gave offsets, all in bytes."""
    main = main_function(module)
    arena, bound = (ir.IntegerAttr(main.attributes[f"ipu.{name}_bytes"]).value for name in ("arena", "lower_bound"))
    returned = main.regions[0].blocks[0].operations[-1].operands
    return MemoryPlan(
        arena_bytes=arena,
        lower_bound=bound,
        proved_optimal=arena == bound,
        stages=(*recorded_stages(main).items(), ("tile", arena)),
        result_bytes=sum(tensor_of(value).bytes for value in returned),
        parameter_bytes=parameters.size,
        code_bytes=code_bytes,
        buffers=tuple(_buffers(main)),
        order=_order(main),
    )


def _order(main: func.FuncOp) -> str:
    """How `ipu-schedule` chose the order, if it ran."""
    if "ipu.schedule" not in main.attributes:
        return "given"
    return ir.StringAttr(main.attributes["ipu.schedule"]).value


def _buffers(main: func.FuncOp) -> Iterator[Buffer]:
    allocations, members = arena_buffers(main), _members(main)
    for one in live_intervals(main, allocations, AllocateArena.alignment):
        allocation = allocations[one.name]
        held = tuple(members.get(allocation.result, ()))
        parts = tuple(BufferPart(*part) for part in one.parts)
        yield Buffer(one.name, one.size, allocation.offset or 0, one.start, one.end, held, parts)


def _members(main: func.FuncOp) -> dict[ir.Value, dict[Member, None]]:
    """What each buffer holds, in program order, each once."""
    members: dict[ir.Value, dict[Member, None]] = {}
    shown: dict[ir.Value, Member] = {}
    for op in ipu_ops(main.regions[0].blocks[0]):
        for view, member in _now_shown(op, shown):
            shown[view] = member
            members.setdefault(view.owner.operands[0], {})[member] = None
    return members


def _now_shown(op: Op, shown: Mapping[ir.Value, Member]) -> list[tuple[ir.Value, Member]]:
    """The views that `op` makes or writes, with what they show from then on; what it also reads it overwrites."""
    name = place(op.location)
    if isinstance(op, View):
        return [(op.result, Member(name, _first_byte(op)))]
    if not isinstance(op, Execute):
        return []
    operands = list(op.operands)
    read, written = operands[: -op.writes], operands[-op.writes :]
    dead = {view: shown[view].name for view in written if view in read}
    return [(view, Member(name, shown[view].offset, dead.get(view))) for view in written]


def _first_byte(view: View) -> int:
    pitches = [math.prod(view.whole[i + 1 :]) for i in range(len(view.whole))]
    elements = sum(offset * pitch for offset, pitch in zip(view.offsets, pitches, strict=True))
    return view.start + elements * view.tensor.numpy_dtype.itemsize
