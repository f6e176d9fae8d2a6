"""What is wrong with a model or a call is said in one sentence that names the place; nothing else is ever raised."""

import random
from pathlib import Path

import numpy as np
import onnx
import pytest

import pyipu.dialect
from pyipu.errors import Error, ModelError, ShapeError, UnsupportedError
from pyipu.importer import import_model
from pyipu.importer.functions import refuse_unsupported
from pyipu.importer.inputs import Shapes
from pyipu.importer.model import ModelSource
from pyipu.parameters import Parameters
from tests.pyipu.importer.mutations import damaged_bytes, damaged_model
from tests.pyipu.importer.running import model


def attempt(source: ModelSource, shapes: Shapes | None = None) -> None:
    import_model(source, pyipu.dialect.context(), Parameters(), shapes)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.onnx cannot be read: No such file or directory"):
        attempt(tmp_path / "nowhere.onnx")


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        attempt(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.onnx"
    path.touch()
    with pytest.raises(ModelError, match=r"empty.onnx is empty; export it again"):
        attempt(path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"import torch\n", bytes(100), b"\x08\x08"])
def test_file_of_another_kind(content: bytes) -> None:
    with pytest.raises(ModelError, match="the model is no ONNX model, or only a part of one"):
        attempt(content)


def test_truncated_file() -> None:
    whole = model("float[2] x", "y = Relu(x)").SerializeToString()
    with pytest.raises(ModelError, match="no ONNX model, or only a part of one"):
        attempt(whole[: len(whole) // 2])


def test_undefined_value() -> None:
    broken = model("float[2] x", "y = Relu(x)")
    broken.graph.node[0].input[0] = "lost"
    with pytest.raises(ModelError, match=r"not valid ONNX.*'lost'"):
        attempt(broken)


def test_undefined_output() -> None:
    broken = model("float[2] x", "y = Relu(x)")
    broken.graph.output[0].name = "lost"
    with pytest.raises(ModelError, match=r"'?lost'?"):
        attempt(broken)


def test_cycle() -> None:
    broken = model("float[2] x", "a = Relu(x) y = Exp(a)")
    broken.graph.node[0].input[0] = "y"
    with pytest.raises(ModelError, match="topologically sorted"):
        attempt(broken)


def test_missing_external_data(tmp_path: Path) -> None:
    whole = model("float[2000] x", "y = Add(x, w)", w=np.zeros(2000, np.float32))
    onnx.save(whole, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"weights\.bin"):
        attempt(tmp_path / "model.onnx")


def test_external_data_of_a_model_without_a_folder(tmp_path: Path) -> None:
    whole = model("float[2000] x", "y = Add(x, w)", w=np.zeros(2000, np.float32))
    onnx.save(whole, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin")
    with pytest.raises(ModelError, match="'w' lies in another file; pass the model's path"):
        attempt((tmp_path / "model.onnx").read_bytes())


def test_operands_that_do_not_fit() -> None:
    with pytest.raises(
        ModelError, match=r"MatMul node 'MatMul_of_y' \(opset 17\) does not fit its inputs: cannot mult"
    ):
        attempt(onnx_without_inference("float[2,3] a, float[2,3] b", "y = MatMul(a, b)"))


def onnx_without_inference(inputs: str, nodes: str, opset: int = 17) -> onnx.ModelProto:
    """ONNX's shape inference refuses some broken models before pyipu sees them."""
    graph = onnx.parser.parse_graph(f"graph ({inputs}) => (float[] y) {{ {nodes} }}")
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)


def test_index_outside_of_a_known_dimension() -> None:
    broken = onnx_without_inference("float[3] x", "i = Constant<value_ints=[1, 7]>() y = Gather(x, i)")
    with pytest.raises(ModelError, match=r"Gather node .* an index lies outside of dimension 0"):
        attempt(broken)


def test_all_unsupported_operators_are_listed() -> None:
    nodes = "a = NonZero(x) b, c = Unique(x) d = NonZero(x) y = Relu(x)"
    with pytest.raises(UnsupportedError) as caught:
        attempt(model("float[4] x", nodes))
    assert str(caught.value) == (
        "the model needs operators that pyipu does not have: NonZero (ai.onnx 17) in 'NonZero_of_a', 'NonZero_of_d'; "
        "Unique (ai.onnx 17) in 'Unique_of_b'"
    )


def test_operators_that_onnx_does_not_have_are_listed_with_their_domain() -> None:
    nodes = "a = Bogus(x) b = com.example.Own(x) y = Relu(x)"
    unknown = onnx_without_inference("float[4] x", nodes)
    unknown.opset_import.append(onnx.helper.make_opsetid("com.example", 3))
    with pytest.raises(UnsupportedError, match=r"Bogus \(ai.onnx 17\) in 'Bogus_of_a'; Own \(com.example 3\) in"):
        attempt(unknown)


def test_operator_inside_of_a_function_is_named_after_its_caller() -> None:
    text = """<ir_version: 10, opset_import: ["": 17, "own": 1]>
        graph (float[4] x) => (int64[] y) { y = own.f(x) }
        <domain: "own", opset_import: ["": 17]> f (v) => (o) { o = NonZero(v) }"""
    with pytest.raises(UnsupportedError, match=r"NonZero .* in 'f_of_y/NonZero_of_o'"):
        attempt(onnx.parser.parse_model(text))


def test_function_that_calls_itself() -> None:
    text = """<ir_version: 10, opset_import: ["": 17, "own": 1]>
        graph (float[4] x) => (float[4] y) { y = own.f(x) }
        <domain: "own", opset_import: ["": 17, "own": 1]> f (v) => (o) { o = own.f(v) }"""
    recursive = onnx.parser.parse_model(text)
    with pytest.raises(ModelError):
        attempt(recursive)
    with pytest.raises(ModelError, match="the function 'f' calls itself"):  # older versions of ONNX's checker accept it
        refuse_unsupported(recursive)


def test_value_that_must_be_known() -> None:
    with pytest.raises(
        UnsupportedError, match=r"Reshape node 'Reshape_of_y' .* needs its input 'shape' at compile time"
    ):
        attempt(onnx_without_inference("float[4] x, int64[2] s", "y = Reshape(x, s)"))


def test_training_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="training_mode=true"):
        attempt(model("float[4] x", "y = Dropout(x, , t)", t=True))


@pytest.mark.parametrize(("type_", "name"), [("string", "STRING"), ("float8e4m3fn", "FLOAT8E4M3FN"), ("int4", "INT4")])
def test_unsupported_element_type(type_: str, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"input 'x' has the element type {name}, which pyipu does not have"):
        attempt(onnx_without_inference(f"{type_}[4] x", "y = Identity(x)"))


def test_input_that_is_no_tensor() -> None:
    with pytest.raises(UnsupportedError, match="input 'x' is no tensor"):
        attempt(onnx_without_inference("seq(float[4]) x", "y = SequenceLength(x)"))


def test_dynamic_dimensions_without_shapes() -> None:
    with pytest.raises(ShapeError) as caught:
        attempt(model("float[N,3,H,W] x, float[2] z", "y = Relu(x) u = Relu(z)"))
    assert str(caught.value) == (
        "the input has dimensions that the model leaves open: 'x' (N, 3, H, W); "
        'fix them: shapes={"x": (1, 3, 224, 224)}'
    )


def test_all_dynamic_inputs_are_named() -> None:
    message = (
        r"the inputs have dimensions .*: 'x' \(\?, 3\), 'z' of unknown rank; fix them: shapes=\{\"x\": \(1, 3\), \"z\""
    )
    with pytest.raises(ShapeError, match=message):
        attempt(model("float[?,3] x, float[] z", "y = Relu(x) u = Relu(z)"))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"w": (1, 3)}, "shapes= names 'w', which is no input of the model; its inputs are: 'x'"),
        ({"x": (1, 3, 4)}, "shapes= gives 3 dimensions for input 'x', which has 2"),
        ({"x": (1, 4)}, "shapes= gives 4 for dimension 1 of input 'x', but the model fixes it to 3"),
        ({"x": (-1, 3)}, "a shape is a tuple of whole numbers, none negative"),
        ({"x": (1.5, 3)}, "a shape is a tuple of whole numbers, none negative"),
        ({"x": 3}, "a shape is a tuple of whole numbers, none negative"),
        ({"x": ("N", 3)}, "a shape is a tuple of whole numbers, none negative"),
    ],
)
def test_shapes_that_do_not_fit(shapes: Shapes, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        attempt(model("float[N,3] x", "y = Relu(x)"), shapes)


def test_sparse_initializer() -> None:
    whole = model("float[4] x", "y = Add(x, w)", w=np.zeros(4, np.float32))
    values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "w")
    indices = onnx.numpy_helper.from_array(np.array([2]))
    whole.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [4]))
    del whole.graph.initializer[:]
    with pytest.raises(UnsupportedError, match="initializer 'w' is sparse; store it as a dense tensor"):
        attempt(whole)


