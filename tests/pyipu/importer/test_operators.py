"""Every operator against ONNX Runtime: small graphs that cover the attributes, seeded inputs."""

import numpy as np
import onnx
import pytest

from pyipu.errors import ModelError, UnsupportedError
from tests.pyipu.importer.running import (
    assert_close,
    assert_matches_reference,
    imported,
    model,
    op_names,
    random_inputs,
    run,
)

CONVOLUTION = [
    ("float[2,3,9] x, float[4,3,3] w, float[4] b", "y = Conv(x, w, b)"),
    ("float[2,4,8,8] x, float[6,2,3,3] w", "y = Conv<group=2, pads=[1,0,2,1], strides=[2,1]>(x, w)"),
    ("float[1,4,8,8] x, float[4,1,3,3] w", "y = Conv<group=4, auto_pad='SAME_UPPER', strides=[2,2]>(x, w)"),
    ("float[1,2,9,9] x, float[3,2,3,2] w", "y = Conv<auto_pad='SAME_LOWER', kernel_shape=[3,2]>(x, w)"),
    ("float[1,2,9,9] x, float[3,2,3,3] w", "y = Conv<dilations=[2,3], auto_pad='VALID'>(x, w)"),
    ("float[1,2,5,6,7] x, float[3,2,2,3,2] w", "y = Conv<pads=[0,1,1,1,0,0]>(x, w)"),
    ("float[1,2,5,6] x, float[2,3,2,2] w, float[3] b", "y = ConvTranspose<strides=[2,2]>(x, w, b)"),
    ("float[1,2,5] x, float[2,3,4] w", "y = ConvTranspose<strides=[4]>(x, w)"),
    ("float[1,2,5,6] x, float[2,3,3,4] w", "y = ConvTranspose<strides=[2,3], pads=[1,0,2,1]>(x, w)"),
    ("float[1,2,5,6] x, float[2,3,3,4] w", "y = ConvTranspose<strides=[2,3], output_padding=[1,2]>(x, w)"),
    ("float[1,4,5,6] x, float[4,3,3,3] w", "y = ConvTranspose<group=2, dilations=[2,1], pads=[3,3,0,0]>(x, w)"),
    ("float[1,2,5,6] x, float[2,3,3,3] w", "y = ConvTranspose<strides=[2,2], auto_pad='SAME_UPPER'>(x, w)"),
    ("float[1,2,5,6] x, float[2,3,3,3] w", "y = ConvTranspose<strides=[2,2], auto_pad='SAME_LOWER'>(x, w)"),
    ("float[1,2,5,6] x, float[2,3,3,3] w", "y = ConvTranspose<strides=[2,2], output_shape=[10,14]>(x, w)"),
]

POOLING = [
    ("float[1,2,9] x", "y = MaxPool<kernel_shape=[3], strides=[2], ceil_mode=1>(x)"),
    ("float[1,2,8,9] x", "y = MaxPool<kernel_shape=[3,2], pads=[1,0,1,1], dilations=[2,1]>(x)"),
    ("float[1,2,8,9] x", "y = MaxPool<kernel_shape=[3,3], strides=[2,2], auto_pad='SAME_LOWER'>(x)"),
    ("int8[1,2,8,9] x", "y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)"),
    ("float[1,2,8,9] x", "y = AveragePool<kernel_shape=[3,3]>(x)"),
    ("float[1,2,8,9] x", "y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]>(x)"),
    ("float[1,2,8,9] x", "y = AveragePool<kernel_shape=[3,3], pads=[1,1,0,1], count_include_pad=1>(x)"),
    ("float[1,2,8,8] x", "y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)"),
    ("float[1,2,8,8] x", "y = AveragePool<kernel_shape=[3,3], strides=[2,2], auto_pad='SAME_UPPER'>(x)"),
    ("float[2,3,4,5] x", "y = GlobalAveragePool(x) z = GlobalMaxPool(x)"),
]

