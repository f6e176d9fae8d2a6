"""Convolutions of few pixels as sums of products: the graph computes what it did before, with the expected ops."""

from __future__ import annotations

import pytest
from iree.compiler import ir

from pyipu.dialect.program import Allocate, Execute
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops
from tests.passes.graphs import conv, ops, rewritten, run


def split(text: str) -> tuple[ir.Module, Session]:
    return rewritten(text, "ipu-taps")


FEW_PIXELS = conv("1x9x9x128xf32", "3x3x128x192xf32", "1x7x7x192xf32")


@pytest.mark.parametrize(
    ("source", "weights", "result", "strides", "taps"),
    [
        ("1x9x9x128xf32", "3x3x128x192xf32", "1x7x7x192xf32", "1, 1", 9),
        ("1x15x15x128xf32", "3x3x128x192xf32", "1x7x7x192xf32", "2, 2", 9),
        ("1x7x13x128xf32", "1x7x128x200xf32", "1x7x7x200xf32", "1, 1", 7),
    ],
)
def test_a_convolution_of_few_pixels_is_a_sum_over_taps(
    context: ir.Context, source: str, weights: str, result: str, strides: str, taps: int
) -> None:
    module, _ = split(conv(source, weights, result, strides))
    assert ops(module) == ["slice", "packed_matmul"] * taps + ["add"] * (taps - 1) + ["relu"]


def test_the_sums_of_taps_take_no_memory(context: ir.Context) -> None:
    module, session = split(FEW_PIXELS)
    run(module, session, "ipu-fuse,ipu-inplace")
    placed = list(all_ops(module))
    assert sum(isinstance(op, Execute) for op in placed) == 9
    assert sum(isinstance(op, Allocate) for op in placed) == 1


@pytest.mark.parametrize(
    "graph",
    [
        conv("1x10x11x128xf32", "3x3x128x192xf32", "1x8x9x192xf32"),
        conv("1x9x9x32xf32", "3x3x32x64xf32", "1x7x7x64xf32"),
    ],
    ids=["many pixels", "small taps"],
)
def test_other_convolutions_stay(context: ir.Context, graph: str) -> None:
    module, _ = split(graph)
    assert ops(module) == ["conv", "relu"]
