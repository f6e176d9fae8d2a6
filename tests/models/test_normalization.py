"""Layer normalization on the processor is one vertex, in place, whatever exporters wrote, and agrees with float64."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import pyipu
from pyipu.compiler import lower
from pyipu.dialect.normalization import Standardize
from pyipu.passes.verifier import all_ops
from pyipu.targets import get

EPSILON = 1e-5

FORMS = {
    "operator": f"n = LayerNormalization<epsilon={EPSILON}>(r, scale, bias)",
    "written out": """m = ReduceMean<axes=[-1]>(r) c = Sub(r, m) s = Pow(c, two) v = ReduceMean<axes=[-1]>(s)
        w = Add(v, epsilon) d = Sqrt(w) z = Div(c, d) a = Mul(z, scale) n = Add(a, bias)""",
}


def model(form: str, shape: tuple[int, ...]) -> onnx.ModelProto:
    """`y` = relu(normalization of relu(x))."""
    text = f"main (float{list(shape)} x) => (float{list(shape)} y) {{ r = Relu(x) {FORMS[form]} y = Relu(n) }}"
    graph = onnx.parser.parse_graph(text)
    known = {**parameters(shape[-1]), "two": np.float32(2), "epsilon": np.float32(EPSILON)}
    used = {name: value for name, value in known.items() if f"{name}" in FORMS[form].replace("epsilon=", "")}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in used.items())
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def parameters(width: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(width)
    return {name: random.standard_normal(width, np.float32) for name in ("scale", "bias")}


def expected(x: np.ndarray) -> np.ndarray:
    wide, known = np.maximum(x.astype(np.float64), 0), parameters(x.shape[-1])
    centered = wide - wide.mean(-1, keepdims=True)
    normal = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + EPSILON)
    return np.maximum(normal * known["scale"] + known["bias"], 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(1, 12, 384), (32,), (7, 8), (2, 3, 5, 48)], ids=str)
def test_it_agrees_with_float64(form: str, shape: tuple[int, ...]) -> None:
    source = model(form, shape)
    lowered = lower(source, get("cpu"))
    assert sum(isinstance(op, Standardize) for op in all_ops(lowered.module)) == 1
    executable = pyipu.compile(source, threads=2)
    assert executable.memory.arena_bytes == 0, "all is computed where the result is"
    x = np.random.default_rng(0).standard_normal(shape, np.float32) + 1
    np.testing.assert_allclose(executable.run({"x": x})["y"], expected(x), rtol=0, atol=5e-6)


@pytest.mark.parametrize(("storage", "tolerance"), [("f16", 1e-2), ("bf16", 8e-2)])
def test_rows_in_16_bits_are_extended(storage: str, tolerance: float) -> None:
    x = np.random.default_rng(0).standard_normal((6, 64), np.float32)
    result = pyipu.compile(model("operator", (6, 64)), storage=storage, threads=2).run({"x": x})["y"]
    np.testing.assert_allclose(result, expected(x), rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape", [(3, 8), (2, 5, 384), (64,), (2, 4104), (3, 10)], ids=str)
def test_softmax_of_rows_agrees_with_float64(shape: tuple[int, ...]) -> None:
    """Rows that do not fill vectors, or would not fit on the stack, are left to the code generator."""
    dimensions = list(shape)
    graph = onnx.parser.parse_graph(
        f"main (float{dimensions} x) => (float{dimensions} y) {{ y = Softmax<axis=-1>(x) }}"
    )
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    x = 10 * np.random.default_rng(0).standard_normal(shape, np.float32) + 100
    x[..., 1] = -np.inf
    distance = x.max(-1, keepdims=True) - x.astype(np.float64)
    softmax = np.exp(-distance) / np.exp(-distance).sum(-1, keepdims=True)
    result = pyipu.compile(source, threads=2).run({"x": x})["y"]
    # Some units in the last place, what rounding an exponent makes of a power, and numbers below the normal ones.
    allowed = (1e-6 + np.where(np.isinf(distance), 0, distance) * 2**-24) * softmax + np.finfo(np.float32).tiny
    assert (np.abs(result - softmax) <= allowed).all()
    result = pyipu.compile(source, threads=2).run({"x": np.full_like(x, np.nan)})["y"]
    assert np.isnan(result).all()


def test_softmax_of_scores_that_stay_wide_is_rounded_in_its_loops() -> None:
    text = "main (float[64, 32] x) => (float[64, 32] y) { p = Softmax<axis=-1>(x) y = Relu(p) }"
    source = helper.make_model(onnx.parser.parse_graph(text), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    x = np.random.default_rng(0).standard_normal((64, 32), np.float32)
    powers = np.exp(x.astype(np.float64))
    result = pyipu.compile(source, storage="f16", threads=2).run({"x": x})["y"]
    # Rounded once to the 11 bits of f16, which is half of its last place.
    np.testing.assert_allclose(result, powers / powers.sum(-1, keepdims=True), rtol=1.01 * 2**-11)
