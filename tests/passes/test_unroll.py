"""Recurrent layers compute the same as one op, in blocks of columns, and step by step."""

import numpy as np
import pytest
from iree.compiler import ir

from tests.passes.graphs import inputs_of, interpret, ops, parsed, run

LAYER = """
func.func @main(%x: tensor<3x{batch}x{width}xf32>, %s: tensor<{n}x{batch}x64xf32>) -> tensor<4x{n}x{batch}x64xf32> {{
  %r = "ipu.parameter"() {{key = "r"}} : () -> tensor<{n}x1x64x256xf32>
  %0 = "ipu.lstm"(%x, %r, %s, %s) {{direction = "{direction}", cells = true}} : (tensor<3x{batch}x{width}xf32>,
    tensor<{n}x1x64x256xf32>, tensor<{n}x{batch}x64xf32>, tensor<{n}x{batch}x64xf32>) -> tensor<4x{n}x{batch}x64xf32>
  return %0 : tensor<4x{n}x{batch}x64xf32>
}}
"""


@pytest.mark.parametrize("pipeline", ["ipu-pack", "ipu-unroll", "ipu-pack,ipu-unroll"])
@pytest.mark.parametrize(("direction", "n", "batch"), [("forward", 1, 1), ("reverse", 1, 2), ("bidirectional", 2, 2)])
def test_recurrent_layer_keeps_its_meaning(
    context: ir.Context, pipeline: str, direction: str, n: int, batch: int
) -> None:
    text = LAYER.format(direction=direction, n=n, batch=batch, width=n * 256)
    module, session = parsed(text)
    inputs = inputs_of(module)
    (expected,) = interpret(module, session.parameters, inputs)
    run(module, session, pipeline)
    (found,) = interpret(module, session.parameters, inputs)
    # Sums of fp32 in another order, of values below one.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert ("lstm" in ops(module)) == ("unroll" not in pipeline)
