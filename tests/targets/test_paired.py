"""Codelets of pairs are loops over vectors where elements lie side by side, and tensors for IREE elsewhere."""

from __future__ import annotations

import re

from iree.compiler import ir

from pyipu.dialect.definition import Op, complete
from pyipu.dialect.program import Execute
from pyipu.dialect.tiles import Tiles
from pyipu.passes.functions import codelets
from pyipu.passes.verifier import all_ops
from pyipu.targets.binding import Interface
from pyipu.targets.executable import emit_function
from pyipu.targets.tiles import Processor
from tests.passes.graphs import parsed, run

STAGES = "ipu-fuse,ipu-storage{type=bf16},ipu-pair,ipu-inplace,ipu-allocate,ipu-outline"


def product(columns: int, filters: int, stride: int, tiles: Tiles) -> str:
    """The executable of [14, 16] times [16, filters], where channels lie `stride` apart."""
    module, session = parsed(
        f"""func.func @main(%x: tensor<14x{16 * stride}xf32>) -> tensor<14x{filters}xf32> {{
          %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<1x{filters // columns}x16x{columns}xf32>
          %0 = "ipu.softmax"(%x) {{axis = 1 : i64}} : (tensor<14x{16 * stride}xf32>) -> tensor<14x{16 * stride}xf32>
          %1 = "ipu.slice"(%0) {{offsets = array<i64: 0, 0>, sizes = array<i64: 14, 16>,
            strides = array<i64: 1, {stride}>}} : (tensor<14x{16 * stride}xf32>) -> tensor<14x16xf32>
          %2 = "ipu.packed_matmul"(%1, %w)
            : (tensor<14x16xf32>, tensor<1x{filters // columns}x16x{columns}xf32>) -> tensor<14x{filters}xf32>
          return %2 : tensor<14x{filters}xf32> }}"""
    )
    for op in (op for op in all_ops(module) if isinstance(op, Op)):
        complete(op)
    run(module, session, STAGES)
    last = [op for op in all_ops(module) if isinstance(op, Execute)][-1]
    return emit_function(last.codelet, Interface.of([last]), codelets(module)[last.codelet], tiles).text


def test_the_sums_of_a_tile_stay_in_registers(context: ir.Context) -> None:
    """Seven pixels times two vectors of filters, for two pairs of channels in a turn of the loop."""
    text = product(32, 64, 1, Processor())
    assert text.count("avx512bf16.dpbf16ps.512") == 2 * 7 * 2
    assert "no_pipeline" in text and len(re.findall(r"iter_args\(", text)) == 1


def test_eight_filters_are_half_a_vector(context: ir.Context) -> None:
    text = product(8, 24, 1, Processor())
    assert "avx512bf16.dpbf16ps.256" in text and "vector<16xf32>" not in text


def integers(tiles: Tiles) -> str:
    """The executable of integers [14, 16] times [16, 64]."""
    module, session = parsed(
        """func.func @main(%x: tensor<14x16xui8>) -> tensor<14x64xi32> {
          %w = "ipu.parameter"() {key = "w"} : () -> tensor<2x4x32x4xi8>
          %0 = "ipu.quad_conv"(%x, %w) {strides = array<i64>, dilations = array<i64>, groups = 1 : i64}
            : (tensor<14x16xui8>, tensor<2x4x32x4xi8>) -> tensor<14x64xi32>
          return %0 : tensor<14x64xi32> }"""
    )
    run(module, session, "ipu-fuse,ipu-inplace,ipu-allocate,ipu-outline")
    [last] = [op for op in all_ops(module) if isinstance(op, Execute)]
    return emit_function(last.codelet, Interface.of([last]), codelets(module)[last.codelet], tiles).text


def test_integers_are_multiplied_four_by_four(context: ir.Context) -> None:
    """Seven pixels times two vectors of filters, for two fours of channels in a turn of the loop."""
    text = integers(Processor(features=frozenset({"avx512vnni"})))
    assert text.count("avx512.vpdpbusd.512") == 2 * 7 * 2 and "muli %v" not in text


def test_bytes_are_multiplied_one_by_one_without_the_instruction(context: ir.Context) -> None:
    text = integers(Processor())
    assert "llvm.call_intrinsic" not in text and "no_pipeline" in text
    assert len(re.findall(r"arith.muli .* : vector<16xi32>", text)) == 4 * 2 * 7 * 2


def test_channels_that_lie_apart_are_left_to_the_code_generator(context: ir.Context) -> None:
    text = product(32, 64, 2, Processor())
    assert "linalg.generic" in text and "dpbf16ps" not in text and "no_pipeline" not in text


def test_only_targets_that_want_loops_get_them(context: ir.Context) -> None:
    assert "dpbf16ps" not in product(32, 64, 1, Tiles())
