"""ResNet-50: compiled, run, checked against ONNX Runtime, and its memory shown next to plain IREE's.

    python examples/resnet50.py

Needs the packages of the `test` extra (onnxruntime). The weights are random, from a seed: nothing is downloaded.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import pyipu

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.baselines import OnnxRuntimeSession, PlainIree, memory_use
from examples import zoo

THREADS = 2


def main() -> int:
    """Prints the result, the check and the memory table; the exit status is 1 when the check fails."""
    console = Console()
    chosen = zoo.model("resnet50")
    model, inputs = chosen.load(), chosen.inputs()

    began = time.perf_counter()
    executable = pyipu.compile(model, threads=THREADS)
    console.print(f"compiled in {time.perf_counter() - began:.1f} s: {executable}")

    (found,) = executable.run(inputs).values()
    best = np.argsort(found[0])[::-1][:3]
    console.print("result: " + ", ".join(f"class {i} with {found[0, i]:.1%}" for i in best))

    (expected,) = OnnxRuntimeSession(model, THREADS)(inputs).values()
    error = np.abs(found - expected).max() / np.abs(expected).max()
    agrees = bool(np.allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max()))
    console.print(f"check against ONNX Runtime: {'agrees' if agrees else 'DIFFERS'}, largest error {error:.1e}")

    console.print(memory_table(executable, PlainIree.compile(model, chosen.shapes), inputs))
    return 0 if agrees else 1


def memory_table(executable: pyipu.Executable, plain: PlainIree, inputs: dict[str, np.ndarray]) -> Table:
    """Megabytes of activations: ours as planned, plain IREE's as it measures them."""
    memory, theirs = executable.memory, memory_use(plain.module, list(inputs.values()), plain.parameters)
    table = Table("activations of one call", "MB", title="Memory")
    rows = {
        "sum of all values": dict(memory.stages)["sum"],
        "plain IREE's arena": theirs.arena,
        "pyipu's arena": memory.arena_bytes,
        "lower bound for this schedule": memory.lower_bound,
    }
    for name, size in rows.items():
        table.add_row(name, f"{size / 1e6:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
