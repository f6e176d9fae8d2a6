"""What the machine can do: how fast numpy multiplies large float32 matrices and reads memory, on as many threads."""

from __future__ import annotations

from benchmarks.engines import MEMORY, MEMORY_BYTES, PEAK, PEAK_ORDER, Workload
from benchmarks.turns import engine_processes, take_turns

PEAK_FLOP = 2 * PEAK_ORDER**3
"""Floating-point operations of one call of the engine `PEAK`."""


def gflops(operations: int, milliseconds: float) -> float:
    """10^9 operations per second."""
    return operations / milliseconds / 1e6


def measured_peak(workload: Workload, rounds: int, calls: int, threads: int) -> float:
    """GFLOP/s of the fastest of all products, with nothing else running."""
    with engine_processes([PEAK], workload, threads) as processes:
        return gflops(PEAK_FLOP, take_turns(processes, rounds, calls)[PEAK].min_ms)


def measured_bandwidth(workload: Workload, rounds: int, calls: int, threads: int) -> float:
    """GB/s that are read from memory at most, with nothing else running."""
    with engine_processes([MEMORY], workload, threads) as processes:
        return MEMORY_BYTES / take_turns(processes, rounds, calls)[MEMORY].min_ms / 1e6