LINEAR = [
    ("float[2,3] a, float[3,4] b, float[4] c", "y = Gemm(a, b, c)"),
    ("float[3,2] a, float[4,3] b, float[2,1] c", "y = Gemm<transA=1, transB=1, alpha=0.5, beta=2.0>(a, b, c)"),
    ("float[2,3] a, float[3,4] b", "y = MatMul(a, b)"),
    ("float[3] a, float[2,3,4] b", "y = MatMul(a, b)"),
    ("float[5,1,2,3] a, float[4,3,6] b", "y = MatMul(a, b)"),
    ("float[2,3] a, float[3] b", "y = MatMul(a, b)"),
    ("float[3] a, float[3] b", "y = MatMul(a, b)"),
    ("float[2,3,4] a, float[2,4,5] b", "y = Einsum<equation='bij, bjk -> bik'>(a, b)"),
    ("float[2,3] a, float[3,4] b", "y = Einsum<equation='ij,jk'>(a, b)"),
]

ELEMENTWISE = [
    ("float[2,3] a, float[3] b", "y = Add(a, b) z = Sub(a, b) u = Mul(a, b) v = Div(a, b)"),
    ("int32[2,3] a, int32[3] b", "y = Div(a, b) z = Mod(a, b) u = Sub(a, b) v = Mod(u, b)"),
    ("float[2,3] a, float[3] b", "y = Mod<fmod=1>(a, b)"),
    ("float[2,3] a, float[3] b, float[2,1] c", "y = Sum(a, b, c) z = Max(a, b, c) u = Min(a, b, c) v = Mean(a, b, c)"),
    ("float[2,3] x", "y = Exp(x) z = Neg(x) u = Abs(x) v = Reciprocal(x) w = Sqrt(u) t = Log(u)"),
    ("float[2,3] x", "y = Floor(x) z = Ceil(x) u = Erf(x) v = Sign(x)"),
    ("int32[2,3] x, uint8[4] z", "y = Neg(x) a = Sign(y) b = Sign(z) c = Abs(z)"),
    ("float[2,3] x", "y = Relu(x) z = Sigmoid(x) u = Tanh(x) v = Elu<alpha=0.5>(x)"),
    ("float[2,3] x", "y = LeakyRelu<alpha=0.3>(x) z = HardSigmoid<alpha=0.3>(x) u = HardSwish(x)"),
    ("float[2,3] x, float[3] s", "y = PRelu(x, s)"),
    ("float[2,3] x", "y = Selu(x) z = Softplus(x) u = ThresholdedRelu<alpha=0.5>(x)"),
    ("float[2,3] x, float low, float high", "y = Clip(x, low, high)"),
    ("float[2,3] a, float[2,3] b", "y = Equal(a, a) z = Less(a, b) u = LessOrEqual(a, b)"),
    ("float[2,3] a, float[2,3] b", "y = Greater(a, b) z = GreaterOrEqual(a, b)"),
    ("bool[2,3] a, bool[3] b", "y = And(a, b) z = Or(a, b) u = Xor(a, b) v = Not(a)"),
    ("bool[2,3] c, float[3] a, float[2,1] b", "y = Where(c, a, b)"),
    ("float[2,3] x", "y = Cast<to=6>(x) z = Cast<to=11>(x) u = Cast<to=10>(x) v = Cast<to=9>(x)"),
    ("float[2,3] x, int64[1] like", "y = CastLike(x, like)"),
    ("float[3] x", "z = Sub(x, x) n = Div(z, z) y = IsNaN(n)"),
]

NORMALIZATION = [
    ("float[2,3,4] x", "y = Softmax<axis=1>(x) z = LogSoftmax<axis=-2>(x)"),
    ("float[2,3,4,4] x, float[3] s, float[3] b", "y = InstanceNormalization<epsilon=0.01>(x, s, b)"),
    ("float[2,3,4] x, float[3,4] s, float[3,4] b", "y, m, i = LayerNormalization<axis=1>(x, s, b)"),
    ("float[2,3,4] x, float[4] s", "y = LayerNormalization(x, s)"),
    ("float[1,7,3,3] x", "y = LRN<size=3, alpha=0.5, beta=0.7, bias=1.5>(x)"),
    ("float[2,3,4] x", "y = LpNormalization<axis=1>(x) z = LpNormalization<p=1>(x)"),
    ("float[2,3,4,4] x", "y = MeanVarianceNormalization(x)"),
]

