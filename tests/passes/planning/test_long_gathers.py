"""Concatenations whose first operand waits for long copy it, if that leaves fewer bytes alive meanwhile."""

import pytest

from pyipu.passes.planning.long_gathers import with_copied_gathers
from pyipu.passes.planning.row_run import Role, RowRun, StreamOp
from pyipu.passes.planning.row_strips import RowOp, RowUse
from pyipu.passes.planning.streaming import free_stretches

ROWS = 8


def skipping(ops, skipped_bytes=64, work=10**6):
    """A tensor, so many ops that start from it, the middle one four times as large, and both ends concatenated."""
    network = [StreamOp(RowOp(ROWS, ()), 0), StreamOp(RowOp(ROWS, (RowUse(0),)), skipped_bytes)]
    for number in range(ops):
        row_bytes = 256 if number == ops // 2 else 64
        network.append(StreamOp(RowOp(ROWS, (RowUse(number + 1),)), row_bytes, row_pixels=ROWS, weight_elements=work))
    uses = (RowUse(1), RowUse(len(network) - 1))
    network.append(StreamOp(RowOp(ROWS, uses), skipped_bytes + 64, role=Role.GATHER))
    return RowRun(tuple(network), 1, frozenset({len(network) - 1}))


def test_what_waits_for_long_is_copied():
    run = skipping(ops=20)
    copying = with_copied_gathers(run)
    assert copying.apart == {len(run.ops) - 1}
    assert copying.whole_peak(5, 6) < run.whole_peak(5, 6)
    assert copying.copied_bytes(0, len(run.ops)) == 2 * ROWS * 64


@pytest.mark.parametrize("run", [skipping(ops=8), skipping(ops=20, skipped_bytes=6400)])
def test_a_short_wait_or_a_small_gain_is_no_reason(run):
    assert with_copied_gathers(run) is None


@pytest.mark.parametrize(("work", "copies"), [(10**6, True), (1, False)])
def test_copies_have_to_be_free(work, copies):
    """20 ops of 1.5 us and a copy of 2 x 51,200 bytes, some 10 us, without much work; 13 ms with it."""
    run = skipping(ops=20, work=work)
    run = RowRun(tuple(scaled(op, 100) for op in run.ops), run.given, run.leaves)
    assert bool(free_stretches(run, 0.015).run.apart) == copies


def scaled(op, factor):
    return StreamOp(op.rows, op.row_bytes * factor, op.row_pixels, 0, op.weight_elements, op.role)
