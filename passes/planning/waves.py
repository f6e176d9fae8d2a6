"""Which steps of a program can run side by side: those that touch no bytes that another one of them writes.

Steps are given in an order that is right. Each gets the number of a wave, one more than that of the last earlier step
that it must wait for. All steps of a wave may run at once, and waves run one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


class Access(NamedTuple):
    """Bytes [begin, end) of a resource; of these, when there is a pitch, only a run at the beginning of each pitch."""

    resource: int
    writes: bool
    begin: int
    end: int
    pitch: int = 0
    """Bytes from the beginning of one run to that of the next one; zero when all is one run."""
    run: int = 0
    """Bytes of each run, when there is a pitch."""

    @property
    def length(self) -> int:
        """Bytes of each run."""
        return self.run if self.pitch else self.end - self.begin


def wave_numbers(steps: Iterable[Sequence[Access]]) -> list[int]:
    """The wave of each step, from zero on."""
    history = _History()
    waves: list[int] = []
    for step in steps:
        accesses = [one for one in step if one.begin < one.end]
        waves.append(1 + max((history.last_conflict(one) for one in accesses), default=-1))
        for one in accesses:
            history.add(one, waves[-1])
    return waves


def written_runs(resource: int, runs: Sequence[tuple[int, int]]) -> list[Access]:
    """Writes of these byte offsets and lengths, in rising order; equal ones at equal distances are one access."""
    found: list[Access] = []
    begin = 0
    while begin < len(runs):
        end = _equal_until(runs, begin)
        (first, length), (last, _) = runs[begin], runs[end - 1]
        pitch = runs[begin + 1][0] - first if end - begin > 1 else 0
        found.append(Access(resource, True, first, last + length, pitch, length if pitch else 0))
        begin = end
    return found


def _equal_until(runs: Sequence[tuple[int, int]], begin: int) -> int:
    """Behind the last run that is as long as the one at `begin`, and as far from the run before it as the second."""
    distance = runs[begin + 1][0] - runs[begin][0] if begin + 1 < len(runs) else 0
    end = begin + 1
    for (place, _), (after, length) in pairwise(runs[begin:]):
        if length != runs[begin][1] or after - place != distance:
            break
        end += 1
    return end


class _History:
    """The accesses of earlier steps, and their waves; those that later ones hide are forgotten."""

    def __init__(self) -> None:
        self._rows = np.zeros((0, len(Access._fields) + 1), dtype=np.int64)

    def add(self, access: Access, wave: int) -> None:
        """What lies in bytes that are written now need not be known: who touches it later waits for this write."""
        row = np.array([[*access[:-1], access.length, wave]], dtype=np.int64)
        if access.writes and not access.pitch:
            resource, _, begin, end, *_ = self._rows.T
            hidden = (resource == access.resource) & (begin >= access.begin) & (end <= access.end)
            self._rows = self._rows[~hidden]
        self._rows = np.concatenate([self._rows, row])

    def last_conflict(self, access: Access) -> int:
        """The last wave with an access that this one must not run beside; -1 if there is none."""
        resource, writes, begin, end, pitch, length, wave = self._rows.T
        touches = (resource == access.resource) & (begin < access.end) & (end > access.begin)
        if not access.writes:
            touches &= writes == 1
        touches &= ~_runs_differ(access, begin, pitch, length)
        return int(wave[touches].max(initial=-1))


def _runs_differ(access: Access, begin: IntArray, pitch: IntArray, length: IntArray) -> NDArray[np.bool_]:
    """Where the runs of both lie at other places of one pitch; what is one run is so in any pitch."""
    comparable = (pitch == access.pitch) | (pitch == 0) | (access.pitch == 0)
    common = np.maximum(pitch, access.pitch)
    ahead = (begin - access.begin) % np.maximum(common, 1)
    apart: NDArray[np.bool_] = comparable & (ahead >= access.length) & (ahead + length <= common)
    return apart
