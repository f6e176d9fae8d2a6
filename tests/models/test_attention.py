"""Attention on the processor is one vertex, whatever exporters wrote, and agrees with float64."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import pyipu
from pyipu.compiler import lower
from pyipu.dialect.attention import Attention
from pyipu.passes.verifier import all_ops
from pyipu.targets import get

SCALE = 0.25

SCORES = {
    "scaled": "s = MatMul(q, kt) u = Mul(s, scale)",
    "divided": "s = MatMul(q, kt) u = Div(s, inverse)",
    "query": "scaled = Mul(q, scale) u = MatMul(scaled, kt)",
    "masked": "s = MatMul(q, kt) t = Mul(s, scale) u = Add(t, mask)",
    "hidden": "s = MatMul(q, kt) t = Mul(s, scale) u = Where(seen, t, low)",
    "masked_first": "s = MatMul(q, kt) t = Add(mask, s) u = Mul(t, scale)",
}
"""What the softmax reads, from queries and transposed keys."""


def model(scores: str, query: tuple[int, ...], keys: int, columns: int, mask: np.ndarray | None) -> onnx.ModelProto:
    """`y`, the positive part of what is made from `q` [N, H, L, D], `k` [N, H, S, D] and `v` [N, H, S, E]."""
    batch, heads, _, depth = query
    shapes = {"q": query, "k": (batch, heads, keys, depth), "v": (batch, heads, keys, columns)}
    inputs = ", ".join(f"float{list(shape)} {name}" for name, shape in shapes.items())
    body = f"kt = Transpose<perm=[0,1,3,2]>(k) {SCORES[scores]} p = Softmax<axis=-1>(u) z = MatMul(p, v) y = Relu(z)"
    graph = onnx.parser.parse_graph(f"main ({inputs}) => (float{[*query[:3], columns]} y) {{ {body} }}")
    seen = None if mask is None else mask >= 0
    known = {
        "seen": seen,
        "low": np.finfo(np.float32).min,
        "scale": np.float32(SCALE),
        "inverse": np.float32(1 / SCALE),
        "mask": mask,
    }
    used = {name: value for name, value in known.items() if value is not None and name in SCORES[scores]}
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in used.items())
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def numbers(query: tuple[int, ...], keys: int, columns: int) -> dict[str, np.ndarray]:
    batch, heads, _, depth = query
    random = np.random.default_rng([*query, keys])
    shapes = {"q": query, "k": (batch, heads, keys, depth), "v": (batch, heads, keys, columns)}
    return {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def expected(inputs: dict[str, np.ndarray], mask: np.ndarray | float) -> np.ndarray:
    q, k, v = (inputs[name].astype(np.float64) for name in "qkv")
    scores = SCALE * q @ k.swapaxes(2, 3) + mask
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.maximum(powers / powers.sum(-1, keepdims=True) @ v, 0)


def causal(length: int, hidden: float) -> np.ndarray:
    """No query sees a later key."""
    return np.triu(np.full((length, length), hidden, np.float32), 1)


@pytest.mark.parametrize("scores", ["scaled", "divided", "query"])
def test_however_it_is_scaled_it_is_one_op_without_scores(scores: str) -> None:
    query = (1, 2, 64, 16)
    source = model(scores, query, 64, 16, None)
    lowered = lower(source, get("cpu"))
    assert any(isinstance(op, Attention) for op in all_ops(lowered.module))
    assert pyipu.compile(source).memory.arena_bytes < 2 * 64 * 64 * 4
    check(source, numbers(query, 64, 16), 0.0)


@pytest.mark.parametrize(
    ("query", "keys", "columns"),
    [
        ((1, 1, 16, 16), 5, 16),  # fewer keys than are summed up together
        ((2, 3, 21, 24), 40, 8),  # half vectors, and queries and keys that do not fill the last ones
        ((1, 2, 19, 64), 300, 64),  # more keys than fit in a block
        ((1, 2, 33, 128), 260, 128),  # blocks of the smallest kind
    ],
)
def test_any_number_of_queries_and_keys(query: tuple[int, ...], keys: int, columns: int) -> None:
    check(model("scaled", query, keys, columns, None), numbers(query, keys, columns), 0.0)


@pytest.mark.parametrize(
    "shape", [(2, 1, 1, 40), (1, 3, 1, 40), (21, 40), (2, 1, 21, 40), (2, 3, 21, 40)], ids=lambda shape: str(shape)
)
@pytest.mark.parametrize("order", ["masked", "masked_first"])
def test_masks_are_repeated(order: str, shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(1).normal(0, 3, shape).astype(np.float32)
    check(
        model(order, (2, 3, 21, 16), 40, 16, mask), numbers((2, 3, 21, 16), 40, 16), mask * (order == "masked" or SCALE)
    )


@pytest.mark.parametrize(
    ("attributes", "shapes"),
    [
        ({}, {"q": (2, 3, 32, 16), "k": (2, 3, 40, 16), "v": (2, 3, 40, 16)}),
        ({"is_causal": 1}, {"q": (2, 3, 32, 16), "k": (2, 3, 32, 16), "v": (2, 3, 32, 16)}),
        ({"scale": 0.3}, {"q": (1, 3, 20, 16), "k": (1, 3, 40, 16), "v": (1, 3, 40, 16), "mask": (20, 40)}),
        ({"q_num_heads": 4, "kv_num_heads": 2}, {"q": (2, 32, 64), "k": (2, 40, 32), "v": (2, 40, 32)}),
    ],
)
def test_the_operator_of_opset_23_is_one_op(attributes: dict[str, object], shapes: dict[str, tuple[int, ...]]) -> None:
    """It is imported as the function that ONNX defines it with."""
    random = np.random.default_rng(0)
    inputs = {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    node = helper.make_node("Attention", list(inputs), ["y"], **attributes)
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph([node], "main", values, [helper.make_empty_tensor_value_info("y")])
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    source = onnx.shape_inference.infer_shapes(source)
    assert any(isinstance(op, Attention) for op in all_ops(lower(source, get("cpu")).module))
    (reference,) = ReferenceEvaluator(source).run(None, inputs)
    np.testing.assert_allclose(pyipu.compile(source).run(inputs)["y"], reference, rtol=0, atol=5e-6)


@pytest.mark.parametrize("hidden", [-np.inf, np.finfo(np.float32).min, -1e4])
def test_what_is_hidden_has_no_weight(hidden: float) -> None:
    """Queries of the first block see none of the keys of the last one; 300 keys are two blocks."""
    query, mask = (1, 2, 300, 32), causal(300, hidden)
    for scores in ("masked", "hidden"):
        check(model(scores, query, 300, 64, mask), numbers(query, 300, 64), mask)


def test_where_all_is_hidden_all_weights_are_equal() -> None:
    mask = np.full((1, 1, 1, 320), np.finfo(np.float32).min, np.float32)
    inputs = numbers((1, 1, 16, 64), 320, 64)
    result = pyipu.compile(model("masked", (1, 1, 16, 64), 320, 64, mask)).run(inputs)["y"]
    mean = np.maximum(inputs["v"].mean(2, keepdims=True), 0)
    np.testing.assert_allclose(result, np.broadcast_to(mean, result.shape), atol=2e-6)


@pytest.mark.parametrize(("storage", "tolerance"), [("f16", 5e-3), ("bf16", 4e-2), ("int8", 5e-6)])
def test_narrow_operands_are_extended(storage: str, tolerance: float) -> None:
    query = (1, 2, 21, 32)
    check(model("scaled", query, 40, 32, None), numbers(query, 40, 32), 0.0, storage, tolerance)


def test_queries_run_in_strips_with_what_follows_them() -> None:
    """With the layer behind it, whose wide rows are the peak; the mask differs from query to query."""
    length, heads, depth, wide = 40, 2, 32, 1024
    random = np.random.default_rng(0)
    shapes = ", ".join(f"float[1, {length}, {heads}, {depth}] {name}" for name in "qkv")
    graph = onnx.parser.parse_graph(
        f"main ({shapes}, float[1, 1, {length}, {length}] m) => (float[1, {length}, {heads * depth}] y) {{"
        " a = Transpose<perm=[0, 2, 1, 3]>(q) b = Transpose<perm=[0, 2, 3, 1]>(k) c = Transpose<perm=[0, 2, 1, 3]>(v)"
        " s = MatMul(a, b) t = Mul(s, scale) u = Add(t, m) p = Softmax<axis=-1>(u) z = MatMul(p, c)"
        " r = Transpose<perm=[0, 2, 1, 3]>(z) x = Reshape(r, flat) n = LayerNormalization<axis=-1>(x, gain)"
        " h = MatMul(n, w1) i = Relu(h) j = MatMul(i, w2) y = Add(j, x) }"
    )
    known = {
        "scale": np.float32(SCALE),
        "flat": np.array([1, length, heads * depth]),
        "gain": random.standard_normal(heads * depth, np.float32),
        "w1": random.standard_normal((heads * depth, wide), np.float32) / 8,
        "w2": random.standard_normal((wide, heads * depth), np.float32) / 32,
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in known.items())
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    inputs = {one.name: random.standard_normal(_shape(one), np.float32) for one in graph.input}
    found = pyipu.compile(source, memory_budget="min")
    (right,) = ReferenceEvaluator(source).run(None, inputs)
    np.testing.assert_allclose(found.run(inputs)["y"], right, rtol=0, atol=5e-6 * np.abs(right).max())
    # A tensor of all rows is 10,240 bytes; a row of the wide one has 4,096.
    assert found.memory.arena_bytes < length * heads * depth * 4


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]


def check(
    source: onnx.ModelProto,
    inputs: dict[str, np.ndarray],
    mask: np.ndarray | float,
    storage: str | None = None,
    tolerance: float = 5e-6,
) -> None:
    """The largest error, of results around one; scores are up to ten, and their errors are relative ones of weights."""
    result = pyipu.compile(source, storage=storage, threads=2).run(inputs)["y"]
    np.testing.assert_allclose(result, expected(inputs, mask), rtol=0, atol=tolerance)