REDUCTION = [
    ("float[2,3,4] x", "y = ReduceMean<axes=[1]>(x) z = ReduceMax<axes=[-1], keepdims=0>(x) u = ReduceMin(x)"),
    ("float[2,3,4] x", "y = ReduceProd<axes=[0,2]>(x) z = ReduceL1<axes=[1]>(x) u = ReduceL2<axes=[1]>(x)"),
    ("float[2,3,4] x", "y = ReduceSumSquare<axes=[1]>(x) z = ReduceLogSum<axes=[2]>(y)"),
    ("float[2,3,4] x", "y = ReduceLogSumExp<axes=[1], keepdims=0>(x)"),
    ("float[2,3,4] x", "y = ArgMax<axis=1>(x) z = ArgMin<axis=-1, keepdims=0>(x)"),
    ("int32[2,3,4] x", "y = ReduceMax<axes=[1]>(x) z = ArgMax<axis=1, select_last_index=1>(x)"),
]

MOVEMENT = [
    ("float[2,3,4] x", "y = Flatten<axis=2>(x) z = Flatten<axis=0>(x) u = Flatten<axis=-1>(x)"),
    ("float[2,3,4] x", "y = Transpose(x) z = Transpose<perm=[1,0,2]>(x)"),
    ("float[2,3] a, float[2,1] b", "y = Concat<axis=-1>(a, b)"),
    ("float[2,6] x", "y, z, u = Split<axis=1>(x)"),
    ("float[1,8,2,3] x", "y = DepthToSpace<blocksize=2>(x) z = DepthToSpace<blocksize=2, mode='CRD'>(x)"),
    ("float[1,2,4,6] x", "y = SpaceToDepth<blocksize=2>(x)"),
    ("float[3,4] x", "y = Trilu(x) z = Trilu<upper=0>(x)"),
    ("float[3,4] x", "y, m = Dropout(x) z = Identity(y)"),
    ("float[3,4] x", "y = Shape(x) z = Shape<start=-1>(x) u = Size(x)"),
    ("float[3,4] x", "y = EyeLike<k=1>(x) z = EyeLike<dtype=6>(x)"),
    ("float[3,4] x, int64[2,2] i", "j = Sub(i, i) y = Gather<axis=0>(x, j)"),
]

CASES = [*CONVOLUTION, *POOLING, *LINEAR, *ELEMENTWISE, *NORMALIZATION, *REDUCTION, *MOVEMENT]


@pytest.mark.parametrize(("inputs", "nodes"), CASES, ids=[nodes for _, nodes in CASES])
def test_operator_gives_what_onnx_runtime_gives(inputs: str, nodes: str) -> None:
    assert_matches_reference(model(inputs, nodes))


