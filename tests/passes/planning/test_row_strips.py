"""Row plans: every row once, in order, and never before what it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.planning.row_strips import Kind, Part, RowOp, RowUse, plan_strips


def source(rows):
    """A tensor from outside."""
    return RowOp(rows, ())


def padded_conv(value, rows, border=1, grain=2):
    """A padding of `value` and the three-row convolution of it, numbered value + 1 and value + 2."""
    return [
        RowOp(rows + 2 * border, (RowUse(value, low=border),), inner_rows=rows),
        RowOp(rows + 2 * border - 2, (RowUse(value + 1, window=3),), grain=grain),
    ]


def plan(ops, steps, kept=0.5):
    return plan_strips(ops, {0: [Part(0, 0, ops[0].rows)]}, [len(ops) - 1], steps, kept=kept)


def strips(actions, op):
    return [
        (action.made.first, action.made.end) for action in actions if action.op == op and action.kind is Kind.COMPUTE
    ]


def test_an_op_computes_what_its_reader_asks_for():
    actions, _ = plan([source(8), *padded_conv(0, 8), *padded_conv(2, 8)], 4)
    assert strips(actions, 4) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert strips(actions, 2) == [(0, 2), (2, 3), (3, 5), (5, 7), (7, 8)]


def test_element_wise_ops_join_nothing():
    ops = [source(32), RowOp(32, (RowUse(0),), grain=4), RowOp(32, (RowUse(1),), grain=4)]
    actions, _ = plan(ops, 8)
    assert {action.kind for action in actions} == {Kind.COMPUTE}


def test_a_convolution_joins_the_two_rows_of_overlap_with_the_new_ones():
    actions, _ = plan([source(16), RowOp(16, (RowUse(0),), grain=2), *padded_conv(1, 16)], 8)
    joined = [action for action in actions if action.kind is Kind.JOIN and action.op == 2]
    assert [(action.made.first, action.made.end) for action in joined[1:3]] == [(4, 8), (6, 10)]


def test_the_long_branch_is_asked_first():
    shortcut = RowOp(8, (RowUse(0),), grain=1)
    ops = [source(8), *padded_conv(0, 8, grain=1), shortcut]
    ops.append(RowOp(8, (RowUse(3), RowUse(2)), grain=1))
    actions, _ = plan(ops, 8)
    order = [action.op for action in actions if action.kind is Kind.COMPUTE]
    assert order.index(2) < order.index(3)


def test_the_last_rows_of_a_piece_are_kept_apart_when_they_wait_for_long():
    chain = [op for i in range(6) for op in padded_conv(2 * i, 64, grain=4)]
    actions, _ = plan([source(64), *chain], 16)
    kept = [action for action in actions if action.kind is Kind.KEEP]
    assert kept
    assert all(2 * action.made.rows <= 6 for action in kept)


def test_rows_that_were_computed_long_before_are_joined_apart():
    """Both rows that a strided convolution adds are there at different times."""
    long = [op for i in range(6) for op in padded_conv(2 * i, 64, grain=1)]
    ops = [source(64), *long, RowOp(31, (RowUse(12, window=3, stride=2),), grain=1)]
    assert any(action.apart for action in plan(ops, 31, kept=0.7)[0])
    assert not any(action.apart for action in plan(ops, 31, kept=0.5)[0])


def test_rows_that_repeat_come_in_whole_numbers():
    """Two result rows for each of the operand's; the three-row window behind them asks for odd numbers."""
    ops = [source(8), RowOp(16, (RowUse(0, repeat=2),), grain=2), RowOp(14, (RowUse(1, window=3),), grain=1)]
    actions, _ = plan(ops, 14)
    assert strips(actions, 1) == [(first, first + 2) for first in range(0, 16, 2)]
    assert [action.parts[0][1:] for action in actions if action.op == 1 and action.kind is Kind.COMPUTE] == [
        (row, row + 1) for row in range(8)
    ]


def test_the_last_of_the_rows_that_repeat_may_be_fewer():
    actions, _ = plan([source(4), RowOp(14, (RowUse(0, repeat=4),), grain=4)], 4)
    assert strips(actions, 1) == [(0, 4), (4, 8), (8, 12), (12, 14)]


def test_a_border_around_one_row_is_computed_at_once():
    actions, _ = plan([source(1), *padded_conv(0, 1, grain=1)], 1)
    assert strips(actions, 1) == [(0, 3)]


def test_values_that_are_read_later_stay_complete():
    ops = [source(8), RowOp(8, (RowUse(0),), grain=1), RowOp(8, (RowUse(1),), grain=1)]
    _, pieces = plan_strips(ops, {0: [Part(0, 0, 8)]}, [1, 2], 8)
    assert [(part.first, part.end) for part in pieces[1]] == [(i, i + 1) for i in range(8)]


@pytest.mark.parametrize("steps", [1, 3, 7, 56])
def test_one_step_or_as_many_as_rows(steps):
    check([source(56), *padded_conv(0, 56)], steps)


@given(st.data())
def test_every_row_is_computed_once_and_after_what_it_reads(data):
    rows = data.draw(st.integers(4, 40))
    ops = [source(rows)]
    while len(ops) < data.draw(st.integers(2, 8)) and ops[-1].rows > 3:
        value = len(ops) - 1
        window, stride = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
        low, high = data.draw(st.integers(0, window - 1)), data.draw(st.integers(0, window - 1))
        inner = ops[value].rows
        if low + high:
            ops.append(RowOp(inner + low + high, (RowUse(value, low=low),), inner_rows=inner))
        repeat = data.draw(st.sampled_from([1, 1, 2, 4]))
        positions = ((ops[-1].rows - window) // stride + 1) * repeat - data.draw(st.integers(0, repeat - 1))
        use = RowUse(len(ops) - 1, window, stride, repeat=repeat)
        ops.append(RowOp(positions, (use,), grain=repeat * data.draw(st.integers(1, 5))))
    check(ops, data.draw(st.integers(1, ops[-1].rows)), data.draw(st.sampled_from([0.5, 0.7])))


def check(ops, steps, kept=0.5):
    """Follows the rows from piece to piece: each piece holds what it says, and every row is computed once."""
    actions, left = plan(ops, steps, kept)
    holds = {0: (0, range(ops[0].rows))}
    done = [ops[0].rows] + [0] * (len(ops) - 1)
    for action in actions:
        for part in action.parts:
            assert set(range(part.first, part.end)) <= set(holds[part.piece][1])
        if action.kind is Kind.COMPUTE:
            needs = [use.needed(action.made.first, action.made.end, ops[use.value].rows) for use in ops[action.op].uses]
            assert needs == [(part.first, part.end) for part in action.parts]
            assert [use.value for use in ops[action.op].uses] == [holds[part.piece][0] for part in action.parts]
            assert done[action.op] == action.made.first < action.made.end
            done[action.op] = action.made.end
        else:
            covered = [row for part in action.parts for row in range(part.first, part.end)]
            assert covered == list(range(action.made.first, action.made.end))
        holds[action.made.piece] = (action.op, range(action.made.first, action.made.end))
    assert done[-1] == ops[-1].rows
    assert [row for part in left[len(ops) - 1] for row in range(part.first, part.end)] == list(range(ops[-1].rows))
