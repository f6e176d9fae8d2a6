"""The neighbourhood of a tiling: other register tiles, other sums at a time, other shares of a workgroup.

Plain arithmetic: what is better is for measurements to say. No neighbour leaves a rest anywhere, or needs more vector
registers than there are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pyipu.passes.planning.blocks import Registers
from pyipu.targets.tiles import TiledNest, divisors, imbalance

_MOST_REGISTER_TILES, _MOST_SHARES = 4, 4
"""How many neighbours of each kind are worth a try."""

_MOST_TERMS = 16
"""More terms at a time make long code."""

_IMBALANCE = 1.25
"""A share that leaves threads without work for longer is not tried."""


def neighbours(nest: TiledNest, registers: Registers, threads: int) -> list[TiledNest]:
    """Tilings that differ in one respect, each once, the most promising first."""
    found = [*_register_tiles(nest, registers), *_terms(nest), *_shares(nest, threads)]
    return [one for one in dict.fromkeys(found) if one.fits and one != nest]


def _register_tiles(nest: TiledNest, registers: Registers) -> Sequence[TiledNest]:
    """Other numbers of pixels and columns in registers, those nearest to the present ones first."""
    column = _column(nest)
    pixel = max(range(column), key=lambda i: (nest.tiling.parallel[i], i), default=None)
    if pixel is None:
        return []
    present = nest.tiling.parallel[pixel], nest.tiling.parallel[column]
    beside = math.prod(tile for tile in nest.tiling.parallel[:column] if tile) // present[0]
    widths = [width for width in divisors(nest.extents[column]) if width % (registers.lanes // 2) == 0]
    pairs = itertools.product(divisors(nest.extents[pixel]), widths or [present[1]])
    fitting = [pair for pair in pairs if registers.hold(pair[0] * beside, pair[1]) and pair != present]
    nearest = sorted(fitting, key=lambda pair: _distance(pair, present))[:_MOST_REGISTER_TILES]
    return [_with_parallel(nest, {pixel: pixels, column: columns}) for pixels, columns in nearest]


def _column(nest: TiledNest) -> int:
    """The loop that runs along vectors: the last one that is no sum."""
    return max(i for i, tile in enumerate(nest.tiling.parallel) if tile)


def _distance(pair: tuple[int, int], present: tuple[int, int]) -> float:
    """How much larger or smaller a tile is; another width changes more than another height."""
    heights, widths = (abs(math.log2(new / old)) for new, old in zip(pair, present, strict=True))
    sums = abs(math.log2(math.prod(pair) / math.prod(present)))
    return heights + widths + sums


def _with_parallel(nest: TiledNest, tiles: dict[int, int]) -> TiledNest:
    """Shares of workgroups grow to the next multiple of their tiles."""
    parallel = tuple(tiles.get(i, tile) for i, tile in enumerate(nest.tiling.parallel))
    distribution = tuple(
        _next_share(nest.extents[i], share, parallel[i]) if share and i in tiles else share
        for i, share in enumerate(nest.tiling.distribution)
    )
    return replace(nest, tiling=replace(nest.tiling, parallel=parallel, distribution=distribution))


def _next_share(extent: int, share: int, tile: int) -> int:
    return next(one for one in _multiples(extent, tile) if one >= share)


def _multiples(extent: int, tile: int) -> list[int]:
    """The divisors of an extent that a tile divides."""
    return [one for one in divisors(extent) if one % tile == 0]


def _terms(nest: TiledNest) -> Iterator[TiledNest]:
    """Half and twice as many terms of the innermost sum at a time, or as near as divisors are to that."""
    last = len(nest.extents) - 1
    present = nest.tiling.reduction[last]
    sizes = [size for size in divisors(nest.extents[last]) if size <= _MOST_TERMS] if present else []
    for size in _beside(sizes, present):
        reduction = (*nest.tiling.reduction[:-1], size)
        yield replace(nest, tiling=replace(nest.tiling, reduction=reduction))


def _beside(sizes: Sequence[int], present: int) -> list[int]:
    """The next larger size and the next smaller one."""
    return [*[size for size in sizes if size > present][:1], *[size for size in sizes if size < present][-1:]]


def _shares(nest: TiledNest, threads: int) -> Sequence[TiledNest]:
    """Larger and smaller shares for a workgroup, and shares of another form, the best balanced first."""
    steps = [_share_steps(nest, i) for i in range(len(nest.extents))]
    found = [_with_shares(nest, shares) for shares in itertools.product(*steps)]
    balanced = [one for one in found if imbalance(_workgroups(one), threads) <= _IMBALANCE and one != nest]
    return sorted(balanced, key=lambda one: _share_order(one, nest))[:_MOST_SHARES]


def _share_steps(nest: TiledNest, i: int) -> Iterable[int]:
    share, tile = nest.tiling.distribution[i], nest.tiling.parallel[i]
    return [share, *_beside(_multiples(nest.extents[i], tile), share)] if share and tile else [share]


def _with_shares(nest: TiledNest, shares: Sequence[int]) -> TiledNest:
    return replace(nest, tiling=replace(nest.tiling, distribution=tuple(shares)))


def _workgroups(nest: TiledNest) -> int:
    pairs = zip(nest.extents, nest.tiling.distribution, strict=True)
    return math.prod(extent // share for extent, share in pairs if share)


def _share_order(one: TiledNest, present: TiledNest) -> tuple[int, float]:
    """First what differs in one loop only; then as many workgroups as now."""
    changed = sum(map(int.__ne__, one.tiling.distribution, present.tiling.distribution))
    return changed, abs(math.log2(_workgroups(one) / _workgroups(present)))
