"""Whole networks whose tensors are stored in fewer bits: near to fp32, in half the arena, as it was planned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnx.parser
import pytest

import pyipu
from benchmarks.memory import measured_arena
from examples import zoo
from tests.availability import skip_unless_ci

pytestmark = pytest.mark.xdist_group("storage")

TOLERANCE = {"f16": 1e-2, "bf16": 1e-1, "int8": 1e-1}
"""The largest error against fp32, relative to the largest element: some 2 to 5 times of what is seen."""
WEIGHTS = {"f16": 0.52, "bf16": 0.52, "int8": 0.30}
"""The largest part of the bytes of the weights in fp32. Biases stay in fp32, and scales come to int8."""
ARENA = {"f16": 0.55, "bf16": 0.55, "int8": 1.0}

RESIDUAL = """<ir_version: 8, opset_import: ["": 17]>
residual (float[1, 32, 28, 28] x) => (float[1, 10] y)
<float[32, 32, 3, 3] w1, float[32] b1, float[32, 32, 3, 3] w2, float[64, 32, 1, 1] w3, float[64, 32, 1, 1] w4,
 float[64, 64, 1, 1] w5, float[64, 10] w6> {
  c1 = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
  r1 = Relu (c1)
  c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2)
  r2 = Relu (c2)
  c3 = Conv (r2, w3)
  c4 = Conv (r1, w4)
  s1 = Add (c3, c4)
  c5 = Conv (s1, w5)
  s2 = Add (c5, s1)
  p = GlobalAveragePool (s2)
  f = Flatten (p)
  y = MatMul (f, w6)
}"""
"""Two residual blocks, the first one with a projection."""


@dataclass(frozen=True)
class Network:
    model: onnx.ModelProto
    shapes: zoo.Shapes
    inputs: dict[str, np.ndarray]
    exact: pyipu.Executable


def _residual() -> tuple[onnx.ModelProto, zoo.Shapes, dict[str, np.ndarray]]:
    model, generator = onnx.parser.parse_model(RESIDUAL), np.random.default_rng(0)
    for weight in model.graph.value_info:
        shape = tuple(dim.dim_value for dim in weight.type.tensor_type.shape.dim)
        terms = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        array = generator.normal(0, np.sqrt(2 / terms), shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, weight.name))
    del model.graph.value_info[:]
    return model, {}, {"x": generator.normal(size=(1, 32, 28, 28)).astype(np.float32)}


@pytest.fixture(scope="module", params=["residual", "squeezenet", "text_direction", "magika"])
def network(request: pytest.FixtureRequest) -> Network:
    if request.param == "residual":
        model, shapes, inputs = _residual()
    else:
        chosen = zoo.model(request.param)
        try:
            model, shapes, inputs = chosen.load(), chosen.shapes, chosen.inputs()
        except zoo.ModelUnavailable as error:
            skip_unless_ci(error)
    return Network(model, shapes, inputs, pyipu.compile(model, shapes=shapes or None, threads=2))


@pytest.mark.parametrize("storage", TOLERANCE)
def test_a_network_is_small_and_near(network: Network, storage: str) -> None:
    executable = pyipu.compile(network.model, shapes=network.shapes or None, threads=2, storage=storage)
    found, expected = executable.run(network.inputs), network.exact.run(network.inputs)
    for name, exact in expected.items():
        assert found[name].dtype == exact.dtype
        assert 0 < np.abs(found[name] - exact).max() <= TOLERANCE[storage] * np.abs(exact).max()
    here, there = executable.memory, network.exact.memory
    assert here.arena_bytes <= ARENA[storage] * there.arena_bytes
    assert here.parameter_bytes <= WEIGHTS[storage] * there.parameter_bytes
    assert measured_arena(executable, network.inputs) == here.arena_bytes


@pytest.mark.parametrize("storage", ["f16", "bf16"])
def test_poison_changes_nothing(network: Network, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing reads what nobody wrote, and a residual that is updated in place is read before."""
    plain = pyipu.compile(network.model, shapes=network.shapes or None, threads=2, storage=storage)
    monkeypatch.setenv("PYIPU_POISON", "1")
    poisoned = pyipu.compile(network.model, shapes=network.shapes or None, threads=1, storage=storage)
    for name, expected in plain.run(network.inputs).items():
        np.testing.assert_array_equal(poisoned.run(network.inputs)[name], expected)


def test_long_rows_do_not_go_over_the_stack() -> None:
    graph = """<ir_version: 8, opset_import: ["": 17]>
    scores (float[4, 50000] x) => (float[4, 50000] y) { r = Tanh (x)  y = Softmax (r) }"""
    executable = pyipu.compile(onnx.parser.parse_model(graph), storage="f16")
    x = np.random.default_rng(0).normal(size=(4, 50000)).astype(np.float32)
    powers = np.exp(np.tanh(x).astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(executable(x), powers / powers.sum(-1, keepdims=True), rtol=2e-3)


def test_the_plan_says_how_tensors_are_stored() -> None:
    model, _, _ = _residual()
    plan = pyipu.compile(model, "null", storage="bf16").plan
    assert '"storage": "bf16"' in plan.to_json()
    assert pyipu.compile(model, "null").plan.storage is None


def test_an_unknown_storage_is_refused() -> None:
    with pytest.raises(pyipu.errors.StorageError, match=r"no storage 'fp8'; choose one of f16, bf16, int8, or None"):
        pyipu.compile(_residual()[0], "null", storage="fp8")


@pytest.mark.slow
@pytest.mark.parametrize("storage", TOLERANCE)
@pytest.mark.parametrize("target", ["vulkan", "cuda"])
def test_other_targets_compile_it(target: str, storage: str) -> None:
    assert pyipu.compile(_residual()[0], target, storage=storage).memory.arena_bytes > 0
