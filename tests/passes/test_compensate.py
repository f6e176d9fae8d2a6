"""Biases that make up for rounded weights: means are estimated well, and what sums lose in the mean comes back."""

from __future__ import annotations

import numpy as np
import pytest
from iree.compiler import ir

from pyipu.dialect.windows import Conv
from pyipu.passes.estimates import walk
from pyipu.passes.functions import main_function
from pyipu.passes.session import Session
from tests.passes.graphs import interpret, ops, parsed, run

SOURCE, RESULT = "tensor<1x12x12x16xf32>", "tensor<1x12x12x64xf32>"

NETWORK = f"""func.func @main(%x: {SOURCE}) -> {RESULT} {{
  %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<3x3x16x32xf32>
  %b = "ipu.parameter"() {{key = "b"}} : () -> tensor<1x1x1x32xf32>
  %v = "ipu.parameter"() {{key = "v"}} : () -> tensor<1x1x32x64xf32>
  %p = "ipu.pad"(%x) {{low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 1, 1, 0>, interior = array<i64: 0, 0, 0, 0>,
    value = 0.0 : f64}} : ({SOURCE}) -> tensor<1x14x14x16xf32>
  %0 = "ipu.conv"(%p, %w) {{strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}}
    : (tensor<1x14x14x16xf32>, tensor<3x3x16x32xf32>) -> tensor<1x12x12x32xf32>
  %1 = "ipu.add"(%0, %b) : (tensor<1x12x12x32xf32>, tensor<1x1x1x32xf32>) -> tensor<1x12x12x32xf32>
  %2 = "ipu.relu"(%1) : (tensor<1x12x12x32xf32>) -> tensor<1x12x12x32xf32>
  %3 = "ipu.conv"(%2, %v) {{strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}}
    : (tensor<1x12x12x32xf32>, tensor<1x1x32x64xf32>) -> {RESULT}
  return %3 : {RESULT} }}"""
"""A convolution with a bias, and one without."""


def images(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    return [generator.standard_normal((1, 12, 12, 16), np.float32) for _ in range(count)]


def mean_of_channels(module: ir.Module, session: Session, count: int = 40) -> np.ndarray:
    """Over pixels of many images, [channels]."""
    results = [interpret(module, session.parameters, [image])[0] for image in images(count)]
    return np.concatenate(results).mean((0, 1, 2))


def test_means_are_estimated_well(context: ir.Context) -> None:
    module, session = parsed(NETWORK)
    block = main_function(module).regions[0].blocks[0]
    *_, estimated = [operands[0].mean for op, operands in walk(block, session.parameters) if isinstance(op, Conv)]
    inner, end = NETWORK.split('  %3 = "ipu.conv"')[0], "tensor<1x12x12x32xf32>"
    shortened, _ = parsed(f"{inner}  return %2 : {end} }}".replace(f"-> {RESULT}", f"-> {end}", 1))
    measured = mean_of_channels(shortened, session)
    assert np.abs(estimated.reshape(-1) - measured).max() < 0.05 * measured.max()


@pytest.mark.parametrize("rounded", ["bf16", "f16"])
def test_sums_are_exact_in_the_mean(context: ir.Context, rounded: str) -> None:
    exact, session = parsed(NETWORK)
    expected, lost = mean_of_channels(exact, session), []
    for option in ("", f"{{rounded={rounded}}}"):
        module, own = parsed(NETWORK)
        run(module, own, f"ipu-compensate{option},ipu-fuse,ipu-storage{{type={rounded}}}")
        lost.append(np.square(mean_of_channels(module, own) - expected).mean())
    assert 0 < lost[1] < 0.1 * lost[0]


def test_a_bias_is_corrected_and_a_sum_without_one_gets_one(context: ir.Context) -> None:
    module, session = parsed(NETWORK)
    run(module, session, "ipu-compensate{rounded=bf16}")
    assert ops(module) == ["pad", "conv", "add", "relu", "conv", "add"]
    keys = [key for key in session.parameters if "compensat" in key]
    assert keys == ["b.compensated", "v.compensation"]
    assert session.remarks == []
