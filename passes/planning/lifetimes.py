"""Which bytes of a buffer are needed when: rows that come late, or are done with early, leave their bytes to others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pyipu.passes.planning.allocation import Interval, Part

MOST_PARTS = 16
"""More parts of one buffer are merged: placing them takes longer, and saves next to nothing."""


class Touch(NamedTuple):
    """A step writes or reads bytes [begin, end) of a buffer."""

    step: int
    begin: int
    end: int


def live_interval(name: str, size: int, touches: Sequence[Touch], alignment: int) -> Interval:
    """From the first to the last touch, of the buffer and of each part of it; sizes and the alignment in bytes.

    Parts begin at multiples of the alignment. Bytes that nobody touches go with those in front of them.
    """
    touches = [touch for touch in touches if touch.begin < touch.end]
    if not touches:
        return Interval(name, 0, 1, size)
    start, end = min(touch.step for touch in touches), max(touch.step for touch in touches) + 1
    parts = merged(_parts(size, touches, alignment), MOST_PARTS)
    return Interval(name, start, end, size, parts if len(parts) > 1 else ())


def _parts(size: int, touches: Sequence[Touch], alignment: int) -> tuple[Part, ...]:
    spans = [(touch.begin // alignment * alignment, -(-touch.end // alignment) * alignment) for touch in touches]
    cuts = np.unique([0, *(cut for span in spans for cut in span if cut < size)])
    first, last = np.full(len(cuts), np.iinfo(np.int64).max), np.full(len(cuts), -1)
    for (step, _, _), (low, high) in zip(touches, np.searchsorted(cuts, spans), strict=True):
        np.minimum(first[low:high], step, out=first[low:high])
        np.maximum(last[low:high], step, out=last[low:high])
    lives = [(int(a), int(b) + 1) for a, b in zip(first, last, strict=True)]
    touched = [i for i, (_, end) in enumerate(lives) if end > 0]
    kept = touched[:1] + [i for before, i in pairwise(touched) if lives[i] != lives[before]]
    begins = [0, *(int(cuts[i]) for i in kept[1:]), size]
    return tuple(Part(begin, end - begin, *lives[i]) for i, (begin, end) in zip(kept, pairwise(begins), strict=True))


def merged(parts: Sequence[Part], most: int) -> tuple[Part, ...]:
    """At most so many parts: neighbours become one where that adds the fewest bytes times steps."""
    parts = list(parts)
    added = [_added(one, other) for one, other in pairwise(parts)]
    while len(parts) > most:
        least = added.index(min(added))
        parts[least : least + 2] = [_both(*parts[least : least + 2])]
        del added[least]
        around = range(max(least - 1, 0), min(least + 1, len(added)))
        added[around.start : around.stop] = [_added(parts[i], parts[i + 1]) for i in around]
    return tuple(parts)


def _added(one: Part, other: Part) -> int:
    """Bytes times steps that two neighbours need more as one."""
    return _area(_both(one, other)) - _area(one) - _area(other)


def _both(one: Part, other: Part) -> Part:
    return Part(one.offset, one.size + other.size, min(one.start, other.start), max(one.end, other.end))


def _area(part: Part) -> int:
    return part.size * (part.end - part.start)
