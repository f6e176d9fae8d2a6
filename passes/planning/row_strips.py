"""Which rows of each tensor are computed when, if a part of the graph runs strip by strip. Knows nothing of MLIR.

Every tensor has rows; an op computes result row j from the rows [j * stride - low, j * stride - low + window) of an
operand. Step by step the last op gets its next rows, and every other op exactly the rows that those need and that were
not computed before: nothing is computed twice. What is still needed later stays in a window that slides over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RowUse:
    """How an op reads one operand: see the module's documentation. `low` is the border above the first row."""

    value: int
    window: int = 1
    stride: int = 1
    low: int = 0

    def needed(self, first: int, end: int, rows: int) -> tuple[int, int]:
        """The rows of the operand, of `rows` in all, that result rows [first, end) read; border rows are left out."""
        begin = first * self.stride - self.low
        last = (end - 1) * self.stride - self.low + self.window
        return min(max(begin, 0), rows), min(max(last, 0), rows)


@dataclass(frozen=True)
class RowOp:
    """An op of the region. Its result is the value of the same number as the op."""

    rows: int
    uses: tuple[RowUse, ...]
    """Operands that have rows; values outside of the region have negative numbers."""
    inner_rows: int | None = None
    """For padding, the operand's rows: rows above and below them are never computed on their own."""


@dataclass(frozen=True)
class Strip:
    """One step for one op: it computes rows [first, end); afterwards its value holds rows [kept, end)."""

    op: int
    first: int
    end: int
    window_first: int
    """The value's window during this step covers [window_first, end)."""


def plan_strips(ops: Sequence[RowOp], count: int) -> list[list[Strip]]:
    """For each of `count` steps the strips in order; only ops that compute rows in the step are listed.

    The last op is the sink, whose rows are divided among the steps as evenly as whole rows allow.
    """
    ends = [_ends(ops, -(-(step + 1) * ops[-1].rows // count)) for step in range(count)]
    steps, previous = [], [0] * len(ops)
    for current in ends:
        first = _all_first_needed(ops, previous)
        steps.append(
            [Strip(op, previous[op], current[op], first[op]) for op in range(len(ops)) if current[op] > previous[op]]
        )
        previous = current
    return steps


def _ends(ops: Sequence[RowOp], sink_end: int) -> list[int]:
    """Up to which row each op must be computed so that the sink has `sink_end` rows."""
    ends = [0] * len(ops)
    ends[-1] = sink_end
    for op in (op for op in reversed(range(len(ops))) if ends[op] > 0):
        ends[op] = _with_border(ops[op], ends[op])
        for use in _inner_uses(ops[op]):
            ends[use.value] = max(ends[use.value], use.needed(0, ends[op], ops[use.value].rows)[1])
    return ends


def _inner_uses(op: RowOp) -> list[RowUse]:
    return [use for use in op.uses if use.value >= 0]


def _with_border(op: RowOp, end: int) -> int:
    """For padding: at least one row of the operand, and all of the lower border together with the last of them."""
    if op.inner_rows is None:
        return end
    low = op.uses[0].low
    return op.rows if end >= low + op.inner_rows else max(end, low + 1)


def window_rows(ops: Sequence[RowOp], count: int) -> list[int]:
    """The most rows that each value holds at once."""
    most = [0] * len(ops)
    for step in plan_strips(ops, count):
        for strip in step:
            most[strip.op] = max(most[strip.op], strip.end - strip.window_first)
    return most


def steady_windows(ops: Sequence[RowOp], count: int) -> tuple[list[int], list[int]]:
    """Rows that each value holds, and rows that each op computes, in a step half-way: `window_rows` for the hasty."""
    middle = count // 2
    before = _ends(ops, -(-middle * ops[-1].rows // count))
    after = _ends(ops, -(-(middle + 1) * ops[-1].rows // count))
    first = _all_first_needed(ops, before)
    return [b - a for a, b in zip(first, after, strict=True)], [b - a for a, b in zip(before, after, strict=True)]


def _all_first_needed(ops: Sequence[RowOp], ends: Sequence[int]) -> list[int]:
    """The first row of each value that an op still reads once all ops have been computed up to `ends`."""
    first = list(ends)
    for op, reader in ((op, reader) for op, reader in enumerate(ops) if ends[op] < reader.rows):
        for use in _inner_uses(reader):
            needed = use.needed(ends[op], ends[op] + 1, ops[use.value].rows)[0]
            first[use.value] = min(first[use.value], needed)
    return first
