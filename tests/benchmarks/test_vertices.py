"""How much a model and its vertices compute, and in what time."""

import pytest

from benchmarks import vertices
from benchmarks.arithmetic import model_flop
from benchmarks.vertices import VertexTime
from tests.benchmarks.perceptron import workload

ROWS = [
    {"name": "BM_main/process_time/real_time", "real_time": 9.0, "time_unit": "ms"},
    {"name": "BM_main/relu_2", "real_time": 500.0, "time_unit": "us", "calls": 1.0},
    {"name": "BM_main/matmul_1", "real_time": 2.0, "time_unit": "ms", "calls": 2.0},
]


def test_a_model_computes_what_its_file_says() -> None:
    assert model_flop(workload(batch=4)) == 2 * (4 * 64 * 256 + 4 * 256 * 32)


def test_vertices_compute_what_the_model_does(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    work = workload(batch=4)
    found = vertices.measure(work, threads=1)
    assert sum(one.flop for one in found) == model_flop(work)
    assert all(one.runs > 0 and one.milliseconds > 0 for one in found)


def test_the_tools_rows_are_joined_with_the_program() -> None:
    found = vertices.join({"matmul_1": 1000, "relu_2": 0}, {"matmul_1": 2, "relu_2": 1}, ROWS)
    assert found == [VertexTime("matmul_1", 2, 2.0, 2000), VertexTime("relu_2", 1, 0.5, 0)]
    assert found[0].gflops == pytest.approx(1e-3)


@pytest.mark.parametrize("runs", [{"matmul_1": 3, "relu_2": 1}, {"matmul_1": 2, "relu_2": 1, "add_3": 1}])
def test_rows_of_another_program_are_refused(runs) -> None:
    with pytest.raises(ValueError, match=r"IREE did not run (matmul_1|add_3) as often as the program does"):
        vertices.join(dict.fromkeys(runs, 0), runs, ROWS)


def test_the_table_has_contractions_the_others_and_all() -> None:
    found = [VertexTime("conv_0", 4, 6.0, 12_000_000), VertexTime("softmax_1", 1, 2.0, 0)]
    columns, rows = vertices.table(found, peak=8.0)
    assert columns == ["vertex", "runs", "ms", "of the time", "GFLOP/s", "of peak"]
    assert rows == [
        ["conv_0", "4", "6.000", "75.0%", "2.0", "25%"],
        ["all others", "1", "2.000", "25.0%", "0.0", "0%"],
        ["all", "5", "8.000", "100.0%", "1.5", "19%"],
    ]
