"""Random graphs compute the same before and after they are fused, aliased and placed in one poisoned arena."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu.dialect
from pyipu.passes.session import Session
from tests.passes.graphs import inputs_of, interpret, run
from tests.passes.random_graphs import random_module
from tests.placed import run_placed

PIPELINES = [
    "ipu-fuse,ipu-stream{peak=1},ipu-schedule,ipu-recompute{peak=1},ipu-inplace,ipu-allocate,ipu-outline,ipu-waves",
    "ipu-fuse,ipu-schedule,ipu-recompute{peak=1},ipu-inplace,ipu-allocate,ipu-waves",
    "ipu-canonicalize,ipu-layout,ipu-canonicalize,ipu-fuse,ipu-inplace{alignment=256},ipu-allocate{alignment=256}",
]


@pytest.mark.parametrize("pipeline", PIPELINES)
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_random_graph_computes_the_same_in_its_arena(pipeline: str, data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session)
        inputs = inputs_of(module)
        before = interpret(module, session.parameters, inputs)
        run(module, session, pipeline)
        note(str(module))
        after = run_placed(module, session.parameters, inputs)
    for expected, found in zip(before, after, strict=True):
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max()))
