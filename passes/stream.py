"""Runs parts of the graph strip by strip: a few rows go through a chain of vertices before the next ones do.

Early layers have large activations and small weights. Only some rows of what lies between the vertices are ever in
memory, and nothing is computed twice: rows that the next strip needs again are kept. See `planning/row_strips.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.attributes import KINDS
from pyipu.passes.base import Pass
from pyipu.passes.functions import main_function
from pyipu.passes.planning.row_run import RowRun
from pyipu.passes.planning.streaming import Covered, Planners, Stretch, cheapest_stretches, free_stretches
from pyipu.passes.row_runs import Run, row_runs
from pyipu.passes.session import Session
from pyipu.passes.strip_writer import StripWriter


@dataclass(frozen=True)
class Stream(Pass):
    """Runs chains of vertices in strips of rows where that lowers the memory they need."""

    NAME: ClassVar[str] = "ipu-stream"

    peak: int = 0
    """Bytes: the cheapest strips are chosen whose estimated peak is not above it, or the least peak if there are none.
    By default the least peak is chosen among strips that cost nearly no time."""
    free: float = 0.008
    """The part of a run's estimated time that its strips may cost when no peak is asked for."""

    def run(self, module: ir.Module, session: Session) -> None:
        expected = 0
        for run in row_runs(module):
            chosen = self._chosen(run.rows, session.planners)
            expected = max(expected, chosen.peak)
            self._copy(run, chosen, session)
            if any(stretch.in_strips for stretch in chosen.cover):
                self._apply(replace(run, rows=chosen.run), chosen.cover, module, session)

        main_function(module).attributes["ipu.expected_bytes"] = KINDS["int"].encode(expected)

    def _chosen(self, rows: RowRun, planners: Planners) -> Covered:
        if self.peak:
            return cheapest_stretches(rows, self.peak, planners)
        return free_stretches(rows, self.free, planners)

    def _copy(self, run: Run, chosen: Covered, session: Session) -> None:
        for number in chosen.run.apart:
            run.op(number).operation.attributes["apart"] = ir.BoolAttr.get(True)
            session.remark(self.NAME, run.op(number).location, "copies what it concatenates, which waits for long")

    def _apply(self, run: Run, cover: tuple[Stretch, ...], module: ir.Module, session: Session) -> None:
        writer = StripWriter(run, module)
        for stretch in (stretch for stretch in cover if stretch.in_strips):
            steps = writer.write(stretch)
            where = run.op(stretch.end - 1).location
            session.remark(self.NAME, where, f"{stretch.end - stretch.first} ops run in {steps} strips")
        writer.finish()
