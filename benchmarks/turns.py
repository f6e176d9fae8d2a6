"""Engines in processes of their own that take turns on the same processors: A B C, A B C, and so on.

A process is stopped while it is not its turn, so that threads that spin for a while after a call, as ONNX Runtime's
do, take nothing from the next engine. For Linux.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

import pyipu
from benchmarks.baselines import Arrays
from benchmarks.engines import EngineError, Workload, open_engine


@dataclass(frozen=True)
class Timing:
    """Wall-clock milliseconds of one call, over all timed calls: the median and the quartiles around it."""

    median_ms: float
    lower_ms: float
    upper_ms: float
    min_ms: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Timing:
        lower, median, upper = np.quantile(milliseconds, (0.25, 0.5, 0.75))
        return cls(float(median), float(lower), float(upper), min(milliseconds))


class Turns(Protocol):
    """Something that is called when it is its turn."""

    def turn(self, calls: int) -> list[float]:
        """Milliseconds of each of some calls; one more, before them, warms caches and is not timed."""


def take_turns(engines: Mapping[str, Turns], rounds: int, calls: int) -> dict[str, Timing]:
    """Times `calls` calls of each engine in every round; a first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(1 + rounds):
        for name, engine in engines.items():
            milliseconds = engine.turn(calls)
            times[name] += milliseconds if number else []
    return {name: Timing.of(values) for name, values in times.items()}


def pin(threads: int) -> None:
    """Binds this process, and all that it starts from now on, to that many of its processors.

    Raises:
        EngineError: this process may not use so many.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < threads:
        raise EngineError(f"{threads} threads need as many processors, and this process may use {len(allowed)}")
    os.sched_setaffinity(0, allowed[:threads])
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)


class EngineProcess:
    """An engine that waits for its turn in a process of its own; `outputs` are what the model computes there.

    Raises:
        EngineError: the engine is not installed, or cannot compile or run the model.
    """

    def __init__(self, name: str, workload: Workload, threads: int) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, name, workload, threads), daemon=True)
        self._process.start()
        other.close()
        self.compile_seconds: float
        self.outputs: Arrays
        self.compile_seconds, self.outputs = self._answer(None)

    def turn(self, calls: int) -> list[float]:
        """As `Turns` says; raises EngineError when the engine fails."""
        self._signal(signal.SIGCONT)
        milliseconds: list[float] = self._answer(calls)
        return milliseconds

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def _stop(self) -> None:
        self._signal(signal.SIGSTOP)
        assert self._process.pid is not None
        # Until it has stopped; that it may have ended instead is left for `_answer` to find.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _answer(self, question: int | None) -> Any:
        try:
            answer = self._exchange(question)
        except (EOFError, OSError):
            self._process.join()
            answer = f"its process ended with exit code {self._process.exitcode}"
        if isinstance(answer, str):
            self.close()
            raise EngineError(f"the engine {self._name} failed: {answer}")
        self._stop()
        return answer

    def _exchange(self, question: int | None) -> Any:
        """The engine answers once when it is ready, and then to every question."""
        if question is not None:
            self._connection.send(question)
        return self._connection.recv()


@contextmanager
def engine_processes(names: Sequence[str], workload: Workload, threads: int) -> Iterator[dict[str, EngineProcess]]:
    """One process for each engine, opened one after the other; they end with the context."""
    with ExitStack() as stack:
        processes = {}
        for name in names:
            processes[name] = EngineProcess(name, workload, threads)
            stack.callback(processes[name].close)
        yield processes


def _serve(connection: Connection, name: str, workload: Workload, threads: int) -> None:
    """In the engine's process: answers with what it compiled, then to each number of calls with their times."""
    try:
        _answer_turns(connection, name, workload, threads)
    except Exception as problem:
        connection.send(_sentence(problem))


def _sentence(problem: Exception) -> str:
    first, _, _ = str(problem).partition("\n")
    return first if isinstance(problem, EngineError) else f"{type(problem).__name__}: {first}"


def _answer_turns(connection: Connection, name: str, workload: Workload, threads: int) -> None:
    engine = open_engine(name, workload, threads)
    inputs = {key: _aligned(array) for key, array in workload.inputs.items()}
    connection.send((engine.compile_seconds, {key: np.array(value) for key, value in engine.call(inputs).items()}))
    while True:
        calls = connection.recv()
        engine.call(inputs)
        connection.send([_milliseconds(lambda: engine.call(inputs)) for _ in range(calls)])


def _aligned(array: np.ndarray) -> np.ndarray:
    """No engine has to copy such an array."""
    copy = pyipu.empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _milliseconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)
