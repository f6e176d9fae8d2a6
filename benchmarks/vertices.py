"""Where a model's time goes: milliseconds, GFLOP/s and the share of the peak of each compiled vertex.

Times are IREE's own: iree-benchmark-module --dispatch_statistics runs the saved model, and adds up the wall-clock time
of all dispatches of an executable in one call. Vertices that share an executable are one row.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.arithmetic import flop
from benchmarks.baselines import run_tool
from benchmarks.engines import Workload
from benchmarks.peak import gflops
from benchmarks.saved import save_with_inputs
from pyipu import targets
from pyipu.compiler import lower
from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Execute
from pyipu.engine import Executable
from pyipu.passes.functions import codelets
from pyipu.targets.codegen import compile_stream
from pyipu.targets.stream import dispatched

_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class VertexTime:
    """An executable in one call of the model: how often it runs, and what all of its runs take together.

    `milliseconds` are of the wall clock, `flop` the floating-point operations of its contractions.
    """

    executable: str
    runs: int
    milliseconds: float
    flop: int

    @property
    def gflops(self) -> float:
        """10^9 floating-point operations per second."""
        return gflops(self.flop, self.milliseconds) if self.flop else 0.0


def measure(workload: Workload, threads: int) -> list[VertexTime]:
    """Every executable of the model on the CPU, the slowest first."""
    target = targets.get("cpu")
    lowered = lower(workload.model, target, shapes=workload.shapes or None)
    code = compile_stream(lowered.stream, target)
    executable = Executable(code, lowered.parameters, lowered.plan(target, threads, code), target, threads)
    placed = dispatched(lowered.module)
    bodies = codelets(lowered.module)
    work = {op.executable or op.codelet: flop(ipu_ops(bodies[op.codelet].regions[0].blocks[0])) for op in placed}
    with tempfile.TemporaryDirectory() as folder:
        options = save_with_inputs(executable, workload.inputs, Path(folder))
        printed = run_tool("iree-benchmark-module", *options, "--dispatch_statistics", "--benchmark_format=json")
    return join(work, _runs(placed), json.loads(printed)["benchmarks"])


def _runs(placed: Iterable[Execute]) -> Counter[str]:
    return Counter(op.executable or op.codelet for op in placed)


def join(work: Mapping[str, int], runs: Mapping[str, int], rows: Iterable[Mapping[str, Any]]) -> list[VertexTime]:
    """The tool's rows with what each executable computes in a run, the slowest first.

    Raises:
        ValueError: IREE ran an executable more or less often than the program has it.
    """
    times = {row["name"].rpartition("/")[2]: row for row in rows if "calls" in row}
    wrong = sorted(name for name in work if name not in times or times[name]["calls"] != runs[name])
    if wrong:
        raise ValueError(f"IREE did not run {', '.join(wrong)} as often as the program does; report this")
    found = [_vertex_time(name, runs[name], times[name], work[name]) for name in work]
    return sorted(found, key=lambda one: -one.milliseconds)


def _vertex_time(name: str, runs: int, row: Mapping[str, Any], work: int) -> VertexTime:
    return VertexTime(name, runs, _MILLISECONDS[row["time_unit"]] * row["real_time"], runs * work)


def table(found: Sequence[VertexTime], peak: float) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: every vertex with a contraction, the others together, and all. `peak` is in GFLOP/s."""
    total = _together("all", found)
    contractions = [one for one in found if one.flop]
    others = _together("all others", [one for one in found if not one.flop])
    rows = [[*_cells(one, total.milliseconds), f"{one.gflops / peak:.0%}"] for one in (*contractions, others, total)]
    return ["vertex", "runs", "ms", "of the time", "GFLOP/s", "of peak"], rows


def _together(name: str, parts: Sequence[VertexTime]) -> VertexTime:
    milliseconds = sum(one.milliseconds for one in parts)
    return VertexTime(name, sum(one.runs for one in parts), milliseconds, sum(one.flop for one in parts))


def _cells(one: VertexTime, whole: float) -> list[str]:
    share = one.milliseconds / whole if whole else 0.0
    return [one.executable, str(one.runs), f"{one.milliseconds:.3f}", f"{share:.1%}", f"{one.gflops:.1f}"]
