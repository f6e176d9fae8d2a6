"""The form of what is imported: folding, names, parameters, functions."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import pyipu.dialect
from pyipu.importer import import_model
from pyipu.importer.registry import find, operators
from pyipu.parameters import Parameters
from pyipu.passes.verifier import all_ops
from tests.pyipu.importer.running import (
    assert_close,
    assert_matches_reference,
    imported,
    model,
    op_names,
    random_inputs,
    run,
)


def test_convolution_is_channels_last_with_known_weights() -> None:
    weights = np.ones((4, 3, 3, 3), np.float32)
    whole = model("float[1,3,8,8] x", "y = Conv<pads=[1,1,1,1]>(x, w, b)", w=weights, b=np.ones(4, np.float32))
    assert op_names(whole) == ["constant", "parameter", "transpose", "pad", "conv", "add", "transpose"]
    result, parameters = imported(whole)
    (weights_op,) = [op for op in all_ops(result.module) if op.operation.name == "ipu.parameter"]
    assert weights_op.key == "w.transpose"
    assert parameters["w.transpose"].shape == (3, 3, 3, 4)


def test_upsampling_by_whole_steps_is_a_broadcast() -> None:
    whole = model("float[1,2,3,4] x", "y = Resize(x, , s)", s=np.array([1, 1, 2, 3], np.float32))
    assert op_names(whole) == ["transpose", "reshape", "broadcast", "reshape", "transpose"]


def test_transposed_convolution_without_overlap_is_one_contraction() -> None:
    whole = model("float[1,2,3,4] x, float[2,5,2,2] w", "y = ConvTranspose<strides=[2,2]>(x, w)")
    assert op_names(whole) == ["transpose", "transpose", "einsum", "reshape", "transpose"]


def test_computed_shapes_vanish() -> None:
    nodes = """s = Shape(x) b = Slice(s, zero, one) c = Gather(s, two) d = Concat<axis=0>(b, minus)
        e = Cast<to=1>(c) f = Cast<to=7>(e) g = Mul(f, one) y = Reshape(x, d) z = Expand(x, g)"""
    graph = model("float[2,3,4] x", nodes, zero=[0], one=[1], two=[2], minus=[-1])
    del graph.graph.output[:-2]
    result, _ = imported(graph)
    assert op_names(graph) == ["reshape"]
    assert result.outputs[0].shape == (2, 12)


def test_unused_nodes_are_dropped() -> None:
    whole = model("float[2] x", "a = Exp(x) y = Neg(x)")
    whole.graph.output.remove(whole.graph.output[0])
    assert op_names(whole) == ["negate"]


def test_a_large_constant_of_shape_costs_no_memory() -> None:
    whole = model("float[1] x", "z = ConstantOfShape(s) y = Add(z, x)", s=[1000, 1000, 1000])
    _, parameters = imported(whole)
    assert parameters["z"].strides == (0, 0, 0)


def test_known_square_and_root_are_no_powers() -> None:
    whole = model("float[4] x", "y = Pow(x, two) z = Pow(x, half)", two=np.float32(2), half=np.float32(0.5))
    assert op_names(whole) == ["multiply", "sqrt"]


def test_clip_from_zero_is_a_relu() -> None:
    assert op_names(model("float[4] x", "y = Clip(x, low)", low=np.float32(0))) == ["relu"]


def test_locations_are_node_names() -> None:
    whole = model("float[4] x", "y = Relu(x) z = Exp(y)")
    whole.graph.node[0].name = "first"
    result, _ = imported(whole)
    locations = [str(op.operation.location) for op in all_ops(result.module)]
    assert locations[:2] == ['loc("first")', 'loc("Exp_of_z")']


def test_inputs_and_outputs_keep_the_order_of_the_model() -> None:
    whole = model("float[2] b, int64[3] a", "z = Neg(a) y = Relu(b)")
    result, _ = imported(whole)
    assert [str(d) for d in result.inputs] == ["b: float32[2]", "a: int64[3]"]
    assert [str(d) for d in result.outputs] == ["z: int64[3]", "y: float32[2]"]


def test_an_input_with_a_stored_default_is_no_input() -> None:
    whole = model("float[2] x, float[2] w", "y = Add(x, w)", w=np.ones(2, np.float32))
    result, _ = imported(whole)
    assert [d.name for d in result.inputs] == ["x"]


def test_an_output_can_be_an_input_or_a_constant() -> None:
    whole = model("float[2] x", "y = Identity(x) z = Constant<value_float=2.0>()")
    assert_close(run(whole, {"x": np.ones(2, np.float32)}), [np.ones(2, np.float32), np.array(2, np.float32)])


def test_dynamic_dimensions_are_given_by_the_caller() -> None:
    whole = model("float[N,3] x", "y = Relu(x)")
    (result,) = run(whole, {"x": np.ones((5, 3), np.float32)}, {"x": (5, 3)})
    assert result.shape == (5, 3)


def test_an_input_without_a_shape_takes_any() -> None:
    whole = model("float[] x", "y = Relu(x)")
    (result,) = run(whole, {"x": np.ones((5, 3), np.float32)}, {"x": (5, 3)})
    assert result.shape == (5, 3)
    assert not whole.graph.input[0].type.tensor_type.HasField("shape")


LOCAL_FUNCTIONS = """<ir_version: 10, opset_import: ["": 17, "own": 1]>
    graph (float[2,3] x) => (float[2,3] y, float[2,3] z) { y = own.outer<by=3.0>(x) z = own.outer(x) }
    <domain: "own", opset_import: ["": 17, "own": 1]> outer <by: float = 2.0> (v) => (o) {
        t = own.scale<by: float = @by>(v) o = Relu(t) }
    <domain: "own", opset_import: ["": 17]> scale <by> (v) => (o) {
        k = Constant<value_float: float = @by>() o = Mul(v, k) }"""


def test_functions_of_the_model_are_expanded() -> None:
    whole = onnx.parser.parse_model(LOCAL_FUNCTIONS)
    assert op_names(whole) == ["constant", "multiply", "relu", "constant", "multiply", "relu"]
    assert_matches_reference(whole)


def test_nodes_of_a_function_are_named_after_its_caller() -> None:
    whole = onnx.parser.parse_model(LOCAL_FUNCTIONS)
    result, _ = imported(whole)
    assert 'loc("outer_of_y/scale_of_t/Mul_of_o")' in [str(op.operation.location) for op in all_ops(result.module)]


def test_functions_of_onnx_that_depend_on_types_are_expanded() -> None:
    whole = model("float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v", "y = Attention(q, k, v)", 23)
    inputs = random_inputs(whole)
    scores = inputs["q"] @ inputs["k"].swapaxes(2, 3) / 2
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    assert_close(run(whole, inputs), [weights @ inputs["v"]])


def test_external_data_are_read_from_beside_the_model(tmp_path: Path) -> None:
    weights = np.arange(2000, dtype=np.float32)
    whole = model("float[2000] x", "y = Add(x, w)", w=weights)
    onnx.save(whole, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin")
    parameters = Parameters()
    import_model(tmp_path / "model.onnx", pyipu.dialect.context(), parameters)
    np.testing.assert_array_equal(parameters["w"], weights)


@pytest.mark.parametrize("kind", ["path", "text", "bytes"])
def test_a_model_comes_as_a_file_or_as_its_content(kind: str, tmp_path: Path) -> None:
    whole = model("float[2] x", "y = Relu(x)")
    path = tmp_path / "model.onnx"
    onnx.save(whole, path)
    source = {"path": path, "text": str(path), "bytes": path.read_bytes()}[kind]
    result = import_model(source, pyipu.dialect.context(), Parameters())
    assert [d.name for d in result.outputs] == ["y"]


def test_the_newest_form_that_an_opset_knows_is_chosen() -> None:
    assert [find("Softmax", "", opset).since for opset in (1, 12, 13, 20)] == [1, 1, 13, 13]
    assert find("Softmax", "com.example", 13) is None
    assert find("LayerNormalization", "", 16) is None


def test_every_form_of_an_operator_takes_the_attributes_that_onnx_gives_it() -> None:
    """The attributes of the newest version of each form are all known, but for those of element types not here.

    Of other domains ONNX knows nothing.
    """
    elsewhere = {("Constant", "sparse_value"), ("Constant", "value_string"), ("Constant", "value_strings")}
    lacking = set()
    for form in [one for one in operators() if not one.domain]:
        later = [other.since for other in operators() if other.name == form.name and other.since > form.since]
        schema = onnx.defs.get_schema(
            form.name, min(later, default=onnx.defs.onnx_opset_version() + 1) - 1, form.domain
        )
        lacking |= {(form.name, name) for name in schema.attributes.keys() - form.attributes.keys()}
    assert lacking == elsewhere
