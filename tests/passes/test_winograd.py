"""Winograd's form: the graph computes what it did before, with the expected ops; so does the code for a processor."""

from __future__ import annotations

import numpy as np
import pytest
from iree.compiler import ir
from onnx import ModelProto, TensorProto, helper, numpy_helper

import pyipu
from pyipu.passes.session import Session
from tests.passes.graphs import inputs_of, interpret, ops, parsed, run

STEPS = "strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64"

LARGEST_ERROR = 2e-6
"""Of the largest element: what README promises for tiles of 4 x 4 in fp32. Small elements are sums of large terms."""


def rewritten(source: str, weights: str, result: str) -> tuple[ir.Module, Session]:
    """A convolution of a padded tensor after the pass; it must compute what it did before."""
    batch, rows, columns, channels = (int(size) for size in source.split("x"))
    padded = f"{batch}x{rows + 2}x{columns + 2}x{channels}xf32"
    module, session = parsed(f"""func.func @main(%x: tensor<{source}xf32>) -> tensor<{result}xf32> {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<{weights}xf32>
      %0 = "ipu.pad"(%x) {{low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 1, 1, 0>,
        interior = array<i64: 0, 0, 0, 0>, value = 0.0 : f64}} : (tensor<{source}xf32>) -> tensor<{padded}>
      %1 = "ipu.conv"(%0, %w) {{{STEPS}}} : (tensor<{padded}>, tensor<{weights}xf32>) -> tensor<{result}xf32>
      return %1 : tensor<{result}xf32> }}""")
    inputs = inputs_of(module)
    before = interpret(module, session.parameters, inputs)
    run(module, session, "ipu-winograd")
    after = interpret(module, session.parameters, inputs)
    np.testing.assert_allclose(after[0], before[0], rtol=0, atol=LARGEST_ERROR * np.abs(before[0]).max())
    return module, session


WINOGRAD = ["pad", "winograd_input", "winograd_product", "winograd_output"]


@pytest.mark.parametrize(("rows", "columns"), [(16, 12), (15, 18), (13, 18)])
@pytest.mark.parametrize("batch", [1, 2])
def test_large_tiles(context: ir.Context, rows: int, columns: int, batch: int) -> None:
    module, session = rewritten(f"{batch}x{rows}x{columns}x64", "3x3x64x64", f"{batch}x{rows}x{columns}x64")
    assert ops(module) == WINOGRAD
    assert any(remark.message.startswith("runs in tiles of") for remark in session.remarks)


def test_a_small_convolution_stays(context: ir.Context) -> None:
    module, session = rewritten("1x8x8x8", "3x3x8x8", "1x8x8x8")
    assert ops(module) == ["pad", "conv"]
    assert [remark.message for remark in session.remarks] == ["is estimated to be faster as it is"]


def network(rows: int, columns: int, channels: int, filters: int, residual: bool) -> ModelProto:
    """A convolution with a bias, perhaps an addition, and a ReLU."""
    random = np.random.default_rng([rows, columns, channels])
    weights = random.standard_normal((filters, channels, 3, 3)).astype(np.float32) / np.sqrt(9 * channels)
    known = {"w": weights.astype(np.float32), "b": random.standard_normal(filters).astype(np.float32)}
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4)]
    if residual:
        nodes.append(helper.make_node("Add", ["c", "r"], ["a"]))
    nodes.append(helper.make_node("Relu", [nodes[-1].output[0]], ["y"]))
    shapes = {"x": (1, channels, rows, columns)} | ({"r": (1, filters, rows, columns)} if residual else {})
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, filters, rows, columns))
    initializers = [numpy_helper.from_array(array, name) for name, array in known.items()]
    graph = helper.make_graph(nodes, "network", inputs, [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def exact(model: ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """In double precision, by the definition of a convolution."""
    known = {one.name: numpy_helper.to_array(one).astype(np.float64) for one in model.graph.initializer}
    padded = np.pad(inputs["x"].astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    sums = np.einsum("nchwuv,fcuv->nfhw", windows, known["w"], optimize=True) + known["b"][:, None, None]
    return np.maximum(sums + inputs.get("r", 0), 0)


@pytest.mark.parametrize(
    ("rows", "columns", "channels", "filters", "residual"),
    [
        (8, 16, 64, 64, False),
        (12, 8, 64, 96, True),
        (13, 17, 64, 64, True),
        (30, 29, 88, 72, False),
        (9, 9, 256, 256, True),
    ],
)
def test_compiled_networks(rows: int, columns: int, channels: int, filters: int, residual: bool) -> None:
    model = network(rows, columns, channels, filters, residual)
    random = np.random.default_rng(0)
    shapes = {one.name: [d.dim_value for d in one.type.tensor_type.shape.dim] for one in model.graph.input}
    inputs = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    expected = exact(model, inputs)
    fast = pyipu.compile(model).run(inputs)["y"]
    direct = pyipu.compile(model, winograd=0).run(inputs)["y"]
    assert not np.array_equal(fast, direct), "the direct form was compiled both times"
    for found in (fast, direct):
        np.testing.assert_allclose(found, expected, rtol=0, atol=LARGEST_ERROR * np.abs(expected).max())
