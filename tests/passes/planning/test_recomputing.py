"""What is computed again lowers the peak of live intervals, costs no more than allowed, and leaves the rest alone."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from pyipu.passes.planning.aliasing import Role, Step, Tensor
from pyipu.passes.planning.allocation import lower_bound
from pyipu.passes.planning.recomputing import Again, Attempt, Costed, attempts, repeated
from pyipu.passes.planning.stages import Program, shared_intervals

CHEAP, DEAR = 5.0, None


def costed(
    sizes: Sequence[int], steps: Sequence[Step], costs: Sequence[float | None], returned: Sequence[int]
) -> Costed:
    """Value 0 is the input; sizes in bytes."""
    tensors = [Tensor((size,), "i8", read_only=value == 0) for value, size in enumerate(sizes)]
    return Costed(Program(tensors, sizes, steps, returned), costs, 1)


def compute(result: int, *reads: int) -> Step:
    """Its place is what it is known by: nothing else looks at that of a step that computes."""
    return Step(Role.COMPUTE, reads, (result,), (((result,), (), ()),))


def window(result: int, source: int, offset: int, size: int) -> Step:
    return Step(Role.SLICE, (source,), (result,), (((offset,), (size,), (1,)),))


def skip() -> Costed:
    """1 is cheap, and read by 2 and at the end; between them 2 and 3 are alive together."""
    steps = [compute(1, 0), compute(2, 1), compute(3, 2), compute(4, 3), compute(5, 1, 4)]
    return costed([10, 100, 100, 100, 10, 100], steps, [CHEAP, DEAR, DEAR, DEAR, DEAR], [5])


def taken(tried: Sequence[Attempt]) -> list[Again]:
    return [attempt.again for attempt in tried if attempt.refusal is None]


def test_a_value_runs_again_in_front_of_its_late_reader():
    (attempt,) = attempts(skip(), math.inf)
    assert attempt == Attempt(Again(0, (0,), 4, CHEAP), peak=300, new_peak=200, refusal=None)


def test_a_view_that_is_read_behind_the_peak_is_made_of_the_copy():
    """The view stands early in the order, and its reader late."""
    early = [compute(1, 0), window(6, 1, 0, 50), compute(2, 1), compute(3, 2), compute(4, 3), compute(5, 6, 4)]
    given = costed([10, 100, 100, 100, 10, 100, 50], early, [CHEAP, 0.0, DEAR, DEAR, DEAR, DEAR], [5])
    (attempt,) = attempts(given, math.inf)
    assert (attempt.again.steps, attempt.again.before, attempt.new_peak) == ((0, 1), 5, 200)


def test_operands_that_are_gone_are_computed_again_as_well_if_they_are_cheap():
    steps = [compute(6, 0), compute(1, 6), compute(2, 1), compute(3, 2), compute(4, 3), compute(5, 1, 4)]
    given = costed([10, 100, 100, 100, 10, 100, 90], steps, [CHEAP, CHEAP, DEAR, DEAR, DEAR, DEAR], [5])
    assert taken(list(attempts(given, math.inf))) == [Again(1, (0, 1), 5, 2 * CHEAP)]


def test_what_would_keep_an_operand_as_large_is_refused():
    steps = [compute(6, 0), compute(1, 6), compute(2, 1), compute(3, 2), compute(4, 3), compute(5, 1, 4)]
    given = costed([10, 100, 100, 100, 10, 100, 100], steps, [DEAR, CHEAP, DEAR, DEAR, DEAR, DEAR], [5])
    (attempt,) = attempts(given, math.inf)
    assert attempt.refusal == "the peak of 300 bytes would be 300"


def test_what_costs_too_much_is_refused():
    (attempt,) = attempts(skip(), CHEAP - 1)
    assert attempt.refusal == "it takes 5.0 microseconds, and 4.0 are allowed"


@pytest.mark.parametrize("enough", [300, 1000])
def test_nothing_is_tried_where_memory_suffices(enough: int):
    assert list(attempts(skip(), math.inf, enough)) == []


def test_results_of_the_network_and_what_the_fullest_step_reads_are_left_alone():
    returned = skip()
    kept = Program(returned.program.tensors, returned.program.sizes, returned.program.steps, [5, 1])
    assert list(attempts(Costed(kept, returned.costs, 1), math.inf)) == []
    steps = [compute(1, 0), compute(2, 1), compute(3, 2, 1), compute(4, 3), compute(5, 1, 4)]
    read_there = costed([10, 100, 100, 100, 10, 100], steps, [CHEAP, DEAR, DEAR, DEAR, DEAR], [5])
    assert list(attempts(read_there, math.inf)) == []


def drawn(seed: int) -> Costed:
    """Steps that read one to three values, recent ones and old ones; half of them are cheap."""
    generator = random.Random(seed)
    count = 25
    steps, sizes = [], [10]
    for value in range(1, count):
        reads = dict.fromkeys(generator.choice([value - 1, generator.randrange(value)]) for _ in range(3))
        steps.append(compute(value, *reads))
        sizes.append(generator.choice([10, 50, 100]))
    costs = [generator.choice([CHEAP, DEAR]) for _ in steps]
    return costed(sizes, steps, costs, [count - 1])


def meaning(program: Program) -> object:
    """A term that says how the result comes about: of the original steps, which copies carry in their places."""
    terms: dict[int, object] = {0: "input"}
    for step in program.steps:
        terms[step.results[0]] = hash((step.places, *(terms[value] for value in step.reads)))
    return terms[program.returned[0]]


def with_what_is_taken(given: Costed, allowance: float) -> Costed:
    """Checks each step on the way: its peak is lower, and what is spent is allowed."""
    for attempt in (one for one in attempts(given, allowance) if one.refusal is None):
        given, allowance = repeated(given, attempt.again), allowance - attempt.again.microseconds
        assert lower_bound(shared_intervals(given.program, 1), 1) == attempt.new_peak < attempt.peak
    assert allowance >= 0
    return given


def test_random_programs_need_no_more_and_compute_the_same():
    pairs = [(given, with_what_is_taken(given, 12.0)) for given in map(drawn, range(100))]
    assert all(meaning(after.program) == meaning(given.program) for given, after in pairs)
    assert sum(after.peak < given.peak for given, after in pairs) >= 10
