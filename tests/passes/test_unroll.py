"""Recurrent layers compute the same as one op, in blocks of columns, and step by step."""

import numpy as np
import pytest
from iree.compiler import ir

from pyipu.dialect import OPS
from tests.passes.graphs import inputs_of, interpret, ops, parsed, run

LAYER = """
func.func @main(%x: tensor<3x{batch}x{width}xf32>, %s: tensor<{n}x{batch}x64xf32>, %b: tensor<{n}x64xf32>)
    -> tensor<{rows}x{n}x{batch}x64xf32> {{
  %r = "ipu.parameter"() {{key = "r"}} : () -> tensor<{n}x1x64x{columns}xf32>
  %0 = "ipu.{op}"(%x, %r, {others}) {{direction = "{direction}"{more}}} : (tensor<3x{batch}x{width}xf32>,
    tensor<{n}x1x64x{columns}xf32>, {types}) -> tensor<{rows}x{n}x{batch}x64xf32>
  return %0 : tensor<{rows}x{n}x{batch}x64xf32>
}}
"""
STATE, BIAS = "tensor<{n}x{batch}x64xf32>", "tensor<{n}x64xf32>"
LAYERS = [
    ("lstm", "%s, %s", f"{STATE}, {STATE}", ", cells = true"),
    ("gru", "%b, %s", f"{BIAS}, {STATE}", ", linear_before_reset = false"),
    ("gru", "%b, %s", f"{BIAS}, {STATE}", ", linear_before_reset = true"),
    ("rnn", "%s", STATE, ""),
]


@pytest.mark.parametrize("pipeline", ["ipu-pack", "ipu-unroll", "ipu-pack,ipu-unroll"])
@pytest.mark.parametrize(("direction", "n", "batch"), [("forward", 1, 1), ("reverse", 1, 2), ("bidirectional", 2, 2)])
@pytest.mark.parametrize(("op", "others", "types", "more"), LAYERS)
def test_recurrent_layer_keeps_its_meaning(
    context: ir.Context, pipeline: str, direction: str, n: int, batch: int, op: str, others: str, types: str, more: str
) -> None:
    gates, types = OPS[f"ipu.{op}"].GATES, types.format(n=n, batch=batch)
    sizes = {"n": n, "batch": batch, "rows": 3 + ("cells" in more), "columns": gates * 64, "width": n * gates * 64}
    text = LAYER.format(op=op, others=others, types=types, more=more, direction=direction, **sizes)
    module, session = parsed(text)
    inputs = inputs_of(module)
    (expected,) = interpret(module, session.parameters, inputs)
    run(module, session, pipeline)
    (found,) = interpret(module, session.parameters, inputs)
    # Sums of fp32 in another order. Gates squash them, but a GRU's state, up to 3.5 here, goes on through each step.
    allowed = 1e-5 if op == "gru" else 1e-6
    np.testing.assert_allclose(found, expected, rtol=allowed, atol=allowed)
    assert (op in ops(module)) == ("unroll" not in pipeline)