KNOWN_INPUTS = [
    ("Reshape(x, a)", {"a": [0, -1]}),
    ("Reshape(x, a)", {"a": [4, 3, 2]}),
    ("Squeeze(v, a)", {"a": [-2]}),
    ("Squeeze(v)", {}),
    ("Unsqueeze(x, a)", {"a": [0, -1]}),
    ("Slice(x, a, b)", {"a": [0, 1], "b": [1, 100]}),
    ("Slice(x, a, b, c, d)", {"a": [-1, 0], "b": [-100, 3], "c": [2, 1], "d": [-2, 2]}),
    ("Expand(x, a)", {"a": [2, 1, 1, 1]}),
    ("Tile(x, a)", {"a": [2, 1, 3]}),
    ("Gather<axis=1>(x, a)", {"a": [[0, -1], [2, 1]]}),
    ("Gather<axis=2>(x, a)", {"a": -3}),
    ("Gather<axis=2>(x, a)", {"a": [1, 2, 3]}),
    ("ReduceSum(x, a)", {"a": [0, -1]}),
    ("ReduceSum<keepdims=0>(x)", {}),
    ("ReduceSum<noop_with_empty_axes=1>(x)", {}),
    ("Pad(x, a)", {"a": [0, 1, 2, 1, 0, 3]}),
    ("Pad(x, a)", {"a": [0, -1, 2, 1, 0, -1]}),
    ("Pad(x, a, f)", {"a": [0, 1, 2, 1, 0, 3], "f": np.float32(1.5)}),
    ("Pad<mode='reflect'>(x, a)", {"a": [0, 1, 2, 0, 2, 3]}),
    ("Pad<mode='edge'>(x, a)", {"a": [1, 1, 2, 0, 2, 3]}),
]


@pytest.mark.parametrize(("call", "known"), KNOWN_INPUTS)
def test_operator_with_known_inputs_gives_what_onnx_runtime_gives(call: str, known: dict[str, object]) -> None:
    inputs = "float[2,1,4] v" if "(v" in call else "float[2,3,4] x"
    assert_matches_reference(model(inputs, f"y = {call}", **known))


RESIZE = [
    ("mode='nearest'", {"scales": [1, 1, 2, 3]}),
    ("mode='nearest', coordinate_transformation_mode='asymmetric', nearest_mode='floor'", {"scales": [1, 1, 2, 3]}),
    ("coordinate_transformation_mode='align_corners', nearest_mode='ceil'", {"sizes": [1, 2, 7, 3]}),
    ("nearest_mode='round_prefer_ceil'", {"sizes": [1, 2, 2, 9]}),
    ("mode='linear'", {"sizes": [1, 2, 6, 7]}),
    ("mode='linear', coordinate_transformation_mode='align_corners'", {"scales": [1, 1, 2, 1.5]}),
    ("mode='linear', coordinate_transformation_mode='pytorch_half_pixel'", {"sizes": [1, 2, 1, 9]}),
    ("mode='cubic', cubic_coeff_a=-0.5", {"scales": [1, 1, 2, 3]}),
    ("mode='cubic', exclude_outside=1", {"sizes": [1, 2, 7, 3]}),
]


@pytest.mark.parametrize(("attributes", "known"), RESIZE)
def test_resize_gives_what_onnx_runtime_gives(attributes: str, known: dict[str, list[float]]) -> None:
    stored = {name: np.array(v, np.float32 if name == "scales" else np.int64) for name, v in known.items()}
    inputs = "x, , scales" if "scales" in known else "x, , , sizes"
    assert_matches_reference(model("float[1,2,3,4] x", f"y = Resize<{attributes}>({inputs})", **stored))


RECURRENT = [
    ("LSTM", 4, "direction='bidirectional'", ["b", "", "h", "c"]),
    ("LSTM", 4, "direction='reverse'", ["b", "lengths", "h", "c", "p"]),
    ("LSTM", 4, "direction='bidirectional', activations=['Relu','Tanh','Sigmoid','Sigmoid','Sigmoid','Tanh']", []),
    ("GRU", 3, "direction='bidirectional'", ["b", "lengths", "h"]),
    ("GRU", 3, "linear_before_reset=1", ["b", "", "h"]),
    ("GRU", 3, "linear_before_reset=1, direction='reverse'", []),
    ("RNN", 1, "direction='bidirectional', activations=['Relu','Tanh']", ["b", "lengths"]),
]


