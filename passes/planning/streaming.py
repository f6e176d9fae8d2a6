"""Which stretches of a graph to run in strips of rows, and in how many: the least peak first, then the least effort.

Works on a run of row-wise ops in program order, see `row_strips.py`. A stretch begins and ends where one single value
is alive, so its memory is that value before, the one behind, and the windows in between.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyipu.passes.planning.row_strips import RowOp, RowUse, steady_windows

LONGEST = 14
"""Most cuts that one stretch spans: longer ones are not tried, so that planning stays near-linear."""


@dataclass(frozen=True)
class StreamOp:
    """A row-wise op; its rows and uses as in `RowOp`, the values it reads numbered within the run."""

    rows: RowOp
    row_bytes: int
    """Bytes of one row of the result."""
    row_pixels: int
    weight_bytes: int
    owner: int | None = None
    """The padding or concatenation inside of which the result is produced."""

    @property
    def bytes(self) -> int:
        return self.rows.rows * self.row_bytes


@dataclass(frozen=True)
class Stretch:
    """Ops [first, end) of the run, in `count` strips; a count of 1 means that they run whole."""

    first: int
    end: int
    count: int
    peak: int
    """Estimated bytes alive at most."""
    effort: int
    """Strips times ops: each is one more dispatch."""


def choose_stretches(ops: Sequence[StreamOp], cuts: Sequence[int], input_bytes: int, pixels: int) -> list[Stretch]:
    """The stretches that cover the run up to the last cut.

    `cuts` are the positions behind which only that op's value is alive; `input_bytes` is what the run reads from
    outside; a strip of an op with large weights has at least `pixels` pixels.
    """
    bounds = [-1, *cuts]
    options = {
        (i, j): list(_options(ops, bounds[i] + 1, bounds[j] + 1, i + 1 == j, input_bytes, pixels))
        for j in range(1, len(bounds))
        for i in range(max(0, j - LONGEST), j)
    }
    peak = _least_peak(options, len(bounds))
    return _least_effort(options, len(bounds), peak)


def _least_peak(options: dict[tuple[int, int], list[Stretch]], bounds: int) -> int:
    best = [0] + [-1] * (bounds - 1)
    for (i, j), stretches in options.items():
        for stretch in stretches:
            peak = max(best[i], stretch.peak)
            best[j] = peak if best[j] < 0 else min(best[j], peak)
    return best[-1]


def _least_effort(options: dict[tuple[int, int], list[Stretch]], bounds: int, peak: int) -> list[Stretch]:
    """The cheapest cover none of whose stretches is above `peak`."""
    best: list[tuple[float, list[Stretch]]] = [(0, [])] + [(math.inf, [])] * (bounds - 1)
    for (i, j), stretches in options.items():
        effort, before = best[i]
        for stretch in (s for s in stretches if s.peak <= peak and effort + s.effort < best[j][0]):
            best[j] = (effort + stretch.effort, [*before, stretch])
    return best[-1][1]


def _options(
    ops: Sequence[StreamOp], first: int, end: int, single: bool, input_bytes: int, pixels: int
) -> Iterator[Stretch]:
    """Ways to run the ops of one stretch: whole if it is between neighbouring cuts, and in more or fewer strips."""
    outside = ops[first - 1].bytes if first > 0 else input_bytes
    if single:
        yield Stretch(first, end, 1, outside + _peak_whole(ops, first, end), 0)
    inside = [_inside(op.rows, first) for op in ops[first:end]]
    if end - first < 2:
        return
    total = inside[-1].rows
    for count in dict.fromkeys(-(-total // rows) for rows in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 28)):
        windows, computed = steady_windows(inside, count)
        if count > 1 and _is_wide_enough(ops[first:end], computed, pixels):
            peak = outside + _peak_in_strips(ops, first, end, windows)
            yield Stretch(first, end, count, peak, count * (end - first))


def _inside(op: RowOp, first: int) -> RowOp:
    """The op with its uses numbered from the start of the stretch."""
    uses = tuple(RowUse(use.value - first, use.window, use.stride, use.low) for use in op.uses)
    return RowOp(op.rows, uses, op.inner_rows)


def _is_wide_enough(ops: Sequence[StreamOp], computed: Sequence[int], pixels: int) -> bool:
    """Every strip of an op with weights has enough pixels to make up for reading the weights again."""
    return all(op.weight_bytes == 0 or rows * op.row_pixels >= pixels for op, rows in zip(ops, computed, strict=True))


def _peak_whole(ops: Sequence[StreamOp], first: int, end: int) -> int:
    """The most bytes that values of the stretch take at once when each is whole."""
    last = {i: i for i in range(first, end)}
    last |= {use.value: i for i in range(first, end) for use in ops[i].rows.uses if use.value >= first}
    begins = {i: i for i in range(first, end)}
    for i in range(first, end):
        owner = ops[i].owner
        if owner is not None and owner < end:
            begins[owner] = min(begins[owner], i)
    owned = [i for i in range(first, end) if (ops[i].owner or end) < end]
    alive = [i for i in range(first, end) if i not in owned]
    return max(sum(ops[i].bytes for i in alive if begins[i] <= step <= last[i]) for step in range(first, end))


def _peak_in_strips(ops: Sequence[StreamOp], first: int, end: int, windows: Sequence[int]) -> int:
    """The sink as a whole, the windows, and once more the largest of them, while its rows are handed on."""
    held = [
        ops[first + i].row_bytes * rows
        for i, rows in enumerate(windows[:-1])
        if ops[first + i].owner is None or (ops[first + i].owner or 0) >= end
    ]
    return ops[end - 1].bytes + sum(held) + max(held, default=0)
