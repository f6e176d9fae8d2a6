"""Which cheap values to compute again in front of a late reader, instead of keeping them where memory is short.

What is read early and again much later occupies its bytes in between. If that is where most bytes are alive, and it can
be had again from what is there anyway, its steps run twice and the peak falls. Peaks are those of live intervals, after
aliasing: each choice is planned in full before it is taken.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pyipu.passes.planning.aliasing import Role, Step
from pyipu.passes.planning.allocation import Interval, lower_bound
from pyipu.passes.planning.stages import Program, shared_intervals

LEAST_GAIN = 0.01
"""The part of the peak that computing something again must save."""

TRIES = 8
"""So many values are planned in full for each peak, the largest first."""

VIEWS = (Role.SLICE, Role.RESHAPE)


@dataclass(frozen=True)
class Again:
    """Steps that run once more, in this order, in front of step `before`; later steps read what the copies write."""

    source: int
    """The one of the steps that computes what would have been kept; the others make its operands, or views of it."""
    steps: tuple[int, ...]
    before: int
    microseconds: float


@dataclass(frozen=True)
class Attempt:
    """What was tried: the peaks without it and with it, in bytes, and why it was refused, or None."""

    again: Again
    peak: int
    new_peak: int
    refusal: str | None


@dataclass(frozen=True)
class Costed:
    """A program and, for each step, the microseconds to run it again; None for what is never run again."""

    program: Program
    costs: Sequence[float | None]
    alignment: int

    @cached_property
    def peak(self) -> int:
        """The most bytes alive at one step."""
        return lower_bound(self.intervals, self.alignment)

    @cached_property
    def intervals(self) -> list[Interval]:
        """When each buffer is alive, after aliasing."""
        return shared_intervals(self.program, self.alignment)

    @cached_property
    def fullest(self) -> int:
        """The first step at which most bytes are alive."""
        change = np.zeros(len(self.program.steps) + 2, dtype=np.int64)
        for interval in self.intervals:
            size = -(-interval.size // self.alignment) * self.alignment
            change[interval.start] += size
            change[interval.end] -= size
        return int(np.argmax(np.cumsum(change)))

    @cached_property
    def maker(self) -> dict[int, int]:
        """Value -> the step that computes it."""
        return {value: number for number, step in enumerate(self.program.steps) for value in step.results}

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """Value -> the steps that read it, in order."""
        readers: dict[int, list[int]] = {}
        for number, step in enumerate(self.program.steps):
            for value in dict.fromkeys(step.reads):
                readers.setdefault(value, []).append(number)
        return readers

    def views(self, value: int) -> list[int]:
        """The value and all views of it."""
        found = [value]
        for one in found:
            steps = (self.program.steps[number] for number in self.readers.get(one, ()))
            found += (step.results[0] for step in steps if step.role in VIEWS)
        return found

    def real_readers(self, value: int) -> list[int]:
        """The steps that read the value or a view of it, and are no views, in order."""
        steps = {number for one in self.views(value) for number in self.readers.get(one, ())}
        return sorted(number for number in steps if self.program.steps[number].role not in VIEWS)


def attempts(costed: Costed, allowance: float, enough: int = 0) -> Iterator[Attempt]:
    """What is tried one after the other; an attempt without a refusal is taken, and numbers the steps of the next ones.

    Stops at a peak of `enough` bytes or below. All that is taken costs at most `allowance` microseconds.
    """
    while costed.peak > enough:
        taken = yield from _until_one_is_taken(costed, allowance)
        if taken is None:
            return
        costed, allowance = taken


def _until_one_is_taken(costed: Costed, allowance: float) -> Generator[Attempt, None, tuple[Costed, float] | None]:
    """The program with what was taken, and the microseconds that are left."""
    for again in _candidates(costed)[:TRIES]:
        other = repeated(costed, again)
        refusal = _refusal(costed, other, again, allowance)
        yield Attempt(again, costed.peak, other.peak, refusal)
        if refusal is None:
            return other, allowance - again.microseconds
    return None


def _refusal(costed: Costed, other: Costed, again: Again, allowance: float) -> str | None:
    if costed.peak - other.peak < LEAST_GAIN * costed.peak:
        return f"the peak of {costed.peak} bytes would be {other.peak}"
    if again.microseconds > allowance:
        return f"it takes {again.microseconds:.1f} microseconds, and {allowance:.1f} are allowed"
    return None


def _candidates(costed: Costed) -> list[Again]:
    """Values that are kept across the fullest step and can be computed again behind it, the largest first."""
    found = []
    for value, number in costed.maker.items():
        if costed.program.steps[number].role is Role.COMPUTE and costed.costs[number] is not None:
            again = _again(costed, value)
            found += [] if again is None else [(-costed.program.sizes[value], again)]
    return [again for _, again in sorted(found, key=lambda one: one[0])]


def _again(costed: Costed, value: int) -> Again | None:
    """How to compute a value again, if it is read before the fullest step and behind it, but not there."""
    readers, full = costed.real_readers(value), costed.fullest
    early, late = [one for one in readers if one < full], [one for one in readers if one > full]
    if not early or not late or full in readers or set(costed.views(value)) & set(costed.program.returned):
        return None
    steps = sorted(_needed(costed, value, late[0]) | _views_read_behind(costed, value, late[0]))
    return Again(costed.maker[value], tuple(steps), late[0], sum(costed.costs[number] or 0.0 for number in steps))


def _needed(costed: Costed, value: int, before: int) -> set[int]:
    """The steps that make a value out of what is there anyway, or out of what is not cheap."""
    needed, waiting = set(), [value]
    while waiting:
        number = costed.maker[waiting.pop()]
        needed.add(number)
        reads = costed.program.steps[number].reads
        waiting += (one for one in reads if not _is_there(costed, one, before) and _is_cheap(costed, one))
    return needed


def _views_read_behind(costed: Costed, value: int, before: int) -> set[int]:
    """The views in front of step `before` through which the value is read from there on."""
    earlier = [one for one in costed.views(value)[1:] if costed.maker[one] < before]
    return {costed.maker[one] for one in earlier if any(reader >= before for reader in _all_readers(costed, one))}


def _all_readers(costed: Costed, value: int) -> list[int]:
    return [number for one in costed.views(value) for number in costed.readers.get(one, ())]


def _is_there(costed: Costed, value: int, before: int) -> bool:
    """Whether a value is alive in front of a step in any case."""
    if costed.program.tensors[value].read_only or value in costed.program.returned:
        return True
    return any(number >= before for number in costed.readers.get(value, ()))


def _is_cheap(costed: Costed, value: int) -> bool:
    return value in costed.maker and costed.costs[costed.maker[value]] is not None


def repeated(costed: Costed, again: Again) -> Costed:
    """The program in which these steps run once more; their new results are numbered behind all values."""
    program, count = costed.program, len(costed.program.tensors)
    results = [value for number in again.steps for value in program.steps[number].results]
    renamed = {value: count + i for i, value in enumerate(results)}
    copies = [_renamed(program.steps[number], renamed, with_results=True) for number in again.steps]
    behind = [_renamed(step, renamed, with_results=False) for step in program.steps[again.before :]]
    costs = [costed.costs[number] for number in again.steps]
    return replace(
        costed,
        program=Program(
            [*program.tensors, *(program.tensors[value] for value in results)],
            [*program.sizes, *(program.sizes[value] for value in results)],
            [*program.steps[: again.before], *copies, *behind],
            program.returned,
        ),
        costs=[*costed.costs[: again.before], *costs, *costed.costs[again.before :]],
    )


def _renamed(step: Step, renamed: dict[int, int], with_results: bool) -> Step:
    return replace(
        step,
        reads=tuple(renamed.get(value, value) for value in step.reads),
        updatable=tuple(renamed.get(value, value) for value in step.updatable),
        results=tuple(renamed[value] for value in step.results) if with_results else step.results,
    )
