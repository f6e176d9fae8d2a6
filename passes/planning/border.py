"""The bytes of a padded tensor that its border takes, as contiguous runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pyipu.passes.planning.region import Region


@dataclass(frozen=True)
class Run:
    """`length` elements from element `offset` on."""

    offset: int
    length: int


def border_runs(padded: Region, interior: Region) -> list[Run]:
    """The elements of `padded` that are not in `interior`, both regions of one buffer with the same `whole`.

    Offsets count from the start of the buffer. Works on rows: trailing dimensions that both regions take completely
    are one unit.
    """
    unit_rank = _complete_dimensions(padded, interior)
    outer = len(padded.whole) - unit_rank
    unit = math.prod(padded.whole[outer:])
    mask = np.zeros(padded.whole[:outer], np.bool_)
    mask[_index(padded, outer)] = True
    mask[_index(interior, outer)] = False
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask.reshape(-1), [False])).astype(np.int8)))
    starts, ends = edges[::2].tolist(), edges[1::2].tolist()
    return [Run(padded.start + a * unit, (b - a) * unit) for a, b in zip(starts, ends, strict=True)]


def _complete_dimensions(padded: Region, interior: Region) -> int:
    """How many trailing dimensions of the whole both regions cover."""
    whole, rank = padded.whole, len(padded.whole)
    covered = [padded.sizes[i] == interior.sizes[i] == whole[i] for i in range(rank)]
    return next((i for i in range(rank) if not covered[rank - 1 - i]), rank)


def _index(region: Region, rank: int) -> tuple[slice, ...]:
    ranges = zip(region.offsets[:rank], region.sizes[:rank], region.strides[:rank], strict=True)
    return tuple(slice(a, a + (size - 1) * step + 1 if size else a, step) for a, size, step in ranges)
