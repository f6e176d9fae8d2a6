"""Waves against the sets of bytes that steps touch."""

from hypothesis import given
from hypothesis import strategies as st

from pyipu.passes.planning.waves import Access, wave_numbers, written_runs


def touched(access: Access) -> set[tuple[int, int]]:
    """Every byte of an access by itself."""
    steps = range(access.begin, access.end, access.pitch) if access.pitch else [access.begin]
    return {(access.resource, byte) for step in steps for byte in range(step, step + access.length)}


def conflict(one: list[Access], other: list[Access]) -> bool:
    return any((a.writes or b.writes) and touched(a) & touched(b) for a in one for b in other)


@st.composite
def accesses(draw, pitches=(0, 4, 6)):
    resource, writes = draw(st.integers(0, 1)), draw(st.booleans())
    begin, pitch = draw(st.integers(0, 30)), draw(st.sampled_from(pitches))
    if not pitch:
        return Access(resource, writes, begin, begin + draw(st.integers(0, 12)))
    run, count = draw(st.integers(1, pitch)), draw(st.integers(2, 4))
    return Access(resource, writes, begin, begin + (count - 1) * pitch + run, pitch, run)


@given(st.lists(st.lists(accesses(), max_size=3), max_size=12))
def test_what_touches_the_same_bytes_keeps_its_order(steps):
    waves = wave_numbers(steps)
    for later, step in enumerate(steps):
        for earlier in range(later):
            assert not conflict(steps[earlier], step) or waves[earlier] < waves[later]


@given(st.lists(st.lists(accesses(pitches=[0]), max_size=3), max_size=12))
def test_nothing_waits_without_need(steps):
    waves = wave_numbers(steps)
    for number, step in enumerate(steps):
        before = [i for i in range(number) if waves[i] == waves[number] - 1]
        assert waves[number] == 0 or any(conflict(steps[i], step) for i in before)


def test_a_border_and_the_inside_are_written_side_by_side():
    border = written_runs(0, [(0, 9), (14, 4), (22, 4), (30, 10)])
    inside = Access(0, True, 10, 30, pitch=8, run=4)
    row = Access(0, True, 18, 22)
    assert wave_numbers([border, [inside], [row]]) == [0, 0, 1]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=12))
def test_joined_runs_are_the_bytes_that_were_given(gaps):
    runs, end = [], 0
    for gap, length in gaps:
        runs.append((end + gap, length))
        end += gap + length
    found = written_runs(7, runs)
    expected = {(7, byte) for begin, length in runs for byte in range(begin, begin + length)}
    assert set().union(*map(touched, found)) == expected
    assert sum(len(touched(one)) for one in found) == len(expected)
