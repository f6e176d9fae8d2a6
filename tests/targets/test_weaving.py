"""Shuffles of two vectors each interleave many, and separate them again."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.writer import CodeletWriter
from pyipu.targets.buffers import BufferWriter
from pyipu.targets.weaving import interleaved, separated

_SHUFFLE = re.compile(r"(\S+) = vector\.shuffle (\S+), (\S+) \[([\d, ]+)\]")


class Shuffles:
    """So many vectors, whose elements are numbered through, and what shuffles make of them."""

    def __init__(self, count: int, lanes: int) -> None:
        self.writer = BufferWriter(CodeletWriter(), lanes)
        self.vectors = [Scalar(f"%in{c}", "f32", lanes) for c in range(count)]
        self.numbers = np.arange(count * lanes).reshape(count, lanes)

    def elements(self, vectors: list[Scalar]) -> np.ndarray:
        """What is in vectors, by the shuffles that were written."""
        known = {one.name: row for one, row in zip(self.vectors, self.numbers, strict=True)}
        for name, first, second, order in (match.groups() for match in map(_SHUFFLE.match, self.writer.lines) if match):
            known[name] = np.concatenate([known[first], known[second]])[[int(i) for i in order.split(",")]]
        return np.stack([known[one.name] for one in vectors])


@pytest.mark.parametrize("lanes", [4, 8, 16, 64])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 16])
def test_vectors_are_interleaved(count: int, lanes: int) -> None:
    shuffles = Shuffles(count, lanes)
    found = shuffles.elements(interleaved(shuffles.writer, shuffles.vectors))
    np.testing.assert_array_equal(found, shuffles.numbers.T.reshape(count, lanes))


@pytest.mark.parametrize("lanes", [4, 8, 16, 64])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 16])
def test_vectors_are_separated(count: int, lanes: int) -> None:
    shuffles = Shuffles(count, lanes)
    found = shuffles.elements(separated(shuffles.writer, shuffles.vectors))
    np.testing.assert_array_equal(found, shuffles.numbers.reshape(lanes, count).T)


@pytest.mark.parametrize(("count", "shuffles"), [(1, 0), (2, 2), (3, 6), (4, 8), (6, 18), (8, 24), (16, 64)])
def test_few_shuffles_suffice(count: int, shuffles: int) -> None:
    for weave in (interleaved, separated):
        written = Shuffles(count, 16)
        weave(written.writer, written.vectors)
        assert len(written.writer.lines) == shuffles
