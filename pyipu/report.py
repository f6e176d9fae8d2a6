"""What the command line prints about plans and arrays: tables on a terminal, tab-separated lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pyipu.plan import Buffer, Member, MemoryPlan, Plan, TensorDescription

_FIRST_VALUES = 4


def show_plan(plan: Plan, console: Console | None = None, buffers: bool = False) -> None:
    """Prints inputs, outputs and the memory certificate; with `buffers` also every buffer and what lies in it."""
    console = console or Console()
    tensors = [("input", one) for one in plan.inputs] + [("output", one) for one in plan.outputs]
    show_table(f"model for {plan.target}", _TENSOR_HEADER, [_tensor_row(kind, one) for kind, one in tensors], console)
    show_table("arena, as memory is planned step by step", _STAGE_HEADER, _stage_rows(plan.memory), console)
    show_table("memory", ("what", "bytes", ""), _memory_rows(plan.memory), console)
    if buffers:
        show_table("buffers in the arena", _BUFFER_HEADER, [_buffer_row(one) for one in plan.memory.buffers], console)


def show_arrays(arrays: Mapping[str, NDArray[Any]], console: Console | None = None) -> None:
    """Prints name, type and a summary of each array."""
    rows = [_array_row(name, array) for name, array in arrays.items()]
    show_table("outputs", ("name", "dtype", "shape", "min", "max", "mean", "first values"), rows, console or Console())


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Prints a table for people on a terminal; elsewhere one line a row, with a tab between two cells."""
    if not console.is_terminal:
        lines = ["\t".join(cells) for cells in (header, *rows)]
        console.file.write("\n".join([f"# {title}", *lines, ""]))
        return
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


_TENSOR_HEADER = ("kind", "name", "dtype", "shape", "bytes")
_STAGE_HEADER = ("stage", "bytes", "share", "what is planned")
_BUFFER_HEADER = ("name", "offset", "bytes", "alive from step", "until", "values, with their first bytes")

_STAGES = {
    "sum": "nothing: every value has bytes of its own",
    "reuse": "values that are not alive together share bytes",
    "in-place": "results in place of operands, parts inside of wholes, views",
    "schedule": "the order",
    "tile": "strips of rows: the arena",
}

_ORDERS = {
    "exact": "no other has less alive at once",
    "heuristic": "the best that was found",
    "given": "as in the model",
}


def _tensor_row(kind: str, tensor: TensorDescription) -> tuple[str, ...]:
    return kind, tensor.name, tensor.dtype.name, _shape(tensor.shape), f"{tensor.size:,}"


def _stage_rows(memory: MemoryPlan) -> list[tuple[str, ...]]:
    """Shares are of the first stage, in percent."""
    whole = memory.stages[0][1] if memory.stages else 0
    return [(name, f"{size:,}", _percent(size, whole), _STAGES[name]) for name, size in memory.stages]


def _memory_rows(memory: MemoryPlan) -> list[tuple[str, str, str]]:
    above = memory.arena_bytes - memory.lower_bound
    distance = f"{above:,} above the lower bound, {_percent(above, memory.lower_bound)}"
    return [
        ("arena", f"{memory.arena_bytes:,}", "proved optimal" if memory.proved_optimal else distance),
        ("lower bound", f"{memory.lower_bound:,}", "of these buffers in this order"),
        ("order", "", f"{memory.order}: {_ORDERS[memory.order]}"),
        ("results", f"{memory.result_bytes:,}", "returned, beside the arena"),
        ("weights", f"{memory.parameter_bytes:,}", ""),
        ("code", f"{memory.code_bytes:,}", ""),
    ]


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _buffer_row(buffer: Buffer) -> tuple[str, ...]:
    sizes = (f"{buffer.offset:,}", f"{buffer.size:,}")
    return buffer.name, *sizes, str(buffer.start), str(buffer.end), _values(buffer.members)


def _values(members: Sequence[Member]) -> str:
    """Each node once, with the places at which it writes."""
    places: dict[str, list[str]] = {}
    for member in members:
        title = member.name if member.in_place_of is None else f"{member.name} in place of {member.in_place_of}"
        places.setdefault(title, []).append(f"+{member.offset}")
    return ", ".join(" ".join([title, *offsets]) for title, offsets in places.items())


def _array_row(name: str, array: NDArray[Any]) -> tuple[str, ...]:
    type_ = (name, array.dtype.name, _shape(array.shape))
    if array.size == 0:
        return (*type_, "", "", "", "")
    wide = array.astype(np.float64)
    first = " ".join(f"{value:.6g}" for value in wide.reshape(-1)[:_FIRST_VALUES])
    return (*type_, *(f"{value:.6g}" for value in (wide.min(), wide.max(), wide.mean())), first)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"
