"""Tables: for people on a terminal, for programs elsewhere."""

from __future__ import annotations

import io

import ml_dtypes
import numpy as np
from rich.console import Console

from pyipu.plan import Buffer, MemoryPlan, Plan, TensorDescription
from pyipu.report import show_arrays, show_plan

_X = TensorDescription("x", (2, 3), np.dtype(np.float32))
_BUFFERS = (Buffer("conv1", 2048, 0, 0, 3), Buffer("[relu1]", 2048, 0, 1, 3, alias_of="conv1"))
_MEMORY = MemoryPlan(4096, 4096, True, 1_000_000, 24, 48, _BUFFERS)
_PLAN = Plan("cpu", "main", (_X,), (TensorDescription("y", (), np.dtype(np.int64)),), _MEMORY)


def _console(is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=100)


def test_plain_plan_has_a_line_for_everything() -> None:
    console = _console(False)
    show_plan(_PLAN, console)
    text = console.file.getvalue()
    assert "output\ty\tint64\tscalar\t8\n" in text
    assert "arena\t4,096\tproved optimal\n" in text
    assert "all buffers\t1,000,000\twithout sharing\n" in text
    assert "[relu1]\t0\t2,048\t1\t3\tconv1\n" in text


def test_terminal_shows_tables_and_takes_names_literally() -> None:
    console = _console(True)
    show_plan(_PLAN, console)
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
