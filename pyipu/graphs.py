"""A model as graphs whose memory can be planned, and the plans that passes make of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from iree.compiler import ir

from pyipu.budget import Budget
from pyipu.dialect.winograd import WinogradProduct
from pyipu.observers import Observer
from pyipu.passes.allocate import AllocateArena
from pyipu.passes.functions import copy_of, main_function
from pyipu.passes.manager import PassManager, Pipeline, joined
from pyipu.passes.planning.streaming import Planners
from pyipu.passes.session import Remark, Session
from pyipu.passes.stream import Stream
from pyipu.passes.verifier import all_ops


@dataclass(eq=False)
class Planned:
    """A program whose memory is planned step by step, no further than its figures are asked for; all in bytes."""

    module: ir.Module
    left: Pipeline
    """The passes that have not run yet."""
    session: Session
    milliseconds: list[tuple[str, float]]
    """Time per pass."""
    observe: Observer

    @property
    def remarks(self) -> Sequence[Remark]:
        return self.session.remarks

    @cached_property
    def expected_bytes(self) -> int:
        """What strips were expected to need; the arena on targets that have none."""
        self._run(self.left.until_behind(Stream.NAME))
        expected = _figure(self.module, "expected")
        return self.arena_bytes if expected is None else expected

    @cached_property
    def least_bytes(self) -> int:
        """The lower bound of the arena."""
        self._run(self.left.until(AllocateArena.NAME))
        waiting = [one for one in self.left.passes if isinstance(one, AllocateArena)]
        return waiting[0].least(self.module) if waiting else self.arena_bytes

    @cached_property
    def arena_bytes(self) -> int:
        self._run(self.left.until_behind(AllocateArena.NAME))
        return _figure(self.module, "arena") or 0

    def finished(self) -> Planned:
        """The same, with nothing left to run."""
        self._run(self.left)
        return self

    def _run(self, some: Pipeline) -> None:
        """Runs the first of the passes that are left."""
        self.milliseconds += _run([some], self.module, self.session, self.observe)
        self.left = Pipeline(self.left.passes[len(some.passes) :])


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

    def attempts(self) -> Callable[[int], Planned]:
        """What makes a plan for a peak; asked for the same peaks in the same order, it makes the same ones."""
        planners = Planners()
        return lambda peak: self._planned(
            copy_of(self.module), [one.having(peak=peak) for one in self.pipelines], planners
        )

    def plan(self) -> Planned:
        return self._planned(self.module, self.pipelines, Planners())

    def _planned(self, module: ir.Module, pipelines: Sequence[Pipeline], planners: Planners) -> Planned:
        session = replace(self.session, remarks=[*self.session.remarks], planners=planners)
        return Planned(module, joined(pipelines), session, [*self.milliseconds], self.observe)


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
    direct = copy_of(module)
    first = _graph(module, pipelines, tiles, session, observe)
    if not any(isinstance(op, WinogradProduct) for op in all_ops(first.module)):
        return [first]
    return [first, _graph(direct, pipelines, 0, session, observe)]


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
    manager = PassManager(joined(pipelines), observe=observe)
    if manager.pipeline.passes:
        manager.run(module, session)
    return manager.milliseconds


def _figure(module: ir.Module, name: str) -> int | None:
    """Bytes that a pass noted on the main function."""
    attributes = main_function(module).attributes
    return ir.IntegerAttr(attributes[f"ipu.{name}_bytes"]).value if f"ipu.{name}_bytes" in attributes else None
