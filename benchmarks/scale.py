"""How planning grows with the network: synthetic graphs of up to 200,000 vertices are scheduled, aliased and allocated.

    python -m benchmarks.scale [--vertices 12500,25000,50000,100000,200000] [--markdown]

The exit status is 1 when 100,000 vertices take more than 60 seconds or 2 GB, or when twice the vertices take more than
2.5 times as long. Each size runs in a process of its own, which writes figures as JSON: seconds, peak bytes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from iree.compiler import ir

import pyipu.dialect
from benchmarks.synthetic import synthetic_graph
from benchmarks.tables import show
from pyipu.passes import PASSES
from pyipu.passes.manager import PassManager, Pipeline
from pyipu.passes.session import Session

PLANNING = ("ipu-schedule", "ipu-inplace", "ipu-allocate")

SIZES = "12500,25000,50000,100000,200000"
JUDGED, MOST_SECONDS, MOST_BYTES, MOST_GROWTH = 100_000, 60.0, 2 << 30, 2.5


@dataclass(frozen=True)
class Figures:
    """What planning one graph took: seconds by pass and in all, peak resident bytes, and the arena in bytes.

    `cpu` are the seconds in which it really ran, which is what can be compared on a machine that others use, too.
    """

    vertices: int
    passes: Mapping[str, float]
    total: float
    cpu: float
    peak_bytes: int
    arena_bytes: int
    lower_bound_bytes: int

    @property
    def planning(self) -> float:
        """Seconds in passes; what is left of the total is verification."""
        return sum(self.passes.values())


def measure(vertices: int) -> Figures:
    """Plans a graph of so many vertices in this process."""
    with pyipu.dialect.context() as context, ir.Location.unknown(context):
        module = synthetic_graph(vertices)
        manager = PassManager(Pipeline(tuple(PASSES[name]() for name in PLANNING if name in PASSES)))
        began, began_cpu = time.perf_counter(), time.process_time()
        manager.run(module, Session())
        total, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        main = next(op for op in module.body.operations if "ipu.arena_bytes" in op.attributes)
        arena, bound = (ir.IntegerAttr(main.attributes[f"ipu.{name}_bytes"]).value for name in ("arena", "lower_bound"))
    passes = {name.partition("{")[0]: milliseconds / 1e3 for name, milliseconds in manager.milliseconds}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Figures(vertices, passes, total, cpu, peak, arena, bound)


def _measure_apart(vertices: int) -> Figures:
    """In a process of its own, so that its peak of resident memory is its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--one", str(vertices)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(**json.loads(process.stdout))


def complaints(figures: Sequence[Figures]) -> list[str]:
    """What is slower or larger than it should be."""
    found = [
        f"twice the vertices of {a.vertices:,} take {growth(a, b):.2f} times as long" for a, b in _doubled(figures)
    ]
    judged = [one for one in figures if one.vertices == JUDGED]
    found += [f"{JUDGED:,} vertices take {one.total:.1f} s" for one in judged if one.total > MOST_SECONDS]
    return found + [
        f"{JUDGED:,} vertices take {one.peak_bytes:,} bytes" for one in judged if one.peak_bytes > MOST_BYTES
    ]


def growth(smaller: Figures, larger: Figures) -> float:
    """By how much the time grows, as if the larger graph were exactly twice as large."""
    return larger.cpu / smaller.cpu * 2 * smaller.vertices / larger.vertices


def _doubled(figures: Sequence[Figures]) -> list[tuple[Figures, Figures]]:
    return [(a, b) for a, b in pairwise(figures) if growth(a, b) > MOST_GROWTH]


def _row(one: Figures, before: Figures | None) -> list[str]:
    times = [f"{one.passes.get(name, 0):.2f}" for name in PLANNING]
    ratio = f"{growth(before, one):.2f}" if before else ""
    above = f"{one.arena_bytes / one.lower_bound_bytes:.3f}"
    checks = f"{one.total - one.planning:.2f}"
    return [f"{one.vertices:,}", *times, checks, f"{one.total:.2f}", ratio, f"{one.peak_bytes / 1e6:.0f}", above]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vertices", default=SIZES, help=f"sizes, separated by commas; by default {SIZES}")
    parser.add_argument("--one", type=int, help="measures one size in this process and prints the figures as JSON")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(vars(measure(options.one))))
        return 0
    figures = [_measure_apart(int(size)) for size in options.vertices.split(",")]
    rows = [_row(one, before) for one, before in zip(figures, [None, *figures], strict=False)]
    columns = ("vertices", *PLANNING, "verification", "seconds", "if doubled", "peak MB", "arena / bound")
    show("Planning, seconds", columns, rows, options.markdown)
    found = complaints(figures)
    for sentence in found:
        print(sentence, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
