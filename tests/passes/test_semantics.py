"""Random graphs compute the same before and after canonicalisation and layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu.dialect
from pyipu.passes.layout import bytes_moved
from pyipu.passes.session import Session
from tests.passes.graphs import inputs_of, interpret, run
from tests.passes.random_graphs import random_module

PIPELINES = [
    "ipu-canonicalize",
    "ipu-demand",
    "ipu-repeats",
    "ipu-layout",
    "ipu-canonicalize,ipu-layout,ipu-canonicalize",
]


@pytest.mark.parametrize("pipeline", PIPELINES)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_random_graph_computes_the_same(pipeline: str, data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session)
        note(str(module))
        inputs = inputs_of(module)
        before = interpret(module, session.parameters, inputs)
        run(module, session, pipeline)
        note(str(module))
        after = interpret(module, session.parameters, inputs)
    for expected, found in zip(before, after, strict=True):
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max()))


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_canonical_graphs_stay_as_they_are(data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session)
        run(module, session, "ipu-canonicalize")
        once = str(module)
        run(module, session, "ipu-canonicalize")
        assert str(module) == once


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_layout_never_moves_more_than_before(data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session)
        before = bytes_moved(module)
        run(module, session, "ipu-layout")
        assert bytes_moved(module) <= before
