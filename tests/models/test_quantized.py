"""Networks of 8-bit integers: exact sums, every processor, a quarter of the memory, and ONNX Runtime's results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import pyipu
from pyipu import targets
from pyipu.compiler import lower, vertices
from pyipu.dialect.types import tensor_of
from tests.pyipu.importer.running import run_reference

CPU = targets.get("cpu")
PROCESSORS = {"with VNNI": "znver4", "without": "x86-64-v3"}


def integers(shape: tuple[int, ...], dtype: type, seed: int) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(dtype)


@dataclass(frozen=True)
class Case:
    """A ConvInteger of so many channels and filters on pixels."""

    channels: int
    filters: int
    pixels: tuple[int, int]
    window: int = 1
    stride: int = 1
    groups: int = 1
    dtype: type = np.uint8
    zero: int = 0
    batch: int = 1
    dilation: int = 1

    def __str__(self) -> str:
        return f"{self.channels}-{self.filters}-{self.pixels}-{self.window}-{self.groups}-{self.dtype.__name__}"

    @property
    def data(self) -> np.ndarray:
        return integers((self.batch, self.channels, *self.pixels), self.dtype, 0)

    @property
    def weights(self) -> np.ndarray:
        return integers((self.filters, self.channels // self.groups, self.window, self.window), np.int8, 1)

    def model(self) -> onnx.ModelProto:
        steps = {"strides": [self.stride] * 2, "dilations": [self.dilation] * 2}
        node = helper.make_node(
            "ConvInteger", ["x", "w", "z"], ["y"], pads=[self.border] * 4, group=self.groups, **steps
        )
        known = [numpy_helper.from_array(self.weights, "w"), numpy_helper.from_array(self.dtype(self.zero), "z")]
        read = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(self.data.dtype), self.data.shape)
        made = helper.make_tensor_value_info("y", onnx.TensorProto.INT32, [self.batch, self.filters, None, None])
        return _model([node], [read], [made], known)

    @property
    def border(self) -> int:
        return self.window // 2 * self.dilation

    def expected(self) -> np.ndarray:
        reach, border = (self.window - 1) * self.dilation + 1, (self.border, self.border)
        moved = self.data.astype(np.int64) - self.zero
        padded = np.pad(moved, ((0, 0), (0, 0), border, border))
        every = np.lib.stride_tricks.sliding_window_view(padded, (reach, reach), (2, 3))
        views = every[:, :, :: self.stride, :: self.stride, :: self.dilation, :: self.dilation]
        split = views.reshape(self.batch, self.groups, -1, *views.shape[2:])
        grouped = self.weights.reshape(self.groups, -1, *self.weights.shape[1:])
        sums = np.einsum("ngcyxuv,gfcuv->ngfyx", split, grouped, dtype=np.int64)
        return sums.reshape(self.batch, self.filters, *sums.shape[3:])


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    known: list[onnx.TensorProto],
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "integers", inputs, outputs, known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


CASES = [
    Case(64, 96, (7, 7)),
    Case(4, 48, (5, 13), zero=128),
    Case(32, 16, (9, 17), stride=2),
    Case(64, 1000, (1, 1)),
    Case(3, 16, (12, 10), window=3, zero=7),
    Case(10, 24, (15, 11), window=5, stride=2),
    Case(32, 64, (8, 7), groups=4),
    Case(16, 16, (8, 9), window=3, groups=16, zero=255),
    Case(8, 32, (6, 6), window=3, dtype=np.int8, zero=-5),
    Case(8, 5, (6, 6), window=3),
    Case(64, 64, (6, 31), window=3, groups=64, zero=128, dilation=2),
    Case(24, 24, (11, 9), window=5, stride=2, groups=24, zero=3, batch=3),
]


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums_are_exact(case: Case, processor: str) -> None:
    """Emitted for a processor without the instructions they run on every one, as plain arithmetic."""
    target = CPU if processor == "with VNNI" else CPU.with_options(cpu=PROCESSORS[processor])
    found = pyipu.compile(case.model(), target, threads=1)(case.data)
    np.testing.assert_array_equal(found, case.expected())


@pytest.mark.parametrize("processor", PROCESSORS)
def test_instructions_are_those_of_the_processor(processor: str) -> None:
    stream = lower(CASES[0].model(), CPU.with_options(cpu=PROCESSORS[processor])).stream
    assert ("vpdpbusd" in stream) == (processor == "with VNNI")
    assert "no_pipeline" in stream


# A network as ONNX Runtime's tools write it ---------------------------------------------------------------------------


class Quantizing:
    """Writes nodes with QuantizeLinear and DequantizeLinear around what is computed; scales are near what is needed."""

    def __init__(self, activations: type, filters: bool) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.known: list[onnx.TensorProto] = []
        self.activations, self.filters = activations, filters
        self.random = np.random.default_rng(7)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        self.known.append(numpy_helper.from_array(np.asarray(array), f"c{len(self.known)}"))
        return self.known[-1].name

    def quantized(self, x: str, scale: float, signed: bool = False) -> str:
        """The numbers that integers of 8 bits stand for; those that are never negative use all of them."""
        limits = np.iinfo(self.activations)
        zero = (limits.max + limits.min + 1) // 2 if signed else limits.min
        steps = self.constant(np.float32(scale)), self.constant(self.activations(zero))
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *steps), *steps)

    def weights(self, *shape: int) -> tuple[str, np.ndarray]:
        scale = self.random.uniform(0.5, 1, shape[0] if self.filters else ()) / np.sqrt(np.prod(shape[1:])) / 50
        zeros = np.zeros(scale.shape, np.int8)
        array = self.random.integers(-127, 128, shape).astype(np.int8)
        names = (self.constant(one) for one in (array, scale.astype(np.float32), zeros))
        return self.node("DequantizeLinear", *names, axis=0), scale.astype(np.float32)

    def layer(self, kind: str, x: str, step: float, *shape: int, **attributes: object) -> str:
        """`step` is that of x: a bias is in steps of the products."""
        weights, scale = self.weights(*shape)
        steps = self.constant((np.float32(step) * scale).astype(np.float32))
        bias = self.constant(self.random.integers(-500, 500, shape[0]).astype(np.int32))
        return self.node(kind, x, weights, self.node("DequantizeLinear", bias, steps, axis=0), **attributes)


def network(activations: type, filters: bool) -> onnx.ModelProto:
    """Convolutions, one of each channel, a residual, two poolings and a product."""
    write, one = Quantizing(activations, filters), {"pads": [1, 1, 1, 1]}
    x = write.quantized("x", 0.03, signed=True)
    first = write.quantized(write.node("Relu", write.layer("Conv", x, 0.03, 16, 3, 3, 3, **one)), 0.02)
    pooled = write.quantized(write.node("MaxPool", first, kernel_shape=[3, 3], strides=[2, 2], **one), 0.02)
    second = write.quantized(write.node("Relu", write.layer("Conv", pooled, 0.02, 32, 16, 3, 3, **one)), 0.02)
    third = write.quantized(write.layer("Conv", second, 0.02, 32, 32, 1, 1), 0.025, signed=True)
    added = write.quantized(write.node("Relu", write.node("Add", third, second)), 0.03)
    each = write.quantized(write.layer("Conv", added, 0.03, 32, 1, 3, 3, group=32, **one), 0.04, signed=True)
    mean = write.quantized(write.node("GlobalAveragePool", each), 0.02, signed=True)
    flat = write.quantized(write.node("Flatten", mean), 0.02, signed=True)
    last = write.quantized(write.layer("Gemm", flat, 0.02, 10, 32, transB=1), 0.01, signed=True)
    read = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 32, 32])
    return _model(
        write.nodes, [read], [helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, [1, 10])], write.known
    )


NETWORKS = [(np.uint8, True), (np.int8, False)]
IMAGE = np.random.default_rng(3).standard_normal((1, 3, 32, 32)).astype(np.float32)
LAST_STEP = 0.01


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(("activations", "filters"), NETWORKS)
def test_a_network_gives_what_onnx_runtime_gives(activations: type, filters: bool, processor: str) -> None:
    """But for one step: sums of a mean and of a residual may be rounded from the other side of a half."""
    model = network(activations, filters)
    target = CPU if processor == "with VNNI" else CPU.with_options(cpu=PROCESSORS[processor])
    found, [expected] = pyipu.compile(model, target, threads=2)(IMAGE), run_reference(model, {"x": IMAGE})
    assert np.unique(expected).size > 5
    assert np.abs(found - expected).max() <= 1.01 * LAST_STEP


def test_activations_are_integers_in_memory() -> None:
    """Each product is one vertex with its residual and its rounding; only input and result are numbers."""
    lowered = lower(network(np.uint8, True), CPU)
    *written, scores, result = (tensor_of(op.operands[-1]) for op in vertices(lowered.module))
    assert len(written) == len(["quantized", "transposed", "4 products", "pooled", "of each channel", "mean"]) + 2
    assert {tensor.dtype for tensor in written} == {"ui8"} and scores.dtype == result.dtype == "f32"


def test_strips_and_poison_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(np.uint8, True)
    plain = pyipu.compile(model, threads=2)
    monkeypatch.setenv("PYIPU_POISON", "1")
    smallest = pyipu.compile(model, threads=1, memory_budget="min")
    assert smallest.memory.arena_bytes <= plain.memory.arena_bytes
    np.testing.assert_array_equal(smallest(IMAGE), plain(IMAGE))
