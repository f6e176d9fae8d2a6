"""Restarted beam searches: every run draws other preferences, and has to beat the best placement so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from pyipu.passes.planning import beam_search, greedy
from pyipu.passes.planning.beam_search import Settings
from pyipu.passes.planning.patience import Patience
from pyipu.passes.planning.problem import IntArray, Problem

WIDTHS = (4, 8, 12, 16)
"""Many narrow runs beat few wide ones: on MiniMalloc's problems D, G and J, widths of 16 to 96 ended 1 % higher."""

CORE_LOADS = (0.0, 0.8, 0.9, 0.95, 0.98)
"""Networks in narrow strips have hundreds of buffers, few of which are alive where the load is nearly the largest."""
CORE_LIMIT = 2000
"""Buffers up to which a beam search gets through within a second or so."""

BRANCHINGS = (4, 6, 8, 12, 20)
SIZE_WEIGHTS = (0.0, 0.5, 1.0)
NOISES = (0.0, 0.2, 0.5)
SHARPNESS = (80.0, 600.0)

REBUILD = 0.85
"""How often a run rebuilds the upper part of the best placement instead of starting from nothing."""

LONGEST_PREFIX = 0.7
"""The largest part of the buffers that a rebuild keeps in place."""


@dataclass(frozen=True, eq=False)
class _Core:
    """The buffers that are alive where the load is high; what is left fits around them more easily."""

    buffers: IntArray
    problem: Problem


def improvements(problem: Problem, peak: int, patience: Patience, seed: int) -> Iterator[IntArray]:
    """Placements, in units, each with a lower peak than the one before, starting below `peak`.

    Ends at the lower bound or with the patience. Every size must be positive. Buffers are placed as a whole here.
    """
    if peak > problem.whole.lower_bound:
        yield from map(problem.spread, _improvements(problem.whole, peak, patience, seed))


def _improvements(problem: Problem, peak: int, patience: Patience, seed: int) -> Iterator[IntArray]:
    random = np.random.default_rng(seed)
    best: IntArray | None = None
    cores = _cores(problem)
    for width in cycle(WIDTHS if cores else ()):
        if peak == problem.lower_bound or patience.is_over:
            return
        core = _choose(cores, random)
        prefix = _prefix(core, best, random)
        found = beam_search.search(core.problem, _draw(core.problem, width, random), peak, patience, prefix)
        placement = None if found is None else _complete(problem, core, found, peak, patience)
        if placement is not None:
            best, peak = placement, problem.peak(placement)
            yield placement
        elif found is not None and len(cores) > 1:
            cores.remove(core)


def _cores(problem: Problem) -> list[_Core]:
    """The whole problem and smaller and smaller cores of it, without those that are too large."""
    cores = {core.problem.count: core for core in (_core(problem, load) for load in CORE_LOADS)}
    return [core for count, core in cores.items() if 0 < count <= CORE_LIMIT]


def _core(problem: Problem, load: float) -> _Core:
    """The buffers that are alive in a clique with at least this part of the largest load."""
    hot = np.concatenate([[0], np.cumsum(problem.load >= load * problem.lower_bound)])
    buffers = np.flatnonzero(hot[problem.last] > hot[problem.first])
    first, last, size = problem.first[buffers], problem.last[buffers], problem.size[buffers]
    return _Core(buffers, Problem.from_steps(first, last, size))


def _choose(cores: Sequence[_Core], random: np.random.Generator) -> _Core:
    """A random core: small ones more often, because they take less time."""
    weight = np.array([1 / core.problem.count for core in cores])
    return cores[random.choice(len(cores), p=weight / weight.sum())]


def _prefix(core: _Core, best: IntArray | None, random: np.random.Generator) -> list[int]:
    """The lowest buffers of the best placement, or of the same turned upside down; often none."""
    if best is None or random.random() > REBUILD:
        return []
    offsets, size = best[core.buffers], core.problem.size
    height = offsets if random.random() < 0.5 else -(offsets + size)
    kept = int(core.problem.count * random.uniform(0, LONGEST_PREFIX))
    return np.argsort(height, kind="stable")[:kept].tolist()


def _complete(problem: Problem, core: _Core, offsets: IntArray, peak: int, patience: Patience) -> IntArray | None:
    """A placement of all buffers below `peak`, greedy around the core, if one of the classic orders gives it."""
    fixed = dict(zip(core.buffers.tolist(), offsets.tolist(), strict=True))
    for order in greedy.orders(problem).values():
        patience.spend(greedy.seconds(problem))
        around = (buffer for buffer in order if buffer not in fixed)
        placement = greedy.place_within(problem, around, False, peak - 1, fixed)
        if placement is not None:
            return placement
    return None


def _draw(problem: Problem, width: int, random: np.random.Generator) -> Settings:
    """Random preferences: which buffers go first, how many are tried, and how much the fullest clique counts."""
    duration = (problem.last - problem.first).astype(np.float64)
    noise = np.exp(random.choice(NOISES) * random.standard_normal(problem.count))
    value = duration * problem.size ** random.choice(SIZE_WEIGHTS) * noise
    rank = np.argsort(np.argsort(-value, kind="stable"))
    sharpness = np.exp(random.uniform(*np.log(SHARPNESS)))
    return Settings(width, int(random.choice(BRANCHINGS)), float(sharpness), rank)
