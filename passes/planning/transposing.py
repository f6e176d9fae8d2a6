"""How the elements of a tensor are brought into another order: tile by tile, each of which is transposed in registers.

Knows nothing of MLIR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

FEW = 8
"""So many vectors at most are interleaved as they lie; where there are more, squares are transposed."""

SIDE = 16
"""A square of more rows is held by no processor's registers."""

FEWEST = 4
"""Shorter vectors are no better than single elements."""

MANY = 64
"""Turns of a loop to which some may be added, so that they can be shared out equally."""


@dataclass(frozen=True)
class Dimension:
    """So many neighbours, and how many elements apart they lie where they are read and where they are written."""

    extent: int
    source: int
    result: int


@dataclass(frozen=True)
class Loop:
    """Over a dimension, `tile` neighbours at a time; the last ones of all start earlier if too few are left."""

    dimension: Dimension
    tile: int
    turns: int
    """More than are needed do the last one again."""

    @property
    def last(self) -> int:
        """Where the last turn starts."""
        return self.dimension.extent - self.tile

    @property
    def overlaps(self) -> bool:
        return self.turns * self.tile > self.dimension.extent


@dataclass(frozen=True)
class Vectors:
    """So many vectors of neighbours, each `step` elements behind the one before."""

    count: int
    step: int


@dataclass(frozen=True)
class Nest:
    """The loops over all tiles, and what is done to one of them."""

    outer: tuple[Loop, ...]
    inner: Loop
    lanes: int
    """The length of every vector."""
    loads: Vectors
    stores: Vectors
    separates: bool
    """What is loaded is to be separated, not interleaved."""

    @property
    def rows(self) -> int:
        """How often the inner loop runs."""
        return math.prod(loop.turns for loop in self.outer)


def transposing(dimensions: Sequence[Dimension], lanes: int) -> Nest | None:
    """The loops that move all elements in vectors of at most `lanes`; dimensions are in the order of the result.

    None where neighbours stay neighbours, where too few of them lie side by side, and where a code generator does well.
    """
    if lanes < FEWEST or not all(one.extent for one in dimensions):
        return None
    joined = _joined(dimensions)
    read = next((one for one in joined if one.source == 1), None)
    written = next((one for one in joined if one.result == 1), None)
    if read is None or written is None or read == written:
        return None
    nests = (form(read, written, lanes) for form in (_interleaving, _separating, _square))
    others = [Loop(one, 1, one.extent) for one in joined if one not in (read, written)]
    return next((replace(nest, outer=(*others, *nest.outer)) for nest in nests if nest), None)


def _joined(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """Without those of size one; two that follow each other on both sides are one."""
    found: list[Dimension] = []
    for inner in reversed([one for one in dimensions if one.extent != 1]):
        known = found.pop() if found else None
        found += _together(inner, known) if known else [inner]
    return found[::-1]


def _together(outer: Dimension, inner: Dimension) -> list[Dimension]:
    follows = (outer.source, outer.result) == (inner.extent * inner.source, inner.extent * inner.result)
    return [Dimension(outer.extent * inner.extent, inner.source, inner.result)] if follows else [inner, outer]


def _interleaving(read: Dimension, written: Dimension, lanes: int) -> Nest | None:
    """Some neighbours of all of few rows become one piece of memory."""
    length = _power(min(lanes, read.extent))
    if written.extent > FEW or read.result != written.extent or length < FEWEST:
        return None
    loads, stores = Vectors(written.extent, written.source), Vectors(written.extent, length)
    return Nest((), _loop(read, length), length, loads, stores, separates=False)


def _separating(read: Dimension, written: Dimension, lanes: int) -> Nest | None:
    """The other way round."""
    length = _power(min(lanes, written.extent))
    if read.extent > FEW or written.source != read.extent or length < FEWEST:
        return None
    loads, stores = Vectors(read.extent, length), Vectors(read.extent, read.result)
    return Nest((), _loop(written, length), length, loads, stores, separates=True)


def _square(read: Dimension, written: Dimension, lanes: int) -> Nest | None:
    """Not where squares divide both sides: there code generators have them, too, and in a better order."""
    side = _power(min(lanes, SIDE, read.extent, written.extent))
    if side < FEWEST or read.extent % side == written.extent % side == 0:
        return None
    loads, stores = Vectors(side, written.source), Vectors(side, read.result)
    return Nest((_loop(read, side),), _loop(written, side), side, loads, stores, separates=False)


def _loop(dimension: Dimension, tile: int) -> Loop:
    turns = -(-dimension.extent // tile)
    return Loop(dimension, tile, turns + (-turns % FEW if turns > MANY else 0))


def _power(number: int) -> int:
    """The largest power of two that is not larger."""
    return 1 << (number.bit_length() - 1)
