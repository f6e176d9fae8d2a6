"""Milliseconds per call: pyipu, ONNX Runtime, OpenVINO and plain IREE in turn, with equal threads on equal processors.

    pip install -e '.[bench]'
    python -m benchmarks.latency [--models resnet50,magika] [--engines pyipu,onnxruntime] [--rounds 15] [--calls 3]
                                 [--threads 2] [--vertices resnet50] [--markdown]

Each engine runs in a process of its own, all are bound to the same processors, and they take turns: A B C D, A B C D.
A turn is one call that does not count and `--calls` that do. Cells are medians with quartiles. GFLOP/s and the share of
the peak are those of the first engine; the peak is numpy's product of two 1024 x 1024 float32 matrices, the fastest of
all, which takes turns with the engines. `--vertices` shows models vertex by vertex instead.

The exit status is 1 when outputs in float32 differ. Of engines in fewer bits the table has the largest error, relative
to the largest magnitude of the first one in float32. Machines are noisy: trust medians and ratios of one run, on an
idle machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import vertices
from benchmarks.arithmetic import model_flop
from benchmarks.baselines import Arrays
from benchmarks.cases import PAGE, Case, cases, compare
from benchmarks.engines import IN_FLOAT32, PEAK, TITLES, EngineError, Workload
from benchmarks.peak import PEAK_FLOP, gflops, measured_bandwidth, measured_peak
from benchmarks.tables import show
from benchmarks.turns import Timing, engine_processes, pin, take_turns


@dataclass(frozen=True)
class Latency:
    """One model in all engines: how long they take, whether outputs agree, and how close the first is to the peak.

    `agrees` is about the engines in float32, `errors` are those of the others, relative to the largest magnitude.
    """

    timings: dict[str, Timing]
    compile_seconds: dict[str, float]
    agrees: bool
    errors: dict[str, float]
    gflops: float
    share_of_peak: float

    def ratio(self, engine: str) -> float:
        """The first engine's median over another's."""
        first = next(iter(self.timings.values()))
        return first.median_ms / self.timings[engine].median_ms


def measure(workload: Workload, engines: Sequence[str], rounds: int, calls: int, threads: int) -> Latency:
    """All engines on one model. The first, pyipu by default, is compared with the others and with the peak.

    Raises:
        EngineError: an engine is not installed, or cannot compile or run the model.
    """
    with engine_processes([*engines, PEAK], workload, threads) as processes:
        timings = take_turns(processes, rounds, calls)
        outputs = {name: processes[name].outputs for name in engines}
        seconds = {name: processes[name].compile_seconds for name in engines}
    peak = gflops(PEAK_FLOP, timings.pop(PEAK).min_ms)
    reached = gflops(model_flop(workload), timings[engines[0]].median_ms)
    return Latency(timings, seconds, *_compared(outputs), reached, reached / peak)


def _compared(outputs: dict[str, Arrays]) -> tuple[bool, dict[str, float]]:
    """Whether the engines in float32 agree with the first of them, and how far the others are from it."""
    expected = next((outputs[name] for name in outputs if name in IN_FLOAT32), next(iter(outputs.values())))
    found = {name: compare(arrays, expected) for name, arrays in outputs.items() if arrays is not expected}
    errors = {name: one.relative_error for name, one in found.items() if name not in IN_FLOAT32}
    return all(one.agrees for name, one in found.items() if name in IN_FLOAT32), errors


def table(found: dict[str, Latency]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows; the last row has the geometric means of the ratios."""
    engines = list(next(iter(found.values())).timings)
    others = engines[1:]
    columns = ["model", *(TITLES[name] for name in engines), *(f"/ {TITLES[name]}" for name in others)]
    columns += ["GFLOP/s", "of peak", "agree"]
    columns += [f"error of {TITLES[name]}" for name in next(iter(found.values())).errors]
    columns += [f"{TITLES[name]} compiles" for name in _compilers(engines)]
    rows = [[name, *_cells(one, engines)] for name, one in found.items()]
    means = [np.exp(np.mean([np.log(one.ratio(name)) for one in found.values()])) for name in others]
    last = ["geometric mean", *[""] * len(engines), *(f"{mean:.2f}" for mean in means)]
    rows.append(last + [""] * (len(columns) - len(last)))
    return columns, rows


def _compilers(engines: Sequence[str]) -> list[str]:
    """The others optimize a model in well under a second when they load it."""
    return [name for name in engines if name.startswith("pyipu") or name == "iree"]


def _cells(one: Latency, engines: Sequence[str]) -> list[str]:
    return [
        *(_time(one.timings[name]) for name in engines),
        *(f"{one.ratio(name):.2f}" for name in engines[1:]),
        f"{one.gflops:.1f}",
        f"{one.share_of_peak:.0%}",
        "yes" if one.agrees else "NO",
        *(f"{error:.1e}" for error in one.errors.values()),
        *(f"{one.compile_seconds[name]:.1f} s" for name in _compilers(engines)),
    ]


def _time(timing: Timing) -> str:
    return f"{timing.median_ms:.2f} ({timing.lower_ms:.2f}-{timing.upper_ms:.2f})"


def main() -> int:
    options = _options()
    pin(options.threads)
    names = _names(options.vertices or options.models) or PAGE
    workloads = {case.name: _workload(case) for case in cases(names) if case.variant != "shipped"}
    return _show_vertices(options, workloads) if options.vertices else _show_latency(options, workloads)


def _workload(case: Case) -> Workload:
    return Workload(case.load(), {name: tuple(shape) for name, shape in case.shapes.items()}, case.inputs())


def _show_latency(options: argparse.Namespace, workloads: dict[str, Workload]) -> int:
    engines = _names(options.engines)
    how = (options.rounds, options.calls, options.threads)
    found = {name: measure(workload, engines, *how) for name, workload in workloads.items()}
    columns, rows = table(found)
    show(f"Milliseconds per call, threads: {options.threads}", columns, rows, options.markdown)
    return 0 if all(one.agrees for one in found.values()) else 1


def _show_vertices(options: argparse.Namespace, workloads: dict[str, Workload]) -> int:
    for name, workload in workloads.items():
        found = vertices.measure(workload, options.threads)
        how = (workload, options.rounds, options.calls, options.threads)
        peak, bandwidth = measured_peak(*how), measured_bandwidth(*how)
        columns, rows = vertices.table(found, peak, bandwidth)
        machine = f"peak: {peak:.0f} GFLOP/s, memory: {bandwidth:.0f} GB/s"
        title = f"{name} by vertices, threads: {options.threads}, {machine}"
        show(title, columns, rows, options.markdown)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; the twelve of the page by default")
    parser.add_argument("--engines", default=",".join(IN_FLOAT32), help="names; the first is compared with others")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=3, help="timed calls in a turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vertices", default="", metavar="MODELS", help="show these models vertex by vertex")
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EngineError as problem:
        sys.exit(str(problem))
