"""Computes cheap values once more in front of late readers, where keeping them in between costs memory.

Cheap is what only moves elements or is element-wise. Without a budget what runs twice may take a small part of the
estimated time; with one, as much as it needs. See `planning/recomputing.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import KINDS
from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.movement import Broadcast, Reshape, Slice, Transpose
from pyipu.dialect.program import Constant, Parameter, Vertex
from pyipu.dialect.types import tensor_of
from pyipu.passes.account import program_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.inplace import Graph
from pyipu.passes.planning.recomputing import Again, Attempt, Costed, attempts
from pyipu.passes.planning.strip_bounds import DISPATCH, MEMORY_BYTES, MULTIPLY_ADDS
from pyipu.passes.session import Session


@dataclass(frozen=True)
class Recompute(Pass):
    """Runs cheap vertices again instead of keeping what they compute, where that lowers the peak."""

    NAME: ClassVar[str] = "ipu-recompute"

    peak: int = 0
    """Bytes: nothing runs again that is not needed to stay below, at any cost. By default cost counts, and no peak."""
    free: float = 0.015
    """The part of the estimated time that may be spent when there is no `peak` to stay below."""
    alignment: int = 64
    """Bytes: every buffer takes a multiple of it."""
    sums: bool = True
    """As in ipu-inplace: a residual may be where a sum of products starts."""

    def run(self, module: ir.Module, session: Session) -> None:
        cheap = {name for name, body in codelets(module).items() if _is_cheap(body)}
        main = main_function(module)
        if not any(isinstance(op, Vertex) and op.codelet in cheap for op in ipu_ops(main.regions[0].blocks[0])):
            return
        graph = Graph.read(module, self.sums)
        costed = Costed(program_of(graph), [_cost(op, cheap) for op in graph.ops], self.alignment)
        allowance = math.inf if self.peak else self.free * sum(map(_time, graph.ops))
        ops = [op.operation for op in graph.ops]
        for attempt in attempts(costed, allowance, self.peak):
            self._report(attempt, ops, session)
            if attempt.refusal is None:
                _repeat(attempt.again, ops)
                _note(main, attempt.new_peak)
        _erase_unread_views(graph.ops)

    def _report(self, attempt: Attempt, ops: list[ir.Operation], session: Session) -> None:
        count, where = len(attempt.again.steps), ops[attempt.again.source].location
        if attempt.refusal is not None:
            session.remark(self.NAME, where, f"kept, not computed again: {attempt.refusal}")
            return
        saved = f"the peak falls from {attempt.peak} to {attempt.new_peak} bytes"
        session.remark(self.NAME, where, f"computed again for a later reader (ops: {count}): {saved}")


def _is_cheap(codelet: func.FuncOp) -> bool:
    """Whether a codelet computes nothing but element by element."""
    ops = [op for op in codelet.regions[0].blocks[0].operations if isinstance(op, Op)]
    return all(op.elementwise or op.movement or isinstance(op, Broadcast | Transpose | Constant) for op in ops)


def _cost(op: Op, cheap: set[str]) -> float | None:
    """Microseconds to run an op again; None if it is not cheap."""
    if isinstance(op, Vertex):
        return _time(op) if op.codelet in cheap else None
    return 0.0 if isinstance(op, Slice | Reshape) else None


def _time(op: Op) -> float:
    """Microseconds that a vertex takes, by estimate: its multiply-adds, or what it reads and writes."""
    if not isinstance(op, Vertex):
        return 0.0
    result = tensor_of(op.results[0])
    weights = [tensor_of(value) for value in op.operands if isinstance(value.owner, Parameter)]
    elements = sum(weight.elements for weight in weights if weight.elements > max(weight.shape, default=1))
    pixels = result.elements // max(result.shape[-1], 1) if result.rank else 1
    return DISPATCH + max(pixels * elements / MULTIPLY_ADDS, _bytes(op) / MEMORY_BYTES)


def _bytes(op: Op) -> int:
    return sum(tensor_of(value).bytes for value in (*op.operands, *op.results))


def _repeat(again: Again, ops: list[ir.Operation]) -> None:
    """Copies ops to the place in front of `again.before`, in the IR and in the list."""
    copied: dict[ir.Value, ir.Value] = {}
    with ir.InsertionPoint(ops[again.before]):
        copies = [_copy(ops[number], copied) for number in again.steps]
    for op in ops[again.before :]:
        _read_copies(op, copied)
    ops[again.before : again.before] = copies


def _copy(op: ir.Operation, copied: dict[ir.Value, ir.Value]) -> ir.Operation:
    copy = op.operation.clone().operation
    _read_copies(copy, copied)
    copied.update(zip(op.results, copy.results, strict=True))
    return copy


def _read_copies(op: ir.Operation, copied: Mapping[ir.Value, ir.Value]) -> None:
    for i, value in enumerate(op.operands):
        if value in copied:
            op.operands[i] = copied[value]


def _note(main: func.FuncOp, peak: int) -> None:
    """The order is no longer what the schedule proved to be best: it has more steps."""
    if "ipu.schedule" in main.attributes:
        main.attributes["ipu.schedule"] = KINDS["str"].encode("heuristic")
        main.attributes["ipu.schedule_peak_bytes"] = KINDS["int"].encode(peak)


def _erase_unread_views(ops: list[Op]) -> None:
    for op in reversed([op for op in ops if isinstance(op, Slice | Reshape)]):
        if not list(op.results[0].uses):
            op.operation.erase()
