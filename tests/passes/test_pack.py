"""Packed weights: the graph computes what it did before, with the expected ops."""

from __future__ import annotations

import pytest
from iree.compiler import ir

from pyipu.dialect.linear import PackedMatMul
from pyipu.dialect.program import Execute
from pyipu.dialect.types import tensor_of
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops
from tests.passes.graphs import conv, ops, rewritten, run


def packed(text: str) -> tuple[ir.Module, Session]:
    return rewritten(text, "ipu-pack")


def packed_shapes(module: ir.Module) -> list[tuple[int, ...]]:
    return [tensor_of(op.operands[1]).shape for op in all_ops(module) if isinstance(op, PackedMatMul)]


@pytest.mark.parametrize(
    ("filters", "groups", "blocks"),
    [(64, 1, (1, 2, 12, 32)), (48, 1, (1, 3, 12, 16)), (8, 1, (1, 1, 12, 8)), (64, 2, (2, 1, 6, 32))],
)
def test_pointwise_weights(context: ir.Context, filters: int, groups: int, blocks: tuple[int, ...]) -> None:
    weights = f"1x1x{12 // groups}x{filters}xf32"
    module, _ = packed(conv("1x5x6x12xf32", weights, f"1x5x6x{filters}xf32", groups=groups))
    assert ops(module) == ["packed_matmul", "relu"]
    assert packed_shapes(module) == [blocks]


def test_a_stride_becomes_a_slice(context: ir.Context) -> None:
    module, _ = packed(conv("1x5x6x4xf32", "1x1x4x32xf32", "1x3x3x32xf32", "2, 2"))
    assert ops(module) == ["slice", "packed_matmul", "relu"]


def test_few_filters_stay(context: ir.Context) -> None:
    module, _ = packed(conv("1x5x6x4xf32", "1x1x4x2xf32", "1x5x6x2xf32"))
    assert ops(module) == ["conv", "relu"]


@pytest.mark.parametrize(("window", "rows"), [(1, 6), (3, 4)])
def test_filters_fill_vectors_and_the_epilogue_comes_along(context: ir.Context, window: int, rows: int) -> None:
    result = f"1x{rows}x{rows}x20xf32"
    epilogue = f"""%b = "ipu.parameter"() {{key = "b"}} : () -> tensor<20xf32>
      %1 = "ipu.add"(%0, %b) : (tensor<{result}>, tensor<20xf32>) -> tensor<{result}>
      %2 = "ipu.sigmoid"(%1) : (tensor<{result}>) -> tensor<{result}>
      %y = "ipu.multiply"(%1, %2) : (tensor<{result}>, tensor<{result}>) -> tensor<{result}>"""
    module, _ = packed(conv("1x6x6x4xf32", f"{window}x{window}x4x20xf32", result, epilogue=epilogue))
    assert ops(module) == ["packed_matmul" if window == 1 else "conv", "add", "sigmoid", "multiply", "slice"]


def test_an_epilogue_ends_at_a_tensor_that_is_not_known(context: ir.Context) -> None:
    result = "1x6x6x12xf32"
    epilogue = f"""%y = "ipu.add"(%0, %x) : (tensor<{result}>, tensor<{result}>) -> tensor<{result}>"""
    module, _ = packed(conv(result, "1x1x12x12xf32", result, epilogue=epilogue))
    assert ops(module) == ["packed_matmul", "slice", "add"]


def test_groups_of_filters_fill_vectors(context: ir.Context) -> None:
    module, _ = packed(conv("1x5x6x12xf32", "1x1x6x20xf32", "1x5x6x20xf32", groups=2))
    assert ops(module) == ["packed_matmul", "relu", "slice", "slice", "concat"]
    assert packed_shapes(module) == [(2, 1, 6, 16)]


