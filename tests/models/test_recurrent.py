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


def lstm(direction: str, batch: int, hidden: int) -> onnx.ModelProto:
    """A layer with seeded weights; its results are all states, the last ones and the last cells."""
    random, count = np.random.default_rng([batch, hidden]), DIRECTIONS[direction]
    shapes = {"w": (count, 4 * hidden, INPUTS), "r": (count, 4 * hidden, hidden), "b": (count, 8 * hidden)}
    weights = [numpy_helper.from_array(random.normal(0, 0.3, s).astype(np.float32), n) for n, s in shapes.items()]
    node = helper.make_node(
        "LSTM", ["x", "w", "r", "b"], ["y", "last", "cell"], direction=direction, hidden_size=hidden
    )
    results = {"y": (STEPS, count, batch, hidden), "last": (count, batch, hidden), "cell": (count, batch, hidden)}
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (STEPS, batch, INPUTS))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in results.items()]
    graph = helper.make_graph([node], "lstm", [x], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(
    ("direction", "batch", "hidden"),
    [("forward", 1, 32), ("bidirectional", 1, 64), ("reverse", 3, 12), ("bidirectional", 2, 25)],
)
@pytest.mark.parametrize(("storage", "tolerance"), [(None, 2e-6), ("f16", 5e-3)])
def test_lstm_agrees_with_onnxruntime(
    direction: str, batch: int, hidden: int, storage: str | None, tolerance: float
) -> None:
    model = lstm(direction, batch, hidden)
    inputs = {"x": np.random.default_rng(1).standard_normal((STEPS, batch, INPUTS), np.float32)}
    results = pyipu.compile(model, storage=storage, threads=2).run(inputs)
    for result, expected in zip(results.values(), run_reference(model, inputs), strict=True):
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
