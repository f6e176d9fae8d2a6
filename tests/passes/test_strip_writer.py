"""Strips compute what the whole ops did, wherever stretches begin and end, in pieces or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from iree.compiler import ir

import pyipu.dialect
from pyipu.passes.manager import verify
from pyipu.passes.planning.streaming import Stretch
from pyipu.passes.planning.strip_bounds import Width
from pyipu.passes.row_runs import row_runs
from pyipu.passes.session import Session
from pyipu.passes.strip_writer import StripWriter
from tests.passes.graphs import inputs_of, interpret, run

Draw = Callable[[st.SearchStrategy[Any]], Any]

KINDS = ["exp", "add", "pool", "concat", "standardize", "attention"]
TYPE = "tensor<1x{}x3x2xf32>"
WINDOW = "{window = array<i64: 3, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>}"
SEGMENTS = "operandSegmentSizes = array<i32: 1, 1" + ", 0" * 14 + ">"
NORMAL = "{axes = array<i64: 2, 3>, epsilon = 1.0e-05 : f64}"
SCALED = "{scale = 0.5 : f64, operandSegmentSizes = array<i32: 1, 1, 1" + ", 0" * 13 + ">}"
BORDER = (
    "{{low = array<i64: 0, {0}, 0, 0>, high = array<i64: 0, {0}, 0, 0>, "
    "interior = array<i64: 0, 0, 0, 0>, value = 0.0 : f64}}"
)


def random_network(draw: Draw) -> str:
    """Text of a main function of row-wise ops on tensors with equally many rows; any earlier tensor may be read."""
    rows = draw(st.integers(4, 12))
    tensor, lines, values = TYPE.format(rows), [], ["%x"]
    for number in range(draw(st.integers(3, 8))):
        one, other = (draw(st.sampled_from(values[-4:])) for _ in range(2))
        kind, name = draw(st.sampled_from(KINDS)), f"%v{number}"
        if kind == "exp":
            lines.append(f'{name} = "ipu.tanh"({one}) : ({tensor}) -> {tensor}')
        elif kind == "pool":
            padded = TYPE.format(rows + 2)
            lines.append(f'{name}p = "ipu.pad"({one}) {BORDER.format(1)} : ({tensor}) -> {padded}')
            lines.append(f'{name} = "ipu.max_pool"({name}p) {WINDOW} : ({padded}) -> {tensor}')
        elif kind == "standardize":
            lines.append(f'{name} = "ipu.standardize"({one}) {NORMAL} : ({tensor}) -> {tensor}')
        elif kind == "attention":
            attended = f'"ipu.attention"({one}, {other}, {other}) {SCALED}'
            lines.append(f"{name} = {attended} : ({tensor}, {tensor}, {tensor}) -> {tensor}")
        elif kind == "add":
            lines.append(f'{name} = "ipu.add"({one}, {other}) : ({tensor}, {tensor}) -> {tensor}')
        else:
            wide = tensor.replace("x2xf32", "x4xf32")
            joined = f'"ipu.concat"({one}, {other}) {{axis = 3 : i64, {SEGMENTS}}}'
            lines.append(f"{name}c = {joined} : ({tensor}, {tensor}) -> {wide}")
            part = "offsets = array<i64: 0, 0, 0, 1>, sizes = array<i64: 1, {}, 3, 2>, strides = array<i64: 1, 1, 1, 1>"
            lines.append(f'{name} = "ipu.slice"({name}c) {{{part.format(rows)}}} : ({wide}) -> {tensor}')
        values.append(name)
    results = ", ".join(values[-2:])
    body = "\n".join(lines)
    return (
        f"func.func @main(%x: {tensor}) -> ({tensor}, {tensor}) {{\n{body}\nreturn {results} : {tensor}, {tensor}\n}}"
    )


def random_cover(draw: Draw, first: int, end: int) -> Iterator[Stretch]:
    """Stretches from `first` to `end`; what is left in pieces is taken by the next one, which is as wide."""
    width = None
    while first < end:
        stop = draw(st.integers(first + 1, end))
        pieces_in = width is not None
        width = width or draw(st.sampled_from([None, Width(3), Width(6), Width(1, 256), Width(1, parts=2)]))
        pieces_out = width is not None and stop < end and draw(st.booleans())
        yield Stretch(first, stop, 0, 0.0, width, pieces_in, pieces_out)
        first, width = stop, width if pieces_out else None


def run_in_strips(draw: Draw, module: ir.Module) -> None:
    for one in row_runs(module):
        writer = StripWriter(one, module)
        cover = random_cover(draw, one.rows.given, len(one.rows.ops))
        for stretch in (stretch for stretch in cover if stretch.in_strips):
            writer.write(stretch)
        writer.finish()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(data=st.data())
def test_strips_compute_the_same(data: st.DataObject) -> None:
    session = Session()
    with pyipu.dialect.context(), ir.Location.unknown():
        text = random_network(data.draw)
        module = ir.Module.parse(text)
        inputs = inputs_of(module)
        expected = interpret(module, session.parameters, inputs)
        run(module, session, "ipu-canonicalize,ipu-fuse")
        run_in_strips(data.draw, module)
        verify(module)
        found = interpret(module, session.parameters, inputs)
    for before, after in zip(expected, found, strict=True):
        # numpy adds up products of more rows in another order: only attention has any, all else is the same.
        allowed = 1e-6 * np.abs(before).max(initial=0) if "ipu.attention" in text else 0
        np.testing.assert_allclose(after, before, rtol=0, atol=allowed)
