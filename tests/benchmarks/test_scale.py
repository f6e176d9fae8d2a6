"""The synthetic networks that planning is measured on, and what counts as too slow or too large."""

from __future__ import annotations

from dataclasses import replace

import pytest
from iree.compiler import ir

from benchmarks.scale import JUDGED, PLANNING, Figures, complaints, measure
from benchmarks.synthetic import synthetic_graph
from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.movement import Concat, Pad
from pyipu.dialect.program import Vertex
from pyipu.passes import PASSES
from pyipu.passes.functions import main_function
from pyipu.passes.verifier import verify

FINE = Figures(
    JUDGED, {"ipu-allocate": 5.0}, total=30.0, cpu=30.0, peak_bytes=1 << 30, arena_bytes=1, lower_bound_bytes=1
)


def test_a_synthetic_graph_is_valid_and_holds_every_kind_of_movement(context: ir.Context) -> None:
    module = synthetic_graph(400)
    verify(module)
    ops = list(ipu_ops(main_function(module).regions[0].blocks[0]))
    assert 400 <= sum(isinstance(op, Vertex) for op in ops) < 400 + 64
    assert {Concat, Pad} < {type(op) for op in ops}


def test_equal_seeds_give_equal_graphs(context: ir.Context) -> None:
    assert str(synthetic_graph(100, seed=1)) == str(synthetic_graph(100, seed=1)) != str(synthetic_graph(100, seed=2))


def test_planning_is_measured_pass_by_pass() -> None:
    figures = measure(200)
    assert list(figures.passes) == [name for name in PLANNING if name in PASSES]
    assert 0 < figures.planning < figures.total
    assert 0 < figures.lower_bound_bytes <= figures.arena_bytes < figures.peak_bytes


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        (replace(FINE, total=61.0), "100,000 vertices take 61.0 s"),
        (replace(FINE, peak_bytes=3 << 30), "100,000 vertices take 3,221,225,472 bytes"),
    ],
)
def test_what_is_too_slow_or_too_large_is_said(figures: Figures, sentence: str) -> None:
    assert complaints([FINE]) == []
    assert complaints([figures]) == [sentence]


def test_growth_is_judged_per_doubling() -> None:
    assert complaints([FINE, replace(FINE, vertices=2 * JUDGED, cpu=75.0)]) == []
    assert complaints([FINE, replace(FINE, vertices=2 * JUDGED, cpu=75.1)]) == [
        "twice the vertices of 100,000 take 2.50 times as long"
    ]
    assert complaints([FINE, replace(FINE, vertices=4 * JUDGED, cpu=149.0)]) == []