def test_shapes_too_large_for_any_machine() -> None:
    with pytest.raises(Error):
        attempt(model("float[N,M] x", "y = Reshape(x, s)", s=[-1]), {"x": (2**62, 2**62)})


ANY_MODEL = """<ir_version: 10, opset_import: ["": 17, "own": 1]>
    graph (float[1,1,4,4] x, float[N] z) => (float[1,2] y, float[N] o)
        <float[2,1,2,2] w = {1,2,3,4,5,6,7,8}, float[2,8] g = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}> {
        c = Conv<pads=[0,0,0,0], strides=[2,2], kernel_shape=[2,2]>(x, w)
        p = MaxPool<kernel_shape=[2,2], auto_pad="SAME_UPPER">(c)
        q = Concat<axis=1>(c, p)
        r, t = Split<axis=1>(q)
        u = Max(r, t)
        shape = Shape(u)
        start = Constant<value_ints=[0]>()
        end = Constant<value_ints=[1]>()
        batch = Slice(shape, start, end)
        rest = Constant<value_ints=[-1]>()
        flat = Concat<axis=0>(batch, rest)
        f = Reshape(u, flat)
        m = Gemm<alpha=0.5, transB=1>(f, g)
        n = Softmax<axis=-1>(m)
        y = own.scaled<by=2.0>(n)
        b = Selu<alpha=1.5>(z)
        d = ReduceMean<axes=[0], keepdims=1>(b)
        o = Sub(b, d) }
    <domain: "own", opset_import: ["": 17]> scaled <by> (v) => (s) {
        k = Constant<value_float: float = @by>() s = Mul(v, k) }"""


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_give_clear_errors(seed: int) -> None:
    """Whatever happens to a file, the outcome is a model or a `pyipu.Error` of one line."""
    whole, generator = onnx.parser.parse_model(ANY_MODEL), random.Random(seed)
    content = whole.SerializeToString()
    assert outcome(content) == "imported"
    damaged = [
        damage for _ in range(150) for damage in (damaged_bytes(content, generator), damaged_model(whole, generator))
    ]
    outcomes = [outcome(source) for source in damaged]
    assert len(set(outcomes)) > 10
    assert all(sentence and "\n" not in sentence for sentence in outcomes)


def outcome(source: ModelSource) -> str:
    """What the error says, or that there was none."""
    try:
        attempt(source, {"z": (5,)})
    except Error as error:
        return str(error)
    return "imported"
