"""The table of memory: ONNX Runtime's log is read right, and every figure has its column."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from benchmarks.baselines import BaselineError
from benchmarks.memory import table
from benchmarks.onnxruntime_arena import onnxruntime_arena, parse_log

# Of SqueezeNet in onnxruntime 1.31.1, shortened; the first line stands for what loading a larger model takes.
LOG = """
[I:onnxruntime:Default, bfc_arena.cc:205 Extend] Extended allocation by 1048576 bytes.
the model is loaded
[I:onnxruntime:Default, bfc_arena.cc:335 AllocateRawInternal] Extending BFCArena for Cpu. (requested) num_bytes: 3154176
[I:onnxruntime:Default, bfc_arena.cc:205 Extend] Extended allocation by 4194304 bytes.
[I:onnxruntime:Default, bfc_arena.cc:208 Extend] Total allocated bytes: 5242880
[I:onnxruntime:Default, bfc_arena.cc:205 Extend] Extended allocation by 4194304 bytes.
"""


def test_the_arena_is_what_calls_add_to_it() -> None:
    assert parse_log(LOG) == 2 * 4194304


def test_a_log_without_the_arena_is_an_error() -> None:
    with pytest.raises(BaselineError, match="no growth of its arena"):
        parse_log("the model is loaded\n")


def test_onnxruntime_says_what_a_model_needs() -> None:
    """Two values of 4 MB are alive at once; the arena grows by powers of two."""
    shape = [1, 1 << 20]
    nodes = [helper.make_node("Softmax", ["x"], ["a"]), helper.make_node("Softmax", ["a"], ["y"])]
    tensors = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name in "xy"]
    graph = helper.make_graph(nodes, "g", *tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    grown = onnxruntime_arena(model, {"x": np.zeros(shape, np.float32)})
    assert 8 << 20 <= grown <= 32 << 20


def test_a_row_has_every_figure_and_what_part_of_others_it_is() -> None:
    row = {"sum": 4000, "+ tile": 1000, "min": 500, "plain IREE": 2000, "ONNX Runtime": 5000}
    titles, rows = table({"one": row, "squeezenet": row | {"+ tile": 250}})
    assert titles == ["model", *row, "+ tile / plain IREE", "min / plain IREE", "+ tile / ONNX Runtime"]
    assert rows[0] == ["one", "4,000", "1,000", "500", "2,000", "5,000", "0.50", "0.25", "0.20"]
    assert rows[2] == ["geometric mean", "", "", "", "", "", "0.250", "0.250", "0.100"]
    assert rows[3] == ["of the CNNs", "", "", "", "", "", "0.125", "0.250", "0.050"]
