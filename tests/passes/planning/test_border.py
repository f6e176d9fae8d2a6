"""Border runs against a mask of the whole buffer."""

import numpy as np
import pytest

from pyipu.passes.planning.border import border_runs
from pyipu.passes.planning.region import Region

CASES = [
    ((1, 10, 12, 4), (0, 1, 1, 0), (1, 8, 10, 4), (1, 1, 1, 1)),
    ((1, 9, 9, 3), (0, 1, 1, 0), (1, 8, 8, 3), (1, 1, 1, 1)),
    ((7, 5), (0, 0), (4, 3), (2, 2)),
    ((6, 8), (0, 2), (6, 4), (1, 1)),
]


@pytest.mark.parametrize(("whole", "offsets", "sizes", "strides"), CASES)
def test_runs_cover_the_border_and_nothing_else(whole, offsets, sizes, strides):
    padded = Region.all_of(whole)
    inside = padded.slice(offsets, sizes, strides)
    written = np.zeros(np.prod(whole), int)
    for run in border_runs(padded, inside):
        written[run.offset : run.offset + run.length] += 1
    expected = np.ones(whole, int)
    expected[tuple(slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offsets, sizes, strides, strict=True))] = 0
    assert (written.reshape(whole) == expected).all()


def test_a_padded_slice_of_a_larger_buffer_leaves_its_neighbours_alone():
    whole = Region.all_of((4, 6, 8))
    padded = whole.slice((0, 0, 2), (4, 6, 4), (1, 1, 1))
    inside = padded.slice((1, 1, 0), (2, 4, 4), (1, 1, 1))
    touched = {i for run in border_runs(padded, inside) for i in range(run.offset, run.offset + run.length)}
    assert all(2 <= i % 8 < 6 for i in touched)
    assert len(touched) == 4 * 6 * 4 - 2 * 4 * 4


def test_channels_last_rows_come_in_few_runs():
    padded = Region.all_of((1, 58, 58, 64))
    inside = padded.slice((0, 1, 1, 0), (1, 56, 56, 64), (1, 1, 1, 1))
    assert len(border_runs(padded, inside)) == 57