def recurrent(operator: str, gates: int, attributes: str, optional: list[str]) -> onnx.ModelProto:
    """Five steps of two sequences of four features, to three hidden ones; weights and lengths are known."""
    directions, generator = 2 if "bidirectional" in attributes else 1, np.random.default_rng(5)
    shapes = {"w": (3 * gates, 4), "r": (3 * gates, 3), "b": (6 * gates,), "p": (9,)}
    used = {name: shape for name, shape in shapes.items() if name in ("w", "r", *optional)}
    known = {n: generator.standard_normal((directions, *s)).astype(np.float32) for n, s in used.items()}
    if "lengths" in optional:
        known["lengths"] = np.array([2, 5], np.int32)
    states = "".join(f", float[{directions},2,3] {name}" for name in ("h", "c") if name in optional)
    results = "y, last_h, last_c" if operator == "LSTM" else "y, last_h"
    call = f"{operator}<hidden_size=3, {attributes}>({', '.join(['x', 'w', 'r', *optional])})"
    return model(f"float[5,2,4] x{states}", f"{results} = {call}", **known)


@pytest.mark.parametrize(("operator", "gates", "attributes", "optional"), RECURRENT)
def test_recurrent_layer_gives_what_onnx_runtime_gives(
    operator: str, gates: int, attributes: str, optional: list[str]
) -> None:
    assert_matches_reference(recurrent(operator, gates, attributes, optional))


@pytest.mark.parametrize(("operator", "gates", "optional"), [("LSTM", 4, ["b"]), ("GRU", 3, ["b"]), ("RNN", 1, ["b"])])
def test_recurrent_layer_is_one_op_if_all_sequences_run_to_the_end(
    operator: str, gates: int, optional: list[str]
) -> None:
    whole = op_names(recurrent(operator, gates, "direction='bidirectional'", optional))
    assert whole.count(operator.lower()) == 1 and whole.count("matmul") == 1
    assert operator.lower() not in op_names(recurrent(operator, gates, "direction='bidirectional'", ["b", "lengths"]))


def test_recurrent_layer_with_lengths_at_run_time() -> None:
    whole = model(
        "float[4,2,1] x, float[1,2,1] w, float[1,2,2] r, int32[2] n", "y, h = RNN<hidden_size=2>(x, w, r, , n)"
    )
    assert_matches_reference(whole)


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("clip=1.5", r"clip=1\.5"),
        ("input_forget=1", "input_forget=1"),
        ("direction='both'", "direction='both'"),
        ("activations=['Tanh','Elu','Tanh']", "activation 'Elu'; pyipu has Sigmoid, Tanh, Relu"),
    ],
)
def test_unsupported_attribute_of_a_recurrent_layer_is_named(attribute: str, reason: str) -> None:
    whole = model("float[2,1,3] x, float[1,8,3] w, float[1,8,2] r", f"y = LSTM<{attribute}>(x, w, r)")
    with pytest.raises(UnsupportedError, match=rf"node 'LSTM_of_y' \(opset 17\) .*{reason}"):
        imported(whole)


def test_a_recurrent_layer_needs_activations_for_each_direction() -> None:
    nodes = "y = RNN<direction='bidirectional', activations=['Tanh']>(x, w, r)"
    with pytest.raises(ModelError, match="needs 2 activations, one direction's after the other, and has 1"):
        imported(model("float[2,1,3] x, float[2,2,3] w, float[2,2,2] r", nodes))


def test_a_recurrent_layer_with_the_batch_first_is_the_transposed_one() -> None:
    """ONNX Runtime has no `layout`."""
    w, r = np.random.default_rng(1).standard_normal((2, 2, 3, 3)).astype(np.float32)
    first = model("float[4,5,3] x", "y, h = RNN<direction='bidirectional', layout=1>(x, w, r)", w=w, r=r)
    second = model("float[5,4,3] x", "y, h = RNN<direction='bidirectional'>(x, w, r)", w=w, r=r)
    x = random_inputs(first)["x"]
    y, h = run(second, {"x": x.swapaxes(0, 1)})
    assert_close(run(first, {"x": x}), [y.transpose(2, 0, 1, 3), h.swapaxes(0, 1)])