def test_groups_that_are_shuffled_are_cut_in_one_piece(context: ir.Context) -> None:
    epilogue = """%1 = "ipu.reshape"(%0) {shape = array<i64: 1, 5, 6, 2, 10>}
        : (tensor<1x5x6x20xf32>) -> tensor<1x5x6x2x10xf32>
      %2 = "ipu.transpose"(%1) {permutation = array<i64: 0, 1, 2, 4, 3>}
        : (tensor<1x5x6x2x10xf32>) -> tensor<1x5x6x10x2xf32>
      %y = "ipu.reshape"(%2) {shape = array<i64: 1, 5, 6, 20>} : (tensor<1x5x6x10x2xf32>) -> tensor<1x5x6x20xf32>"""
    module, _ = packed(conv("1x5x6x12xf32", "1x1x6x20xf32", "1x5x6x20xf32", groups=2, epilogue=epilogue))
    assert ops(module) == ["packed_matmul", "reshape", "slice", "interleave"]


def test_groups_are_added_where_they_lie(context: ir.Context) -> None:
    """A residual is read in groups, too, and no copy puts them side by side."""
    result = "1x5x6x20xf32"
    epilogue = f"""%1 = "ipu.softmax"(%r) {{axis = 3 : i64}} : (tensor<{result}>) -> tensor<{result}>
      %2 = "ipu.add"(%0, %1) : (tensor<{result}>, tensor<{result}>) -> tensor<{result}>
      %y = "ipu.relu"(%2) : (tensor<{result}>) -> tensor<{result}>"""
    text = conv("1x5x6x12xf32", "1x1x6x20xf32", result, groups=2, epilogue=epilogue)
    module, _ = packed(text.replace("%x: tensor<1x5x6x12xf32>", f"%x: tensor<1x5x6x12xf32>, %r: tensor<{result}>"))
    assert sorted(ops(module)) == sorted(
        ["softmax", "packed_matmul", "reshape", "slice", "reshape", "add", "relu", "reshape"]
    )


def test_groups_beside_a_tensor_of_channels_are_put_side_by_side(context: ir.Context) -> None:
    result = "1x5x6x20xf32"
    epilogue = f"""%y = "ipu.multiply"(%0, %r) : (tensor<{result}>, tensor<1x1x1x20xf32>) -> tensor<{result}>"""
    text = conv("1x5x6x12xf32", "1x1x6x20xf32", result, groups=2, epilogue=epilogue)
    module, _ = packed(text.replace("%x: tensor<1x5x6x12xf32>", "%x: tensor<1x5x6x12xf32>, %r: tensor<1x1x1x20xf32>"))
    assert ops(module) == ["packed_matmul", "slice", "slice", "concat", "multiply"]


def test_groups_with_a_window_are_convolutions_on_their_own(context: ir.Context) -> None:
    epilogue = """%b = "ipu.parameter"() {key = "b"} : () -> tensor<16xf32>
      %y = "ipu.add"(%0, %b) : (tensor<1x3x4x16xf32>, tensor<16xf32>) -> tensor<1x3x4x16xf32>"""
    module, _ = packed(conv("1x5x6x12xf32", "3x3x6x16xf32", "1x3x4x16xf32", groups=2, epilogue=epilogue))
    assert ops(module) == ["slice", "conv", "add", "slice", "conv", "add", "concat"]


def test_depthwise_convolutions_stay(context: ir.Context) -> None:
    module, _ = packed(conv("1x5x6x16xf32", "3x3x1x16xf32", "1x3x4x16xf32", groups=16))
    assert ops(module) == ["conv", "relu"]


def test_a_convolution_of_one_column_runs_along_a_row(context: ir.Context) -> None:
    module, _ = packed(conv("1x12x1x4xf32", "5x1x4x16xf32", "1x8x1x16xf32"))
    assert ops(module) == ["reshape", "conv", "relu", "reshape"]


