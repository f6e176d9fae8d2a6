"""Loops over tiles move every element to its place, whatever lies around them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.planning.transposing import Dimension, Loop, Nest, Vectors, transposing

ALL = st.permutations(range(4))


def steps(shape: tuple[int, ...], border: tuple[int, ...]) -> list[int]:
    """How far neighbours lie apart in a tensor inside of one that is larger by `border`."""
    whole = [size + more for size, more in zip(shape, border, strict=True)]
    return [int(np.prod(whole[i + 1 :])) for i in range(len(whole))]


def places(loop: Loop) -> list[int]:
    return [min(turn * loop.tile, loop.last) for turn in range(loop.turns)]


def moved(nest: Nest, source: np.ndarray, size: int) -> np.ndarray:
    """What the loops make of a piece of memory; nothing is stored where the result is -1."""
    result = np.full(size, -1)
    loops = [*nest.outer, nest.inner]
    for starts in itertools.product(*map(places, loops)):
        terms = [(start, loop.dimension) for start, loop in zip(starts, loops, strict=True)]
        tile = source[lanes(nest, nest.loads, sum(start * one.source for start, one in terms))]
        shape = (nest.lanes, -1) if nest.separates else (-1, nest.lanes)
        count = nest.stores.count
        result[lanes(nest, nest.stores, sum(start * one.result for start, one in terms))] = tile.reshape(
            shape
        ).T.reshape(count, nest.lanes)
    return result


def lanes(nest: Nest, vectors: Vectors, first: int) -> np.ndarray:
    """Where the elements of vectors lie."""
    return first + np.add.outer(np.arange(vectors.count) * vectors.step, np.arange(nest.lanes))


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20)),
    permutation=ALL,
    borders=st.tuples(*[st.tuples(*[st.sampled_from([0, 0, 2])] * 3, st.just(0))] * 2),
    most=st.sampled_from([4, 8, 16, 64]),
)
def test_every_element_comes_to_its_place(
    shape: tuple[int, ...], permutation: list[int], borders: tuple[tuple[int, ...], ...], most: int
) -> None:
    result = tuple(shape[i] for i in permutation)
    read, written = steps(shape, borders[0]), steps(result, borders[1])
    dimensions = [Dimension(n, read[i], w) for n, i, w in zip(result, permutation, written, strict=True)]
    nest = transposing(dimensions, most)
    if nest is None:
        return
    memory = np.arange(1 + sum((n - 1) * step for n, step in zip(shape, read, strict=True)))
    expected = np.full(1 + sum((n - 1) * step for n, step in zip(result, written, strict=True)), -1)
    index = sum(np.ix_(*(np.arange(n) * step for n, step in zip(result, written, strict=True))))
    origin = sum(np.ix_(*(np.arange(n) * read[i] for n, i in zip(result, permutation, strict=True))))
    expected[index] = memory[origin]
    np.testing.assert_array_equal(moved(nest, memory, expected.size), expected)


def planes(channels: int, height: int, width: int) -> list[Dimension]:
    """The channels of an image become neighbours, inside of a border of one pixel."""
    across = Dimension(channels, height * width, 1)
    return [Dimension(height, width, (width + 2) * channels), Dimension(width, 1, channels), across]


@pytest.mark.parametrize("channels", range(2, 9))
def test_pixels_of_few_channels_become_one_piece(channels: int) -> None:
    nest = transposing(planes(channels, 9, 40), 16)
    assert nest is not None and not nest.separates
    assert (nest.loads, nest.stores) == (Vectors(channels, 360), Vectors(channels, 16))
    assert (nest.rows, places(nest.inner)) == (9, [0, 16, 24])


def test_few_channels_become_planes_again() -> None:
    """No border is between the rows, which are one."""
    nest = transposing([Dimension(3, 1, 360), Dimension(9, 120, 40), Dimension(40, 3, 1)], 16)
    assert nest is not None and nest.separates
    assert (nest.loads, nest.stores, nest.inner.dimension.extent) == (Vectors(3, 16), Vectors(3, 360), 360)


@pytest.mark.parametrize(("width", "lanes"), [(40, 16), (15, 8), (7, 4), (3, 0)])
def test_short_rows_are_moved_in_shorter_vectors(width: int, lanes: int) -> None:
    nest = transposing(planes(3, 9, width), 16)
    assert (nest.lanes if nest else 0) == lanes


@pytest.mark.parametrize(("rows", "columns", "side"), [(300, 100, 16), (12, 100, 8), (300, 96, 16), (304, 96, 0)])
def test_squares_are_transposed_where_they_do_not_divide_the_sides(rows: int, columns: int, side: int) -> None:
    nest = transposing([Dimension(columns, 1, rows), Dimension(rows, columns, 1)], 16)
    assert (nest.loads.count if nest else 0) == side


@pytest.mark.parametrize(
    ("dimensions", "lanes"),
    [
        ([Dimension(8, 32, 96), Dimension(3, 256, 32), Dimension(32, 1, 1)], 16),
        ([Dimension(8, 4, 3), Dimension(3, 32, 1)], 16),
        ([Dimension(64, 1, 3), Dimension(3, 64, 1)], 2),
        ([Dimension(0, 1, 3), Dimension(3, 0, 1)], 16),
    ],
    ids=["neighbours stay neighbours", "every fourth element is read", "short registers", "nothing is moved"],
)
def test_others_are_left_to_code_generators(dimensions: list[Dimension], lanes: int) -> None:
    assert transposing(dimensions, lanes) is None


def test_many_turns_can_be_shared_out_equally() -> None:
    """227 rows of 227 pixels are 3221 vectors, a prime number; some are moved twice."""
    nest = transposing([Dimension(227 * 227, 1, 3), Dimension(3, 227 * 227, 1)], 16)
    assert nest is not None and nest.inner.turns == 3224
    assert set(places(nest.inner)[3220:]) == {227 * 227 - 16}
