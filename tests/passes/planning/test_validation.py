"""The validator finds every conflict that a brute-force comparison finds, and nothing in a valid plan."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyipu.errors import PlanError
from pyipu.passes.planning.allocation import Allocation, Interval, Part, allocate
from pyipu.passes.planning.validation import overlaps, validate

A, B = Interval("a", 0, 4, 100), Interval("b", 2, 6, 50)


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[Interval], dict[str, int]]:
    """Random offsets for random intervals: most of these plans are broken."""
    numbers = st.tuples(st.integers(0, 9), st.integers(1, 6), st.integers(0, 6), st.integers(0, 20))
    rows = draw(st.lists(numbers, max_size=12))
    intervals = [Interval(f"b{index}", start, start + life, size) for index, (start, life, size, _) in enumerate(rows)]
    return intervals, {f"b{index}": offset for index, (*_, offset) in enumerate(rows)}


def share_bytes(one: Interval, other: Interval, offsets: dict[str, int]) -> bool:
    """The definition, pair by pair: a common step and a common byte."""
    bytes_of_one = range(offsets[one.name], offsets[one.name] + one.size)
    bytes_of_other = range(offsets[other.name], offsets[other.name] + other.size)
    alive_together = set(range(one.start, one.end)) & set(range(other.start, other.end))
    return bool(alive_together) and bool(set(bytes_of_one) & set(bytes_of_other))


def test_a_valid_plan_has_no_conflicts():
    assert overlaps([A, B], {"a": 0, "b": 128}) == []
    validate([A, B], Allocation({"a": 64, "b": 0}, peak=164, lower_bound=164, method="hand"))


def test_shared_bytes_are_reported_with_step_and_range():
    assert overlaps([A, B], {"a": 0, "b": 64}) == ["'a' and 'b' share the bytes [64, 100) at step 2"]


def test_bytes_may_be_shared_one_after_the_other():
    assert overlaps([A, replace(B, start=4)], {"a": 0, "b": 64}) == []


def test_only_parts_that_are_alive_together_conflict():
    rows = Interval("rows", 0, 4, 128, (Part(0, 64, 0, 2), Part(64, 64, 2, 4)))
    early, late = Interval("early", 0, 2, 64), Interval("late", 2, 4, 64)
    assert overlaps([rows, early, late], {"rows": 0, "early": 64, "late": 0}) == []
    conflicts = overlaps([rows, early, late], {"rows": 0, "early": 0, "late": 64})
    assert conflicts == [
        "'rows' and 'early' share the bytes [0, 64) at step 0",
        "'rows' and 'late' share the bytes [64, 128) at step 2",
    ]


@pytest.mark.parametrize(
    ("offsets", "peak", "message"),
    [
        ({"a": 0}, 256, "'b' has no offset"),
        ({"a": 0, "b": 130}, 256, "'b' has the offset 130, which is no multiple of 64"),
        ({"a": 0, "b": -64}, 256, "'b' has the negative offset -64"),
        ({"a": 0, "b": 128}, 177, "'b' ends at byte 178, beyond the peak of 177"),
        ({"a": 0, "b": 0}, 256, "'a' and 'b' share the bytes [0, 50) at step 2"),
    ],
)
def test_each_kind_of_conflict_is_one_sentence(offsets: dict[str, int], peak: int, message: str):
    assert overlaps([A, B], offsets, peak=peak) == [message]
    with pytest.raises(PlanError, match="conflicts: 1\\)") as error:
        validate([A, B], Allocation(offsets, peak, lower_bound=0, method="hand"))
    assert message in str(error.value)


def test_an_error_lists_ten_conflicts_and_counts_the_rest():
    intervals = [Interval(f"b{index}", 0, 1, 64) for index in range(6)]
    plan = Allocation(dict.fromkeys((interval.name for interval in intervals), 0), 64, 64, "hand")
    with pytest.raises(PlanError, match="; and 5 more") as error:
        validate(intervals, plan)
    assert str(error.value).count("share the bytes") == 10


@settings(max_examples=300, deadline=None)
@given(plans())
def test_every_conflicting_pair_is_found(plan: tuple[list[Interval], dict[str, int]]):
    intervals, offsets = plan
    expected = {
        frozenset((one.name, other.name))
        for one, other in combinations(intervals, 2)
        if share_bytes(one, other, offsets)
    }
    found = [frozenset(sentence.split("'")[1:4:2]) for sentence in overlaps(intervals, offsets, alignment=1)]
    assert set(found) == expected
    assert len(found) == len(expected)


@settings(max_examples=100, deadline=None)
@given(plans(), st.data())
def test_a_buffer_moved_onto_a_live_one_is_found(plan: tuple[list[Interval], dict[str, int]], data: st.DataObject):
    intervals = [replace(interval, size=interval.size + 1) for interval in plan[0]]
    pairs = [(x, y) for x, y in combinations(intervals, 2) if x.start < y.end and y.start < x.end]
    if not pairs:
        return
    allocation = allocate(intervals, alignment=1, time_limit=0.05)
    moved, onto = data.draw(st.sampled_from(pairs))
    offsets = {**allocation.offsets, moved.name: allocation.offsets[onto.name]}
    with pytest.raises(PlanError, match="share the bytes"):
        validate(intervals, replace(allocation, offsets=offsets), alignment=1)
