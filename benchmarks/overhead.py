"""What a call from Python costs beyond the model: a tiny model here, and in IREE's own iree-benchmark-module, in turn.

    python -m benchmarks.overhead [--threads 2] [--rounds 5] [--calls 2000] [--markdown]

Microseconds per call: the median over rounds of the mean over calls, both on as many threads as pyipu takes for such a
model unless `--threads` says otherwise. The exit status is 1 when a call takes more than
50 microseconds longer than it does in IREE's tool.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

import pyipu
from benchmarks.baselines import run_tool
from benchmarks.saved import save_with_inputs
from benchmarks.tables import show

MOST_MICROSECONDS = 50
TOOL = "iree-benchmark-module"


def tiny_model() -> onnx.ModelProto:
    """`y = relu(x)` on sixteen numbers: nearly all of a call is overhead."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [16]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "tiny", tensors[:1], tensors[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def calls_of(executable: pyipu.Executable) -> dict[str, Callable[[], object]]:
    """The ways to call the model, by what the table names them."""
    copied = pyipu.empty((17,))[1:]
    in_place, result = pyipu.empty((16,)), pyipu.empty((16,))
    copied[...] = in_place[...] = np.linspace(-1, 1, 16)
    return {
        "exe(x), x copied": lambda: executable(copied),
        "exe(x), x in place": lambda: executable(in_place),
        "exe.run_into(y, x)": lambda: executable.run_into(result, in_place),
    }


def tool_microseconds(options: list[str]) -> float:
    """Mean wall-clock microseconds per call of the saved model in IREE's tool."""
    (row,) = json.loads(run_tool(TOOL, *options, "--benchmark_format=json"))["benchmarks"]
    return float(row["real_time"]) * {"ns": 1e-3, "us": 1, "ms": 1e3}[row["time_unit"]]


def microseconds(call: Callable[[], object], calls: int) -> float:
    """Mean wall-clock microseconds per call."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return 1e6 * (time.perf_counter() - start) / calls


def measure(rounds: int, calls: int, threads: int | None = None) -> dict[str, float]:
    """Median microseconds per call, by name; the tool's under its own."""
    executable = pyipu.compile(tiny_model(), threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        options = save_with_inputs(executable, {"x": np.ones(16, np.float32)}, Path(folder))
        ways = {way: partial(microseconds, call, calls) for way, call in calls_of(executable).items()}
        ways = {TOOL: partial(tool_microseconds, options), **ways}
        times = [{way: timed() for way, timed in ways.items()} for _ in range(rounds)]
    return {way: statistics.median(row[way] for row in times) for way in ways}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000, help="of each kind in a round")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    found = measure(options.rounds, options.calls, options.threads)
    over = {way: time - found[TOOL] for way, time in found.items()}
    rows = [(way, f"{found[way]:.1f}", f"{over[way]:+.1f}") for way in found]
    columns = ("call", "microseconds", f"over {TOOL}")
    show("A call of a tiny model", columns, rows, options.markdown)
    return 1 if max(over.values()) > MOST_MICROSECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
