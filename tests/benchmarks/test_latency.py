"""The table of latencies: what it says about figures that are known, and one small model all the way."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import latency, overhead, throughput
from benchmarks.latency import Latency
from benchmarks.turns import Timing
from tests.benchmarks.perceptron import workload


def known(ours: float, theirs: float, agrees: bool = True) -> Latency:
    timings = {
        "pyipu": Timing(ours, ours - 1, ours + 1, ours - 1),
        "onnxruntime": Timing(theirs, theirs, theirs, theirs),
    }
    return Latency(timings, {"pyipu": 1.5, "onnxruntime": 0.1}, agrees, {}, 150.0, 0.75)


def test_the_table_of_known_figures() -> None:
    columns, rows = latency.table({"one": known(10, 5), "two": known(10, 20, agrees=False)})
    assert columns[:4] == ["model", "pyipu", "ONNX Runtime", "/ ONNX Runtime"]
    assert columns[4:] == ["GFLOP/s", "of peak", "agree", "pyipu compiles"]
    assert rows == [
        ["one", "10.00 (9.00-11.00)", "5.00 (5.00-5.00)", "2.00", "150.0", "75%", "yes", "1.5 s"],
        ["two", "10.00 (9.00-11.00)", "20.00 (20.00-20.00)", "0.50", "150.0", "75%", "NO", "1.5 s"],
        ["geometric mean", "", "", "1.00", "", "", "", ""],
    ]


def test_a_small_model_is_measured(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    found = latency.measure(workload(), ["pyipu", "onnxruntime"], rounds=2, calls=2, threads=1)
    assert found.agrees and list(found.timings) == ["pyipu", "onnxruntime"]
    assert found.ratio("onnxruntime") == found.timings["pyipu"].median_ms / found.timings["onnxruntime"].median_ms
    assert 0 < found.share_of_peak < 2


def test_the_table_has_the_errors_of_what_computes_in_fewer_bits() -> None:
    columns, rows = latency.table({"one": replace(known(10, 5), errors={"pyipu-bf16": 0.0123})})
    assert columns[6:8] == ["agree", "error of pyipu in bf16"]
    assert rows[0][6:8] == ["yes", "1.2e-02"]


def test_engines_that_differ_do_not_agree(monkeypatch) -> None:
    class Process:
        compile_seconds = 0.0

        def __init__(self, name: str) -> None:
            self.outputs = {"y": np.float32([1, 3 if name in ("onnxruntime", "iree") else 2])}

        def turn(self, calls: int) -> list[float]:
            return [1.0] * calls

        def close(self) -> None:
            pass

    monkeypatch.setattr("benchmarks.turns.EngineProcess", lambda name, workload, threads: Process(name))
    assert not latency.measure(workload(), ["pyipu", "iree"], 1, 1, 1).agrees
    assert latency.measure(workload(), ["onnxruntime", "iree"], 1, 1, 1).agrees
    in_fewer_bits = latency.measure(workload(), ["pyipu-bf16", "onnxruntime", "iree"], 1, 1, 1)
    assert in_fewer_bits.agrees and in_fewer_bits.errors == {"pyipu-bf16": pytest.approx(1 / 3)}
    assert latency.measure(workload(), ["pyipu-int8", "onnxruntime-int8"], 1, 1, 1).errors == {"onnxruntime-int8": 0}


def test_the_overhead_of_a_call_is_measured_in_every_way() -> None:
    found = overhead.measure(rounds=1, calls=20, threads=1)
    assert list(found) == ["iree-benchmark-module", "exe(x), x copied", "exe(x), x in place", "exe.run_into(y, x)"]
    assert all(time > 0 for time in found.values())


def test_all_callers_count(monkeypatch) -> None:
    calls: list[int] = []
    rate = throughput.calls_per_second(lambda: calls.append(1), callers=3, seconds=0.05)
    assert rate == pytest.approx(len(calls) / 0.05) and rate > 0
