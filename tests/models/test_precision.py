"""Networks that multiply in bf16: the numbers are those of bf16 operands, memory is as planned, refusals are clear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper, numpy_helper

import pyipu
from benchmarks.memory import measured_arena
from pyipu import targets
from pyipu.compiler import lower, vertices
from pyipu.dialect.types import NUMPY_DTYPES
from pyipu.errors import PrecisionError
from pyipu.passes.planning import samples
from pyipu.targets.codegen import device_attribute
from tests.models.test_storage import Network, network

pytestmark = pytest.mark.xdist_group("precision")
__all__ = ["network"]

TOLERANCE = 1e-1
"""The largest error against fp32, relative to the largest element: some 4 times of what is seen."""

MEAN_MAGNITUDE = samples.elementwise(np.abs, [samples.standard(rank=0, seed=0)]).mean.item()
"""Of a normal number, as it is estimated."""

ONE_PLACE = 2**-8
"""bf16 has 8 significant bits: a sum between two numbers may be rounded to either; zeros are as exact as in fp32."""

# No package brings these instructions to a processor; what is emitted for it is tested without one in test_paired.py.
WITH_BF16 = pytest.mark.skipif(
    "+avx512bf16" not in device_attribute(targets.get("cpu")), reason="this processor has no AVX512-BF16"
)


@dataclass(frozen=True)
class Case:
    """A convolution of [1, channels, height, width]."""

    channels: int
    filters: int
    size: tuple[int, int]
    window: tuple[int, int] = (1, 1)
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def weights(self) -> np.ndarray:
        shape = (self.filters, self.channels // self.groups, *self.window)
        return _numbers(shape, 1) / np.float32(np.sqrt(np.prod(shape[1:])))

    @property
    def data(self) -> np.ndarray:
        return _numbers((1, self.channels, *self.size), 0)

    def model(self) -> onnx.ModelProto:
        """|x| is rounded to bf16; a bias follows the convolution, and the square of it."""
        steps = {"strides": [self.stride] * 2, "dilations": [self.dilation] * 2, "group": self.groups}
        nodes = [
            helper.make_node("Abs", ["x"], ["a"]),
            helper.make_node("Conv", ["a", "weights", "bias"], ["c"], **steps),
            helper.make_node("Mul", ["c", "c"], ["y"]),
        ]
        x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, self.data.shape)
        y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
        arrays = {"weights": self.weights, "bias": _numbers((self.filters,), 2)}
        initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        graph = helper.make_graph(nodes, "case", [x], [y], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def expected(self) -> np.ndarray:
        """In float64, of operands that are rounded to bf16; the bias makes up for those of the weights in the mean."""
        return self.computed_of(_rounded(np.abs(self.data)))

    def computed_of(self, data: np.ndarray) -> np.ndarray:
        """In float64, with weights that are rounded to bf16."""
        weights = _rounded(self.weights)
        bias = _numbers((self.filters,), 2) + _lost(self.weights)
        reach = [(extent - 1) * self.dilation + 1 for extent in self.window]
        views = np.lib.stride_tricks.sliding_window_view(data, reach, (2, 3))
        views = views[:, :, :: self.stride, :: self.stride, :: self.dilation, :: self.dilation]
        split = views.reshape(1, self.groups, -1, *views.shape[2:])
        grouped = weights.reshape(self.groups, -1, *weights.shape[1:])
        sums = np.einsum("ngcyxuv,gfcuv->ngfyx", split, grouped, optimize=True)
        sums = sums.reshape(1, self.filters, *sums.shape[3:]) + bias[:, None, None]
        return sums**2


def _numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(int(np.prod(shape))).astype(np.float32).reshape(shape)


def _lost(weights: np.ndarray) -> np.ndarray:
    """What sums of magnitudes of normal numbers lose in the mean where these weights are rounded, [filters]."""
    return np.asarray((weights - _rounded(weights)).sum((1, 2, 3)) * MEAN_MAGNITUDE)


def _rounded(array: np.ndarray) -> np.ndarray:
    return array.astype(NUMPY_DTYPES["bf16"]).astype(np.float64)


CASES = [
    Case(64, 96, (7, 7)),
    Case(6, 48, (5, 13)),
    Case(32, 16, (9, 17), stride=2),
    Case(16, 8, (6, 23)),
    Case(64, 1000, (1, 2)),
    Case(16, 32, (12, 10), window=(3, 3)),
    Case(10, 24, (15, 11), window=(5, 3), stride=2),
    Case(8, 64, (14, 14), window=(3, 3), dilation=2),
    Case(32, 64, (8, 7), groups=4),
    Case(16, 32, (8, 9), window=(3, 3), groups=2),
]


@WITH_BF16
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums_are_those_of_rounded_operands(case: Case) -> None:
    model = case.model()
    assert "dpbf16ps" in lower(model, targets.get("cpu"), precision="bf16").stream
    found, expected = pyipu.compile(model, threads=2, precision="bf16")(case.data), case.expected()
    np.testing.assert_allclose(found, expected, rtol=ONE_PLACE, atol=1e-6 * np.abs(expected).max())


@WITH_BF16
def test_a_single_row_reads_what_is_not_rounded() -> None:
    case = Case(64, 1000, (1, 1))
    found = pyipu.compile(case.model(), threads=2, precision="bf16")(case.data)
    expected = case.computed_of(np.abs(case.data).astype(np.float64))
    # The mean of the magnitude is an estimate, and takes part by as much as weights are rounded.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert np.abs(found - case.expected()).max() > 1e-3 * np.abs(expected).max()


EPILOGUES = {
    "sigmoid": ("y = Sigmoid (c)", lambda c: 1 / (1 + np.exp(-c))),
    "tanh": ("t = Tanh (c) m = Mul (t, c) y = Sub (m, c)", lambda c: np.tanh(c) * c - c),
    "leaky": ("y = LeakyRelu <alpha = 0.1> (c)", lambda c: np.where(c > 0, c, 0.1 * c)),
    "where": ("g = Greater (c, one) y = Where (g, c, channel)", lambda c: np.where(c > 1, c, CHANNEL)),
    "pixel": ("m = Mul (c, pixel) y = Clip (m, one, )", lambda c: np.maximum(c * PIXEL, 1)),
    "power": ("e = Exp (c) d = Add (e, one) y = Div (c, d)", lambda c: c / (np.exp(c) + 1)),
}
CHANNEL, PIXEL = _numbers((1, 32, 1, 1), 3), _numbers((1, 1, 6, 7), 4)


@WITH_BF16
@pytest.mark.parametrize("name", EPILOGUES)
def test_what_follows_runs_on_the_sums(name: str) -> None:
    """In the same vertex; its operands are numbers for each channel, for each pixel, or one for all of them."""
    nodes, meaning = EPILOGUES[name]
    graph = f"""<ir_version: 8, opset_import: ["": 17]>
    epilogue (float[1, 32, 6, 7] x) => (float[1, 32, 6, 7] y) {{ a = Abs (x) c = Conv (a, w) {nodes} }}"""
    model, case = onnx.parser.parse_model(graph), Case(32, 32, (6, 7))
    arrays = {"w": case.weights, "one": np.float32(1), "channel": CHANNEL, "pixel": PIXEL}
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), key) for key, array in arrays.items())
    lowered = lower(model, targets.get("cpu"), precision="bf16")
    assert "dpbf16ps" in lowered.stream
    assert len(vertices(lowered.module)) == len(["absolute", "transpose", "sums", "transpose"])
    sums = np.einsum("fc,ncyx->nfyx", _rounded(case.weights)[:, :, 0, 0], _rounded(np.abs(case.data)))
    expected = meaning(sums + _lost(case.weights)[:, None, None])
    found = pyipu.compile(model, threads=1, precision="bf16")(case.data)
    np.testing.assert_allclose(found, expected, rtol=ONE_PLACE, atol=1e-6 * np.abs(expected).max())


@WITH_BF16
def test_a_network_is_small_and_near(network: Network) -> None:
    executable = pyipu.compile(network.model, shapes=network.shapes or None, threads=2, precision="bf16")
    found, expected = executable.run(network.inputs), network.exact.run(network.inputs)
    for name, exact in expected.items():
        assert found[name].dtype == exact.dtype
        assert 0 < np.abs(found[name] - exact).max() <= TOLERANCE * np.abs(exact).max()
    assert executable.memory.parameter_bytes <= 0.52 * network.exact.memory.parameter_bytes
    assert measured_arena(executable, network.inputs) == executable.memory.arena_bytes


@WITH_BF16
def test_strips_and_poison_change_nothing(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = pyipu.compile(network.model, shapes=network.shapes or None, threads=2, precision="bf16")
    monkeypatch.setenv("PYIPU_POISON", "1")
    smallest = pyipu.compile(
        network.model, shapes=network.shapes or None, threads=1, precision="bf16", memory_budget="min"
    )
    assert smallest.memory.arena_bytes <= plain.memory.arena_bytes
    for name, expected in plain.run(network.inputs).items():
        np.testing.assert_array_equal(smallest.run(network.inputs)[name], expected)


@WITH_BF16
def test_the_plan_says_what_is_multiplied() -> None:
    plan = pyipu.compile(CASES[0].model(), precision="bf16").plan
    assert plan.precision == "bf16"
    assert '"precision": "bf16"' in plan.to_json()


REFUSALS = {
    "old": (targets.get("cpu").with_options(cpu="x86-64-v3"), {}, r"cpu='x86-64-v3' has no avx512bf16.*cpu='znver4'"),
    "vulkan": (
        targets.get("vulkan"),
        {},
        r"target 'vulkan' has no products in bf16: compile for 'cpu', or give storage",
    ),
    "storage": (targets.get("cpu"), {"storage": "int8"}, r"stores tensors so, too: leave storage='int8' out"),
    "unknown": (targets.get("cpu"), {"precision": "fp8"}, r"no precision 'fp8'; choose one of bf16, or None"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_cannot_be_is_refused(refusal: str) -> None:
    target, options, message = REFUSALS[refusal]
    with pytest.raises(PrecisionError, match=message):
        pyipu.compile(CASES[0].model(), target, **{"precision": "bf16", **options})
