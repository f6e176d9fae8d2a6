"""A small model with an open dimension, for tests of what measures models."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.engines import Workload


def perceptron() -> onnx.ModelProto:
    """Two matrix products with a ReLU between: [batch, 64] -> [batch, 256] -> [batch, 32]."""
    generator = np.random.default_rng(0)
    shapes = {"hidden": (64, 256), "final": (256, 32)}
    weights = [
        numpy_helper.from_array(generator.standard_normal(shape, dtype=np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "hidden"], ["product"]),
        helper.make_node("Relu", ["product"], ["activation"]),
        helper.make_node("MatMul", ["activation", "final"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 32])]
    graph = helper.make_graph(nodes, "perceptron", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def workload(batch: int = 4) -> Workload:
    """The perceptron for inputs [batch, 64]: `batch * 64 * 256 + batch * 256 * 32` multiplications."""
    inputs = {"x": np.random.default_rng(1).standard_normal((batch, 64), dtype=np.float32)}
    return Workload(perceptron(), {"x": (batch, 64)}, inputs)
