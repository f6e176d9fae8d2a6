"""The bytes that the schedule counts are those that aliasing and live intervals make of random graphs."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu.dialect
from pyipu.passes.account import read_program
from pyipu.passes.functions import main_function
from pyipu.passes.planning.allocation import lower_bound
from pyipu.passes.planning.stages import shared_intervals
from pyipu.passes.session import Session
from tests.passes.graphs import run
from tests.passes.random_graphs import random_module

ALIGNMENT = 16


def arena_bound(module: ir.Module) -> int:
    return lower_bound(shared_intervals(read_program(module), ALIGNMENT), ALIGNMENT)


def scheduled_peak(module: ir.Module) -> int:
    return ir.IntegerAttr(main_function(module).attributes["ipu.schedule_peak_bytes"]).value


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_peak_is_what_placement_will_find_and_never_above_the_given_one(data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session, longest=14)
        run(module, session, "ipu-canonicalize,ipu-fuse")
        given_peak = arena_bound(module)
        run(module, session, f"ipu-schedule{{alignment={ALIGNMENT}}}")
        assert scheduled_peak(module) == arena_bound(module) <= given_peak
    assert f"{given_peak} as given" in session.remarks[-1].message
