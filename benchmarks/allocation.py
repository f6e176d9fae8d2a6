"""How near allocations come to their lower bound, on problems in MiniMalloc's format.

    python -m benchmarks.allocation FILE_OR_FOLDER... [--seconds 3] [--alignment 1] [--markdown]

A problem is a CSV file with the columns id, lower, upper and size: a buffer of `size` bytes is alive in the steps
[lower, upper). Google's eleven challenging ones are in https://github.com/google/minimalloc (benchmarks/challenging).
The exit status is 1 when the mean of lower bound / peak is below 0.95.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import show
from pyipu.passes.planning.allocation import Allocation, Interval, allocate
from pyipu.passes.planning.validation import validate

ENOUGH = 0.95
"""The least mean of lower bound / peak."""

COLUMNS = ("id", "lower", "upper", "size")


@dataclass(frozen=True)
class Solved:
    """A problem, by the name of its file, and its allocation, which took so many seconds."""

    name: str
    count: int
    allocation: Allocation
    seconds: float

    @property
    def quality(self) -> float:
        """Lower bound / peak: 1 is proved to be the best there is."""
        return self.allocation.lower_bound / max(self.allocation.peak, 1)


def read_problem(path: Path) -> list[Interval]:
    """The live intervals in a file; sizes in bytes.

    Raises ValueError if a column is missing or a number is none.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
        if missing:
            raise ValueError(f"{path} has no column {', '.join(missing)}; a problem has {', '.join(COLUMNS)}")
        return [Interval(row["id"], int(row["lower"]), int(row["upper"]), int(row["size"])) for row in reader]


def solve(path: Path, seconds: float, alignment: int) -> Solved:
    """Allocates within about so many seconds, and checks the result."""
    intervals = read_problem(path)
    began = time.perf_counter()
    allocation = allocate(intervals, alignment=alignment, time_limit=seconds)
    taken = time.perf_counter() - began
    validate(intervals, allocation, alignment)
    return Solved(path.stem, len(intervals), allocation, taken)


def files(paths: Iterable[Path]) -> list[Path]:
    """The files, and those in the folders that end in .csv."""
    return [file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])]


def mean(solved: Sequence[Solved]) -> float:
    """Of lower bound / peak."""
    return sum(one.quality for one in solved) / len(solved)


def _row(one: Solved) -> list[object]:
    found = one.allocation
    sizes = [f"{found.lower_bound:,}", f"{found.peak:,}"]
    return [one.name, one.count, *sizes, f"{one.quality:.4f}", found.method, f"{one.seconds:.2f}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="CSV files, or folders of them")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="for each problem, as searches are estimated to take them"
    )
    parser.add_argument("--alignment", type=int, default=1, help="bytes")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    found = files(options.paths)
    if not found:
        parser.error("there are no CSV files in the folders")
    solved = [solve(path, options.seconds, options.alignment) for path in found]
    columns = ("problem", "buffers", "lower bound", "peak", "bound / peak", "method", "seconds")
    show(
        "Allocations",
        columns,
        [*map(_row, solved), ["mean", "", "", "", f"{mean(solved):.4f}", "", ""]],
        options.markdown,
    )
    return 0 if mean(solved) >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
