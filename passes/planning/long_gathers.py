"""Which concatenations are worth a copy: an operand that waits for long is not computed inside of the result.

In a U-Net the first tensors wait for the last ones to be concatenated with them. If they were computed inside of the
result, that would be there all the while, twice as large.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pyipu.passes.planning.row_run import Role, RowRun

LONG = 16
"""An operand waits for long if so many ops run between it and the concatenation."""

WORTH = 0.9
"""Copies have to lower the bytes that are alive between ops to this part, or less."""


def with_copied_gathers(run: RowRun) -> RowRun | None:
    """The run with those concatenations apart from their operands that lower its memory; None if none does so."""
    apart = frozenset(number for number, op in enumerate(run.ops) if op.role is Role.GATHER and _waits(run, number))
    if not apart or _most_alive(run, apart) > WORTH * _most_alive(run, ()):
        return None
    for number in sorted(apart):
        if _most_alive(run, apart - {number}) == _most_alive(run, apart):
            apart -= {number}
    return replace(run, apart=apart)


def _waits(run: RowRun, number: int) -> bool:
    uses = run.ops[number].rows.uses
    return len(uses) > 1 and any(use.value >= run.given and number - use.value > LONG for use in uses)


def _most_alive(run: RowRun, apart: Iterable[int]) -> int:
    """Bytes that are alive between two ops, at most, when everything runs whole."""
    one = replace(run, apart=frozenset(apart))
    return int(one.alive_across(one.buffers).max())
