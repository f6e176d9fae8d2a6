"""Activation memory of every network: the plan, what IREE says that it allocated, and plain IREE's arena.

    python -m benchmarks.memory [--models resnet50,magika] [--markdown]

The exit status is 1 when IREE allocates anything else than what was planned, or less where it plans itself. Sizes are
bytes of one call.
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
from benchmarks.saved import save_with_inputs
from benchmarks.tables import show


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


def measure(case: Case) -> tuple[int, ...]:
    """One row: unplanned, lower bound, planned, measured, plain IREE's."""
    executable, inputs = compile_case(case), case.inputs()
    plan = executable.memory
    plain = PlainIree.compile(case.load(), {name: tuple(shape) for name, shape in case.shapes.items()})
    theirs = memory_use(plain.module, list(inputs.values()), plain.parameters).arena
    measured = measured_arena(executable, inputs)
    return plan.unplanned_bytes, plan.lower_bound, plan.arena_bytes, measured, theirs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; the twelve of the page by default")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = tuple(filter(None, options.models.split(","))) or PAGE
    figures = {case.name: measure(case) for case in cases(names) if case.variant != "shipped"}
    rows = [(name, *(f"{size:,}" for size in row), f"{row[2] / row[4]:.2f}") for name, row in figures.items()]
    mean = np.exp(np.mean([np.log(row[2] / row[4]) for row in figures.values()]))
    rows.append(("geometric mean", "", "", "", "", "", f"{mean:.2f}"))
    columns = ("model", "sum of all buffers", "lower bound", "planned arena", "measured", "plain IREE", "ratio")
    show("Activation memory, bytes", columns, rows, options.markdown)
    return 0 if all(row[2] == row[3] <= row[4] for row in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
