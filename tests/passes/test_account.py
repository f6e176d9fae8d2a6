"""What is recorded about a graph is what its placed program needs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu.dialect
from pyipu.passes.account import read_program, recorded_stages
from pyipu.passes.allocate import arena_buffers, live_intervals
from pyipu.passes.functions import main_function
from pyipu.passes.planning.allocation import lower_bound
from pyipu.passes.planning.stages import shared_intervals
from pyipu.passes.session import Session
from tests.passes.graphs import run
from tests.passes.random_graphs import random_module


@pytest.mark.parametrize("alignment", [64, 256])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_stage_in_place_has_the_lower_bound_of_the_placed_program(alignment: int, data: st.DataObject) -> None:
    session, option = Session(), f"{{alignment={alignment}}}"
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session)
        run(module, session, f"ipu-fuse,ipu-account{option}")
        bound = lower_bound(shared_intervals(read_program(module), alignment), alignment)
        run(module, session, f"ipu-inplace{option},ipu-allocate{option}")
        main = main_function(module)
        whole = [replace(one, parts=()) for one in live_intervals(main, arena_buffers(main), alignment)]
    stages = recorded_stages(main)
    assert ir.IntegerAttr(main.attributes["ipu.lower_bound_bytes"]).value <= bound <= stages["in-place"]
    assert lower_bound(whole, alignment) == bound
    assert stages["reuse"] <= stages["sum"]
