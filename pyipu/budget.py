"""A memory budget: what it is worth in bytes, and the cheapest plan that keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pyipu.errors import Error, MemoryBudgetError

MIN = "min"
"""The budget that stands for the least there is."""

Budget = int | str
"""Bytes, or "min"."""

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")

_HIGHEST, _RATIO, _LOWEST = 2.0**40, 0.93, 2.0**12
"""The peaks that are tried, in bytes. They are the same for every budget, so that a smaller one never gets more."""

_PATIENCE = 2
"""So many lower peaks in a row may leave the arena as it is before the search ends."""


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
    """What is searched for."""

    @property
    def arena_bytes(self) -> int: ...

    @property
    def expected_bytes(self) -> int:
        """What the strips were expected to need; more than what was asked for when there is nothing lower."""
        ...


Candidate = TypeVar("Candidate", bound=Plan)


def best_within(searches: Iterable[Search[Candidate]], budget: Budget, allow_over_budget: bool) -> Candidate:
    """The cheapest plan whose arena is within the budget, of the first search that has one; for "min", the one with the
    smallest arena of all.

    Raises:
        MemoryBudgetError: no plan is, and `allow_over_budget` is not set; names the smallest arena there is.
    """
    limit = budget if isinstance(budget, int) else -1
    found: list[Candidate] = []
    for search in searches:
        found.append(search.within(limit))
        if found[-1].arena_bytes <= limit:
            return found[-1]
    least = min(found, key=lambda candidate: candidate.arena_bytes)
    if limit < 0 or allow_over_budget:
        return least
    raise MemoryBudgetError(
        f"no plan fits into a memory budget of {limit:,} bytes; "
        f"the smallest budget that does is memory_budget={least.arena_bytes}"
    )


@dataclass(frozen=True)
class Search(Generic[Candidate]):
    """Finds plans; `attempt(peak)` makes the cheapest one whose peak is estimated to be at most `peak` bytes.

    `attempt(0)` makes the plan that costs no time.
    """

    attempt: Callable[[int], Candidate]

    def within(self, limit: int) -> Candidate:
        """The cheapest plan whose arena is at most `limit` bytes; the one with the smallest arena if there is none."""
        free = self.attempt(0)
        for candidate in self._lower(free, limit) if limit >= 0 else (free,):
            if candidate.arena_bytes <= limit:
                return candidate
        return self._least(free)

    def _lower(self, free: Candidate, limit: int) -> Iterator[Candidate]:
        """The plan that costs no time, and cheaper ones first, until nothing gets any lower."""
        yield free
        lowest, in_vain = free.arena_bytes, 0
        for peak in _peaks(limit):
            candidate = self.attempt(peak)
            yield candidate
            in_vain = 0 if candidate.arena_bytes < lowest else in_vain + 1
            lowest = min(lowest, candidate.arena_bytes)
            if candidate.expected_bytes > peak or in_vain >= _PATIENCE:
                return

    def _least(self, free: Candidate) -> Candidate:
        """The smallest arena, of the least peak that is expected and of two that are a little above it.

        Offsets fit together better with one plan than with another. Of equal arenas the cheapest plan's is taken.
        """
        bottom = self.attempt(1)
        above = [self.attempt(int(bottom.expected_bytes / _RATIO**power)) for power in (1, 0.5)]
        return min((free, *above, bottom), key=lambda candidate: candidate.arena_bytes)


def _peaks(below: int) -> Iterator[int]:
    peak = _HIGHEST
    while peak > _LOWEST:
        if peak <= below:
            yield int(peak)
        peak *= _RATIO
