"""Runs models through importer and interpreter, and through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime

import pyipu.dialect
from pyipu.importer import Imported, import_model
from pyipu.importer.inputs import Shapes
from pyipu.parameters import Parameters
from pyipu.passes.verifier import all_ops, verify
from tests.interpreter import interpret

RTOL, ATOL = 1e-3, 1e-5
"""Relative tolerance, and absolute tolerance in parts of the largest magnitude."""


def model(inputs: str, nodes: str, opset: int = 17, **initializers: object) -> onnx.ModelProto:
    """A model whose outputs are all results of its nodes, in ONNX's text form: `float[2,3] x`, `y = Relu(x)`."""
    graph = onnx.parser.parse_graph(f"graph ({inputs}) => () {{ {nodes} }}".replace("'", '"'))
    for name, array in initializers.items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    results = [name for node in graph.node for name in node.output if name]
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in results)
    opsets = [onnx.helper.make_opsetid("", opset)]
    return onnx.shape_inference.infer_shapes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10))


def imported(source: onnx.ModelProto, shapes: Shapes | None = None) -> tuple[Imported, Parameters]:
    """The verified module of a model and its parameters."""
    parameters = Parameters()
    result = import_model(source, pyipu.dialect.context(), parameters, shapes)
    verify(result.module)
    return result, parameters


def op_names(source: onnx.ModelProto) -> list[str]:
    """The operations of the imported model, in order, without `ipu.` and the return."""
    result, _ = imported(source)
    names = [op.operation.name for op in all_ops(result.module)]
    return [name.removeprefix("ipu.") for name in names if name != "func.return"]


def run(source: onnx.ModelProto, inputs: Mapping[str, np.ndarray], shapes: Shapes | None = None) -> list[np.ndarray]:
    """The results of the imported model, computed with numpy."""
    result, parameters = imported(source, shapes)
    return interpret(result.module, parameters, [inputs[description.name] for description in result.inputs])


def run_reference(source: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The results that ONNX Runtime gives."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(source.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))


def random_inputs(source: onnx.ModelProto, seed: int = 0) -> dict[str, np.ndarray]:
    """Seeded inputs: normal for floats, 1 to 4 for integers, so that they are safe to divide by."""
    generator = np.random.default_rng(seed)
    stored = {tensor.name for tensor in source.graph.initializer}
    return {v.name: _random(v.type.tensor_type, generator) for v in source.graph.input if v.name not in stored}


def _random(type_: onnx.TypeProto.Tensor, generator: np.random.Generator) -> np.ndarray:
    shape = [dim.dim_value for dim in type_.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(type_.elem_type)
    if dtype == np.bool_:
        return generator.integers(0, 2, shape).astype(np.bool_)
    if dtype.kind in "iu":
        return generator.integers(1, 5, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def assert_close(results: Sequence[np.ndarray], expected: Sequence[np.ndarray], rtol: float = RTOL) -> None:
    """Equal shapes and dtypes, and elements within tolerance; integers must be equal."""
    for array, reference in zip(results, expected, strict=True):
        assert (array.shape, array.dtype) == (reference.shape, reference.dtype)
        if array.dtype.kind in "biu":
            np.testing.assert_array_equal(array, reference)
            continue
        wide, exact = array.astype(np.float64), reference.astype(np.float64)
        magnitude = np.abs(exact[np.isfinite(exact)]).max(initial=0.0)
        np.testing.assert_allclose(wide, exact, rtol=rtol, atol=ATOL * magnitude)


def assert_matches_reference(source: onnx.ModelProto, seed: int = 0) -> None:
    """Importing and interpreting a model gives what ONNX Runtime gives."""
    inputs = random_inputs(source, seed)
    assert_close(run(source, inputs), run_reference(source, inputs))