@pytest.mark.parametrize(("rows", "columns", "blocks"), [(1, 40, (1, 2, 6, 32)), (3, 40, (1, 5, 6, 8))])
def test_a_single_row_takes_whole_blocks(context: ir.Context, rows: int, columns: int, blocks: tuple[int, ...]) -> None:
    module, _ = packed(f"""func.func @main(%x: tensor<{rows}x6xf32>) -> tensor<{rows}x{columns}xf32> {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<6x{columns}xf32>
      %0 = "ipu.matmul"(%x, %w) : (tensor<{rows}x6xf32>, tensor<6x{columns}xf32>) -> tensor<{rows}x{columns}xf32>
      return %0 : tensor<{rows}x{columns}xf32> }}""")
    assert packed_shapes(module) == [blocks]


def test_unknown_weights_stay(context: ir.Context) -> None:
    module, _ = packed("""func.func @main(%x: tensor<4x6xf32>, %w: tensor<6x32xf32>) -> tensor<4x32xf32> {
      %0 = "ipu.matmul"(%x, %w) : (tensor<4x6xf32>, tensor<6x32xf32>) -> tensor<4x32xf32>
      return %0 : tensor<4x32xf32> }""")
    assert ops(module) == ["matmul"]


def blocks(filters: int, bias: str) -> str:
    """A transposed convolution without overlap, with stride 2, and its bias and activation."""
    result = f"tensor<1x3x2x4x2x{filters}xf32>"
    return f"""func.func @main(%x: tensor<1x3x4x6xf32>) -> {result} {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<6x2x2x{filters}xf32>
      %b = "ipu.parameter"() {{key = "b"}} : () -> tensor<{bias}>
      %0 = "ipu.einsum"(%x, %w) {{equation = "nxyc,cijf->nxiyjf"}}
        : (tensor<1x3x4x6xf32>, tensor<6x2x2x{filters}xf32>) -> {result}
      %1 = "ipu.add"(%0, %b) : ({result}, tensor<{bias}>) -> {result}
      %y = "ipu.relu"(%1) : ({result}) -> {result}
      return %y : {result} }}"""


@pytest.mark.parametrize("bias", ["8xf32", "1x1x1x1x1x8xf32", "1xf32"])
def test_places_in_blocks_are_products_of_their_own(context: ir.Context, bias: str) -> None:
    module, _ = packed(blocks(8, bias))
    assert ops(module) == ["reshape", *["packed_matmul", "add", "relu"] * 4, *["concat"] * 3]
    assert packed_shapes(module) == [(1, 1, 6, 8)] * 4


@pytest.mark.parametrize("bias", ["1x3x1x1x1x1xf32", "1x1x1x1x2x8xf32"])
def test_blocks_whose_epilogue_tells_more_apart_than_filters_stay(context: ir.Context, bias: str) -> None:
    module, _ = packed(blocks(8, bias))
    assert ops(module) == ["einsum", "add", "relu"]


def test_blocks_of_few_filters_stay(context: ir.Context) -> None:
    module, _ = packed(blocks(1, "1xf32"))
    assert ops(module) == ["einsum", "add", "relu"]


def test_what_is_woven_is_written_into_the_padded_tensor(context: ir.Context) -> None:
    module, session = packed("""func.func @main(%x: tensor<1x5x6x2x4xf32>) -> tensor<1x7x8x8xf32> {
      %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 1, 2, 4, 3>}
        : (tensor<1x5x6x2x4xf32>) -> tensor<1x5x6x4x2xf32>
      %1 = "ipu.reshape"(%0) {shape = array<i64: 1, 5, 6, 8>} : (tensor<1x5x6x4x2xf32>) -> tensor<1x5x6x8xf32>
      %2 = "ipu.pad"(%1) {low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 1, 1, 0>,
        interior = array<i64: 0, 0, 0, 0>, value = 0.0 : f64} : (tensor<1x5x6x8xf32>) -> tensor<1x7x8x8xf32>
      return %2 : tensor<1x7x8x8xf32> }""")
    assert ops(module) == ["interleave", "pad"]
    run(module, session, "ipu-fuse,ipu-inplace")
    assert [op.codelet for op in all_ops(module) if isinstance(op, Execute)] == ["interleave_0"]
