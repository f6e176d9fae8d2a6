"""Recurrent layers: an op where there is one, else one step after the other; what the inputs give is one product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from pyipu.dialect import elementwise as ipu
from pyipu.dialect.linear import MatMul
from pyipu.dialect.recurrent import GRU, LSTM, RNN, Recurrent
from pyipu.dialect.recurrent_loops import DIRECTIONS
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.movement import concatenated, take
from pyipu.importer.operators.recurrent_steps import (
    ACTIVATIONS,
    Layer,
    gru_step_reset_after,
    gru_step_reset_before,
    item,
    lstm_step,
    parts,
    rnn_step,
)
from pyipu.importer.registry import Floats, Strings, Value, operator

Run: TypeAlias = Callable[[Layer], list[Value]]
"""What `Layer.run` returns, for a layer of layout 0."""


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


def _is_plain(layer: Layer, activations: Strings) -> bool:
    """There is one op for it: it has the usual activations, and runs every sequence to the end."""
    return tuple(layer.activations) == tuple(activations) * layer.directions and layer.sequence_lens is None


_LSTM_ACTIVATIONS = ("Sigmoid", "Tanh", "Tanh")
_GRU_ACTIVATIONS = ("Sigmoid", "Tanh")
_RNN_ACTIVATIONS = ("Tanh",)


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
    plain = _is_plain(layer, _LSTM_ACTIVATIONS) and p is None
    run = _lstm_in_one if plain else partial(Layer.run, step=lstm_step)
    return _recurrent(layer, run, layout, clip, hidden_size)


def _lstm_in_one(layer: Layer) -> list[Value]:
    """All results of a layer with the usual activations, which is one op; the last cells if somebody wants them."""
    steps, names = tensor_of(layer.x).shape[0], layer.graph.node.output
    cells = len(names) > 2 and bool(names[2])
    gates = _given(layer, LSTM, _whole_bias)
    whole = _in_one(layer, LSTM, gates, *_before(layer), cells=cells)
    results = _results(layer, take(layer.graph, whole, {0: range(steps)}))
    return [*results, item(layer.graph, whole, steps)] if cells else results


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
    names = _activations(direction, activations, _GRU_ACTIVATIONS)
    layer = Layer(graph, x, w, r, b, sequence_lens, (initial_h,), direction, names, biases_apart=linear_before_reset)
    if _is_plain(layer, _GRU_ACTIVATIONS):
        run = partial(_gru_in_one, linear_before_reset=linear_before_reset)
    else:
        run = partial(Layer.run, step=gru_step_reset_after if linear_before_reset else gru_step_reset_before)
    return _recurrent(layer, run, layout, clip, hidden_size)


def _gru_in_one(layer: Layer, linear_before_reset: bool) -> list[Value]:
    """All results of a layer with the usual activations, which is one op."""
    gates = _given(layer, GRU, _bias_of_input)
    operands = gates, _bias_of_candidate(layer), *_before(layer)
    return _results(layer, _in_one(layer, GRU, *operands, linear_before_reset=linear_before_reset))


def _bias_of_input(layer: Layer, b: Value) -> Value:
    """What is added to all gates, but the recurrence's share in the candidate: [directions, 3 * hidden]."""
    graph, hidden = layer.graph, layer.hidden
    inner, recurrent = parts(graph, b, 2)
    both = take(graph, recurrent, {1: range(2 * hidden)})
    nothing = graph.constant(np.zeros((layer.directions, hidden), tensor_of(b).numpy_dtype))
    return graph.create(ipu.Add, inner, concatenated(graph, [both, nothing], 1))


def _bias_of_candidate(layer: Layer) -> Value:
    """What is added to what the recurrence gives to the candidate, [directions, hidden]."""
    if layer.b is None:
        data = tensor_of(layer.x)
        return layer.graph.constant(np.zeros((layer.directions, layer.hidden), data.numpy_dtype))
    return parts(layer.graph, layer.b, 2 * GRU.GATES)[-1]


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
    names = _activations(direction, activations, _RNN_ACTIVATIONS)
    layer = Layer(graph, x, w, r, b, sequence_lens, (initial_h,), direction, names)
    run = _rnn_in_one if _is_plain(layer, _RNN_ACTIVATIONS) else partial(Layer.run, step=rnn_step)
    return _recurrent(layer, run, layout, clip, hidden_size)


def _rnn_in_one(layer: Layer) -> list[Value]:
    """All results of a layer with the usual activation, which is one op."""
    return _results(layer, _in_one(layer, RNN, _given(layer, RNN, _whole_bias), *_before(layer)))


def _in_one(layer: Layer, op: type[Recurrent], gates: Value, *operands: Value, **attributes: Any) -> Value:
    """The op with its matrix as a single block of columns."""
    packed = (layer.directions, 1, layer.hidden, op.GATES * layer.hidden)
    recurrence = layer.graph.reshape(layer.graph.transpose(layer.r, (0, 2, 1)), packed)
    return layer.graph.create(op, gates, recurrence, *operands, direction=layer.direction, **attributes)


def _given(layer: Layer, op: type[Recurrent], bias: Callable[[Layer, Value], Value]) -> Value:
    """What the inputs of all steps give to the gates of all directions, [steps, batch, directions * gates * hidden].

    `bias(layer, b)` is what is added to them, [directions, gates * hidden].
    """
    graph, inputs, width = layer.graph, tensor_of(layer.w).shape[-1], layer.directions * op.GATES * layer.hidden
    weights = graph.reshape(graph.transpose(layer.w, (2, 0, 1)), (inputs, width))
    product = graph.create(MatMul, layer.x, weights)
    return product if layer.b is None else graph.create(ipu.Add, product, graph.reshape(bias(layer, layer.b), (width,)))


def _whole_bias(layer: Layer, b: Value) -> Value:
    return layer.graph.create(ipu.Add, *parts(layer.graph, b, 2))


def _before(layer: Layer) -> Sequence[Value]:
    """The states before the first step, [directions, batch, hidden] each."""
    data = tensor_of(layer.x)
    zeros = np.zeros((layer.directions, data.shape[1], layer.hidden), data.numpy_dtype)
    return [layer.graph.constant(zeros) if value is None else value for value in layer.initial]


def _results(layer: Layer, states: Value) -> list[Value]:
    """The states after all steps, and the last ones of each direction, [directions, batch, hidden]."""
    last = [_last_state(layer, states, i, backwards) for i, backwards in enumerate(DIRECTIONS[layer.direction])]
    together = concatenated(layer.graph, last, 1)
    return [states, layer.graph.reshape(together, tensor_of(states).shape[1:])]


def _last_state(layer: Layer, states: Value, number: int, backwards: bool) -> Value:
    """One direction's state after its last step, [1, 1, batch, hidden]."""
    time = 0 if backwards else tensor_of(states).shape[0] - 1
    return take(layer.graph, states, {0: range(time, time + 1), 1: range(number, number + 1)})
