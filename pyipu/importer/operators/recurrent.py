"""Recurrent layers: an op where there is one, else one step after the other; what the inputs give is one product.

Equations and the order of the gates are those of ONNX's documentation of LSTM, GRU and RNN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from pyipu.dialect import elementwise as ipu
from pyipu.dialect.definition import Op
from pyipu.dialect.linear import MatMul
from pyipu.dialect.recurrent import DIRECTIONS, LSTM
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.movement import concatenated, take
from pyipu.importer.registry import Floats, Strings, Value, operator

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
        whole = self.graph.reshape(_stacked(self.graph, rows), (steps, len(ran), batch, self.hidden))
        return [whole, *(_stacked(self.graph, parts) for parts in zip(*(state for _, state in ran), strict=True))]

    def _direction(self, number: int, backwards: bool) -> Direction:
        count = len(self.activations) // len(DIRECTIONS[self.direction])
        return Direction(
            backwards,
            self.graph.transpose(_item(self.graph, self.w, number), (1, 0)),
            self.graph.transpose(_item(self.graph, self.r, number), (1, 0)),
            *self._biases(number),
            None if self.p is None else _item(self.graph, self.p, number),
            tuple(self._initial(value, number) for value in self.initial),
            [ACTIVATIONS[name] for name in self.activations[number * count : (number + 1) * count]],
        )

    def _biases(self, number: int) -> tuple[Value | None, Value | None]:
        if self.b is None:
            return None, None
        inner, recurrent = _parts(self.graph, _item(self.graph, self.b, number), 2)
        return (inner, recurrent) if self.biases_apart else (self.graph.create(ipu.Add, inner, recurrent), None)

    def _initial(self, value: Value | None, number: int) -> Value:
        if value is not None:
            return _item(self.graph, value, number)
        data = tensor_of(self.x)
        return self.graph.constant(np.zeros((data.shape[1], self.hidden), data.numpy_dtype))

    def _unrolled(self, own: Direction, step: Step) -> tuple[dict[int, Value], State]:
        """Each step's result [batch, hidden], and the last state."""
        inputs = _plus(self.graph, self.graph.create(MatMul, self.x, own.weights), own.bias)
        steps, state, results = tensor_of(inputs).shape[0], own.initial, {}
        for time in sorted(range(steps), reverse=own.backwards):
            after = step(self.graph, own, _item(self.graph, inputs, time), state)
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


Run: TypeAlias = Callable[[Layer], list[Value]]
"""What `Layer.run` returns, for a layer of layout 0."""


def _item(graph: GraphBuilder, value: Value, number: int) -> Value:
    """One element along the first dimension, which vanishes."""
    return graph.reshape(take(graph, value, {0: range(number, number + 1)}), tensor_of(value).shape[1:])


def _parts(graph: GraphBuilder, value: Value, count: int) -> list[Value]:
    """Equal parts of the last dimension."""
    axis, size = tensor_of(value).rank - 1, tensor_of(value).shape[-1] // count
    return [take(graph, value, {axis: range(i * size, (i + 1) * size)}) for i in range(count)]


def _stacked(graph: GraphBuilder, values: Sequence[Value]) -> Value:
    """Along a new first dimension."""
    return concatenated(graph, [graph.reshape(value, (1, *tensor_of(value).shape)) for value in values], 0)


def _plus(graph: GraphBuilder, value: Value, other: Value | None) -> Value:
    return value if other is None else graph.create(ipu.Add, value, other)


def _activations(direction: str, given: Strings | None, default: Strings) -> Strings:
    """Of one direction after the other. None of those that pyipu has here takes alpha or beta."""
    if direction not in DIRECTIONS:
        raise UnsupportedError(f"has direction='{direction}'; ONNX knows {', '.join(DIRECTIONS)}")
    names = given or default * len(DIRECTIONS[direction])
    needed = len(default) * len(DIRECTIONS[direction])
    if len(names) != needed:
        raise ValueError(f"it needs {needed} activations, one direction's after the other, and has {len(names)}")
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise UnsupportedError(f"has the activation '{unknown[0]}'; pyipu has {', '.join(ACTIVATIONS)} in its place")
    return names


