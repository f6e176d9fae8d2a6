"""Engines in processes of their own: they take turns, agree, and leave the machine to whose turn it is."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import turns
from benchmarks.baselines import onnxruntime_outputs
from benchmarks.engines import IN_FLOAT32, PEAK, EngineError
from benchmarks.turns import EngineProcess, Timing, engine_processes, pin, take_turns
from tests.benchmarks.perceptron import workload

INSTALLED = [name for name in IN_FLOAT32 if name != "openvino" or importlib.util.find_spec("openvino")]


class Recorded:
    """Takes the milliseconds that it is given, and says when it was called."""

    def __init__(self, name: str, calls: list[str], rounds: Sequence[list[float]]) -> None:
        self._name, self._calls, self._rounds = name, calls, iter(rounds)

    def turn(self, calls: int) -> list[float]:
        self._calls.append(f"{self._name}{calls}")
        return next(self._rounds)


def state(process: EngineProcess) -> str:
    """R, S, T, … as proc(5) has them."""
    return Path(f"/proc/{process._process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_engines_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    engines = {
        "a": Recorded("a", order, [[90.0, 90.0], [1.0, 2.0], [3.0, 4.0]]),
        "b": Recorded("b", order, [[90.0, 90.0], [5.0, 5.0], [5.0, 5.0]]),
    }
    timings = take_turns(engines, rounds=2, calls=2)
    assert order == ["a2", "b2"] * 3
    assert timings == {"a": Timing(2.5, 1.75, 3.25, 1.0), "b": Timing(5.0, 5.0, 5.0, 5.0)}


def test_engines_in_processes_agree_and_only_run_when_it_is_their_turn(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    work = workload()
    expected = onnxruntime_outputs(work.model, work.inputs)["y"]
    with engine_processes(INSTALLED, work, threads=1) as processes:
        for process in processes.values():
            np.testing.assert_allclose(process.outputs["y"], expected, rtol=1e-4, atol=1e-4)
            assert state(process) == "T"
            assert len(process.turn(3)) == 3 and all(time > 0 for time in process.turn(2))
            assert state(process) == "T"
        assert processes["pyipu"].compile_seconds > 0
    assert not any(process._process.is_alive() for process in processes.values())


def test_openvino_is_one_of_the_engines() -> None:
    pytest.importorskip("openvino", reason="the bench extra is not installed")
    assert "openvino" in INSTALLED


def test_the_peak_needs_no_model() -> None:
    with engine_processes([PEAK], workload(), threads=1) as processes:
        assert take_turns(processes, rounds=1, calls=2)[PEAK].min_ms > 0


def test_an_engine_that_fails_is_one_sentence() -> None:
    broken = workload()
    broken.model.graph.node[1].op_type = "Rleu"
    with pytest.raises(EngineError, match=r"^the engine onnxruntime failed: .*Rleu"):
        EngineProcess("onnxruntime", broken, threads=1)
    with pytest.raises(EngineError, match="failed: there is no engine 'abacus'; choose among pyipu, onnxruntime"):
        EngineProcess("abacus", broken, threads=1)


def test_an_engine_that_ends_is_one_sentence() -> None:
    with engine_processes([PEAK], workload(), threads=1) as processes:
        processes[PEAK]._process.kill()
        with pytest.raises(EngineError, match="the engine peak failed: its process ended with exit code -9"):
            processes[PEAK].turn(1)


def test_all_processes_are_bound_to_the_same_processors(monkeypatch) -> None:
    bound: list[list[int]] = []
    monkeypatch.setattr(turns.os, "sched_getaffinity", lambda process: {7, 2, 5})
    monkeypatch.setattr(turns.os, "sched_setaffinity", lambda process, processors: bound.append(processors))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "9")
    pin(2)
    assert bound == [[2, 5]] and os.environ["OPENBLAS_NUM_THREADS"] == "2"
    with pytest.raises(EngineError, match="4 threads need as many processors, and this process may use 3"):
        pin(4)
