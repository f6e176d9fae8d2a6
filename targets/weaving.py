"""Vectors that are transposed in registers, by shuffles of two vectors each."""

from __future__ import annotations

from collections.abc import Sequence

from pyipu.dialect.scalars import Scalar
from pyipu.targets.buffers import BufferWriter

Place = tuple[int, int]
"""A vector, and a lane of it."""


def interleaved(writer: BufferWriter, vectors: Sequence[Scalar]) -> list[Scalar]:
    """As many vectors: element n of vector c of C comes to place n * C + c of all of them, one after the other.

    Of as many vectors as lanes this is the transposed square.
    """
    count, half, lanes = len(vectors), len(vectors) // 2, writer.lanes
    if count == 1:
        return list(vectors)
    if count % 2:
        places = [divmod(place, count)[::-1] for place in range(count * lanes)]
        return [_picked(writer, vectors, places[v * lanes : (v + 1) * lanes]) for v in range(count)]
    low, high = ([(lane % 2, lane // 2) for lane in range(first, first + lanes)] for first in (0, lanes))
    pairs = list(zip(vectors[:half], vectors[half:], strict=True))
    return [one for part in (low, high) for one in interleaved(writer, [_picked(writer, pair, part) for pair in pairs])]


def separated(writer: BufferWriter, vectors: Sequence[Scalar]) -> list[Scalar]:
    """Undoes `interleaved`."""
    count, half, lanes = len(vectors), len(vectors) // 2, writer.lanes
    if count == 1:
        return list(vectors)
    if count % 2:
        places = [divmod(place, lanes) for place in range(count * lanes)]
        return [_picked(writer, vectors, places[c::count]) for c in range(count)]
    even, odd = ([divmod(place, lanes) for place in range(first, 2 * lanes, 2)] for first in (0, 1))
    pairs = list(zip(separated(writer, vectors[:half]), separated(writer, vectors[half:]), strict=True))
    return [_picked(writer, pair, part) for part in (even, odd) for pair in pairs]


def _picked(writer: BufferWriter, vectors: Sequence[Scalar], places: Sequence[Place]) -> Scalar:
    """A vector of these places: two vectors are shuffled, and one more is added at a time."""
    first, *others = sorted({vector for vector, _ in places})
    total, order = vectors[first], [lane if vector == first else 0 for vector, lane in places]
    for number in others or [first]:
        added = [writer.lanes + lane if vector == number else 0 for vector, lane in places]
        total = writer.shuffled(total, vectors[number], [new or kept for new, kept in zip(added, order, strict=True)])
        order = list(range(writer.lanes))
    return total
