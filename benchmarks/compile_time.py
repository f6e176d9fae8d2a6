"""Seconds to compile: pyipu and plain IREE from nothing in turn, and pyipu once more with what its cache then has.

    pip install -e '.[bench]'
    python -m benchmarks.compile_time [--models resnet50,magika] [--rounds 3] [--markdown]

Each compilation runs in a new process, and all are bound to the same two processors; cells are medians. `read` is the
part of the second compilation that reads the model with its weights. The exit status is 1 when pyipu takes more than
0.8 of plain IREE's time, or a second compilation more than a second besides reading.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import pyipu
import pyipu.dialect
from benchmarks.baselines import plain_iree_seconds
from benchmarks.cases import PAGE, Case, cases
from benchmarks.tables import show
from benchmarks.turns import pin
from pyipu.importer import import_model
from pyipu.parameters import Parameters

THREADS = 2
MOST_OF_IREE = 0.8
MOST_AGAIN = 1.0
"""Seconds of a second compilation, besides those for reading the model."""


@dataclass(frozen=True)
class Seconds:
    """Medians for one model."""

    pyipu: float
    iree: float
    again: float
    read: float

    @property
    def ratio(self) -> float:
        """pyipu's time over plain IREE's, both from nothing."""
        return self.pyipu / self.iree

    @property
    def is_quick(self) -> bool:
        return self.ratio <= MOST_OF_IREE and self.again - self.read <= MOST_AGAIN

    def cells(self) -> list[str]:
        return [f"{self.pyipu:.1f}", f"{self.iree:.1f}", f"{self.ratio:.2f}", f"{self.again:.2f}", f"{self.read:.2f}"]


def measure(name: str, rounds: int) -> Seconds:
    """The model of that name, `rounds` times in each way."""
    found = [_round(name) for _ in range(rounds)]
    return Seconds(*(statistics.median(column) for column in zip(*found, strict=True)))


def _round(name: str) -> tuple[float, float, float, float]:
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes,
    ):
        first, _ = processes.submit(_pyipu, name, folder).result()
        plain = processes.submit(_plain_iree, name).result()
        again, read = processes.submit(_pyipu, name, folder).result()
    return first, plain, again, read


def _pyipu(name: str, folder: str) -> tuple[float, float]:
    """Seconds to compile with a cache folder, and to read the model alone."""
    case = _case(name)
    model, shapes = case.load(), case.shapes or None
    os.environ["PYIPU_CACHE"] = folder
    start = time.perf_counter()
    pyipu.compile(model, shapes=shapes, threads=THREADS)
    compiled = time.perf_counter()
    import_model(model, pyipu.dialect.context(), Parameters(), shapes)
    return compiled - start, time.perf_counter() - compiled


def _plain_iree(name: str) -> float:
    case = _case(name)
    return plain_iree_seconds(case.load(), {key: tuple(shape) for key, shape in case.shapes.items()})


def _case(name: str) -> Case:
    return next(case for case in cases([name]) if case.variant != "shipped")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; the twelve of the page by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    pin(THREADS)
    names = tuple(filter(None, options.models.split(","))) or PAGE
    found = {name: measure(name, options.rounds) for name in names}
    columns = ("model", "pyipu", "plain IREE", "/ IREE", "again", "read")
    rows = [(name, *one.cells()) for name, one in found.items()]
    show(f"Seconds to compile, threads: {THREADS}", columns, rows, options.markdown)
    return 0 if all(one.is_quick for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
