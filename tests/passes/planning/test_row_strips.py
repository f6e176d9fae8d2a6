"""Row plans: every row once, in order, and never before what it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.planning.row_strips import RowOp, RowUse, plan_strips, window_rows


def chain(rows, *steps):
    """Ops one after the other; each step is (window, stride, low, rows)."""
    ops = [RowOp(rows, (RowUse(-1),))]
    for window, stride, low, result in steps:
        ops.append(RowOp(result, (RowUse(len(ops) - 1, window, stride, low),)))
    return ops


def padded_conv(value, rows, border=1):
    """A padding of `value` and the three-row convolution of it, numbered value + 1 and value + 2."""
    return [
        RowOp(rows + 2 * border, (RowUse(value, low=border),), inner_rows=rows),
        RowOp(rows + 2 * border - 2, (RowUse(value + 1, window=3),)),
    ]


def test_a_chain_of_convolutions_keeps_two_rows_of_overlap():
    ops = [RowOp(56, (RowUse(-1),)), *padded_conv(0, 56), *padded_conv(2, 56)]
    assert window_rows(ops, 14) == [6, 7, 5, 6, 4]


def test_nothing_is_kept_between_element_wise_ops():
    assert window_rows(chain(32, (1, 1, 0, 32), (1, 1, 0, 32)), 8) == [4, 4, 4]


def test_a_strided_op_reads_every_other_row():
    assert window_rows(chain(32, (1, 2, 0, 16)), 4) == [8, 4]


def test_a_residual_keeps_the_rows_that_lag_behind():
    ops = [RowOp(56, (RowUse(-1),)), *padded_conv(0, 56)]
    ops.append(RowOp(56, (RowUse(2), RowUse(0))))
    assert window_rows(ops, 14)[0] == 5


@pytest.mark.parametrize("count", [1, 3, 7, 56])
def test_one_step_or_as_many_as_rows(count):
    ops = [RowOp(56, (RowUse(-1),)), *padded_conv(0, 56)]
    check(ops, count)


@given(st.data())
def test_every_row_is_computed_once_and_after_what_it_reads(data):
    rows = data.draw(st.integers(4, 40))
    ops = [RowOp(rows, (RowUse(-1),))]
    while len(ops) < data.draw(st.integers(2, 8)) and ops[-1].rows > 3:
        value = len(ops) - 1
        window, stride = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
        low, high = data.draw(st.integers(0, window - 1)), data.draw(st.integers(0, window - 1))
        inner = ops[value].rows
        if low + high:
            ops.append(RowOp(inner + low + high, (RowUse(value, low=low),), inner_rows=inner))
        positions = (ops[-1].rows - window) // stride + 1
        ops.append(RowOp(positions, (RowUse(len(ops) - 1, window, stride),)))
    check(ops, data.draw(st.integers(1, ops[-1].rows)))


def check(ops, count):
    done = [0] * len(ops)
    windows = [(0, 0)] * len(ops)
    for strip in (strip for step in plan_strips(ops, count) for strip in step):
        assert done[strip.op] == strip.first < strip.end
        assert windows[strip.op][0] <= strip.window_first <= strip.first
        for use in (use for use in ops[strip.op].uses if use.value >= 0):
            first, end = use.needed(strip.first, strip.end, ops[use.value].rows)
            assert windows[use.value][0] <= first < end <= windows[use.value][1]
        done[strip.op] = strip.end
        windows[strip.op] = (strip.window_first, strip.end)
    assert done[-1] == ops[-1].rows