def test_local_response_normalization_over_an_even_number_of_channels() -> None:
    """ONNX Runtime refuses this; the expected value is the formula of ONNX's documentation."""
    whole = model("float[1,6,2] x", "y = LRN<size=4, alpha=2.0>(x)")
    x = random_inputs(whole)["x"]
    sums = np.stack([(x[:, max(c - 1, 0) : c + 3] ** 2).sum(1) for c in range(6)], 1)
    assert_close(run(whole, {"x": x}), [x / (1 + 0.5 * sums) ** 0.75])


def test_splits_of_unequal_size() -> None:
    assert_matches_reference(model("float[2,7] x", "y, z = Split<axis=1>(x, s)", s=[5, 2]))
    assert_matches_reference(model("float[2,7] x", "y, z = Split<axis=1, num_outputs=2>(x)", 18))


def test_batch_normalization() -> None:
    generator = np.random.default_rng(1)
    known = {name: generator.uniform(0.5, 2, 3).astype(np.float32) for name in "sbmv"}
    assert_matches_reference(model("float[2,3,4] x", "y = BatchNormalization<epsilon=0.01>(x, s, b, m, v)", **known))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    assert_matches_reference(model("float[2,3] x", f"y = Gelu<approximate='{approximate}'>(x)", 20))


@pytest.mark.parametrize("exponent", [-1.0, 0.5, 0.75, 1.0, 1.7, 2.0, 3.0])
def test_power_of_known_exponent(exponent: float) -> None:
    assert_matches_reference(model("float[2,3] x", "a = Abs(x) y = Pow(a, e)", e=np.float32(exponent)))


def test_power_of_integers() -> None:
    assert_matches_reference(model("int32[2,3] x, float[3] e", "y = Pow(x, e)"))
    assert_matches_reference(model("int64[2,3] x", "y = Pow(x, e)", e=np.int64(4)))


@pytest.mark.parametrize("bounds", [(0, 6), (-np.inf, 1), (0, np.inf), (None, 0.5), (-0.5, None)])
def test_clip_to_known_bounds(bounds: tuple[float | None, float | None]) -> None:
    known = {name: np.float32(b) for name, b in zip("lh", bounds, strict=True) if b is not None}
    names = ", ".join(name if name in known else "" for name in "lh")
    assert_matches_reference(model("float[20] x", f"y = Clip(x, {names})", **known))


OLD_OPSETS = [
    (9, "float[2,3,2] x", "y = Softmax(x) z = LogSoftmax<axis=2>(x)"),
    (9, "float[2,3,4] x", "y = Slice<starts=[1,-3], ends=[100,-1], axes=[1,2]>(x)"),
    (9, "float[2,1,4] x", "y = Squeeze<axes=[1]>(x) z = Unsqueeze<axes=[0,4]>(x)"),
    (9, "float[2,3,4] x", "y = ReduceSum<axes=[1]>(x) z = Clip<min=-0.5, max=0.5>(x)"),
    (9, "float[2,7] x", "y, z = Split<axis=1, split=[5,2]>(x)"),
    (9, "float[2,3] x", "y = Pad<pads=[1,0,0,2], value=1.5>(x) z = Dropout(x)"),
    (9, "float[2,3,4,4] x, float[3] s", "a = Abs(s) y = BatchNormalization(x, s, s, s, a)"),
    (7, "float[1,2,3,3] x", "y = Upsample<scales=[1.0,1.0,2.0,3.0]>(x)"),
]


@pytest.mark.parametrize(("opset", "inputs", "nodes"), OLD_OPSETS)
def test_operator_of_an_old_opset(opset: int, inputs: str, nodes: str) -> None:
    assert_matches_reference(model(inputs, nodes, opset))


@pytest.mark.parametrize(
    ("operator", "opset", "scales"), [("Upsample", 9, [1, 1, 2, 3]), ("Resize", 10, [1, 1, 2, 0.5])]
)
def test_old_resize_gives_what_onnx_runtime_gives(operator: str, opset: int, scales: list[float]) -> None:
    assert_matches_reference(model("float[1,2,3,4] x", f"y = {operator}(x, s)", opset, s=np.array(scales, np.float32)))


