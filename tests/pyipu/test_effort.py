"""A model that is done before another thread wakes up runs on the caller's, unless the caller says otherwise."""

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import pyipu
from pyipu.runtime import available_threads


def product(rows: int, size: int) -> ModelProto:
    """`y = x @ w` with a square matrix."""
    weight = numpy_helper.from_array(np.full((size, size), 0.5, np.float32), "w")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (rows, size)) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "one", values[:1], values[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(("rows", "size", "threads"), [(1, 64, 1), (256, 256, available_threads())])
def test_threads_are_as_many_as_help(rows, size, threads, tmp_path):
    exe = pyipu.compile(product(rows, size))
    assert exe.threads == threads
    np.testing.assert_array_equal(exe(np.ones((rows, size), np.float32)), np.full((rows, size), size / 2, np.float32))
    exe.save(tmp_path / "model")
    assert pyipu.load(tmp_path / "model").threads == threads


def test_a_number_of_threads_that_is_given_stays():
    assert pyipu.compile(product(1, 64), threads=2).threads == 2
