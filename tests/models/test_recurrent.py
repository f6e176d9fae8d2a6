"""Recurrent layers on the processor: one vertex per layer, each direction a workgroup, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import pyipu
from tests.pyipu.importer.running import run_reference

STEPS, INPUTS = 5, 8
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
LAYERS = [("LSTM", 4, {}), ("GRU", 3, {}), ("GRU", 3, {"linear_before_reset": 1}), ("RNN", 1, {})]


def layer(
    operator: str, gates: int, attributes: dict[str, int], direction: str, batch: int, hidden: int
) -> onnx.ModelProto:
    """A layer with seeded weights; its results are all states, and the last ones of each kind."""
    random, count = np.random.default_rng([batch, hidden]), DIRECTIONS[direction]
    shapes = {"w": (gates * hidden, INPUTS), "r": (gates * hidden, hidden), "b": (2 * gates * hidden,)}
    drawn = {name: random.normal(0, 0.3, (count, *shape)) for name, shape in shapes.items()}
    weights = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in drawn.items()]
    state = (count, batch, hidden)
    inputs = {"x": (STEPS, batch, INPUTS), "before": state}
    results = {"y": (STEPS, *state), "last": state, **({"cell": state} if operator == "LSTM" else {})}
    node = helper.make_node(
        operator,
        ["x", "w", "r", "b", "", "before"],
        list(results),
        direction=direction,
        hidden_size=hidden,
        **attributes,
    )
    graph = helper.make_graph([node], "layer", _values(inputs), _values(results), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _values(shapes: dict[str, tuple[int, ...]]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]


@pytest.mark.parametrize(
    ("direction", "batch", "hidden"),
    [("forward", 1, 32), ("bidirectional", 1, 64), ("reverse", 3, 12), ("bidirectional", 2, 25)],
)
@pytest.mark.parametrize(("storage", "tolerance"), [(None, 2e-6), ("f16", 5e-3)])
@pytest.mark.parametrize(("operator", "gates", "attributes"), LAYERS)
def test_recurrent_layer_agrees_with_onnxruntime(
    operator: str,
    gates: int,
    attributes: dict[str, int],
    direction: str,
    batch: int,
    hidden: int,
    storage: str | None,
    tolerance: float,
) -> None:
    model = layer(operator, gates, attributes, direction, batch, hidden)
    count, random = DIRECTIONS[direction], np.random.default_rng(1)
    shapes = {"x": (STEPS, batch, INPUTS), "before": (count, batch, hidden)}
    inputs = {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    results = pyipu.compile(model, storage=storage, threads=2).run(inputs)
    for result, expected in zip(results.values(), run_reference(model, inputs), strict=True):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
