"""Milliseconds per call: pyipu, ONNX Runtime and plain IREE in turn, in one process, with equal threads.

    python -m benchmarks.latency [--models resnet50,magika] [--rounds 15] [--threads 2] [--markdown]

The exit status is 1 when outputs differ. Machines are noisy: trust medians and ratios of one run, on an idle machine.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

import pyipu
from benchmarks.baselines import OnnxRuntimeSession, PlainIree, interleaved
from benchmarks.cases import PAGE, Case, cases, compare
from benchmarks.tables import show


def measure(case: Case, rounds: int, threads: int) -> tuple[float, ...]:
    """Medians of pyipu, ONNX Runtime and plain IREE in milliseconds, then seconds to compile: pyipu, plain IREE."""
    model, inputs = case.load(), case.inputs()
    began = time.perf_counter()
    executable = pyipu.compile(model, shapes=case.shapes or None, threads=threads, cache=False)
    seconds = time.perf_counter() - began
    plain = PlainIree.compile(model, {name: tuple(shape) for name, shape in case.shapes.items()})
    onnxruntime, iree = OnnxRuntimeSession(model, threads), plain.session(threads)
    if not compare(executable.run(inputs), onnxruntime(inputs)).agrees:
        raise RuntimeError(f"{case.name}: outputs differ from ONNX Runtime's")
    calls = {
        "pyipu": lambda: executable.run(inputs),
        "onnxruntime": lambda: onnxruntime(inputs),
        "iree": lambda: iree(inputs),
    }
    timings = interleaved(calls, rounds=rounds)
    return (*(timings[name].median_ms for name in calls), seconds, plain.import_seconds + plain.compile_seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; the twelve of the page by default")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = tuple(filter(None, options.models.split(","))) or PAGE
    chosen = [case for case in cases(names) if case.variant != "shipped"]
    figures = {case.name: measure(case, options.rounds, options.threads) for case in chosen}
    rows = [_row(name, figure) for name, figure in figures.items()]
    means = [np.exp(np.mean([np.log(f[0] / f[i]) for f in figures.values()])) for i in (1, 2)]
    rows.append(("geometric mean", "", "", "", f"{means[0]:.2f}", f"{means[1]:.2f}", "", ""))
    columns = ("model", "pyipu", "ONNX Runtime", "plain IREE", "/ ONNX Runtime", "/ IREE", "compile s", "IREE's")
    show(f"Milliseconds per call, {options.threads} threads", columns, rows, options.markdown)
    return 0


def _row(name: str, figure: tuple[float, ...]) -> tuple[object, ...]:
    ours, onnxruntime, iree, seconds, theirs = figure
    times = (f"{ours:.2f}", f"{onnxruntime:.2f}", f"{iree:.2f}")
    return (name, *times, f"{ours / onnxruntime:.2f}", f"{ours / iree:.2f}", f"{seconds:.1f}", f"{theirs:.1f}")


if __name__ == "__main__":
    sys.exit(main())
