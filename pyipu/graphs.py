"""A model as graphs whose memory can be planned, and the plans that passes make of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir

from pyipu.budget import Budget
from pyipu.observers import Observer
from pyipu.passes.functions import copy_of, main_function
from pyipu.passes.manager import PassManager, Pipeline
from pyipu.passes.session import Remark, Session


@dataclass(frozen=True)
class Planned:
    """A program whose memory is planned; all in bytes."""

    module: ir.Module
    arena_bytes: int
    expected_bytes: int
    remarks: Sequence[Remark]
    milliseconds: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Graph:
    """A module whose memory can be planned: the passes that take a peak get another one each time."""

    module: ir.Module
    pipelines: Sequence[Pipeline]
    session: Session
    milliseconds: Sequence[tuple[str, float]]
    observe: Observer

    @property
    def text(self) -> str:
        """The graph, with the locations by which buffers are called."""
        return str(self.module.operation.get_asm(enable_debug_info=True))

    def attempt(self, peak: int) -> Planned:
        return self._planned(copy_of(self.module), [pipeline.having(peak=peak) for pipeline in self.pipelines])

    def plan(self) -> Planned:
        return self._planned(self.module, self.pipelines)

    def _planned(self, module: ir.Module, pipelines: Sequence[Pipeline]) -> Planned:
        session = Session(self.session.parameters)
        milliseconds = [*self.milliseconds, *_run(pipelines, module, session, self.observe)]
        arena, remarks = _figure(module, "arena"), [*self.session.remarks, *session.remarks]
        return Planned(module, arena, _figure(module, "expected", arena), remarks, milliseconds)


def graphs_of(
    module: ir.Module,
    pipelines: Sequence[Pipeline],
    tiles: int,
    budget: Budget | None,
    session: Session,
    observe: Observer,
) -> list[Graph]:
    """The model with fast convolutions in tiles of that size; with a budget, which they may not fit, also without."""
    if budget is None:
        return [_graph(module, pipelines, tiles, session, observe)]
    sizes = dict.fromkeys([tiles, 0]) if any(pipeline.takes("largest") for pipeline in pipelines) else [0]
    copies = [(copy_of(module), size) for size in sizes]
    return [_graph(copied, pipelines, size, session, observe) for copied, size in copies]


def _graph(module: ir.Module, pipelines: Sequence[Pipeline], tiles: int, session: Session, observe: Observer) -> Graph:
    """Runs what comes before the passes that take a peak."""
    chosen = [pipeline.having(largest=tiles) for pipeline in pipelines]
    before = list(itertools.takewhile(lambda pipeline: not pipeline.takes("peak"), chosen))
    own = Session(session.parameters)
    milliseconds = _run(before, module, own, observe)
    return Graph(module, chosen[len(before) :], own, milliseconds, observe)


def _run(
    pipelines: Sequence[Pipeline], module: ir.Module, session: Session, observe: Observer
) -> list[tuple[str, float]]:
    """Runs pipelines one after the other and returns the milliseconds of each pass."""
    manager = PassManager(Pipeline(tuple(one for pipeline in pipelines for one in pipeline.passes)), observe=observe)
    manager.run(module, session)
    return manager.milliseconds


def _figure(module: ir.Module, name: str, otherwise: int = 0) -> int:
    """Bytes that a pass noted on the main function."""
    attributes = main_function(module).attributes
    return ir.IntegerAttr(attributes[f"ipu.{name}_bytes"]).value if f"ipu.{name}_bytes" in attributes else otherwise
