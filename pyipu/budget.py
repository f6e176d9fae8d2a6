"""A memory budget: what it is worth in bytes, and the cheapest plan that keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Generic, Protocol, TypeVar

from pyipu.errors import Error, MemoryBudgetError

MIN = "min"
"""The budget that stands for the least there is."""

Budget = int | str
"""Bytes, or "min"."""

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")

_RATIO = 0.93
"""The next peak that is asked for, as a part of the one that was got."""
_HEADROOM = 1.1
"""So many times the smallest arena so far may strips be expected to need that are tried to get a smaller one: rows have
lives of their own in an arena, which the expectation knows nothing of. Of some 80 plans of five networks, none that was
expected to need more had a smaller arena."""


def parse_budget(budget: Budget) -> Budget:
    """Bytes or "min": a number stands for bytes, a text for a number with a unit, as in "2MB" or "1.5 MiB".

    Raises:
        Error: it is no size.
    """
    if budget == MIN:
        return budget
    found = _SIZE.fullmatch(str(budget))
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise Error(f"memory_budget={budget!r} is no size; give bytes, a text such as '2MB' or '512KiB', or 'min'")
    return int(float(found[1]) * unit)


class Plan(Protocol):
    """What is searched for. Its figures are in bytes; each is found out when it is asked for, at a cost."""

    @property
    def expected_bytes(self) -> int:
        """What the strips are expected to need; more than what was asked for when there is nothing lower."""
        ...

    @property
    def least_bytes(self) -> int:
        """The arena is certain to be no smaller; this is known before its offsets are searched."""
        ...

    @property
    def arena_bytes(self) -> int: ...


Candidate = TypeVar("Candidate", bound=Plan)


def best_within(searches: Iterable[Search[Candidate]], budget: Budget, allow_over_budget: bool) -> Candidate:
    """The first candidate of all searches, one after the other, whose arena is within the budget; for "min", the one
    with the smallest arena.

    A smaller budget never gets a larger arena. The candidates do not depend on the budget. Let a budget get one; all
    before it are above the budget. A smaller budget gets the same, or one behind it because this one is above the
    smaller budget, and so above the arena that is found. Nothing is below the smallest. The plan without a budget is
    the first candidate: a budget gets it, or is below it.

    Raises:
        MemoryBudgetError: no plan is, and `allow_over_budget` is not set; names the smallest arena there is.
    """
    limit = budget if isinstance(budget, int) else -1
    above: list[Candidate] = []
    for candidate in _sequence(searches):
        if candidate.least_bytes <= limit and candidate.arena_bytes <= limit:
            return candidate
        above.append(candidate)
    least = _smallest(above)
    if limit < 0 or allow_over_budget:
        return least
    raise MemoryBudgetError(
        f"no plan fits into a memory budget of {limit:,} bytes; "
        f"the smallest budget that does is memory_budget={least.arena_bytes}"
    )


def _sequence(searches: Iterable[Search[Candidate]]) -> Iterator[Candidate]:
    """What the searches find, one after the other; a later one looks only for what may be smaller than all before."""
    found: list[Candidate] = []
    for search in searches:
        for candidate in search.candidates(_smallest(found) if found else None):
            found.append(candidate)
            yield candidate


def _smallest(candidates: Sequence[Candidate]) -> Candidate:
    """The first of those with the smallest arena; no arena is looked for that cannot be it."""
    bounds = sorted((candidate.least_bytes, number) for number, candidate in enumerate(candidates))
    best = (candidates[bounds[0][1]].arena_bytes, bounds[0][1])
    for bound in bounds[1:]:
        if bound > best:
            break
        best = min(best, (candidates[bound[1]].arena_bytes, bound[1]))
    return candidates[best[1]]


@dataclass(frozen=True)
class Search(Generic[Candidate]):
    """Finds plans; `attempt(peak)` makes the cheapest one whose peak is estimated to be at most `peak` bytes.

    `attempt(0)` makes the plan that costs no time.
    """

    attempt: Callable[[int], Candidate]

    def candidates(self, least: Candidate | None = None) -> Iterator[Candidate]:
        """The plan that costs no time, those for lower and lower peaks, which cost more, and those of the least peak.

        Where a smallest arena is known already, those that may be smaller.
        """
        if least is not None:
            yield from self._below(least.arena_bytes * _HEADROOM)
            return
        free = self.attempt(0)
        yield free
        highest = max(free.expected_bytes, free.arena_bytes)
        yield from self._below(min(highest * _RATIO, free.arena_bytes * _HEADROOM))

    def _below(self, start: float) -> Iterator[Candidate]:
        """From a peak downwards to the least."""
        peak, got = int(start), dict[int, int]()
        while peak > 0:
            lower = self.attempt(peak)
            if lower.expected_bytes > peak:
                break
            got[lower.expected_bytes] = peak
            yield lower
            peak = int(lower.expected_bytes * _RATIO)
        bottom = self.attempt(1)
        yield from self._above(bottom.expected_bytes, peak, got)
        yield bottom

    def _above(self, least: int, start: int, got: dict[int, int]) -> Iterator[Candidate]:
        """From a peak downwards again, which nothing was found for before the least peak was known.

        The last ones are a little above the least: offsets fit together better with one plan than with another. `got`
        are the peaks that were got, and what was asked for: asking for something in between would get the same again.
        """
        for peak in _ladder(start, least):
            if any(known <= peak <= asked for known, asked in got.items()):
                continue
            above = self.attempt(peak)
            if least < above.expected_bytes <= peak and above.expected_bytes not in got:
                got[above.expected_bytes] = peak
                yield above


def _ladder(start: int, least: int) -> list[int]:
    """Peaks from `start` downwards, at the end those that are one step and half a step above the least."""
    steps = takewhile(lambda peak: peak > least / _RATIO, (int(start * _RATIO**power) for power in count()))
    return [*steps, int(least / _RATIO), int(least / _RATIO**0.5)]
