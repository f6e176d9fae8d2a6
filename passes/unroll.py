"""The pass that writes recurrent layers out step by step, where a target cannot run them as one vertex."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Add, Multiply, Sigmoid, Tanh
from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Slice, concatenate
from pyipu.dialect.recurrent import DIRECTIONS, GATES, LSTM
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import apply_rules, build, shape_of
from pyipu.passes.session import Session

State = tuple[ir.Value, ir.Value]
"""The state and the cell, [batch, hidden]."""


@dataclass(frozen=True)
class Unroll(Pass):
    """Writes recurrent layers out step by step: products and element-wise ops instead of a loop in a codelet."""

    NAME: ClassVar[str] = "ipu-unroll"

    stack: int = 0
    """A loop keeps a step's sums, its state and its cell on the stack: those that need at most so many bytes stay."""

    def run(self, module: ir.Module, session: Session) -> None:
        def unrolled_if_large(op: LSTM, session: Session) -> ir.Value | None:
            return unrolled(op, session) if stack_bytes(op) > self.stack else None

        apply_rules(module, {LSTM: (unrolled_if_large,)}, session)


def stack_bytes(op: LSTM) -> int:
    """What one direction's loop keeps besides its operands and its result: the sums of all gates, state and cell."""
    state = tensor_of(op.operands[2])
    return (GATES + 2) * state.bytes // state.shape[0]


def unrolled(op: LSTM, session: Session) -> ir.Value:
    """All steps of one direction after the other, and their states stacked."""
    steps, batch, _ = shape_of(op.operands[0])
    ran = [_run(op, number, back, session) for number, back in enumerate(DIRECTIONS[op.direction])]
    rows = [states[time] for time in range(steps) for states, _ in ran]
    rows += [cell for _, cell in ran] if op.cells else []
    hidden = shape_of(op.operands[2])[-1]
    stacked = concatenate([reshaped(row, (1, batch, hidden), session) for row in rows], 0)
    return reshaped(stacked, shape_of(op.result), session)


def _run(op: LSTM, number: int, backwards: bool, session: Session) -> tuple[dict[int, ir.Value], ir.Value]:
    """One direction: the state after each step, and the last cell, [batch, hidden] each."""
    weights = _matrix(op.operands[1], number, session)
    state, cell = (_item(value, number, session) for value in op.operands[2:])
    states: dict[int, ir.Value] = {}
    for time in sorted(range(shape_of(op.operands[0])[0]), reverse=backwards):
        product = build(MatMul, session, state, weights)
        gates = build(Add, session, _given(op, time, number, session), product)
        state, cell = _step(gates, cell, session)
        states[time] = state
    return states, cell


def _step(gates: ir.Value, cell: ir.Value, session: Session) -> State:
    write, read, keep, candidate = _gates(gates, session)
    written = _gated(write, build(Tanh, session, candidate), session)
    new = build(Add, session, _gated(keep, cell, session), written)
    return _gated(read, build(Tanh, session, new), session), new


def _gated(gate: ir.Value, value: ir.Value, session: Session) -> ir.Value:
    return build(Multiply, session, build(Sigmoid, session, gate), value)


def _gates(gates: ir.Value, session: Session) -> Iterator[ir.Value]:
    batch, width = shape_of(gates)
    hidden = width // GATES
    return (_part(gates, (0, i * hidden), (batch, hidden), session) for i in range(GATES))


def _matrix(recurrence: ir.Value, number: int, session: Session) -> ir.Value:
    """One direction's blocks of columns side by side, the columns of a gate together: [hidden, 4 * hidden]."""
    blocks, hidden, columns = shape_of(recurrence)[1:]
    split = reshaped(_item(recurrence, number, session), (blocks, hidden, GATES, columns // GATES), session)
    return reshaped(transposed(split, (1, 2, 0, 3), session), (hidden, GATES * hidden), session)


def _given(op: LSTM, time: int, number: int, session: Session) -> ir.Value:
    """What the input of a step gives to the gates, [batch, 4 * hidden]."""
    gates, width = op.operands[0], GATES * shape_of(op.operands[2])[-1]
    batch = shape_of(gates)[1]
    return reshaped(_part(gates, (time, 0, number * width), (1, batch, width), session), (batch, width), session)


def _item(value: ir.Value, number: int, session: Session) -> ir.Value:
    """One element along the first dimension, which vanishes."""
    _, *sizes = shape_of(value)
    return reshaped(_part(value, (number, *[0] * len(sizes)), (1, *sizes), session), tuple(sizes), session)


def _part(value: ir.Value, offsets: Sequence[int], sizes: Sequence[int], session: Session) -> ir.Value:
    ones = (1,) * len(sizes)
    return build(Slice, session, value, offsets=tuple(offsets), sizes=tuple(sizes), strides=ones)
