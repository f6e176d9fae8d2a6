"""Recurrent layers one step after the other; what the inputs give to all steps is one product.

Equations and the order of the gates are those of ONNX's documentation of LSTM, GRU and RNN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pyipu.dialect import elementwise as ipu
from pyipu.dialect.definition import Op
from pyipu.dialect.linear import MatMul
from pyipu.dialect.recurrent_loops import DIRECTIONS
from pyipu.dialect.types import tensor_of
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.movement import concatenated, take
from pyipu.importer.registry import Value

State: TypeAlias = tuple[Value, ...]
"""What a step hands on to the next one, [batch, hidden] each; the first is what the layer returns of the step."""

ACTIVATIONS: dict[str, type[Op]] = {"Sigmoid": ipu.Sigmoid, "Tanh": ipu.Tanh, "Relu": ipu.Relu}


@dataclass(frozen=True)
class Direction:
    """One direction of a layer; its gates stand side by side in the last dimension.

    weights [inputs, gates * hidden], recurrence [hidden, gates * hidden], bias and recurrence_bias [gates * hidden],
    peepholes [3 * hidden]. Without `recurrence_bias`, `bias` is the sum of both.
    """

    backwards: bool
    weights: Value
    recurrence: Value
    bias: Value | None
    recurrence_bias: Value | None
    peepholes: Value | None
    initial: State
    activations: Sequence[type[Op]]


Step: TypeAlias = Callable[[GraphBuilder, Direction, Value, State], State]
"""From what its input gives to a step, [batch, gates * hidden], and the state before it to the state after it."""


@dataclass(frozen=True)
class Layer:
    """Inputs and attributes that recurrent operators share, with ONNX's names, in the shapes of `layout` 0.

    x [steps, batch, inputs], w [directions, gates * hidden, inputs], r [directions, gates * hidden, hidden],
    b [directions, 2 * gates * hidden], sequence_lens [batch], initial [directions, batch, hidden] each, None for
    zeros, p [directions, 3 * hidden]. `activations` are those of one direction after the other.
    """

    graph: GraphBuilder
    x: Value
    w: Value
    r: Value
    b: Value | None
    sequence_lens: Value | None
    initial: Sequence[Value | None]
    direction: str
    activations: Sequence[str]
    p: Value | None = None
    biases_apart: bool = False

    @property
    def hidden(self) -> int:
        return tensor_of(self.r).shape[-1]

    @property
    def directions(self) -> int:
        return len(DIRECTIONS[self.direction])

    def run(self, step: Step) -> list[Value]:
        """All results [steps, directions, batch, hidden], and the last state [directions, batch, hidden] each."""
        steps, batch, _ = tensor_of(self.x).shape
        ran = [self._unrolled(self._direction(i, back), step) for i, back in enumerate(DIRECTIONS[self.direction])]
        rows = [outputs[time] for time in range(steps) for outputs, _ in ran]
        whole = self.graph.reshape(stacked(self.graph, rows), (steps, len(ran), batch, self.hidden))
        return [whole, *(stacked(self.graph, parts) for parts in zip(*(state for _, state in ran), strict=True))]

    def _direction(self, number: int, backwards: bool) -> Direction:
        count = len(self.activations) // len(DIRECTIONS[self.direction])
        return Direction(
            backwards,
            self.graph.transpose(item(self.graph, self.w, number), (1, 0)),
            self.graph.transpose(item(self.graph, self.r, number), (1, 0)),
            *self._biases(number),
            None if self.p is None else item(self.graph, self.p, number),
            tuple(self._initial(value, number) for value in self.initial),
            [ACTIVATIONS[name] for name in self.activations[number * count : (number + 1) * count]],
        )

    def _biases(self, number: int) -> tuple[Value | None, Value | None]:
        if self.b is None:
            return None, None
        inner, recurrent = parts(self.graph, item(self.graph, self.b, number), 2)
        return (inner, recurrent) if self.biases_apart else (self.graph.create(ipu.Add, inner, recurrent), None)

    def _initial(self, value: Value | None, number: int) -> Value:
        if value is not None:
            return item(self.graph, value, number)
        data = tensor_of(self.x)
        return self.graph.constant(np.zeros((data.shape[1], self.hidden), data.numpy_dtype))

    def _unrolled(self, own: Direction, step: Step) -> tuple[dict[int, Value], State]:
        """Each step's result [batch, hidden], and the last state."""
        inputs = plus(self.graph, self.graph.create(MatMul, self.x, own.weights), own.bias)
        steps, state, results = tensor_of(inputs).shape[0], own.initial, {}
        for time in sorted(range(steps), reverse=own.backwards):
            after = step(self.graph, own, item(self.graph, inputs, time), state)
            results[time], state = self._while_running(time, state, after)
        return results, state

    def _while_running(self, time: int, before: State, after: State) -> tuple[Value, State]:
        """Where a sequence has ended, or has yet to begin when read backwards: zero, and the state before the step."""
        if self.sequence_lens is None:
            return after[0], after
        create, lengths = self.graph.create, self.graph.reshape(self.sequence_lens, (tensor_of(self.x).shape[1], 1))
        running = create(ipu.Greater, lengths, self.graph.scalar(time, lengths))
        state = tuple(create(ipu.Where, running, new, old) for new, old in zip(after, before, strict=True))
        return create(ipu.Where, running, after[0], self.graph.scalar(0, after[0])), state