def test_constants_of_every_form() -> None:
    nodes = """a = Constant<value_float=1.5>() b = Constant<value_floats=[1.5, 2.5]>() c = Constant<value_int=3>()
        d = Constant<value_ints=[3, 4]>() e = Constant<value = float[2] {1.0, 2.0}>()"""
    assert_matches_reference(model("float[1] x", nodes))


def test_range_and_constant_of_shape() -> None:
    nodes = "y = Range(a, b, c) z = ConstantOfShape<value = float[1] {2.5}>(s)"
    assert_matches_reference(model("float[1] x", nodes, a=10, b=1, c=-4, s=[2, 30]))


@pytest.mark.parametrize("dtype", ["float16", "double", "bfloat16"])
def test_other_floating_point_types(dtype: str) -> None:
    whole = model(f"{dtype}[2,3] x, {dtype}[3] b", "a = Add(x, b) c = Relu(a) y = Mul(c, b)")
    inputs = random_inputs(whole)
    total = inputs["x"] + inputs["b"]
    clipped = np.maximum(total, np.zeros((), total.dtype))
    assert_close(run(whole, inputs), [total, clipped, clipped * inputs["b"]])


def test_layer_normalization_of_half_precision_is_computed_in_single() -> None:
    whole = model("float16[2,64] x, float16[64] s", "y = LayerNormalization(x, s)")
    inputs = random_inputs(whole)
    inputs["x"] *= np.float16(300)  # squares overflow half precision
    (result,) = run(whole, inputs)
    x = inputs["x"].astype(np.float64)
    exact = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) * inputs["s"]
    np.testing.assert_allclose(result.astype(np.float64), exact, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", ["ReduceMax", "ReduceMin"])
def test_reduction_of_truth_values(name: str) -> None:
    whole = model("bool[4,3] x", f"y = {name}<keepdims=0>(x, a)", 20, a=[1])
    x = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1], [1, 0, 1]], np.bool_)
    assert_close(run(whole, {"x": x}), [x.any(1) if name == "ReduceMax" else x.all(1)])


@pytest.mark.parametrize(("name", "start"), [("ReduceSum", 0), ("ReduceProd", 1), ("ReduceMax", -np.inf)])
def test_reduction_of_nothing_gives_the_neutral_element(name: str, start: float) -> None:
    whole = model("float[2,0] x", f"y = {name}<keepdims=0>(x, a)", 20, a=[1])
    assert_close(run(whole, {"x": np.zeros((2, 0), np.float32)}), [np.full(2, start, np.float32)])


def test_gather_at_run_time_takes_negative_32_bit_indices() -> None:
    whole = model("float[4,2] x, int32[3] i", "y = Gather(x, i)")
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert_close(run(whole, {"x": x, "i": np.array([3, 0, -1], np.int32)}), [x[[3, 0, 3]]])


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ("y = Resize<mode='linear', antialias=1>(x, , s)", "antialias=1"),
        ("y = Resize<coordinate_transformation_mode='tf_crop_and_resize'>(x, , s)", "tf_crop_and_resize"),
        ("y = Resize<keep_aspect_ratio_policy='not_larger'>(x, , , t)", "keep_aspect_ratio_policy='not_larger'"),
        ("y, z = MaxPool<kernel_shape=[2,2]>(x)", "optional output 'z'"),
        ("y = Einsum<equation='abcd->a'>(x)", "equation='abcd->a'"),
        ("y = Cast<to=17>(x)", "FLOAT8E4M3FN"),
    ],
)
def test_unsupported_attribute_is_named(nodes: str, reason: str) -> None:
    known = {"s": np.array([1, 1, 2, 2], np.float32), "t": [1, 1, 8, 8]}
    used = {name: array for name, array in known.items() if f" {name})" in nodes}
    with pytest.raises(UnsupportedError, match=rf"node '\w+_of_y' \(opset 19\) .*{reason}"):
        imported(model("float[1,1,4,4] x", nodes, 19, **used))
