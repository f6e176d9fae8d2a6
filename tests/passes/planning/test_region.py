"""Regions are compared with what numpy's own views address."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.planning.region import Region


def addresses(region: Region) -> np.ndarray:
    """The element numbers that a region covers, as an independent computation with numpy views."""
    count = region.start + int(np.prod(region.whole))
    whole = np.arange(count)[region.start :].reshape(region.whole)
    steps = zip(region.offsets, region.sizes, region.strides, strict=True)
    return whole[tuple(slice(o, o + (n - 1) * s + 1, s) for o, n, s in steps)]


def test_slice_of_a_slice_adds_offsets_and_multiplies_strides():
    region = Region.all_of((10, 12)).slice((1, 2), (4, 5), (2, 2)).slice((1, 0), (2, 3), (1, 2))
    assert (addresses(region) == np.arange(120).reshape(10, 12)[1:9:2, 2:12:2][1:3, 0:5:2]).all()


def test_rows_of_an_image_are_one_piece():
    rows = Region.all_of((1, 8, 8, 4)).slice((0, 2, 0, 0), (1, 3, 8, 4), (1, 1, 1, 1))
    flat = rows.reshape((96,))
    assert flat is not None
    assert (addresses(flat) == addresses(rows).reshape(-1)).all()


def test_channels_of_an_image_are_not_one_piece():
    assert Region.all_of((1, 8, 8, 4)).slice((0, 0, 0, 1), (1, 8, 8, 2), (1, 1, 1, 1)).reshape((128,)) is None


def test_a_piece_at_an_unaligned_distance_is_refused():
    row = Region.all_of((4, 6)).slice((1, 0), (1, 6), (1, 1))
    assert row.reshape((6,), granularity=16) is None
    assert row.reshape((6,), granularity=6) is not None


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@st.composite
def slices(draw, shape):
    strides = tuple(draw(st.integers(1, 2)) for _ in shape)
    offsets = tuple(draw(st.integers(0, size - 1)) for size in shape)
    sizes = tuple(
        draw(st.integers(1, (size - 1 - offset) // stride + 1))
        for size, offset, stride in zip(shape, offsets, strides, strict=True)
    )
    return offsets, sizes, strides


@given(st.data())
def test_reshape_addresses_the_same_elements_or_refuses(data):
    shape = data.draw(shapes)
    region = Region.all_of(shape).slice(*data.draw(slices(shape)))
    flat = region.reshape((int(np.prod(region.sizes)),))
    expected = addresses(region).reshape(-1)
    in_one_piece = (np.diff(expected) == 1).all()
    assert (flat is not None) or not in_one_piece
    if flat is not None:
        assert (addresses(flat) == expected).all()


@given(st.data())
def test_place_moves_a_buffer_into_a_region(data):
    outer = data.draw(shapes)
    target = Region.all_of(outer).slice(*data.draw(slices(outer)))
    inner = Region.all_of(target.sizes).slice(*data.draw(slices(target.sizes)))
    placed = target.place(inner)
    assert placed is not None
    assert (addresses(placed) == addresses(target).reshape(-1)[addresses(inner).reshape(-1)].reshape(inner.sizes)).all()


@given(st.data(), st.sampled_from([1, 4]))
def test_rebased_addresses_the_same_elements(data, granularity):
    shape = data.draw(shapes)
    region = Region.all_of(shape).slice(*data.draw(slices(shape)))
    rebased = region.rebased(granularity)
    assert (addresses(rebased) == addresses(region)).all()
    assert rebased.start % granularity == 0
    assert all(a <= b for a, b in zip(rebased.whole, region.whole, strict=True))


@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 5), st.sampled_from([1, 4, 16]), st.data())
def test_strips_of_one_buffer_differ_in_start_and_offset_alone(total, pitch, size, granularity, data):
    first, second = (data.draw(st.integers(0, max(total - size, 0))) for _ in range(2))
    strips = [
        Region.all_of((1, total, pitch)).slice((0, first, 0), (1, min(size, total), pitch), (1, 1, 1))
        for first in (first, second)
    ]
    one, other = (strip.rebased(granularity) for strip in strips)
    assert one.whole == other.whole
    assert one.whole[1] <= min(size, total) + 2 * granularity


@given(st.data())
def test_runs_hold_all_elements_and_are_tight_in_the_last_partial_dimension(data):
    shape = data.draw(shapes)
    region = Region.all_of(shape).slice(*data.draw(slices(shape)))
    found, elements = region.runs, addresses(region).reshape(-1)
    assert (found.begin, found.end) == (elements.min(), elements.max() + 1) or region.strides[-1] > 1
    if found.pitch:
        assert ((elements - found.begin) % found.pitch < found.run).all()


def test_channels_of_an_image_are_runs_at_the_distance_of_its_pixels():
    channels = Region.all_of((1, 3, 5, 8)).slice((0, 0, 0, 2), (1, 3, 5, 4), (1, 1, 1, 1))
    assert channels.runs == (2, 2 + 14 * 8 + 4, 8, 4)