def _recurrent(layer: Layer, run: Run, layout: int, clip: float | None, hidden_size: int | None) -> list[Value]:
    """Results of a layer whose x and initial state are as `layout` says; 1 puts the batch first."""
    _check(layer, clip, hidden_size)
    if not layout:
        return run(layer)
    initial = [None if value is None else layer.graph.transpose(value, (1, 0, 2)) for value in layer.initial]
    x = layer.graph.transpose(layer.x, (1, 0, 2))
    whole, *last = run(replace(layer, x=x, initial=initial))
    return [layer.graph.transpose(whole, (2, 0, 1, 3)), *(layer.graph.transpose(value, (1, 0, 2)) for value in last)]


def _check(layer: Layer, clip: float | None, hidden_size: int | None) -> None:
    if clip is not None:
        raise UnsupportedError(f"has clip={clip}, but pyipu does not limit the arguments of activations")
    if hidden_size is not None and hidden_size != layer.hidden:
        raise ValueError(f"hidden_size {hidden_size} is not that of the weights {tensor_of(layer.r)}")


_LSTM_ACTIVATIONS = ("Sigmoid", "Tanh", "Tanh")


@operator("LSTM", since=7)
def lstm(
    graph: GraphBuilder,
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    initial_c: Value | None = None,
    p: Value | None = None,
    *,
    activation_alpha: Floats | None = None,
    activation_beta: Floats | None = None,
    activations: Strings | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: bool = False,
    layout: int = 0,
) -> list[Value]:
    """Gates: input, output, forget, candidate."""
    if input_forget:
        raise UnsupportedError("has input_forget=1, but pyipu has gates for both")
    names = _activations(direction, activations, _LSTM_ACTIVATIONS)
    layer = Layer(graph, x, w, r, b, sequence_lens, (initial_h, initial_c), direction, names, p)
    plain = names == _LSTM_ACTIVATIONS * layer.directions and p is None and sequence_lens is None
    run = _lstm_in_one if plain else partial(Layer.run, step=_lstm_step)
    return _recurrent(layer, run, layout, clip, hidden_size)


def _lstm_in_one(layer: Layer) -> list[Value]:
    """All results of a layer with the usual activations, which is one op."""
    graph, steps = layer.graph, tensor_of(layer.x).shape[0]
    recurrence = graph.transpose(layer.r, (0, 2, 1))
    packed = graph.reshape(recurrence, (layer.directions, 1, layer.hidden, 4 * layer.hidden))
    cells = len(graph.node.output) > 2 and bool(graph.node.output[2])
    operands = _lstm_gates(layer), packed, *_before(layer)
    whole = graph.create(LSTM, *operands, direction=layer.direction, cells=cells)
    states = take(graph, whole, {0: range(steps)})
    last = [_last_state(layer, states, i, backwards) for i, backwards in enumerate(DIRECTIONS[layer.direction])]
    together = graph.reshape(concatenated(graph, last, 1), tensor_of(whole).shape[1:])
    results = [states, together]
    return [*results, _item(graph, whole, steps)] if cells else results


def _lstm_gates(layer: Layer) -> Value:
    """What the inputs of all steps give to the gates of all directions, [steps, batch, directions * 4 * hidden]."""
    graph, inputs = layer.graph, tensor_of(layer.w).shape[-1]
    weights = graph.reshape(graph.transpose(layer.w, (2, 0, 1)), (inputs, layer.directions * 4 * layer.hidden))
    product = graph.create(MatMul, layer.x, weights)
    if layer.b is None:
        return product
    bias = graph.create(ipu.Add, *_parts(graph, layer.b, 2))
    return graph.create(ipu.Add, product, graph.reshape(bias, (layer.directions * 4 * layer.hidden,)))


def _before(layer: Layer) -> State:
    """State and cell before the first step, [directions, batch, hidden] each."""
    data = tensor_of(layer.x)
    zeros = np.zeros((layer.directions, data.shape[1], layer.hidden), data.numpy_dtype)
    return tuple(layer.graph.constant(zeros) if value is None else value for value in layer.initial)


def _last_state(layer: Layer, states: Value, number: int, backwards: bool) -> Value:
    """One direction's state after its last step, [1, 1, batch, hidden]."""
    time = 0 if backwards else tensor_of(states).shape[0] - 1
    return take(layer.graph, states, {0: range(time, time + 1), 1: range(number, number + 1)})


