"""How much a model and its vertices compute, and in what time."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import vertices
from benchmarks.arithmetic import model_flop
from benchmarks.dispatches import Dispatch, calls_in, milliseconds, shares
from benchmarks.engines import Workload
from benchmarks.vertices import VertexTime
from tests.benchmarks.perceptron import workload


def event(call: int, place: int, ordinal: int, start: int, end: int) -> dict:
    times = {"start_host_time_ns": start, "end_host_time_ns": end}
    which = {"submission_id": call, "command_index": place, "executable_id": 1, "function_ordinal": ordinal}
    return {"record_type": "host_execution_event", "op": "dispatch", **which, **times}


EXPORTED = [
    {"record_type": "schema"},
    {"record_type": "executable_function", "executable_id": 1, "function_ordinal": 0, "name": "conv_0"},
    {"record_type": "executable_function", "executable_id": 1, "function_ordinal": 1, "name": "relu_1"},
    {"record_type": "host_execution_event", "op": "alloca"},
    event(9, 4, 0, 70, 75),
    event(7, 5, 1, 30, 40),
    event(7, 2, 0, 10, 30),
]


def small_convolution() -> Workload:
    """A convolution of 3 x 3 that runs in Winograd's form, with a name."""
    weights = numpy_helper.from_array(np.ones((64, 64, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="window", pads=[1, 1, 1, 1])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 64, 14, 28)) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "convolution", ends[:1], ends[1:], [weights]))
    return Workload(model, {}, {"x": np.ones((1, 64, 14, 28), np.float32)})


def test_a_model_computes_what_its_file_says() -> None:
    assert model_flop(workload(batch=4)) == 2 * (4 * 64 * 256 + 4 * 256 * 32)


def test_vertices_compute_what_the_model_does(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    work = workload(batch=4)
    *found, rest, between = vertices.measure(work, threads=1, calls=2)
    assert sum(one.flop for one in found) == model_flop(work)
    assert sum(one.weights for one in found) == 4 * (64 * 256 + 256 * 32)
    assert all(one.runs > 0 and one.milliseconds > 0 for one in found)
    assert (rest.flop, between.flop, between.products) == (0, 0, ("between dispatches",))


def test_a_fast_convolution_is_one_row_that_counts_what_it_is_by_definition(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    first, *_ = vertices.measure(small_convolution(), threads=1, calls=2)
    assert (first.products, first.flop) == (("window",), 2 * 14 * 28 * 9 * 64 * 64)
    assert first.weights == 36 * 4 * 64 * 64
    assert first.runs >= 3


def test_calls_are_read_in_the_order_of_the_program() -> None:
    calls = calls_in(map(json.dumps, EXPORTED))
    assert calls == [[Dispatch("conv_0", 10, 30), Dispatch("relu_1", 30, 40)], [Dispatch("conv_0", 70, 75)]]
    assert [milliseconds(call) for call in calls] == pytest.approx([30e-6, 5e-6])


def test_dispatches_side_by_side_share_the_time() -> None:
    call = [Dispatch("a", 0, 8), Dispatch("b", 4, 12), Dispatch("c", 20, 30), Dispatch("d", 22, 22)]
    assert shares(call) == pytest.approx([6e-6, 6e-6, 10e-6, 0])


def test_the_runs_of_a_function_are_in_the_order_of_the_program() -> None:
    call = [Dispatch("a", 0, 3), Dispatch("b", 3, 4), Dispatch("a", 4, 9)]
    assert vertices.in_order(["a", "a", "b"], call) == pytest.approx([3e-6, 5e-6, 1e-6])


@pytest.mark.parametrize("names", [["a", "a"], ["a", "b"], []])
def test_calls_of_another_program_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"IREE did not run (a|b) as often as the program does"):
        vertices.in_order(names, [Dispatch("a", 0, 3)])


def test_the_table_has_products_the_rest_and_all() -> None:
    found = [
        VertexTime(("conv_0", "conv_1"), 4, 6.0, 12_000_000, 16_000_000),
        VertexTime(("gemm_2",), 1, 2.0, 2_000_000, 40_000_000),
        VertexTime(("all others",), 3, 2.0),
    ]
    columns, rows = vertices.table(found, peak=4.0, bandwidth=40.0)
    assert columns == ["vertex", "products", "runs", "ms", "GFLOP/s", "of peak", "weights, MB", "of bound"]
    assert rows == [
        ["conv_0", "2", "4", "6.000", "2.0", "50%", "16.00", "50%"],
        ["gemm_2", "1", "1", "2.000", "1.0", "25%", "40.00", "50%"],
        ["all others", "", "3", "2.000", "", "", "", ""],
        ["all", "3", "8", "10.000", "1.4", "35%", "56.00", "35%"],
    ]
