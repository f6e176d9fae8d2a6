"""Of two plans without a budget the one with fewer strips is taken where its arena is no larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from iree.compiler import ir

from pyipu.graphs import FEWER, Graph
from pyipu.passes.manager import Pipeline
from pyipu.passes.planning.streaming import Planners
from pyipu.passes.session import Session
from pyipu.passes.stream import Stream


@dataclass
class Plan:
    expected_bytes: int
    least_bytes: int
    arena: int | None

    @property
    def arena_bytes(self) -> int:
        assert self.arena is not None, "its offsets are searched in vain"
        return self.arena


FIRST = Plan(100, 90, 90)


@pytest.mark.parametrize(
    ("other", "is_taken"),
    [
        (Plan(120, 90, 90), True),
        (Plan(120, 80, 85), True),
        (Plan(120, 80, 95), False),
        (Plan(120, 91, None), False),
        (Plan(100, 80, None), False),
    ],
    ids=["the same arena", "a smaller one", "a larger one", "certainly a larger one", "the same strips"],
)
def test_fewer_strips_are_taken_where_they_need_no_more(
    monkeypatch: pytest.MonkeyPatch, context: ir.Context, other: Plan, is_taken: bool
) -> None:
    plans = {Stream.free: FIRST, Stream.free * FEWER: other}

    def planned(graph: Graph, pipelines: Sequence[Pipeline], planners: Planners) -> Plan:
        [strips] = [one for one in pipelines[0].passes if isinstance(one, Stream)]
        return plans[strips.free]

    monkeypatch.setattr(Graph, "_planned", planned)
    assert graph("ipu-stream,ipu-schedule").plan() is (other if is_taken else FIRST)


def test_targets_without_strips_plan_once(monkeypatch: pytest.MonkeyPatch, context: ir.Context) -> None:
    made: list[Sequence[Pipeline]] = []
    monkeypatch.setattr(Graph, "_planned", lambda graph, pipelines, planners: made.append(pipelines))
    graph("ipu-schedule").plan()
    assert len(made) == 1


def graph(pipeline: str) -> Graph:
    with ir.Location.unknown():
        module = ir.Module.create()
    return Graph(module, [Pipeline.parse(pipeline)], Session(), [], lambda name, module: None)
