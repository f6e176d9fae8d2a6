"""Which strips are chosen: below the peak that is asked for, and no dearer than needed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyipu.passes.planning.row_run import Role, RowRun, StreamOp
from pyipu.passes.planning.row_strips import RowOp, RowUse
from pyipu.passes.planning.streaming import Stretch, cheapest_stretches, free_stretches, planned
from pyipu.passes.planning.strip_bounds import Width, grain


def network(blocks, rows=32, row_bytes=64, residual=False, input_bytes=64):
    """Padded three-row convolutions in a row, each perhaps added to what it reads; bytes are those of a row."""
    ops = [StreamOp(RowOp(rows, ()), input_bytes)]
    for _ in range(blocks):
        value = len(ops) - 1
        pad = RowOp(rows + 2, (RowUse(value, low=1),), inner_rows=rows)
        ops.append(StreamOp(pad, row_bytes, role=Role.GATHER))
        convolution = RowOp(rows, (RowUse(value + 1, window=3),))
        ops.append(StreamOp(convolution, row_bytes, row_pixels=16, weight_bytes=1024, weight_elements=256))
        if residual:
            ops.append(StreamOp(RowOp(rows, (RowUse(value + 2), RowUse(value))), row_bytes, takes=(value + 2,)))
    return RowRun(tuple(ops), 1, frozenset({len(ops) - 1}))


def covers(run, cover):
    ends = [run.cuts[0], *(stretch.end for stretch in cover)]
    return [stretch.first for stretch in cover] == ends[:-1] and ends[-1] == len(run.ops)


def test_strips_hold_less_than_whole_tensors():
    run = network(4, rows=128, row_bytes=2**14, input_bytes=0)
    whole = max(run.whole_peak(first, first + 1) for first in range(1, len(run.ops)))
    cover = free_stretches(run, allowance=0.015).cover
    assert max(stretch.peak for stretch in cover) < whole


def test_without_a_budget_strips_of_what_a_cache_holds_are_too_dear():
    cover = free_stretches(network(4, rows=128, input_bytes=0), allowance=0.015).cover
    assert not any(stretch.in_strips for stretch in cover)


def test_without_a_need_nothing_runs_in_strips():
    cover = cheapest_stretches(network(4), enough=10**9).cover
    assert not any(stretch.in_strips for stretch in cover)


@pytest.mark.parametrize("residual", [False, True])
def test_a_lower_peak_costs_no_less(residual):
    run = network(6, residual=residual)
    costs, peaks = [], []
    for enough in (10**9, 6000, 5000, 4000, 3000, 1):
        cover = cheapest_stretches(run, enough).cover
        assert covers(run, cover)
        costs.append(sum(stretch.cost for stretch in cover))
        peaks.append(max(stretch.peak for stretch in cover))
    assert costs == sorted(costs)
    assert peaks == sorted(peaks, reverse=True)


def test_pieces_that_are_given_up_make_room_for_the_result():
    """In and out as a whole are 2 x 8,192 bytes; in pieces the one goes as the other comes."""
    run = network(3, rows=128, residual=True)
    whole = planned(run, Stretch(4, 7, 0, 0.0, Width(16)))
    pieces = planned(run, Stretch(4, 7, 0, 0.0, Width(16), pieces_in=True, pieces_out=True))
    assert pieces.peak < 2 * 8192 <= whole.peak


def test_an_op_takes_the_bytes_of_a_piece():
    first, second = RowOp(32, (RowUse(0),)), RowOp(32, (RowUse(1),))
    given = StreamOp(RowOp(32, ()), 0)
    peaks = [
        planned(
            RowRun((given, StreamOp(first, 64), StreamOp(second, 64, takes=takes)), 1, frozenset({2})),
            Stretch(1, 3, 0, 0.0, Width(1), pieces_out=True),
        ).peak
        for takes in ((), (1,))
    ]
    assert peaks == [33 * 64, 32 * 64]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(8, 40), st.booleans(), st.integers(0, 20000))
def test_what_is_chosen_is_below_what_was_asked_for_or_the_least(blocks, rows, residual, enough):
    run = network(blocks, rows, residual=residual)
    chosen = cheapest_stretches(run, enough).peak
    least = cheapest_stretches(run, 1).peak
    assert chosen <= max(enough, least)


def test_a_width_is_pixels_bytes_and_parts_at_once():
    op = StreamOp(RowOp(60, (RowUse(0),)), 1000, row_pixels=10)
    grains = [grain(op, width) for width in (Width(20), Width(20, 5000), Width(20, 5000, 6), Width(1000))]
    assert grains == [2, 5, 10, 60]
