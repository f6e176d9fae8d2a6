"""Which dispatch of a saved model runs when: what IREE records while iree-benchmark-module calls the model."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.baselines import run_tool

_MODE = "--device_profiling_mode=queue-events,host-execution"


@dataclass(frozen=True)
class Dispatch:
    """One run of a compiled function; both times are in nanoseconds of one clock."""

    function: str
    start: int
    end: int


def recorded(options: Sequence[str], calls: int) -> list[list[Dispatch]]:
    """The dispatches of each of so many calls, in the order of the program; `options` are those of `save_with_inputs`.

    Raises:
        BaselineError: IREE cannot run the model.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "calls.ireeprof"
        run_tool(
            "iree-benchmark-module",
            *options,
            f"--benchmark_min_time={calls}x",
            _MODE,
            f"--device_profiling_output={bundle}",
        )
        exported = run_tool("iree-profile", "export", "--format=ireeperf-jsonl", "--output=-", str(bundle))
    return calls_in(exported.splitlines())[-calls:]


def calls_in(lines: Iterable[str]) -> list[list[Dispatch]]:
    """The calls in what iree-profile exports, each in the order of its commands."""
    rows = [json.loads(line) for line in lines]
    names = {_function(row): row["name"] for row in rows if row["record_type"] == "executable_function"}
    calls: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["record_type"] == "host_execution_event" and row["op"] == "dispatch":
            calls[row["submission_id"]].append(row)
    return [[_dispatch(row, names) for row in sorted(call, key=_place)] for _, call in sorted(calls.items())]


def _function(row: dict[str, Any]) -> tuple[int, int]:
    return row["executable_id"], row["function_ordinal"]


def _place(row: dict[str, Any]) -> int:
    place: int = row["command_index"]
    return place


def _dispatch(row: dict[str, Any], names: dict[tuple[int, int], str]) -> Dispatch:
    return Dispatch(names[_function(row)], row["start_host_time_ns"], row["end_host_time_ns"])


def milliseconds(call: Sequence[Dispatch]) -> float:
    """From the start of the first dispatch to the end of the last one."""
    return (max(one.end for one in call) - min(one.start for one in call)) / 1e6


def shares(call: Sequence[Dispatch]) -> list[float]:
    """Milliseconds of the wall clock that each dispatch has; where several run, each has an equal part of the time."""
    taken = [0.0] * len(call)
    running: set[int] = set()
    for (now, starts, number), (following, _, _) in pairwise(_changes(call)):
        running.add(number) if starts else running.discard(number)
        for one in running:
            taken[one] += (following - now) / len(running) / 1e6
    return taken


def _changes(call: Sequence[Dispatch]) -> list[tuple[int, bool, int]]:
    """When which dispatch starts or ends, in order."""
    lasting = [(one, i) for i, one in enumerate(call) if one.end > one.start]
    return sorted([(one.start, True, i) for one, i in lasting] + [(one.end, False, i) for one, i in lasting])
