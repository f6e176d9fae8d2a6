"""What a memory budget costs: the arena, the milliseconds and the error of every network, from no budget to the least.

    python -m benchmarks.budgets [--models resnet50,mobilenet_v2] [--between 3] [--rounds 9] [--markdown]

Three budgets lie between the least arena and the one without a budget, in equal steps. All executables of a network
take turns in one process; milliseconds are medians. The exit status is 1 when a result is outside of the tolerance, an
arena is above its budget, or IREE allocates what was not planned.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import pyipu
from benchmarks.cases import Case, cases, compare, compile_case
from benchmarks.memory import checked_arena
from benchmarks.tables import show
from examples import zoo
from pyipu.budget import MIN, Budget

THREADS = 2


@dataclass(frozen=True)
class Kept:
    """One network under one budget; `agrees` says that it computes what ONNX Runtime does, within its budget."""

    budget: Budget | None
    arena: int
    milliseconds: float
    relative_error: float
    agrees: bool


def measure(case: Case, between: int, rounds: int) -> list[Kept]:
    """From no budget to the least one."""
    model, inputs = case.load(), case.inputs()
    expected = case.expected(model, inputs)
    free, least = compile_case(case, threads=THREADS), compile_case(case, threads=THREADS, memory_budget=MIN)
    steps = np.linspace(free.memory.arena_bytes, least.memory.arena_bytes, between + 2)[1:-1]
    budgets: list[Budget] = [int(step) for step in steps]
    kept = [compile_case(case, threads=THREADS, memory_budget=budget) for budget in budgets]
    executables = [free, *kept, least]
    milliseconds = medians(executables, inputs, rounds)
    rows = zip([None, *budgets, MIN], executables, milliseconds, strict=True)
    return [_kept(budget, executable, time_, inputs, expected) for budget, executable, time_ in rows]


def _kept(
    budget: Budget | None,
    executable: pyipu.Executable,
    milliseconds: float,
    inputs: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
) -> Kept:
    found = compare(executable.run(inputs), expected)
    arena = checked_arena(executable, inputs)
    fits = not isinstance(budget, int) or arena <= budget
    return Kept(budget, arena, milliseconds, found.relative_error, found.agrees and fits)


def medians(
    executables: Sequence[pyipu.Executable], inputs: Mapping[str, np.ndarray], rounds: int, calls: int = 3
) -> list[float]:
    """Milliseconds of one call of each, which take turns: A B C, A B C, and so on."""
    spent: list[list[float]] = [[] for _ in executables]
    for _ in range(rounds):
        for times, executable in zip(spent, executables, strict=True):
            executable.run(inputs)
            times += [_milliseconds(executable, inputs) for _ in range(calls)]
    return [float(np.median(times)) for times in spent]


def _milliseconds(executable: pyipu.Executable, inputs: Mapping[str, np.ndarray]) -> float:
    began = time.perf_counter()
    executable.run(inputs)
    return (time.perf_counter() - began) * 1e3


def rows(case: Case, kept: Sequence[Kept]) -> list[tuple[str, ...]]:
    """One row for each budget; milliseconds and arena also as parts of those without one."""
    return [
        (
            case.name,
            "none" if one.budget is None else f"{one.budget:,}" if isinstance(one.budget, int) else one.budget,
            f"{one.arena:,}",
            f"{one.arena / kept[0].arena:.2f}",
            f"{one.milliseconds:.2f}",
            f"{one.milliseconds / kept[0].milliseconds:.2f}",
            f"{one.relative_error:.1e}",
            "yes" if one.agrees else "NO",
        )
        for one in kept
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all, also the built ones, by default")
    parser.add_argument("--between", type=int, default=3, help="budgets between none and the least")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = tuple(filter(None, options.models.split(","))) or (*zoo.names(), *zoo.names("built"))
    chosen = [case for case in cases(names) if case.variant != "shipped"]
    found = [(case, measure(case, options.between, options.rounds)) for case in chosen]
    columns = ("model", "budget", "arena", "/ none", "ms", "/ none", "error", "agrees")
    table = [row for case, kept in found for row in rows(case, kept)]
    show("Memory budgets: bytes and milliseconds of one call", columns, table, options.markdown)
    return 0 if all(one.agrees for _, kept in found for one in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
