"""Tables: for people on a terminal, for programs elsewhere."""

from __future__ import annotations

import dataclasses
import io

import ml_dtypes
import numpy as np
import pytest
from rich.console import Console

from pyipu.plan import Buffer, Member, MemoryPlan, Plan, TensorDescription
from pyipu.report import show_arrays, show_plan

_X = TensorDescription("x", (2, 3), np.dtype(np.float32))
_RELU = Member("[relu1]", 64, in_place_of="conv1")
_BUFFERS = (Buffer("buffer_0", 2048, 0, 0, 3, (Member("conv1", 64), _RELU, Member("conv1", 128))),)
_STAGES = (("sum", 1_000_000), ("reuse", 250_000), ("tile", 4096))
_MEMORY = MemoryPlan(4096, 4000, False, _STAGES, 24, 48, 1234, _BUFFERS)
_PLAN = Plan("cpu", "main", (_X,), (TensorDescription("y", (), np.dtype(np.int64)),), _MEMORY)


def _console(is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=100)


def test_plain_plan_has_a_line_for_everything() -> None:
    console = _console(False)
    show_plan(_PLAN, console)
    lines = console.file.getvalue().splitlines()
    assert "output\ty\tint64\tscalar\t8" in lines
    assert "reuse\t250,000\t25.0%\tvalues that are not alive together share bytes" in lines
    assert "arena\t4,096\t96 above the lower bound, 2.4%" in lines
    assert "order\t\tgiven: as in the model" in lines
    assert "code\t1,234\t" in lines
    assert not any("conv1" in line for line in lines)


def test_buffers_are_shown_with_their_values_on_demand() -> None:
    console = _console(False)
    show_plan(_PLAN, console, buffers=True)
    assert "buffer_0\t0\t2,048\t0\t3\tconv1 +64 +128, [relu1] in place of conv1 +64\n" in console.file.getvalue()


def test_an_arena_at_its_lower_bound_is_proved_optimal() -> None:
    console = _console(False)
    memory = dataclasses.replace(_MEMORY, lower_bound=4096, proved_optimal=True)
    show_plan(dataclasses.replace(_PLAN, memory=memory), console)
    assert "arena\t4,096\tproved optimal\n" in console.file.getvalue()


@pytest.mark.parametrize(
    ("order", "meaning"), [("exact", "no other has less"), ("heuristic", "the best that was found")]
)
def test_a_chosen_order_is_named(order: str, meaning: str) -> None:
    console = _console(False)
    show_plan(dataclasses.replace(_PLAN, memory=dataclasses.replace(_MEMORY, order=order)), console)
    assert f"order\t\t{order}: {meaning}" in console.file.getvalue()


def test_terminal_shows_tables_and_takes_names_literally() -> None:
    console = _console(True)
    show_plan(_PLAN, console, buffers=True)
    text = console.file.getvalue()
    assert "┃" in text
    assert "[relu1]" in text


def test_arrays_are_summarized() -> None:
    console = _console(False)
    arrays = {
        "numbers": np.array([[1, 2], [4, 9]], np.int64),
        "truth": np.array([True, False]),
        "brain": np.array(2.5, ml_dtypes.bfloat16),
        "nothing": np.zeros((0, 3), np.float32),
    }
    show_arrays(arrays, console)
    assert console.file.getvalue().splitlines()[2:] == [
        "numbers\tint64\t2x2\t1\t9\t4\t1 2 4 9",
        "truth\tbool\t2\t0\t1\t0.5\t1 0",
        "brain\tbfloat16\tscalar\t2.5\t2.5\t2.5\t2.5",
        "nothing\tfloat32\t0x3\t\t\t\t",
    ]
