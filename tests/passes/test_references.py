"""What borders write, in bytes."""

import pytest
from iree.compiler import ir

import pyipu.dialect
from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Border
from pyipu.passes.functions import main_function
from pyipu.passes.references import FEW_RUNS, MOST_RUNS, border_bytes

PLACED = """
func.func @main() {{
  %buffer = "ipu.allocate"() {{size = 262144 : i64, space = "arena", offset = 128 : i64}} : () -> !ipu.buffer
  %padded = "ipu.view"(%buffer) {{start = 0 : i64, whole = array<i64: {pixels}, {channels}>, offsets = array<i64: 0, 0>,
    strides = array<i64: 1, 1>, tensor = tensor<{pixels}x4xf32>}} : (!ipu.buffer) -> !ipu.ref<tensor<{pixels}x4xf32>>
  %inside = "ipu.view"(%buffer) {{start = 0 : i64, whole = array<i64: {pixels}, {channels}>, offsets = array<i64: 0, 1>,
    strides = array<i64: 1, 1>, tensor = tensor<{pixels}x2xf32>}} : (!ipu.buffer) -> !ipu.ref<tensor<{pixels}x2xf32>>
  "ipu.border"(%padded, %inside) {{value = 0.0 : f64}} :
    (!ipu.ref<tensor<{pixels}x4xf32>>, !ipu.ref<tensor<{pixels}x2xf32>>) -> ()
  return
}}
"""


def written(pixels: int, channels: int) -> list[tuple[int, int]]:
    """By the border of channels 0 and 3 of so many pixels, in a buffer with so many channels."""
    with pyipu.dialect.context(), ir.Location.unknown():
        module = ir.Module.parse(PLACED.format(pixels=pixels, channels=channels))
        block = main_function(module).regions[0].blocks[0]
        (border,) = (op for op in ipu_ops(block) if isinstance(op, Border))
        return border_bytes(border)


def test_pieces_begin_where_the_buffer_lies():
    assert written(2, 4) == [(128, 4), (140, 8), (156, 4)]


@pytest.mark.parametrize("pixels", [FEW_RUNS, 2 * MOST_RUNS])
def test_a_border_in_many_short_pieces_fills_the_whole_tensor(pixels):
    assert written(pixels, 4) == [(128, pixels * 16)]


def test_a_border_in_many_pieces_leaves_the_rest_of_a_larger_buffer_alone():
    pieces = written(MOST_RUNS, 8)
    assert len(pieces) == 2 * MOST_RUNS
    assert all((begin - 128) % 32 in (0, 12) and length == 4 for begin, length in pieces)
