"""Valid models that are unlike networks: nothing to compute, no inputs, no elements, results that share memory."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import pyipu
from benchmarks.baselines import onnxruntime_outputs
from benchmarks.cases import compare

MODELS = {
    "identity": "(float[4] x) => (float[4] y) { y = Identity(x) }",
    "an output that is an input": "(float[4] x) => (float[4] x) { }",
    "an output that is known": "(float[4] x) => (float[2] y) { y = Constant<value_floats=[1.0, 2.0]>() }",
    "no input": "() => (float[2] y) { c = Constant<value_floats=[1.0, -2.0]>() y = Relu(c) }",
    "an input that nobody reads": "(float[4] x, float[3] z) => (float[4] y) { y = Relu(x) }",
    "one result twice": "(float[4] x) => (float[4] y, float[4] z) { y = Relu(x) z = Identity(y) }",
    "a result that is read on": "(float[4] x) => (float[4] y, float[4] z) { y = Relu(x) z = Exp(y) }",
    "results that are parts of one tensor": """(float[4, 4] x) => (float[2, 4] y, float[2, 4] z) {
        a = Relu(x) y, z = Split<axis=0>(a) }""",
    "a result that is part of another": """(float[4] x) => (float[4] y, float[8] z) {
        y = Relu(x) a = Exp(x) z = Concat<axis=0>(y, a) }""",
    "an input twice in a result": "(float[4] x) => (float[8] y) { y = Concat<axis=0>(x, x) }",
    "a reshaped input": """(float[4] x) => (float[2, 2] y) {
        s = Constant<value_ints=[2, 2]>() y = Reshape(x, s) }""",
    "a part of an input": """(float[4] x) => (float[2] y) {
        a = Constant<value_ints=[1]>() b = Constant<value_ints=[3]>() y = Slice(x, a, b) }""",
    "a padded input": "(float[4] x) => (float[6] y) { p = Constant<value_ints=[1, 1]>() y = Pad(x, p) }",
    "many dimensions of size one": "(float[1,1,1,1,1,1,1,2] x) => (float[1,1,1,1,1,1,1,2] y) { y = Relu(x) }",
    "an empty result": "(float[0, 4] x) => (float[0, 4] y) { y = Relu(x) }",
    "an empty and a full result": """(float[0, 4] x, float[4] z) => (float[0, 4] y, float[4] w) {
        y = Relu(x) w = Relu(z) }""",
    "a sum of nothing": """(float[0, 4] x) => (float[1, 4] y) {
        a = Constant<value_ints=[0]>() y = ReduceSum<keepdims=1>(x, a) }""",
    "a product over nothing": """(float[3, 0] x, float[0, 4] z, float[3, 4] w) => (float[3, 4] y) {
        p = MatMul(x, z) y = Add(p, w) }""",
    "a padding of nothing": """(float[0, 2] x) => (float[2, 2] y) {
        p = Constant<value_ints=[1, 0, 1, 0]>() y = Pad(x, p) }""",
    "a part without elements": """(float[4] x) => (float[4] y) {
        a = Constant<value_ints=[2]>() e = Slice(x, a, a) y = Concat<axis=0>(e, x) }""",
    "empty parts": """(float[3, 0] x) => (float[1, 0] y, float[2, 0] z) {
        s = Constant<value_ints=[1, 2]>() y, z = Split<axis=0>(x, s) }""",
}


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_it_gives_what_onnx_runtime_gives(text: str) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> degenerate {text}')
    executable, generator = pyipu.compile(model, threads=1), np.random.default_rng(0)
    inputs = {one.name: generator.standard_normal(one.shape, np.float32) for one in executable.inputs}
    found, expected = executable.run(inputs), onnxruntime_outputs(model, inputs)
    assert compare(found, expected).agrees
    assert {name: array.shape for name, array in found.items()} == {n: array.shape for n, array in expected.items()}


BORDER = """(int64[2, 3] x) => (int64[4, 5] y) {
    p = Constant<value_ints=[1, 1, 1, 1]>() v = Constant<value_int=%d>() y = Pad(x, p, v) }"""


@pytest.mark.parametrize("value", [0, -1])
def test_integers_of_64_bits_have_borders(value: int) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> border {BORDER % value}')
    numbers = np.arange(6).reshape(2, 3) * 2**40
    np.testing.assert_array_equal(pyipu.compile(model, threads=1)(numbers), np.pad(numbers, 1, constant_values=value))


def test_a_border_that_iree_cannot_fill_is_refused() -> None:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> border {BORDER % 5}')
    message = "node 'Pad_of_y': IREE cannot fill a border of tensor<4x5xi64> with 5: pad with 0, or in 32 bits"
    with pytest.raises(pyipu.Error, match=message):
        pyipu.compile(model, threads=1)


def test_a_scalar_goes_in_and_comes_out() -> None:
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> g (float x) => (float y) { y = Neg(x) }')
    result = pyipu.compile(model, threads=1)(np.array(2.5, np.float32))
    assert isinstance(result, np.ndarray)
    assert (result.shape, result.item()) == ((), -2.5)
