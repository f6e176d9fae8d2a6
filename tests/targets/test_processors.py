"""The same network for processors with other registers: by their description alone."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import compiler, targets
from tests.availability import OLDER

CPU = targets.get("cpu")
X = np.random.default_rng(1).standard_normal((1, 64, 14, 14)).astype(np.float32)


def network() -> bytes:
    """A convolution of windows and a pointwise one."""
    graph = onnx.parser.parse_graph(
        "main (float[1, 64, 14, 14] x) => (float[1, 64, 14, 14] y)"
        "{ a = Conv<pads=[1, 1, 1, 1]>(x, v) b = Relu(a) y = Conv(b, w) }"
    )
    random = np.random.default_rng(0)
    for name, window in (("v", 3), ("w", 1)):
        weights = random.standard_normal((64, 64, window, window)).astype(np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(weights, name))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def pointwise_tile(target: targets.Target) -> list[int]:
    """Pixels and columns that the pointwise convolution has in registers: its loops are y, x, block, column, depth."""
    text = compiler.lower(network(), target, winograd=0).stream
    tiles = re.findall(r"vector_common_parallel = \[1, (\d+), 1, (\d+), 0\]", text)
    return [int(size) for size in tiles[0]]


@pytest.mark.parametrize(
    ("options", "tile"),
    [
        ({"cpu": "znver4"}, [7, 32]),
        ({"cpu": "x86-64-v3"}, [7, 16]),
        ({"cpu": "cortex-a72", "triple": "aarch64-linux-gnu"}, [7, 8]),
    ],
)
def test_a_network_compiles_in_tiles_for_the_processor(options: dict[str, str], tile: list[int]) -> None:
    target = CPU.with_options(**options)
    assert pointwise_tile(target) == tile
    assert pyipu.compile(network(), target, cache=False).memory.code_bytes > 1000


def test_few_registers_hold_the_tiles_of_wide_rows() -> None:
    """IREE refuses vectors of 8192 bytes and more where the processor's have 16."""
    graph = onnx.parser.parse_graph(
        "main (float[1, 32, 27, 27] x, float[128, 32, 3, 3] w) => (float[1, 128, 27, 27] y)"
        "{ y = Conv<pads=[1, 1, 1, 1]>(x, w) }"
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    target = CPU.with_options(cpu="generic")
    assert pyipu.compile(model.SerializeToString(), target, storage="f16", cache=False).memory.code_bytes > 1000


def test_code_for_shorter_vectors_computes_the_same() -> None:
    expected = pyipu.compile(network(), winograd=0)(X)
    found = pyipu.compile(network(), CPU.with_options(cpu=OLDER))(X)
    # Vectors of another length add up fp32 products in another order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
