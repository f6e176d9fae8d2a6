"""Activation memory of every network: the plan stage by stage, what IREE allocates for it, and the arenas of others.

    python -m benchmarks.memory [--models resnet50,magika] [--markdown]

The exit status is 1 when IREE allocates anything else than what was planned, or less where it plans itself. Sizes are
bytes of one call. "min" is the arena with `memory_budget="min"`: its strips compute nothing twice. The stages are those
of `pyipu.plan.MemoryPlan`; both of IREE's arenas are measured by its own tools, and ONNX Runtime's is what its log says
that it grew by in the first calls (see `benchmarks.onnxruntime_arena`).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import pyipu
from benchmarks.baselines import PlainIree, memory_use
from benchmarks.cases import PAGE, Case, cases, compile_case
from benchmarks.onnxruntime_arena import onnxruntime_arena
from benchmarks.saved import save_with_inputs
from benchmarks.tables import show
from examples.zoo import LIGHT
from pyipu.budget import MIN

STAGES = {"sum": "sum", "reuse": "reuse", "in-place": "+ in place", "schedule": "+ schedule", "tile": "+ tile"}
"""Stages of the plan -> titles of columns."""

PLANNED, LEAST = STAGES["tile"], "min"
IREE, ONNX_RUNTIME = "plain IREE", "ONNX Runtime"
RATIOS = ((PLANNED, IREE), (LEAST, IREE), (PLANNED, ONNX_RUNTIME))


def measured_arena(executable: pyipu.Executable, inputs: Mapping[str, np.ndarray]) -> int:
    """Bytes of the arena as stock `iree-run-module --print_device_statistics` sees them, for the saved folder.

    Results are handed to the caller, so what a call gives back is the arena alone: the payload of `dealloca`.
    """
    with tempfile.TemporaryDirectory() as name:
        printed = _run(save_with_inputs(executable, inputs, Path(name)))
    payloads = re.findall(r"dealloca .*payload=(\d+)B", printed)
    return int(payloads[0]) if payloads else 0


def _run(options: list[str]) -> str:
    command = [str(Path(sys.executable).with_name("iree-run-module")), *options, "--print_device_statistics"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"iree-run-module failed: {process.stderr.strip().splitlines()[0]}")
    return process.stdout + process.stderr


def checked_arena(executable: pyipu.Executable, inputs: Mapping[str, np.ndarray]) -> int:
    """Bytes of the arena as IREE allocates it; raises RuntimeError unless that is what was planned."""
    planned, measured = executable.memory.arena_bytes, measured_arena(executable, inputs)
    if planned != measured:
        raise RuntimeError(f"planned {planned:,} bytes, but IREE allocates {measured:,}")
    return measured


def measure(case: Case) -> dict[str, int]:
    """One row: bytes by the title of the column; raises RuntimeError where IREE allocates what was not planned."""
    executable, model, inputs = compile_case(case), case.load(), case.inputs()
    least = compile_case(case, memory_budget=MIN)
    plain = PlainIree.compile(model, {name: tuple(shape) for name, shape in case.shapes.items()})
    return {
        **{STAGES[stage]: size for stage, size in executable.memory.stages},
        PLANNED: checked_arena(executable, inputs),
        "lower bound": executable.memory.lower_bound,
        LEAST: checked_arena(least, inputs),
        IREE: memory_use(plain.module, list(inputs.values()), plain.parameters).arena,
        ONNX_RUNTIME: onnxruntime_arena(model, inputs),
    }


def table(figures: Mapping[str, Mapping[str, int]]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows: all figures of each model, and the planned arena as a part of the arenas of others."""
    titles = list(next(iter(figures.values())))
    rows = [[name, *(f"{row[title]:,}" for title in titles), *_ratios(row)] for name, row in figures.items()]
    groups = {"geometric mean": list(figures), "of the CNNs": [name for name in figures if name in LIGHT]}
    for group, names in ((group, names) for group, names in groups.items() if names):
        means = [np.exp(np.mean([np.log(figures[name][a] / figures[name][b]) for name in names])) for a, b in RATIOS]
        rows.append([group, *("" for _ in titles), *(f"{mean:.3f}" for mean in means)])
    return ["model", *titles, *(f"{a} / {b}" for a, b in RATIOS)], rows


def _ratios(row: Mapping[str, int]) -> list[str]:
    return [f"{row[a] / row[b]:.2f}" for a, b in RATIOS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; the twelve of the page by default")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = tuple(filter(None, options.models.split(","))) or PAGE
    figures = {case.name: measure(case) for case in cases(names) if case.variant != "shipped"}
    show("Activation memory, bytes", *table(figures), options.markdown)
    return 0 if all(row[LEAST] <= row[PLANNED] <= row[IREE] for row in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
