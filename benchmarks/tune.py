"""What `pyipu.compile(model, tune=seconds)` gains: milliseconds per call without and with it, in turn: A B A B.

    python -m benchmarks.tune [--models resnet50,squeezenet] [--seconds 30] [--tune-file FILE] [--rounds 15] [--calls 3]
                              [--threads 2] [--markdown]

Both programs run in one process, bound to as many processors as there are threads. Cells are medians with quartiles;
codelets are those of which tiles were searched, and those that got others. Each model starts with an empty file, unless
one is named. The exit status is 1 when outputs differ, or when a model got slower by more than a hundredth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pyipu
from benchmarks.cases import Arrays, cases, compare
from benchmarks.engines import Workload
from benchmarks.tables import show
from benchmarks.turns import Timing, pin, take_turns
from pyipu.learned import TuneFile
from pyipu.targets import get
from pyipu.targets.codegen import device_attribute

MOST_SLOWER = 1.01


@dataclass(frozen=True)
class Tuned:
    """One model without and with tuning; seconds are those of the second compilation beyond the first."""

    plain: Timing
    tuned: Timing
    seconds: float
    searched: int
    better: int
    agrees: bool

    @property
    def ratio(self) -> float:
        return self.tuned.median_ms / self.plain.median_ms

    @property
    def is_fine(self) -> bool:
        return self.agrees and self.ratio <= MOST_SLOWER


@dataclass(frozen=True)
class Calls:
    """An executable that is called when it is its turn."""

    executable: pyipu.Executable
    inputs: Arrays

    def turn(self, calls: int) -> list[float]:
        """As `benchmarks.turns.Turns` has it."""
        return [self._milliseconds() for _ in range(calls + 1)][1:]

    def _milliseconds(self) -> float:
        began = time.perf_counter()
        self.executable.run(self.inputs)
        return 1000 * (time.perf_counter() - began)


def measure(workload: Workload, seconds: float, file: Path, rounds: int, calls: int, threads: int) -> Tuned:
    """Compiles a model twice, the second time with tuning, and times both."""
    model, shapes, inputs = workload.model, workload.shapes or None, workload.inputs
    plain = pyipu.compile(model, shapes=shapes, threads=threads)
    began = time.perf_counter()
    tuned = pyipu.compile(model, shapes=shapes, threads=threads, tune=seconds, tune_file=file)
    spent = time.perf_counter() - began
    findings = TuneFile(file).findings(device_attribute(get("cpu")), threads)
    agrees = compare(tuned.run(inputs), plain.run(inputs)).agrees
    timings = take_turns({"plain": Calls(plain, inputs), "tuned": Calls(tuned, inputs)}, rounds, calls)
    better = sum(finding.tiling is not None for finding in findings.values())
    return Tuned(timings["plain"], timings["tuned"], spent, len(findings), better, agrees)


def table(found: dict[str, Tuned]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows; the last row has the geometric mean of the ratios."""
    columns = ["model", "untuned", "tuned", "ratio", "seconds spent", "codelets searched", "better", "agree"]
    rows = [[name, *_cells(one)] for name, one in found.items()]
    mean = np.exp(np.mean([np.log(one.ratio) for one in found.values()]))
    return columns, [*rows, ["geometric mean", "", "", f"{mean:.3f}", "", "", "", ""]]


def _cells(one: Tuned) -> Sequence[str]:
    times = (f"{t.median_ms:.2f} ({t.lower_ms:.2f}-{t.upper_ms:.2f})" for t in (one.plain, one.tuned))
    counts = f"{one.seconds:.0f}", str(one.searched), str(one.better)
    return *times, f"{one.ratio:.3f}", *counts, "yes" if one.agrees else "NO"


def main() -> int:
    options = _options()
    pin(options.threads)
    how = (options.rounds, options.calls, options.threads)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in (case for case in cases(options.models.split(",")) if case.variant != "shipped"):
            file = Path(options.tune_file or Path(folder) / f"{case.name}.json")
            workload = Workload(case.load(), {name: tuple(shape) for name, shape in case.shapes.items()}, case.inputs())
            found[case.name] = measure(workload, options.seconds, file, *how)
    columns, rows = table(found)
    title = f"Milliseconds per call, threads: {options.threads}, tuned for {options.seconds:.0f} seconds"
    show(title, columns, rows, options.markdown)
    return 0 if all(one.is_fine for one in found.values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="resnet50,squeezenet,shufflenet,mobilenet_v2,transformer")
    parser.add_argument("--seconds", type=float, default=30, help="for each model")
    parser.add_argument("--tune-file", help="a file that is used, and gets what is found")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=3, help="timed calls in a turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
