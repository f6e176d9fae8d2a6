"""Quantized operators against ONNX Runtime: integers must be equal."""

import numpy as np
import onnx
import pytest

from pyipu.errors import ModelError, UnsupportedError
from tests.pyipu.importer.running import assert_close, imported, op_names, run, run_reference

CONTRIBUTED = "com.microsoft"
SEED = np.random.default_rng(0)


def model(inputs: str, nodes: str, **initializers: np.ndarray) -> onnx.ModelProto:
    """As that of `running`, with ONNX Runtime's own operators, whose results are of the type that `nodes` ends with."""
    nodes, _, type_ = nodes.partition(" : ")
    text = f"""<ir_version: 10, opset_import: ["": 17, "{CONTRIBUTED}": 1]>
    graph ({inputs}) => ({type_ or "uint8"}[] y) {{ {nodes} }}"""
    result = onnx.parser.parse_model(text.replace("'", '"'))
    result.graph.output[0].type.tensor_type.ClearField("shape")
    result.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), k) for k, a in initializers.items())
    return result


def integers(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.random.default_rng(len(shape)).integers(limits.min, limits.max + 1, shape).astype(dtype)


SCALES = np.array([0.011, 0.02, 0.007, 0.015], np.float32)
NUMBERS = {
    "w": integers((4, 3, 3, 3), np.int8),
    "m": integers((5, 4), np.int8),
    "u": integers((5, 4), np.uint8),
    "b": np.array([300, -2000, 17, 5], np.int32),
    "s": np.float32(0.037),
    "r": np.float32(0.81),
    "t": SCALES,
    "z": np.uint8(113),
    "n": np.int8(-7),
    "zs": np.uint8([3, 100, 128, 255]),
    "w0": np.int8(0),
    "w0s": np.zeros(4, np.int8),
    "axes": np.array([0]),
}
READ = {"float": "float[2,3,4] x", "image": "uint8[1,3,7,6] x", "rows": "uint8[2,5] x", "signed": "int8[1,3,7,6] x"}

CASES = {
    "to ui8": ("float", "y = QuantizeLinear(x, s, z)"),
    "to i8": ("float", "y = QuantizeLinear(x, s, n) : int8"),
    "of channels": ("float", "y = QuantizeLinear<axis=2>(x, t, zs)"),
    "without zero": ("float", "y = QuantizeLinear(x, s)"),
    "of ui8": ("rows", "y = DequantizeLinear(x, s, z) : float"),
    "of i8": ("signed", "y = DequantizeLinear(x, s, n) : float"),
    "dynamic": ("float", "y, scale, zero = DynamicQuantizeLinear(x)"),
    "conv": ("image", "y = QLinearConv<pads=[1,1,1,1]>(x, s, z, w, t, w0s, r, z, b)"),
    "conv of i8": ("signed", "y = QLinearConv<strides=[2,1]>(x, s, n, w, s, w0, r, n) : int8"),
    "matmul": ("rows", "y = QLinearMatMul(x, s, z, m, s, w0, r, z)"),
    "matmul of columns": ("rows", "y = QLinearMatMul(x, s, z, u, t, zs, r, z)"),
    "conv in i32": ("image", "y = ConvInteger<pads=[1,0,2,1]>(x, w, z, w0) : int32"),
    "conv of wide weights": ("image", "y = ConvInteger<pads=[1,0,2,1]>(x, x, z, z) : int32"),
    "matmul in i32": ("rows", "y = MatMulInteger(x, m, z) : int32"),
    "matmul of wide weights": ("rows", "y = MatMulInteger(x, u, z, zs) : int32"),
    "gemm": ("rows", f"y = {CONTRIBUTED}.QGemm<alpha=0.5>(x, s, z, m, s, w0, b, r, z)"),
    "gemm to numbers": ("rows", f"y = {CONTRIBUTED}.QGemm(x, s, z, m, s, w0) : float"),
    "add": ("rows", f"y = {CONTRIBUTED}.QLinearAdd(x, s, z, x, r, z, r, z)"),
    "multiply": ("rows", f"y = {CONTRIBUTED}.QLinearMul(x, s, z, x, r, z, r, z)"),
    "concat": ("rows", f"y = {CONTRIBUTED}.QLinearConcat<axis=1>(r, z, x, s, z, x, r, z)"),
    "mean": ("image", f"y = {CONTRIBUTED}.QLinearGlobalAveragePool(x, s, z, r, z)"),
}


@pytest.mark.parametrize("name", CASES)
def test_operator_gives_what_onnx_runtime_gives(name: str) -> None:
    read, nodes = CASES[name]
    source = model(READ[read], nodes, **NUMBERS)
    dtype = {"float": np.float32, "signed": np.int8}.get(read, np.uint8)
    shape = tuple(dim.dim_value for dim in source.graph.input[0].type.tensor_type.shape.dim)
    x = SEED.normal(0, 3, shape).astype(dtype) if dtype == np.float32 else integers(shape, dtype)
    assert_close(run(source, {"x": x}), run_reference(source, {"x": x}), 1e-6)


def test_known_weights_stay_integers() -> None:
    names = op_names(model("float[2,5] x", "d = DequantizeLinear(m, s) y = MatMul(x, d) : float", **NUMBERS))
    assert names == ["parameter", "constant", "constant", "dequantize", "matmul"]


def test_half_a_step_becomes_even() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, 254.5, 255.5, np.inf, -np.inf], np.float32)
    [found] = run(model("float[8] x", "y = QuantizeLinear(x, one)", one=np.float32(1)), {"x": x})
    np.testing.assert_array_equal(found, np.array([0, 2, 2, 0, 254, 255, 255, 0], np.uint8))


REFUSED = {
    "y = QuantizeLinear<block_size=2>(x, s, z)": "has block_size=2; pyipu has one scale for a tensor",
    "y = QuantizeLinear<output_dtype=6>(x, s)": "quantizes to i32; pyipu quantizes to ui8, i8, ui16, i16",
    "y = QuantizeLinear<axis=3>(x, t, zs)": "axis 3 is outside of the 3 dimensions",
    f"q = QuantizeLinear(x, s) y = {CONTRIBUTED}.QLinearGlobalAveragePool<channels_last=1>(q, s, z, s, z)": (
        "has channels_last=1"
    ),
}


@pytest.mark.parametrize("nodes", REFUSED)
def test_what_cannot_be_is_refused(nodes: str) -> None:
    source = model("float[2,3,4] x", nodes, **NUMBERS)
    source.opset_import[0].version = 21
    with pytest.raises((ModelError, UnsupportedError), match=REFUSED[nodes].replace("(", r"\(")):
        imported(source)
