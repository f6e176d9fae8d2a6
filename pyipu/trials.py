"""Times of dispatches, as IREE's own tool measures them while it runs a whole program.

A codelet is timed where it will run: its weights are as cold and its activations as warm as they are there.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from iree.runtime.benchmark import benchmark_exe

from pyipu.arrays import empty
from pyipu.dialect.types import Tensor, mlir_dtype
from pyipu.engine import Executable
from pyipu.errors import TuningError
from pyipu.parameters import Parameters
from pyipu.plan import TensorDescription
from pyipu.runtime import THREADED_DRIVER

_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}

GAIN = 0.02
"""Tiles are better that take at least so much less of the time."""

COMPARING_SECONDS, _MOST_PAIRS = 3.0, 40
"""How long calls of two programs are compared, and how many of each, at most."""

Times = Mapping[str, Mapping[str, float]]
"""Milliseconds of all runs of a function in a call, by the name of what was called and of the function."""


@dataclass(frozen=True)
class Bench:
    """A folder with the weights of a program, and how it is run: on so many threads, so many calls at a time."""

    folder: Path
    threads: int
    calls: int = 2

    @classmethod
    def set_up(cls, folder: Path, parameters: Parameters, threads: int) -> Bench:
        """Writes the weights into the folder."""
        parameters.write(folder / "weights.irpa")
        return cls(folder, threads)

    def put(self, module: bytes) -> Path:
        """Writes the bytes of a .vmfb."""
        path = self.folder / "module.vmfb"
        path.write_bytes(module)
        return path

    def times(self, module: Path, inputs: Sequence[TensorDescription] | None = None) -> Times:
        """Runs the module's functions without arguments; `main` instead if `inputs` are given.

        Raises:
            TuningError: the tool fails, for example because the processor does not have what the code needs.
        """
        called = [] if inputs is None else ["--function=main", *map(_any_numbers, inputs)]
        command = [
            benchmark_exe(),
            f"--module={module}",
            f"--parameters=model={self.folder / 'weights.irpa'}",
            f"--device={THREADED_DRIVER}",
            f"--task_topology_group_count={self.threads}",
            "--dispatch_statistics",
            "--benchmark_format=json",
            f"--benchmark_min_time={self.calls}x",
            *called,
        ]
        process = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if process.returncode != 0:
            said = process.stderr.strip().splitlines()
            reason = said[0] if said else f"exit status {process.returncode}"
            raise TuningError(f"IREE's benchmark tool cannot run the model on this machine: {reason}")
        return _by_function(json.loads(process.stdout)["benchmarks"])


def _by_function(rows: Iterable[Mapping[str, Any]]) -> Times:
    """Rows of dispatches are called BM_called/function; others are of whole calls."""
    found: dict[str, dict[str, float]] = {}
    for row in (row for row in rows if "calls" in row):
        called, _, function = row["name"].removeprefix("BM_").partition("/")
        found.setdefault(called, {})[function] = _MILLISECONDS[row["time_unit"]] * row["real_time"]
    return found


def _any_numbers(one: TensorDescription) -> str:
    tensor = Tensor(one.shape, mlir_dtype(one.dtype))
    return f"--input={'x'.join(map(str, (*one.shape, tensor.dtype)))}={0.5 if tensor.is_float else 0}"


def is_faster(present: Sequence[float], other: Sequence[float]) -> bool:
    """By more than the noise: three quarters of the other times are below three quarters of the present ones."""
    upper, lower = np.quantile(other, 0.75), np.quantile(present, 0.25)
    return bool(upper < lower and median_ratio(present, other) <= 1 - GAIN)


def median_ratio(present: Sequence[float], other: Sequence[float]) -> float:
    """What the other takes of the present time."""
    return statistics.median(other) / statistics.median(present)


def compared(old: Executable, new: Executable) -> list[float]:
    """What a call of the new one takes of the time of one of the old one, in turn: A B A B."""
    inputs = [_numbers(one.shape, one.dtype) for one in old.inputs]
    for executable in (old, new, old, new):
        executable(*inputs)
    ratios: list[float] = []
    began = time.monotonic()
    while len(ratios) < _MOST_PAIRS and time.monotonic() - began < COMPARING_SECONDS:
        before = _call_seconds(old, inputs)
        ratios.append(_call_seconds(new, inputs) / before)
    return ratios


def _numbers(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Integers are 0, which is an element of every table."""
    array = empty(tuple(shape), dtype)
    array[...] = np.random.default_rng(0).standard_normal(shape) if np.issubdtype(dtype, np.floating) else 0
    return array


def _call_seconds(executable: Executable, inputs: Sequence[np.ndarray]) -> float:
    began = time.perf_counter()
    executable(*inputs)
    return time.perf_counter() - began
