"""Schedules of random task graphs against all orders there are, and against an evaluator that thinks in intervals."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from pyipu.passes.planning.scheduling import schedule
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


@settings(max_examples=300, deadline=None, derandomize=True)
@given(graph=task_graphs())
def test_the_schedule_of_a_small_graph_is_the_best_of_all_orders(graph: TaskGraph) -> None:
    found = schedule(graph)
    assert is_possible(graph, found.order)
    assert found.exact
    assert found.peak == peak_by_intervals(graph, found.order) == lowest_peak(graph)
    assert found.given_peak == peak_by_intervals(graph, range(len(graph.tasks)))
