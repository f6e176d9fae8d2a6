"""Smaller types in memory: what is computed stays near, and what is placed in an arena computes exactly that."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu
import pyipu.dialect
from pyipu.dialect.definition import complete, ipu_ops
from pyipu.dialect.types import tensor_of
from pyipu.passes.functions import main_function
from pyipu.passes.quantize import LARGEST, integers_of, scales_of
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops
from tests.passes.graphs import inputs_of, interpret, parsed, run
from tests.passes.random_graphs import random_module
from tests.placed import run_placed

BLOCK = """func.func @main(%x: tensor<1x6x8x32xf32>) -> tensor<1x6x8x32xf32> {
  %w = "ipu.parameter"() {key = "w"} : () -> tensor<3x3x32x32xf32>
  %v = "ipu.parameter"() {key = "v"} : () -> tensor<1x1x32x32xf32>
  %b = "ipu.parameter"() {key = "b"} : () -> tensor<32xf32>
  %r = "ipu.relu"(%x) : (tensor<1x6x8x32xf32>) -> tensor<1x6x8x32xf32>
  %p = "ipu.pad"(%r) {low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 1, 1, 0>, interior = array<i64: 0, 0, 0, 0>,
    value = 0.0 : f64} : (tensor<1x6x8x32xf32>) -> tensor<1x8x10x32xf32>
  %0 = "ipu.conv"(%p, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<1x8x10x32xf32>, tensor<3x3x32x32xf32>) -> tensor<1x6x8x32xf32>
  %1 = "ipu.add"(%0, %b) : (tensor<1x6x8x32xf32>, tensor<32xf32>) -> tensor<1x6x8x32xf32>
  %2 = "ipu.conv"(%1, %v) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}
    : (tensor<1x6x8x32xf32>, tensor<1x1x32x32xf32>) -> tensor<1x6x8x32xf32>
  %3 = "ipu.add"(%2, %r) : (tensor<1x6x8x32xf32>, tensor<1x6x8x32xf32>) -> tensor<1x6x8x32xf32>
  return %3 : tensor<1x6x8x32xf32> }"""
"""A residual block."""

PASSES = {"ipu-storage": 2e-3, "ipu-storage{type=bf16}": 2e-2, "ipu-quantize": 2e-2}
"""Each with the largest error of a block, relative to the largest element."""


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("one", PASSES)
def test_a_residual_block_stays_near(context: ir.Context, one: str) -> None:
    module, session = parsed(BLOCK)
    inputs = inputs_of(module)
    (expected,) = interpret(module, session.parameters, inputs)
    run(module, session, f"ipu-pack,ipu-fuse,{one}")
    (found,) = interpret(module, session.parameters, inputs)
    assert found.dtype == np.float32
    assert 0 < relative_error(found, expected) < PASSES[one]
    run(module, session, "ipu-stream{peak=1},ipu-inplace,ipu-allocate")
    (placed,) = run_placed(module, session.parameters, inputs)
    assert relative_error(placed, found) < PASSES[one] / 10


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("one", PASSES)
@given(data=st.data())
def test_a_random_graph_computes_the_same_in_its_arena(one: str, data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        module = random_module(data.draw, session, dtype="f32")
        inputs = inputs_of(module)
        run(module, session, f"ipu-fuse,{one}")
        before = interpret(module, session.parameters, inputs)
        run(module, session, "ipu-inplace,ipu-allocate,ipu-outline")
        note(str(module))
        after = run_placed(module, session.parameters, inputs)
    for expected, found in zip(before, after, strict=True):
        assert found.dtype in (np.float32, np.int64)
        np.testing.assert_array_equal(found, expected)


def test_a_weight_beyond_the_type_is_an_error(context: ir.Context) -> None:
    module, session = parsed(BLOCK)
    session.parameters["v"][0, 0, 3, 5] = 1e6
    run(module, session, "ipu-fuse,ipu-storage")
    with pytest.raises(pyipu.errors.StorageError, match=r"the weight 'v' has elements that f16 cannot hold"):
        session.parameters["v.f16"]
    module, session = parsed(BLOCK)
    session.parameters["v"][0, 0, 3, 5] = 1e6
    run(module, session, "ipu-fuse,ipu-storage{type=bf16}")
    assert session.parameters["v.bf16"].dtype == ml_dtypes.bfloat16


def test_vertices_that_share_a_codelet_get_their_own(context: ir.Context) -> None:
    text = """func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = "ipu.vertex"(%x) {codelet = @f} : (tensor<4xf32>) -> tensor<4xf32>
      %1 = "ipu.vertex"(%0) {codelet = @f} : (tensor<4xf32>) -> tensor<4xf32>
      return %1 : tensor<4xf32> }
    func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = "ipu.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32> }"""
    module, session = parsed(text)
    for op in ipu_ops(main_function(module).entry_block):
        complete(op)
    run(module, session, "ipu-storage")
    calls = [op for op in all_ops(module) if op.operation.name == "ipu.vertex"]
    assert len({op.codelet for op in calls}) == 2
    assert [tensor_of(op.results[0]).dtype for op in calls] == ["f16", "f32"]


def test_integers_are_the_nearest_steps() -> None:
    weights = np.random.default_rng(0).normal(size=(3, 3, 8, 16)).astype(np.float32) * np.logspace(-3, 3, 16)
    weights[..., 4] = 0
    summed = (0, 1, 2)
    integers, scales = integers_of(weights, summed), scales_of(weights, summed)
    assert integers.dtype == np.int8 and scales.shape == (1, 1, 1, 16)
    assert np.abs(integers).max() == LARGEST and not integers[..., 4].any()
    assert np.all(np.abs(integers * scales - weights) <= scales * 0.501)
