"""Channels that are shuffled between groups are computed in their order: one product, and nothing is moved."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import pyipu
from pyipu import targets
from pyipu.compiler import lower
from tests.availability import OLDER

CPU = targets.get("cpu")


@dataclass(frozen=True)
class Case:
    """A pointwise convolution in groups, a bias, ReLU, a shuffle, and the maxima of windows of 3 x 3 pixels."""

    channels: int
    filters: int
    groups: int
    pixels: tuple[int, int] = (7, 14)
    stride: int = 1
    batch: int = 1
    others: int | None = None
    """The groups that are shuffled, if they are not those of the convolution."""

    def __str__(self) -> str:
        return f"{self.channels}-{self.filters}-{self.groups}-{self.pixels}-{self.stride}-{self.batch}"

    @property
    def size(self) -> tuple[int, int]:
        return -(-self.pixels[0] // self.stride), -(-self.pixels[1] // self.stride)

    @property
    def data(self) -> np.ndarray:
        return random((self.batch, self.channels, *self.pixels), 0)

    @property
    def weights(self) -> np.ndarray:
        return random((self.filters, self.channels // self.groups, 1, 1), 1)

    @property
    def bias(self) -> np.ndarray:
        return random((self.filters,), 2)

    def model(self) -> onnx.ModelProto:
        groups = self.others or self.groups
        split = [self.batch, groups, self.filters // groups, *self.size]
        result = [self.batch, self.filters, *self.size]
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], group=self.groups, strides=[self.stride] * 2),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Reshape", ["r", "split"], ["s"]),
            helper.make_node("Transpose", ["s"], ["t"], perm=[0, 2, 1, 3, 4]),
            helper.make_node("Reshape", ["t", "result"], ["z"]),
            helper.make_node("MaxPool", ["z"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        ]
        known = {"w": self.weights, "b": self.bias, "split": np.array(split), "result": np.array(result)}
        read, made = (
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in (("x", self.data.shape), ("y", result))
        )
        initializers = [numpy_helper.from_array(array, name) for name, array in known.items()]
        graph = helper.make_graph(nodes, "main", [read], [made], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)

    def expected(self) -> np.ndarray:
        reached = self.data[:, :, :: self.stride, :: self.stride].astype(np.float64)
        split = reached.reshape(self.batch, self.groups, -1, *self.size)
        matrices = self.weights.reshape(self.groups, self.filters // self.groups, -1)
        sums = np.einsum("ngchw,gfc->ngfhw", split, matrices).reshape(self.batch, self.filters, *self.size)
        added = np.maximum(sums + self.bias[:, np.newaxis, np.newaxis], 0)
        groups = self.others or self.groups
        shuffled = added.reshape(self.batch, groups, -1, *self.size).swapaxes(1, 2).reshape(added.shape)
        bordered = np.pad(shuffled, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        return np.lib.stride_tricks.sliding_window_view(bordered, (3, 3), (2, 3)).max((-2, -1))


def random(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


SHUFFLED = [
    Case(16, 32, 2),
    Case(24, 112, 4),
    Case(68, 136, 4, (6, 28)),
    Case(68, 272, 4, (14, 14), stride=2),
    Case(24, 64, 8, (5, 9)),
    Case(32, 32, 16, (3, 5), batch=2),
    Case(16, 32, 8, (13, 1)),
]

MANY = Case(4100, 16, 2, (3, 4))
"""More channels than are copied at once."""

OTHERS = [Case(12, 24, 3), Case(12, 20, 2), Case(16, 32, 4, others=2), Case(16, 32, 2, others=4)]
"""Groups that vectors cannot hold side by side, filters that fill none, and shuffles of other groups."""


def check(case: Case, found: np.ndarray, rounding: float = 2**-24) -> None:
    """Roundings add up like a random walk; three times its length is allowed (Higham and Mary, 2019)."""
    tolerance = 3 * rounding * np.sqrt(case.channels // case.groups)
    np.testing.assert_allclose(found, case.expected(), rtol=0, atol=tolerance * np.abs(case.expected()).max())


@pytest.mark.parametrize("case", SHUFFLED, ids=str)
def test_shuffled_channels_are_one_product(case: Case) -> None:
    program = lower(case.model(), CPU).stream
    assert "@shuffled_matmul" in program and "@interleave" not in program
    check(case, pyipu.compile(case.model(), CPU, cache=False)(case.data))


def test_channels_that_fit_no_scratch_are_left_to_the_code_generator() -> None:
    program = lower(MANY.model(), CPU).stream
    assert "@shuffled_matmul" in program and "memref.alloca" not in program
    check(MANY, pyipu.compile(MANY.model(), CPU, cache=False)(MANY.data))


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_other_shuffles_are_computed_as_they_are(case: Case) -> None:
    assert "@shuffled_matmul" not in lower(case.model(), CPU).stream
    check(case, pyipu.compile(case.model(), CPU, cache=False)(case.data))


@pytest.mark.parametrize(("storage", "rounding"), [("f16", 2**-11), ("bf16", 2**-8), ("int8", 1 / 254)])
def test_weights_and_channels_may_be_stored_in_fewer_bits(storage: str, rounding: float) -> None:
    """What is rounded is each number, not each sum, and so by no more."""
    case = Case(68, 136, 4, (6, 28))
    assert "memref.alloca" in lower(case.model(), CPU, storage=storage).stream
    check(case, pyipu.compile(case.model(), CPU, storage=storage, cache=False)(case.data), rounding)


@pytest.mark.parametrize("case", SHUFFLED[1:4], ids=str)
def test_code_for_shorter_vectors_computes_the_same(case: Case) -> None:
    target = CPU.with_options(cpu=OLDER)
    sums = re.findall(r"math.fma .* : vector<(\d+)xf32>", lower(case.model(), target).stream)
    assert sums and max(map(int, sums)) <= 8
    check(case, pyipu.compile(case.model(), target, cache=False)(case.data))


def test_a_tile_of_sums_fits_the_registers() -> None:
    """AVX-512 has 32: 21 sums, three vectors of columns and the channel that all are multiplied with; two are left."""
    text = lower(Case(68, 272, 4, (14, 14)).model(), CPU.with_options(cpu="znver4")).stream
    assert text.count("math.fma") == 3 * 7 + 2 * 7
