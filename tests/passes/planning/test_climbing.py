"""Hill climbing: what it places piece by piece is what placing everything anew gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pyipu.passes.planning import climbing, greedy
from pyipu.passes.planning.climbing import Climb
from pyipu.passes.planning.patience import Patience
from pyipu.passes.planning.problem import Problem


def drawn(seed: int, count: int = 60) -> Problem:
    generator = np.random.default_rng(seed)
    start = generator.integers(0, 40, count)
    return Problem.from_steps(start, start + generator.integers(1, 15, count), generator.integers(1, 100, count))


def drawn_in_parts(seed: int, count: int = 40) -> Problem:
    """Buffers of one to three parts, each with a life of its own."""
    generator = np.random.default_rng(seed)
    buffer = np.repeat(np.arange(count), generator.integers(1, 4, count))
    size, start = generator.integers(1, 60, len(buffer)), generator.integers(0, 40, len(buffer))
    before = np.cumsum(size) - size
    shift = before - before[np.searchsorted(buffer, buffer)]
    return Problem.from_steps(start, start + generator.integers(1, 15, len(buffer)), size, buffer, shift)


def patience(seconds: float) -> Patience:
    return Patience(seconds, seconds)


@pytest.mark.parametrize("best_fit", [False, True])
@pytest.mark.parametrize("draw", [drawn, drawn_in_parts])
@pytest.mark.parametrize("seed", range(5))
def test_each_order_is_placed_as_if_from_nothing(seed: int, draw: Callable[[int], Problem], best_fit: bool):
    problem = draw(seed)
    climb = Climb(problem, greedy.orders(problem)["size"], best_fit, seed)
    before = climb.peak
    for _ in range(100):
        climb.step()
        assert climb.offsets == greedy.place(problem, climb.order, best_fit).tolist()
    assert climb.peak <= before


@pytest.mark.parametrize("draw", [drawn, drawn_in_parts])
def test_most_orders_have_a_better_one_near(draw: Callable[[int], Problem]):
    gains = 0
    for seed in range(5):
        climb = Climb(draw(seed), greedy.orders(draw(seed))["size"], best_fit=True, seed=seed)
        before = climb.peak
        for _ in range(100):
            climb.step()
        gains += climb.peak < before
    assert gains >= 3


def test_each_placement_is_lower_than_the_one_before():
    problem = drawn(0)
    peak = problem.peak(greedy.place(problem, greedy.orders(problem)["duration"], best_fit=True))
    peaks = [problem.peak(offsets) for offsets in climbing.improvements(problem, peak, patience(10.0), seed=0)]
    assert peaks == sorted(set(peaks), reverse=True)
    assert problem.lower_bound <= peaks[-1] < peaks[0] < peak


def test_nothing_is_tried_once_patience_is_over():
    assert list(climbing.improvements(drawn(0), 10**6, patience(-1.0), seed=0)) == []
