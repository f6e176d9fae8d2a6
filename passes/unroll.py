"""The pass that writes recurrent layers out step by step, where a target cannot run them as one vertex."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add, Multiply, Sigmoid, Subtract, Tanh
from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Slice, concatenate
from pyipu.dialect.recurrent import GRU, LSTM, RNN, Recurrent
from pyipu.dialect.recurrent_loops import DIRECTIONS
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import apply_rules, build, shape_of
from pyipu.passes.session import Session

States: TypeAlias = Sequence[ir.Value]
"""What a step hands on to the next one, [batch, hidden] each; the first is what the layer returns of the step."""


@dataclass(frozen=True)
class Unroll(Pass):
    """Writes recurrent layers out step by step: products and element-wise ops instead of a loop in a codelet."""

    NAME: ClassVar[str] = "ipu-unroll"

    stack: int = 0
    """A loop keeps a step's sums, its state and its cell on the stack: those that need at most so many bytes stay."""

    def run(self, module: ir.Module, session: Session) -> None:
        def unrolled_if_large(op: Recurrent, session: Session) -> ir.Value | None:
            return unrolled(op, session) if stack_bytes(op) > self.stack else None

        apply_rules(module, {Recurrent: (unrolled_if_large,)}, session)


def stack_bytes(op: Recurrent) -> int:
    """What one direction's loop keeps besides its operands and its result: the sums of all gates, and two states."""
    state = tensor_of(op.operands[op.FIRST_STATE])
    return (op.GATES + 2) * state.bytes // state.shape[0]


def unrolled(op: Recurrent, session: Session) -> ir.Value:
    """All steps of one direction after the other, and their states stacked."""
    steps, batch, _ = shape_of(op.operands[0])
    ran = [_run(op, number, back, session) for number, back in enumerate(DIRECTIONS[op.direction])]
    rows = [states[time] for time in range(steps) for states, _ in ran]
    rows += [last[-1] for _, last in ran] if shape_of(op.result)[0] > steps else []
    hidden = shape_of(op.result)[-1]
    stacked = concatenate([reshaped(row, (1, batch, hidden), session) for row in rows], 0)
    return reshaped(stacked, shape_of(op.result), session)


@dataclass(frozen=True)
class _Direction:
    """What the steps of a direction read: `matrix` [hidden, gates * hidden], `others` [hidden] each."""

    op: Recurrent
    session: Session
    matrix: ir.Value
    others: Sequence[ir.Value]

    def matmul(self, state: ir.Value, gates: slice) -> ir.Value:
        """What a state gives to some of the gates."""
        depth, width = shape_of(self.matrix)
        each = width // self.op.GATES
        start, stop, _ = gates.indices(self.op.GATES)
        return self.build(MatMul, state, self.part(self.matrix, (0, start * each), (depth, (stop - start) * each)))

    def gates(self, value: ir.Value) -> list[ir.Value]:
        """Of [batch, some gates * hidden] each gate."""
        batch, width = shape_of(value)
        hidden, _ = shape_of(self.matrix)
        return [self.part(value, (0, at), (batch, hidden)) for at in range(0, width, hidden)]

    def gated(self, gate: ir.Value, value: ir.Value) -> ir.Value:
        return self.build(Multiply, self.build(Sigmoid, gate), value)

    def part(self, value: ir.Value, offsets: Sequence[int], sizes: Sequence[int]) -> ir.Value:
        return _part(value, offsets, sizes, self.session)

    def build(self, op: type[Op], *operands: ir.Value) -> ir.Value:
        return build(op, self.session, *operands)


def _run(op: Recurrent, number: int, backwards: bool, session: Session) -> tuple[dict[int, ir.Value], States]:
    """One direction: the state after each step, and the last states, [batch, hidden] each."""
    others, before = op.operands[2 : op.FIRST_STATE], op.operands[op.FIRST_STATE :]
    own = _Direction(op, session, _matrix(op, number, session), [_item(value, number, session) for value in others])
    states: States = [_item(value, number, session) for value in before]
    shown: dict[int, ir.Value] = {}
    for time in sorted(range(shape_of(op.operands[0])[0]), reverse=backwards):
        states = _STEPS[type(op)](own, _given(op, time, number, session), *states)
        shown[time] = states[0]
    return shown, states


def _lstm_step(own: _Direction, given: ir.Value, state: ir.Value, cell: ir.Value) -> States:
    gates = own.build(Add, given, own.matmul(state, slice(None)))
    write, read, keep, candidate = own.gates(gates)
    written = own.gated(write, own.build(Tanh, candidate))
    new = own.build(Add, own.gated(keep, cell), written)
    return own.gated(read, own.build(Tanh, new)), new


def _gru_step(own: _Direction, given: ir.Value, state: ir.Value) -> States:
    """share * old + (1 - share) * new, where the share is that of the update gate."""
    (bias,) = own.others
    both, candidate = own.matmul(state, slice(2)), slice(2, None)
    update, reset = (own.build(Add, *pair) for pair in zip(own.gates(given), own.gates(both), strict=False))
    if own.op.linear_before_reset:
        left = own.gated(reset, own.build(Add, own.matmul(state, candidate), bias))
    else:
        left = own.build(Add, own.matmul(own.gated(reset, state), candidate), bias)
    new = own.build(Tanh, own.build(Add, own.gates(given)[2], left))
    return (own.build(Add, new, own.gated(update, own.build(Subtract, state, new))),)


def _rnn_step(own: _Direction, given: ir.Value, state: ir.Value) -> States:
    return (own.build(Tanh, own.build(Add, given, own.matmul(state, slice(None)))),)


_STEPS: dict[type[Recurrent], Callable[..., States]] = {LSTM: _lstm_step, GRU: _gru_step, RNN: _rnn_step}
"""From a direction, what the input gives to a step and the states before it to the states after it."""


def _matrix(op: Recurrent, number: int, session: Session) -> ir.Value:
    """One direction's blocks of columns side by side, the columns of a gate together: [hidden, gates * hidden]."""
    recurrence = op.operands[1]
    blocks, hidden, columns = shape_of(recurrence)[1:]
    split = reshaped(_item(recurrence, number, session), (blocks, hidden, op.GATES, columns // op.GATES), session)
    return reshaped(transposed(split, (1, 2, 0, 3), session), (hidden, op.GATES * hidden), session)


def _given(op: Recurrent, time: int, number: int, session: Session) -> ir.Value:
    """What the input of a step gives to the gates, [batch, gates * hidden]."""
    gates, width = op.operands[0], op.GATES * shape_of(op.result)[-1]
    batch = shape_of(gates)[1]
    return reshaped(_part(gates, (time, 0, number * width), (1, batch, width), session), (batch, width), session)


def _item(value: ir.Value, number: int, session: Session) -> ir.Value:
    """One element along the first dimension, which vanishes."""
    _, *sizes = shape_of(value)
    return reshaped(_part(value, (number, *[0] * len(sizes)), (1, *sizes), session), tuple(sizes), session)


def _part(value: ir.Value, offsets: Sequence[int], sizes: Sequence[int], session: Session) -> ir.Value:
    ones = (1,) * len(sizes)
    return build(Slice, session, value, offsets=tuple(offsets), sizes=tuple(sizes), strides=ones)