def item(graph: GraphBuilder, value: Value, number: int) -> Value:
    """One element along the first dimension, which vanishes."""
    return graph.reshape(take(graph, value, {0: range(number, number + 1)}), tensor_of(value).shape[1:])


def parts(graph: GraphBuilder, value: Value, count: int) -> list[Value]:
    """Equal parts of the last dimension."""
    axis, size = tensor_of(value).rank - 1, tensor_of(value).shape[-1] // count
    return [take(graph, value, {axis: range(i * size, (i + 1) * size)}) for i in range(count)]


def stacked(graph: GraphBuilder, values: Sequence[Value]) -> Value:
    """Along a new first dimension."""
    return concatenated(graph, [graph.reshape(value, (1, *tensor_of(value).shape)) for value in values], 0)


def plus(graph: GraphBuilder, value: Value, other: Value | None) -> Value:
    return value if other is None else graph.create(ipu.Add, value, other)


def lstm_step(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    """The peepholes of the gates are in another order than the gates: input, output, forget."""
    hidden, cell = state
    gate, squash, show = own.activations
    gates = graph.create(ipu.Add, x, graph.create(MatMul, hidden, own.recurrence))
    write, read, keep, candidate = parts(graph, gates, 4)
    peep_write, peep_read, peep_keep = [None] * 3 if own.peepholes is None else parts(graph, own.peepholes, 3)
    written = _product(graph, gate, _peeping(graph, write, peep_write, cell), graph.create(squash, candidate))
    kept = _product(graph, gate, _peeping(graph, keep, peep_keep, cell), cell)
    new = graph.create(ipu.Add, kept, written)
    return _product(graph, gate, _peeping(graph, read, peep_read, new), graph.create(show, new)), new


def _product(graph: GraphBuilder, activation: type[Op], gate: Value, value: Value) -> Value:
    return graph.create(ipu.Multiply, graph.create(activation, gate), value)


def _peeping(graph: GraphBuilder, gate: Value, weights: Value | None, cell: Value) -> Value:
    return gate if weights is None else graph.create(ipu.Add, gate, graph.create(ipu.Multiply, weights, cell))


def gru_step_reset_after(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    """The reset gate acts on what the recurrence gives to the candidate."""
    (hidden,) = state
    recurrent = plus(graph, graph.create(MatMul, hidden, own.recurrence), own.recurrence_bias)
    update, reset, candidate = parts(graph, x, 3)
    recurrent_update, recurrent_reset, recurrent_candidate = parts(graph, recurrent, 3)
    gate, squash = own.activations
    remembered = _product(graph, gate, graph.create(ipu.Add, reset, recurrent_reset), recurrent_candidate)
    new = graph.create(squash, graph.create(ipu.Add, candidate, remembered))
    return (_between(graph, graph.create(gate, graph.create(ipu.Add, update, recurrent_update)), hidden, new),)


def gru_step_reset_before(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    """The reset gate acts on what the candidate's recurrence reads."""
    (hidden,) = state
    gate, squash = own.activations
    size = tensor_of(hidden).shape[-1]
    gates = [take(graph, value, {1: range(2 * size)}) for value in (x, own.recurrence)]
    last = [take(graph, value, {1: range(2 * size, 3 * size)}) for value in (x, own.recurrence)]
    both = graph.create(ipu.Add, gates[0], graph.create(MatMul, hidden, gates[1]))
    update, reset = parts(graph, both, 2)
    remembered = graph.create(MatMul, _product(graph, gate, reset, hidden), last[1])
    new = graph.create(squash, graph.create(ipu.Add, last[0], remembered))
    return (_between(graph, graph.create(gate, update), hidden, new),)


def _between(graph: GraphBuilder, share: Value, old: Value, new: Value) -> Value:
    """share * old + (1 - share) * new."""
    return graph.create(ipu.Add, new, graph.create(ipu.Multiply, share, graph.create(ipu.Subtract, old, new)))


def rnn_step(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    (squash,) = own.activations
    recurrent = graph.create(MatMul, state[0], own.recurrence)
    return (graph.create(squash, graph.create(ipu.Add, x, recurrent)),)
