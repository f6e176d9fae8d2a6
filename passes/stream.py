"""Runs parts of the graph strip by strip: a few rows go through a chain of vertices before the next ones do.

Early layers have large activations and small weights. Only a window of rows of what lies between the vertices is ever
in memory, and nothing is computed twice: rows that the next strip needs again are kept. See `planning/row_strips.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.movement import Concat, Pad
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.planning.row_strips import RowOp, RowUse, plan_strips
from pyipu.passes.planning.streaming import StreamOp, Stretch, choose_stretches
from pyipu.passes.row_uses import Dependence, dependence
from pyipu.passes.session import Session
from pyipu.passes.strip_writer import StripWriter


@dataclass(frozen=True)
class Run:
    """Consecutive ops of the main function that all work row by row, up to the last place where one value is alive."""

    ops: tuple[Op, ...]
    dependences: tuple[Dependence, ...]
    cuts: tuple[int, ...]

    def stream_ops(self) -> list[StreamOp]:
        """The run as the planner sees it; values from outside have the number -1."""
        number = {op.results[0]: i for i, op in enumerate(self.ops)}
        return [_stream_op(op, uses, number) for op, uses in zip(self.ops, self.dependences, strict=True)]

    def input_bytes(self) -> int:
        """Bytes of the tensors with rows that come from outside."""
        inside = {op.results[0] for op in self.ops}
        read = dict.fromkeys(op.operands[i] for op, uses in zip(self.ops, self.dependences, strict=True) for i in uses)
        outside = [value for value in read if value not in inside and not isinstance(value.owner, Parameter)]
        return sum(tensor_of(value).bytes for value in outside)


def _stream_op(op: Op, uses: Dependence, number: dict[ir.Value, int]) -> StreamOp:
    tensor = tensor_of(op.results[0])
    inner = tensor_of(op.operands[0]).shape[1] if isinstance(op, Pad) else None
    reads = tuple(RowUse(number.get(op.operands[i], -1), r.window, r.stride, r.low) for i, r in uses.items())
    known = [value for i, value in enumerate(op.operands) if i not in uses and isinstance(value.owner, Parameter)]
    users = [use.owner for use in op.results[0].uses]
    owners = [number[user.results[0]] for user in users if isinstance(user, Pad | Concat) and user.results[0] in number]
    rows = RowOp(tensor.shape[1], reads, inner)
    pixels = tensor.elements // tensor.shape[1] // tensor.shape[-1]
    return StreamOp(
        rows,
        tensor.bytes // tensor.shape[1],
        pixels,
        sum(tensor_of(value).bytes for value in known),
        owners[0] if owners else None,
    )


@dataclass(frozen=True)
class Stream(Pass):
    """Runs chains of vertices in strips of rows where that lowers the memory they need."""

    NAME: ClassVar[str] = "ipu-stream"

    pixels: int = 56
    """A strip of a vertex with weights has at least so many pixels: it reads all weights again."""

    def run(self, module: ir.Module, session: Session) -> None:
        for run in _runs(module):
            ops = run.stream_ops()
            for stretch in choose_stretches(ops, run.cuts, run.input_bytes(), self.pixels):
                self._apply(stretch, run, module, session)

    def _apply(self, stretch: Stretch, run: Run, module: ir.Module, session: Session) -> None:
        where = run.ops[stretch.end - 1].location
        if stretch.count == 1:
            return
        session.remark(self.NAME, where, f"{stretch.end - stretch.first} ops run in {stretch.count} strips")
        chosen = slice(stretch.first, stretch.end)
        ops, dependences = run.ops[chosen], run.dependences[chosen]
        writer = StripWriter(ops, dependences, module)
        number = {op.results[0]: i for i, op in enumerate(ops)}
        rows = [_stream_op(op, uses, number).rows for op, uses in zip(ops, dependences, strict=True)]
        for step in plan_strips(rows, stretch.count):
            for strip in step:
                writer.write(strip)
        writer.finish()


def _runs(module: ir.Module) -> list[Run]:
    """The longest stretches of ops that all work row by row."""
    bodies = codelets(module)
    runs: list[list[tuple[Op, Dependence]]] = [[]]
    for op in ipu_ops(main_function(module).regions[0].blocks[0]):
        if isinstance(op, Parameter):
            continue
        found = dependence(op, bodies)
        if found is None:
            runs.append([])
        else:
            runs[-1].append((op, found))
    return [run for members in runs if (run := _cut(members)) is not None]


def _cut(members: list[tuple[Op, Dependence]]) -> Run | None:
    cuts = _cuts([op for op, _ in members])
    if not cuts:
        return None
    kept = members[: cuts[-1] + 1]
    return Run(tuple(op for op, _ in kept), tuple(uses for _, uses in kept), tuple(cuts))


def _cuts(ops: Sequence[Op]) -> list[int]:
    """Positions behind which no value of an earlier op is read any more."""
    position = {op.operation: i for i, op in enumerate(ops)}
    cuts, reach = [], -1
    for i, op in enumerate(ops):
        if reach <= i:
            cuts.append(i)
        users = [position.get(use.owner.operation, len(ops)) for use in op.results[0].uses]
        reach = max([reach, *users])
    return cuts
