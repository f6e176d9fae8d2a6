"""When which bytes of a buffer are needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.planning.allocation import Interval, Part
from pyipu.passes.planning.lifetimes import MOST_PARTS, Touch, live_interval, merged


def test_rows_that_come_late_and_rows_that_are_done_with_early_are_parts():
    touches = [Touch(0, 0, 128), Touch(2, 128, 256), Touch(3, 0, 192), Touch(5, 128, 256)]
    assert live_interval("rows", 256, touches, 64) == Interval(
        "rows", 0, 6, 256, (Part(0, 128, 0, 4), Part(128, 128, 2, 6))
    )


def test_what_is_needed_all_the_while_is_one():
    assert live_interval("whole", 256, [Touch(1, 0, 256), Touch(4, 0, 256)], 64) == Interval("whole", 1, 5, 256)


def test_parts_begin_at_aligned_bytes():
    found = live_interval("rows", 200, [Touch(0, 0, 100), Touch(1, 100, 200), Touch(3, 100, 200)], 64)
    assert found.parts == (Part(0, 64, 0, 1), Part(64, 64, 0, 4), Part(128, 72, 1, 4))


def test_bytes_that_nobody_touches_go_with_those_in_front():
    found = live_interval("hole", 256, [Touch(0, 64, 128), Touch(2, 192, 256)], 64)
    assert found.parts == (Part(0, 192, 0, 1), Part(192, 64, 2, 3))


@pytest.mark.parametrize("touches", [[], [Touch(3, 64, 64)]])
def test_a_buffer_that_nobody_touches_is_alive_at_once(touches: list[Touch]):
    assert live_interval("unused", 64, touches, 64) == Interval("unused", 0, 1, 64)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 500), st.integers(1, 300)), min_size=1, max_size=12))
def test_every_touched_byte_is_alive_when_it_is_touched(drawn: list[tuple[int, int, int]]):
    touches = [Touch(step, begin, min(begin + length, 512)) for step, begin, length in drawn]
    found = live_interval("any", 512, touches, 64)
    ends = [0, *(part.offset + part.size for part in found.pieces)]
    assert [part.offset for part in found.pieces] == ends[:-1] and ends[-1] == 512
    for step, begin, end in touches:
        inside = (part for part in found.pieces if part.offset < end and part.offset + part.size > begin)
        assert all(part.start <= step < part.end for part in inside)


def test_neighbours_whose_lives_differ_least_become_one():
    parts = [Part(0, 64, 0, 9), Part(64, 64, 1, 9), Part(128, 64, 5, 9), Part(192, 64, 9, 12)]
    assert merged(parts, 3) == (Part(0, 128, 0, 9), *parts[2:])
    assert merged(parts, 2) == (Part(0, 192, 0, 9), parts[3])


def test_a_buffer_of_many_rows_has_few_parts():
    found = live_interval("rows", 64 * 100, [Touch(row, 64 * row, 64 * row + 64) for row in range(100)], 64)
    assert len(found.parts) == MOST_PARTS
    assert max(part.size for part in found.parts) <= 64 * 13