def _lstm_step(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    """The peepholes of the gates are in another order than the gates: input, output, forget."""
    hidden, cell = state
    gate, squash, show = own.activations
    gates = graph.create(ipu.Add, x, graph.create(MatMul, hidden, own.recurrence))
    write, read, keep, candidate = _parts(graph, gates, 4)
    peep_write, peep_read, peep_keep = [None] * 3 if own.peepholes is None else _parts(graph, own.peepholes, 3)
    written = _product(graph, gate, _peeping(graph, write, peep_write, cell), graph.create(squash, candidate))
    kept = _product(graph, gate, _peeping(graph, keep, peep_keep, cell), cell)
    new = graph.create(ipu.Add, kept, written)
    return _product(graph, gate, _peeping(graph, read, peep_read, new), graph.create(show, new)), new


def _product(graph: GraphBuilder, activation: type[Op], gate: Value, value: Value) -> Value:
    return graph.create(ipu.Multiply, graph.create(activation, gate), value)


def _peeping(graph: GraphBuilder, gate: Value, weights: Value | None, cell: Value) -> Value:
    return gate if weights is None else graph.create(ipu.Add, gate, graph.create(ipu.Multiply, weights, cell))


@operator("GRU", since=7)
def gru(
    graph: GraphBuilder,
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    *,
    activation_alpha: Floats | None = None,
    activation_beta: Floats | None = None,
    activations: Strings | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: bool = False,
) -> list[Value]:
    """Gates: update, reset, candidate."""
    names = _activations(direction, activations, ("Sigmoid", "Tanh"))
    layer = Layer(graph, x, w, r, b, sequence_lens, (initial_h,), direction, names, biases_apart=linear_before_reset)
    step = _gru_step_reset_after if linear_before_reset else _gru_step_reset_before
    return _recurrent(layer, partial(Layer.run, step=step), layout, clip, hidden_size)


def _gru_step_reset_after(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    """The reset gate acts on what the recurrence gives to the candidate."""
    (hidden,) = state
    recurrent = _plus(graph, graph.create(MatMul, hidden, own.recurrence), own.recurrence_bias)
    update, reset, candidate = _parts(graph, x, 3)
    recurrent_update, recurrent_reset, recurrent_candidate = _parts(graph, recurrent, 3)
    gate, squash = own.activations
    remembered = _product(graph, gate, graph.create(ipu.Add, reset, recurrent_reset), recurrent_candidate)
    new = graph.create(squash, graph.create(ipu.Add, candidate, remembered))
    return (_between(graph, graph.create(gate, graph.create(ipu.Add, update, recurrent_update)), hidden, new),)


def _gru_step_reset_before(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    """The reset gate acts on what the candidate's recurrence reads."""
    (hidden,) = state
    gate, squash = own.activations
    size = tensor_of(hidden).shape[-1]
    gates = [take(graph, value, {1: range(2 * size)}) for value in (x, own.recurrence)]
    last = [take(graph, value, {1: range(2 * size, 3 * size)}) for value in (x, own.recurrence)]
    both = graph.create(ipu.Add, gates[0], graph.create(MatMul, hidden, gates[1]))
    update, reset = _parts(graph, both, 2)
    remembered = graph.create(MatMul, _product(graph, gate, reset, hidden), last[1])
    new = graph.create(squash, graph.create(ipu.Add, last[0], remembered))
    return (_between(graph, graph.create(gate, update), hidden, new),)


def _between(graph: GraphBuilder, share: Value, old: Value, new: Value) -> Value:
    """share * old + (1 - share) * new."""
    return graph.create(ipu.Add, new, graph.create(ipu.Multiply, share, graph.create(ipu.Subtract, old, new)))


@operator("RNN", since=7)
def rnn(
    graph: GraphBuilder,
    x: Value,
    w: Value,
    r: Value,
    b: Value | None = None,
    sequence_lens: Value | None = None,
    initial_h: Value | None = None,
    *,
    activation_alpha: Floats | None = None,
    activation_beta: Floats | None = None,
    activations: Strings | None = None,
    clip: float | None = None,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> list[Value]:
    """One gate, whose activation is the state."""
    names = _activations(direction, activations, ("Tanh",))
    layer = Layer(graph, x, w, r, b, sequence_lens, (initial_h,), direction, names)
    return _recurrent(layer, partial(Layer.run, step=_rnn_step), layout, clip, hidden_size)


def _rnn_step(graph: GraphBuilder, own: Direction, x: Value, state: State) -> State:
    (squash,) = own.activations
    recurrent = graph.create(MatMul, state[0], own.recurrence)
    return (graph.create(squash, graph.create(ipu.Add, x, recurrent)),)
