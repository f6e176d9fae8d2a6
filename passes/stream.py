"""Runs parts of the graph strip by strip: a few rows go through a chain of vertices before the next ones do.

Early layers have large activations and small weights. Only a window of rows of what lies between the vertices is ever in
memory, and nothing is computed twice: rows that the next strip needs again are kept. See `planning/row_strips.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.movement import Pad
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.planning.row_strips import RowOp, RowUse, plan_strips, window_rows
from pyipu.passes.row_uses import Dependence, dependence
from pyipu.passes.session import Session
from pyipu.passes.strip_writer import StripWriter


@dataclass(frozen=True)
class Region:
    """Consecutive ops of the main function of which only the last one's result is used outside."""

    ops: tuple[Op, ...]
    dependences: tuple[Dependence, ...]

    def row_ops(self) -> list[RowOp]:
        """The region as the planner sees it; values from outside count down from -1."""
        number = {op.results[0]: i for i, op in enumerate(self.ops)}
        return [
            RowOp(
                tensor_of(op.results[0]).shape[1],
                tuple(
                    RowUse(number.get(op.operands[i], -1), rows.window, rows.stride, rows.low)
                    for i, rows in uses.items()
                ),
                inner_rows=tensor_of(op.operands[0]).shape[1] if isinstance(op, Pad) else None,
            )
            for op, uses in zip(self.ops, self.dependences, strict=True)
        ]


@dataclass(frozen=True)
class Stream(Pass):
    """Splits chains of vertices into strips of rows where that lowers the memory they need."""

    NAME: ClassVar[str] = "ipu-stream"

    weights: int = 300_000
    """Bytes: a vertex with larger weights would read them from memory again for every strip."""
    rows: int = 4
    """Rows of a region's result per strip."""

    def run(self, module: ir.Module, session: Session) -> None:
        for region in self._regions(module):
            count = max(1, tensor_of(region.ops[-1].results[0]).shape[1] // self.rows)
            saved = _saved_bytes(region, count)
            where = region.ops[-1].location
            if saved <= 0:
                session.remark(self.NAME, where, f"{len(region.ops)} ops stay whole: strips would save no memory")
                continue
            session.remark(self.NAME, where, f"{len(region.ops)} ops run in {count} strips")
            _write(region, count, module)

    def _regions(self, module: ir.Module) -> list[Region]:
        """The longest runs of streamable ops, each cut back to where a single value leaves it."""
        bodies = codelets(module)
        runs: list[list[tuple[Op, Dependence]]] = [[]]
        for op in ipu_ops(main_function(module).regions[0].blocks[0]):
            if isinstance(op, Parameter):
                continue
            found = dependence(op, bodies) if self._has_small_weights(op) else None
            if found is None:
                runs.append([])
            else:
                runs[-1].append((op, found))
        return [region for run in runs for region in _single_exit_regions(run)]

    def _has_small_weights(self, op: Op) -> bool:
        weights = [tensor_of(value).bytes for value in op.operands if isinstance(value.owner, Parameter)]
        return not isinstance(op, Vertex) or sum(weights) <= self.weights


def _single_exit_regions(run: list[tuple[Op, Dependence]]) -> list[Region]:
    """Splits a run after every op behind which only that op's result is alive, and joins what is worth joining."""
    cuts = _cuts([op for op, _ in run])
    if not cuts:
        return []
    chosen = run[: cuts[-1] + 1]
    return [Region(tuple(op for op, _ in chosen), tuple(uses for _, uses in chosen))]


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


def _saved_bytes(region: Region, count: int) -> int:
    """Bytes that the values between the ops take whole, minus what their windows take."""
    rows = window_rows(region.row_ops(), count)
    tensors = [tensor_of(op.results[0]) for op in region.ops[:-1]]
    whole = max((tensor.bytes for tensor in tensors), default=0)
    windows = sum(t.bytes * held // t.shape[1] for t, held in zip(tensors, rows, strict=False))
    return whole - windows


def _write(region: Region, count: int, module: ir.Module) -> None:
    writer = StripWriter(region.ops, region.dependences, module)
    for step in plan_strips(region.row_ops(), count):
        for strip in step:
            writer.write(strip)
    writer.finish()


