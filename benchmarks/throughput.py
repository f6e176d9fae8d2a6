"""Calls per second of one executable from one and from several threads of Python at once.

    python -m benchmarks.throughput [--models squeezenet] [--threads 1] [--callers 1,2] [--seconds 2] [--rounds 5]
                                    [--markdown]

Medians of rounds in turn; speed-up is over the first number of callers.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.cases import Case, cases, compile_case
from benchmarks.tables import show


def calls_per_second(call: Callable[[], object], callers: int, seconds: float) -> float:
    """Of `callers` threads that start together and call for that many seconds."""
    ready = threading.Barrier(callers)

    def work(_: int) -> int:
        ready.wait()
        done, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            call()
            done += 1
        return done

    with ThreadPoolExecutor(callers) as pool:
        return sum(pool.map(work, range(callers))) / seconds


def measure(case: Case, threads: int, callers: list[int], seconds: float, rounds: int) -> list[float]:
    """Calls per second for each number of callers."""
    executable, inputs = compile_case(case, threads=threads), case.inputs()
    rates = [
        [calls_per_second(lambda: executable.run(inputs), count, seconds) for count in callers]
        for _ in range(1 + rounds)
    ]
    return [statistics.median(column) for column in zip(*rates[1:], strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="squeezenet", help="names, separated by commas")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of a call")
    parser.add_argument("--callers", default="1,2", help="numbers of threads that call at once, separated by commas")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    callers = [int(count) for count in options.callers.split(",")]
    rows = []
    for case in [case for case in cases(tuple(options.models.split(","))) if case.variant != "shipped"]:
        rates = measure(case, options.threads, callers, options.seconds, options.rounds)
        rows += [(case.name, count, f"{r:.1f}", f"{r / rates[0]:.2f}") for count, r in zip(callers, rates, strict=True)]
    columns = ("model", "callers", "calls per second", "speed-up")
    show(f"Calls at once, threads of each: {options.threads}", columns, rows, options.markdown)


if __name__ == "__main__":
    main()
