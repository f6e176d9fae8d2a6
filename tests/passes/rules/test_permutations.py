"""The arithmetic of permutations says the same as numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.rules import permutations

SHAPES = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=5).map(tuple)


def ramp(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(math.prod(shape)).reshape(shape)


def permutations_of(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.permutations(range(len(shape))).map(tuple)


@st.composite
def reshapes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that hold the same number of elements: some neighbours merged, some dimensions split."""
    fine = draw(SHAPES)
    cuts = [sorted(draw(st.sets(st.integers(0, len(fine))))) for _ in range(2)]
    source, target = ([math.prod(fine[a:b]) for a, b in zip([0, *cut], [*cut, len(fine)], strict=True)] for cut in cuts)
    return tuple(source), tuple(target)


@given(st.data(), SHAPES)
def test_compose_is_one_transpose_after_the_other(data: st.DataObject, shape: tuple[int, ...]) -> None:
    first, second = data.draw(permutations_of(shape)), data.draw(permutations_of(shape))
    expected = ramp(shape).transpose(first).transpose(second)
    assert np.array_equal(ramp(shape).transpose(permutations.compose(first, second)), expected)


@given(st.data(), SHAPES)
def test_moving_only_units_keeps_the_order_of_elements(data: st.DataObject, shape: tuple[int, ...]) -> None:
    permutation = data.draw(permutations_of(shape))
    kept = bool(np.all(np.diff(ramp(shape).transpose(permutation).ravel()) == 1))
    assert permutations.moves_only_units(shape, permutation) == kept


@given(st.data(), SHAPES)
def test_a_unit_permutation_does_what_the_reshape_does(data: st.DataObject, shape: tuple[int, ...]) -> None:
    target = tuple(shape[i] for i in data.draw(permutations_of(shape)))
    found = permutations.unit_permutation(shape, target)
    moves_others = [size for size in shape if size != 1] != [size for size in target if size != 1]
    assert (found is None) == (moves_others or shape == target)
    if found is not None:
        assert np.array_equal(ramp(shape).transpose(found), ramp(shape).reshape(target))


@given(st.data(), reshapes())
def test_a_transpose_sinks_through_a_reshape(data: st.DataObject, pair: tuple[tuple[int, ...], ...]) -> None:
    between, target = pair
    order = data.draw(permutations_of(between))
    source = tuple(between[order.index(i)] for i in range(len(order)))
    sunk = permutations.sunk_through_reshape(source, order, target)
    if sunk is not None:
        expected = ramp(source).transpose(order).reshape(target)
        assert np.array_equal(ramp(source).reshape(sunk[0]).transpose(sunk[1]), expected)


@pytest.mark.parametrize(
    ("source", "order", "target", "expected"),
    [
        ((1, 8, 9, 6), (0, 3, 1, 2), (1, 6, 72), ((1, 72, 6), (0, 2, 1))),
        ((1, 8, 9, 6), (0, 3, 1, 2), (1, 2, 3, 8, 9), ((1, 8, 9, 2, 3), (0, 3, 4, 1, 2))),
        ((1, 8, 9, 6), (0, 3, 1, 2), (1, 6, 8, 1, 9, 1), ((1, 8, 1, 9, 1, 6), (0, 5, 1, 2, 3, 4))),
        ((1, 8, 9, 6), (0, 3, 1, 2), (1, 432), None),
        ((1, 8, 9, 6), (0, 3, 1, 2), (48, 9), None),
        ((0, 3), (1, 0), (3, 0), None),
    ],
)
def test_how_a_transpose_sinks(source, order, target, expected) -> None:  # type: ignore[no-untyped-def]
    assert permutations.sunk_through_reshape(source, order, target) == expected


@given(st.data(), reshapes())
def test_a_broadcast_operand_stands_before_the_reshape(data: st.DataObject, pair: tuple[tuple[int, ...], ...]) -> None:
    source, target = pair
    operand = tuple(data.draw(st.sampled_from([1, size])) for size in target)
    shape = permutations.broadcast_before_reshape(source, target, operand)
    if shape is not None:
        expected = ramp(target) + ramp(operand)
        assert np.array_equal((ramp(source) + ramp(operand).reshape(shape)).reshape(target), expected)


def test_an_operand_that_repeats_half_a_dimension_stays_behind_the_reshape() -> None:
    assert permutations.broadcast_before_reshape((6,), (2, 3), (1, 3)) is None
    assert permutations.broadcast_before_reshape((2, 6), (2, 2, 3), (2, 3)) == (1, 6)


def test_a_dimension_is_found_before_the_reshape_unless_it_is_split_or_merged() -> None:
    assert permutations.dimension_before_reshape((2, 3, 4), (6, 4), 1) == 2
    assert permutations.dimension_before_reshape((2, 3, 4), (6, 4), 0) is None
    assert permutations.dimension_before_reshape((2, 12), (2, 3, 4), 2) is None
