"""The cheapest covers: as good as the best of all there are, and the first of equally good ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pyipu.passes.planning.covers import CoverTable, Edge

LAST = 4

edges = st.builds(
    lambda first, length, *rest: (first, min(first + length, LAST), *rest),
    st.integers(0, LAST - 1),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(-2, 5),
    st.sampled_from([None, "wide", "narrow"]),
    st.sampled_from([None, "wide", "narrow"]),
)


def drawn(rows: Sequence[tuple[int, int, int, int, str | None, str | None]]) -> list[Edge]:
    """Ordered by their ends, and whole ops, which are dear, beside them: there is always a cover."""
    whole = [(place, place + 1, 9, 7, None, None) for place in range(LAST)]
    ordered = sorted([*whole, *rows], key=lambda row: row[1])
    found = [Edge(peak, cost, (first, way), (end, out), end) for first, end, peak, cost, way, out in ordered]
    return [edge for edge in found if edge.before[0] or edge.before[1] is None]


def all_covers(edges: Sequence[Edge], place: object = (LAST, None)) -> Iterator[list[int]]:
    if place == (0, None):
        yield []
    for number, edge in enumerate(edges):
        if edge.behind == place:
            yield from ([*cover, number] for cover in all_covers(edges, edge.before))


@settings(max_examples=80, deadline=None)
@given(st.lists(edges, max_size=12).map(drawn), st.integers(0, 9))
def test_no_cover_is_cheaper_or_lower(edges, limit):
    table = CoverTable(edges, (0, None), (LAST, None))
    covers = list(all_covers(edges))
    assert table.least_peak() == min(max(edges[number].peak for number in cover) for cover in covers)
    costs = [
        sum(edges[number].cost for number in cover)
        for cover in covers
        if all(edges[number].peak <= limit for number in cover)
    ]
    found = table.cheapest(limit)
    assert bool(found) == bool(costs)
    if found:
        assert found in covers
        assert max(edges[number].peak for number in found) <= limit
        assert sum(edges[number].cost for number in found) == min(costs)


def table_of_two() -> CoverTable:
    return CoverTable([Edge(5, 1.0, 0, 1, 1), Edge(5, 1.0, 0, 1, 1), Edge(3, 1.0, 1, 2, 2)], 0, 2)


def test_of_equally_cheap_stretches_the_first_is_taken():
    assert table_of_two().cheapest(5) == [0, 2]


def test_what_is_hidden_or_changed_is_not_taken():
    hidden, table = np.array([True, False, False]), table_of_two()
    assert table.cheapest(5, hidden) == [1, 2]
    assert table.peaks_from(4, hidden) == [5]
    table.change(0, 5, 2.0)
    assert table.cheapest(5) == [1, 2]
    table.change(1, 6, 1.0)
    assert table.cheapest(5) == [0, 2]
    assert table.least_peak(hidden) == 6


def test_what_nothing_leads_to_is_on_no_path():
    edges = [Edge(9, 9.0, 0, 1, 1), Edge(1, 0.0, "nowhere", 2, 2), Edge(9, 9.0, 1, 2, 2)]
    assert CoverTable(edges, 0, 2).cheapest(9) == [0, 2]
