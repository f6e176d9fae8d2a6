"""Reductions on the processor agree with float64: rows are folded with vectors, other axes by the code generator."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import pyipu
from pyipu.compiler import lower
from pyipu.dialect.movement import Transpose
from pyipu.errors import ModelError
from pyipu.passes.verifier import all_ops
from pyipu.targets import get
from tests.pyipu.importer.running import run_reference

REDUCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "ReduceMean": np.mean,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSumSquare": lambda x, **axes: (x * x).sum(**axes),
    "ReduceLogSumExp": lambda x, **axes: np.log(np.exp(x).sum(**axes)),
}
EXACT = ("ReduceMax", "ReduceMin")
SHAPES = [
    ((1, 6, 4, 8), (2, 3)),
    ((3, 1, 5, 40), (3,)),
    ((2, 3, 1, 7, 16), (3, 4)),
    ((5, 24), (1,)),
    ((4, 6, 16), (1,)),
]


def model(shape: tuple[int, ...], nodes: str, results: dict[str, tuple[int, ...]], opset: int = 17) -> onnx.ModelProto:
    outputs = ", ".join(f"float{list(one)} {name}" for name, one in results.items())
    graph = onnx.parser.parse_graph(f"main (float{list(shape)} x) => ({outputs}) {{ {nodes} }}")
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def rounding(count: int) -> float:
    """Relative error of so many additions or products in fp32, each rounded to 24 bits: three times a random walk's.

    Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019.
    """
    return 3 * math.sqrt(count) * 2**-24


@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions_agree_with_float64(shape: tuple[int, ...], axes: tuple[int, ...], keep: int) -> None:
    """What is element-wise behind one, and reads another number for each row, runs in its loops."""
    x = np.random.default_rng(len(shape)).normal(1, 0.3, shape).astype(np.float32)
    wide = {n: one(x.astype(np.float64), axis=axes, keepdims=bool(keep)) for n, one in REDUCTIONS.items()}
    nodes = [f"{name} = {name}<axes={list(axes)}, keepdims={keep}>(x)" for name in REDUCTIONS]
    nodes.append(f"size = ReduceL1<axes={list(axes)}, keepdims={keep}>(x) more = Sub(size, ReduceMin)")
    wide["more"] = np.abs(x.astype(np.float64)).sum(axes, keepdims=bool(keep)) - wide["ReduceMin"]
    sizes = {name: one.shape for name, one in wide.items()}
    executable = pyipu.compile(model(shape, " ".join(nodes), sizes), threads=2)
    count = math.prod(shape[axis] for axis in axes)
    for name, result in executable.run({"x": x}).items():
        allowed = 0 if name in EXACT else rounding(count)
        np.testing.assert_allclose(result, wide[name], rtol=allowed, err_msg=name)


# Rounded to 11 or 8 bits twice: as it is stored in front of the sum, and behind it.
@pytest.mark.parametrize(("storage", "tolerance"), [("f16", 2 * 2**-11), ("bf16", 2 * 2**-8)])
def test_rows_in_16_bits_are_extended(storage: str, tolerance: float) -> None:
    x = np.random.default_rng(0).standard_normal((6, 64), np.float32)
    whole = model((6, 64), "r = Relu(x) y = ReduceMean<axes=[1]>(r)", {"y": (6, 1)})
    result = pyipu.compile(whole, storage=storage, threads=2).run({"x": x})["y"]
    np.testing.assert_allclose(result, np.maximum(x, 0).mean(1, keepdims=True), rtol=tolerance)


@pytest.mark.parametrize(("shape", "axis"), [((4, 48), 1), ((2, 5, 3, 4), 1), ((3, 7), 1)], ids=str)
def test_logarithm_of_a_softmax_stores_no_powers(shape: tuple[int, ...], axis: int) -> None:
    whole = model(shape, f"y = LogSoftmax<axis={axis}>(x)", {"y": shape})
    x = 10 * np.random.default_rng(0).standard_normal(shape, np.float32) + 100
    executable = pyipu.compile(whole, threads=2)
    assert executable.memory.arena_bytes < 2 * 64 + 2 * x.nbytes / shape[axis] < x.nbytes + 128
    distance = x - x.astype(np.float64).max(axis, keepdims=True)
    expected = distance - np.log(np.exp(distance).sum(axis, keepdims=True))
    # The distance and the difference are rounded to the 24 bits of fp32.
    np.testing.assert_allclose(
        executable.run({"x": x})["y"], expected, rtol=0, atol=2 * 2**-24 * np.abs(expected).max()
    )


FORMS = {
    "of channels": (
        "c = Constant<value = float[12] {1,2,3,4,5,6,7,8,9,10,11,12}>() y = GroupNormalization<num_groups=4>(x, c, c)",
        21,
    ),
    "of instances": (
        """c = Constant<value = float[4] {1,2,3,4}>() s = Constant<value = int64[3] {0,4,-1}>()
        r = Reshape(x, s) n = InstanceNormalization(r, c, c) t = Shape(x) y = Reshape(n, t)""",
        17,
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(2, 12, 5, 4), (1, 12, 8)], ids=str)
def test_group_normalization_agrees_with_onnx_runtime(form: str, shape: tuple[int, ...]) -> None:
    whole = model(shape, FORMS[form][0], {"y": shape}, FORMS[form][1])
    inputs = {"x": np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)}
    result = pyipu.compile(whole, threads=2).run(inputs)["y"]
    (expected,) = run_reference(whole, inputs)
    # Sums of fp32 in another order.
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
def test_groups_of_channels_need_no_transposition(form: str) -> None:
    """Between convolutions, which have channels last: one transposition at each end of the network."""
    nodes, opset = FORMS[form]
    inner = nodes.replace("(x", "(c1").replace("y =", "n1 =")
    nodes = f"c1 = Conv<pads = [1, 1, 1, 1]>(x, w) {inner} y = Conv<pads = [1, 1, 1, 1]>(n1, w)"
    source = model((1, 12, 8, 8), nodes, {"y": (1, 12, 8, 8)}, opset)
    source.graph.initializer.append(numpy_helper.from_array(np.ones((12, 12, 3, 3), np.float32), "w"))
    lowered = lower(source, get("cpu"))
    assert sum(isinstance(op, Transpose) for op in all_ops(lowered.module)) == 2


def test_groups_divide_channels() -> None:
    nodes = "c = Constant<value = float[6] {1,2,3,4,5,6}>() y = GroupNormalization<num_groups=4>(x, c, c)"
    with pytest.raises(ModelError, match="cannot put the 6 channels of its input into 4 groups"):
        pyipu.compile(model((1, 6, 2), nodes, {"y": (1, 6, 2)}, 21))
