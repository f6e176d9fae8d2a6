"""Images that are enlarged and added, as feature pyramids have them: the same numbers, without the large image."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from iree.compiler import ir

import pyipu
import pyipu.dialect
from pyipu.passes.session import Session
from tests.passes.graphs import inputs_of, interpret, run

_SMALL, _LARGE, _APART = "tensor<1x2x1x3x1x4xf32>", "tensor<1x4x6x4xf32>", "tensor<1x2x2x3x2x4xf32>"

PYRAMID = f"""
func.func @main(%x: {_SMALL}, %y: {_LARGE}, %f: tensor<1x1x1x4xf32>, %b: tensor<4xf32>) -> {_LARGE} {{
  %0 = "ipu.broadcast"(%x) {{shape = array<i64: 1, 2, 2, 3, 2, 4>}} : ({_SMALL}) -> {_APART}
  %1 = "ipu.reshape"(%0) {{shape = array<i64: 1, 4, 6, 4>}} : ({_APART}) -> {_LARGE}
  %2 = "ipu.multiply"(%y, %f) : ({_LARGE}, tensor<1x1x1x4xf32>) -> {_LARGE}
  %3 = "ipu.add"(%2, %b) : ({_LARGE}, tensor<4xf32>) -> {_LARGE}
  %4 = "ipu.subtract"(%3, %1) : ({_LARGE}, {_LARGE}) -> {_LARGE}
  return %4 : {_LARGE}
}}
"""


def test_what_is_enlarged_is_read_as_it_was():
    with pyipu.dialect.context(), ir.Location.unknown():
        module, session = ir.Module.parse(PYRAMID), Session()
        inputs = inputs_of(module)
        before = interpret(module, session.parameters, inputs)
        run(module, session, "ipu-repeats")
        assert "ipu.broadcast" not in str(module)
        np.testing.assert_array_equal(interpret(module, session.parameters, inputs), before)


@pytest.mark.xdist_group("call")
def test_a_pyramid_needs_no_room_for_the_enlarged_image():
    pyramid = onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["": 17]>
        pyramid (float[1,8,16,16] x, float[1,8,32,32] y) => (float[1,8,1,1] z) {
            coarse = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x)
            fine = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(y)
            scales = Constant<value_floats = [1.0, 1.0, 2.0, 2.0]>()
            large = Resize<mode = "nearest">(coarse, , scales)
            sum = Add(fine, large)
            z = GlobalAveragePool(sum)
        }""")
    sizes = [buffer.size for buffer in pyipu.compile(pyramid).memory.buffers]
    assert sizes.count(8 * 32 * 32 * 4) == 1
