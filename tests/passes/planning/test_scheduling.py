"""Schedules of random task graphs against all orders there are, and against an evaluator that thinks in intervals."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyipu.passes.planning.list_scheduling import list_orders
from pyipu.passes.planning.order_search import Space, lowest_order
from pyipu.passes.planning.scheduling import schedule
from pyipu.passes.planning.sections import sections
from pyipu.passes.planning.task_graph import Task, TaskGraph, peak_of


@st.composite
def task_graphs(draw, longest: int = 8) -> TaskGraph:
    """Tasks that read blocks of earlier ones; some write inside of a block that others write too, or update one."""
    sizes = draw(st.lists(st.integers(0, 9), min_size=4, max_size=8))
    writers: list[list[int]] = [[] for _ in sizes]
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, longest))):
        written = [block for block, tasks_of in enumerate(writers) if tasks_of]
        reads = draw(st.sets(st.sampled_from(written), max_size=3)) if written else set()
        result = draw(st.sampled_from([block for block in range(len(sizes)) if block not in reads]))
        fitting = sorted(block for block in reads if sizes[block] >= sizes[result])
        after = sorted({draw(st.sampled_from(writers[block])) for block in reads})
        updates = tuple(fitting) if draw(st.booleans()) else ()
        tasks.append(Task(tuple(after), (*sorted(reads), result), result, updates))
        writers[result].append(number)
    kept = draw(st.sets(st.sampled_from(range(len(sizes))), max_size=2))
    held = draw(st.sets(st.sampled_from(range(len(sizes))), max_size=2))
    touched = {block for task in tasks for block in task.touches}
    return TaskGraph(tasks, sizes, frozenset(held & touched), frozenset(kept & touched), draw(st.integers(0, 3)))


def is_possible(graph: TaskGraph, order) -> bool:
    position = {number: i for i, number in enumerate(order)}
    return sorted(order) == list(range(len(graph.tasks))) and all(
        position[earlier] < position[number] for number, task in enumerate(graph.tasks) for earlier in task.after
    )


def peak_by_intervals(graph: TaskGraph, order) -> int:
    """Every block's first and last position; at each position the sum of what contains it, less what is updated."""
    spans = {}
    for block in range(len(graph.sizes)):
        positions = [i for i, number in enumerate(order) if block in graph.tasks[number].touches]
        first = -1 if block in graph.held else min(positions, default=len(order))
        spans[block] = (first, len(order) if block in graph.kept else max(positions, default=-1))
    loads = []
    for i, number in enumerate(order):
        task = graph.tasks[number]
        dies = any(spans[block][1] == i for block in task.updates)
        saved = graph.sizes[task.result] if dies and spans[task.result][0] == i else 0
        alive = sum(graph.sizes[block] for block, (first, last) in spans.items() if first <= i <= last)
        loads.append(graph.base + alive - saved)
    return max(loads)


def orders_of(graph: TaskGraph, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """All that there are."""
    if len(done) == len(graph.tasks):
        yield done
    for number, task in enumerate(graph.tasks):
        if number not in done and all(earlier in done for earlier in task.after):
            yield from orders_of(graph, (*done, number))


def lowest_peak(graph: TaskGraph) -> int:
    return min(peak_by_intervals(graph, order) for order in orders_of(graph))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graph=task_graphs())
def test_the_schedule_of_a_small_graph_is_the_best_of_all_orders(graph: TaskGraph) -> None:
    found = schedule(graph)
    assert is_possible(graph, found.order)
    assert found.exact
    assert found.peak == peak_by_intervals(graph, found.order) == lowest_peak(graph)
    assert found.given_peak == peak_by_intervals(graph, range(len(graph.tasks)))


def wired(count: int, reach: int, seed: int = 0) -> TaskGraph:
    """Each task reads up to three of the `reach` before it; half of them may update one."""
    generator = random.Random(seed)
    sizes = [64 * generator.randint(1, 1000) for _ in range(count)]
    tasks = []
    for number in range(count):
        reads = {generator.randrange(max(0, number - reach), number) for _ in range(generator.randint(1, 3)) if number}
        fitting = [block for block in sorted(reads) if sizes[block] >= sizes[number]]
        updates = tuple(fitting) if generator.random() < 0.5 else ()
        tasks.append(Task(tuple(sorted(reads)), (*sorted(reads), number), number, updates))
    return TaskGraph(tasks, sizes)


@pytest.mark.parametrize("tries", [0, 1_000, 100_000])
@pytest.mark.parametrize("seed", range(4))
def test_a_large_section_is_never_worse_than_given_and_says_what_is_proved(seed: int, tries: int) -> None:
    graph = wired(600, 12, seed)
    found = schedule(graph, tries)
    assert is_possible(graph, found.order)
    assert found.lower_bound <= found.peak == peak_by_intervals(graph, found.order) <= found.given_peak
    assert found.exact == (found.lower_bound == found.peak)


def test_searches_around_the_peak_go_below_what_simple_rules_find() -> None:
    graph = wired(600, 12)
    assert schedule(graph).peak < min(peak_of(graph, order) for order in list_orders(graph))


def test_the_search_alone_proves_what_all_orders_show() -> None:
    graph = wired(9, 5, seed=3)
    found = lowest_order(Space(graph), limit=10**9, tries=10**6)
    assert found.order is not None
    assert peak_of(graph, found.order) == found.lower_bound == lowest_peak(graph)
    assert lowest_order(Space(graph), found.lower_bound, tries=10**6).order is None


def test_a_search_that_is_cut_off_proves_less() -> None:
    space = Space(wired(200, 40))
    found = lowest_order(space, limit=10**9, tries=100)
    assert found.order is None
    assert space.floor <= found.lower_bound < 10**9


def test_every_section_begins_behind_a_task_that_all_before_it_lead_to() -> None:
    chain = [Task((i - 1,) if i else (), (i,), i) for i in range(3)]
    diamond = [*chain, Task((2,), (2, 3), 3), Task((2,), (2, 4), 4), Task((3, 4), (3, 4, 5), 5)]
    assert sections(TaskGraph(diamond, [1] * 6)) == [(0, 1), (1, 2), (2, 3), (3, 5), (5, 6)]


def test_an_order_that_is_as_good_as_any_stays() -> None:
    """Both branches are alike: the lowest peak is the given one."""
    tasks = [Task((), (0,), 0), Task((0,), (0, 1), 1), Task((0,), (0, 2), 2), Task((1, 2), (1, 2, 3), 3)]
    found = schedule(TaskGraph(tasks, [4, 4, 4, 4]))
    assert (found.order, found.exact, found.peak) == ((0, 1, 2, 3), True, 12)


def test_sections_below_the_peak_stay_as_they_are() -> None:
    """The second diamond would gain by another order, but the first has the peak anyway."""
    first = [Task((), (0,), 0), Task((0,), (0, 1), 1)]
    second = [Task((1,), (1, 2), 2), Task((1,), (1, 3), 3), Task((3,), (3, 4), 4), Task((2, 4), (2, 4, 5), 5)]
    assert schedule(TaskGraph([*first, *second], [100, 100, 5, 50, 1, 1])).order == (0, 1, 2, 3, 4, 5)
    assert schedule(TaskGraph([*first, *second], [1, 1, 5, 50, 1, 1])).order == (0, 1, 3, 4, 2, 5)


def test_twenty_thousand_tasks_take_seconds() -> None:
    graph = wired(20_000, 20)
    began = time.process_time()
    found = schedule(graph)
    assert time.process_time() - began < 15
    assert found.peak < 0.9 * found.given_peak
