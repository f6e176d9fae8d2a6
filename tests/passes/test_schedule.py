"""The bytes that the schedule counts are enough for what placement makes of random graphs."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu.dialect
from pyipu.passes.functions import main_function
from pyipu.passes.session import Session
from tests.passes.graphs import run
from tests.passes.random_graphs import random_module

ALIGNMENT = 16


def scheduled_peak(module: ir.Module) -> int:
    return ir.IntegerAttr(main_function(module).attributes["ipu.schedule_peak_bytes"]).value


def placed_bound(module: ir.Module) -> int:
    return ir.IntegerAttr(main_function(module).attributes["ipu.lower_bound_bytes"]).value


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_placement_needs_no_more_than_the_peak_which_is_never_above_the_given_one(data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session, longest=14)
        run(module, session, "ipu-canonicalize,ipu-fuse")
        run(module, session, f"ipu-schedule{{alignment={ALIGNMENT}}}")
        peak = scheduled_peak(module)
        given_peak = int(session.remarks[-1].message.split(" as given")[0].split()[-1])
        run(module, session, f"ipu-inplace{{alignment={ALIGNMENT}}},ipu-allocate{{alignment={ALIGNMENT}}}")
        assert placed_bound(module) <= peak <= given_peak
