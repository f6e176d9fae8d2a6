"""Layers that run step by step, each as one op; equations and gates are those of ONNX's LSTM, GRU and RNN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.elementwise import Sigmoid
from pyipu.dialect.recurrent_loops import DIRECTIONS, GRULoops, LSTMLoops, RNNLoops
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value

States: TypeAlias = Sequence[np.ndarray]
"""What one direction hands on to its next step, [batch, hidden] each; the first one is what the layer returns."""


class Recurrent(Op):
    """All steps of a layer in one direction or in both.

    `gates` [steps, batch, directions * GATES * hidden] is what its input gives to the gates, of one direction after the
    other. `recurrence` [directions, blocks, hidden, GATES * columns] is what the state is multiplied with, in blocks of
    columns: each has its columns of all gates. The result is the state after each step, [steps, directions, batch,
    hidden].
    """

    direction: str
    widens = True
    rounds = False

    GATES: ClassVar[int]
    FIRST_STATE: ClassVar[int] = 2
    """From this operand on they are states before the first step, [directions, batch, hidden] each."""

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        steps, batch, _ = operands[0].shape
        return steps * batch * operands[1].elements

    @classmethod
    def check_layer(cls, gates: Tensor, recurrence: Tensor, state: Tensor, direction: str) -> Tensor:
        """The states after all steps; raises ValueError when the operands do not fit."""
        require(direction in DIRECTIONS, f"knows the directions {', '.join(DIRECTIONS)}, not '{direction}'")
        require(gates.rank == 3 and recurrence.rank == 4, f"cannot run {gates} through {recurrence}")
        steps, batch, width = gates.shape
        directions, blocks, hidden, columns = recurrence.shape
        fits = directions == len(DIRECTIONS[direction]) and width == directions * cls.GATES * hidden
        require(fits and blocks * columns == cls.GATES * hidden, f"cannot run {gates} through {recurrence}")
        before = gates.with_shape((directions, batch, hidden))
        require(state == before, f"needs a state of type {before}, got {state}")
        require(recurrence.dtype == gates.dtype and gates.is_float, "needs floating-point operands of one element type")
        return gates.with_shape((steps, directions, batch, hidden))


class LSTM(Recurrent, mnemonic="lstm"):
    """A layer of long short-term memory, all steps in both directions.

    `gates` [steps, batch, directions * 4 * hidden] is what its input gives to the gates: of one direction after the
    other input, output, forget and candidate. `recurrence` [directions, blocks, hidden, 4 * columns] is what the state
    is multiplied with, in blocks of columns: each has its columns of all four gates. `state` and `cell`
    [directions, batch, hidden] are those before the first step. The result is the state after each step, [steps,
    directions, batch, hidden]; with `cells` there is one row more, the last cells.
    """

    cells: bool = False
    GATES = 4

    @classmethod
    def infer(
        cls, gates: Tensor, recurrence: Tensor, state: Tensor, cell: Tensor, *, direction: str, cells: bool
    ) -> Tensor:
        states = cls.check_layer(gates, recurrence, state, direction)
        require(cell == state, f"needs a cell of type {state}, got {cell}")
        steps, *sizes = states.shape
        return states.with_shape((steps + cells, *sizes))

    @staticmethod
    def evaluate(
        gates: np.ndarray, recurrence: np.ndarray, state: np.ndarray, cell: np.ndarray, *, direction: str, cells: bool
    ) -> np.ndarray:
        matrices = [unpacked(one) for one in recurrence]

        def step(number: int, given: np.ndarray, before: States) -> States:
            shown, kept = before
            write, read, keep, candidate = np.split(given + shown @ matrices[number], LSTM.GATES, axis=-1)
            new = Sigmoid.evaluate(keep) * kept + Sigmoid.evaluate(write) * np.tanh(candidate)
            return Sigmoid.evaluate(read) * np.tanh(new), new

        states, last = _after_steps(gates, (state, cell), direction, step)
        return np.concatenate([states, [[kept for _, kept in last]]]) if cells else states

    @staticmethod
    def lower(
        writer: CodeletWriter,
        gates: Value,
        recurrence: Value,
        state: Value,
        cell: Value,
        *,
        direction: str,
        cells: bool,
    ) -> Value:
        types = gates.tensor, recurrence.tensor, state.tensor, cell.tensor
        result = LSTM.infer(*types, direction=direction, cells=cells)
        return LSTMLoops.of(writer, gates, recurrence, direction).write(result, [state, cell])


class GRU(Recurrent, mnemonic="gru"):
    """A layer of gated recurrent units, all steps in both directions.

    `gates` [steps, batch, directions * 3 * hidden] is what its input gives to the gates: of one direction after the
    other update, reset and candidate. `recurrence` [directions, blocks, hidden, 3 * columns] is what the state is
    multiplied with, in blocks of columns: each has its columns of all three gates. `bias` [directions, hidden] is added
    to what the state gives to the candidate, and `state` [directions, batch, hidden] is that before the first step.
    With `linear_before_reset` the reset gate multiplies what the state gives to the candidate, else the state that
    gives it. The result is the state after each step, [steps, directions, batch, hidden].
    """

    linear_before_reset: bool = False
    GATES = 3
    FIRST_STATE = 3

    @classmethod
    def infer(
        cls,
        gates: Tensor,
        recurrence: Tensor,
        bias: Tensor,
        state: Tensor,
        *,
        direction: str,
        linear_before_reset: bool,
    ) -> Tensor:
        states = cls.check_layer(gates, recurrence, state, direction)
        directions, _, hidden = state.shape
        needed = gates.with_shape((directions, hidden))
        require(bias == needed, f"needs a bias of type {needed}, got {bias}")
        return states

    @staticmethod
    def evaluate(
        gates: np.ndarray,
        recurrence: np.ndarray,
        bias: np.ndarray,
        state: np.ndarray,
        *,
        direction: str,
        linear_before_reset: bool,
    ) -> np.ndarray:
        matrices = [np.split(unpacked(one), [2 * state.shape[-1]], axis=-1) for one in recurrence]

        def step(number: int, given: np.ndarray, before: States) -> States:
            (old,), (both, last) = before, matrices[number]
            *shares, candidate = np.split(given, GRU.GATES, axis=-1)
            update, reset = (
                Sigmoid.evaluate(np.concatenate(shares, -1) + old @ both).reshape(len(old), 2, -1).swapaxes(0, 1)
            )
            summed = reset * (old @ last + bias[number]) if linear_before_reset else (reset * old) @ last + bias[number]
            return (update * old + (1 - update) * np.tanh(candidate + summed),)

        return _after_steps(gates, (state,), direction, step)[0]

    @staticmethod
    def lower(
        writer: CodeletWriter,
        gates: Value,
        recurrence: Value,
        bias: Value,
        state: Value,
        *,
        direction: str,
        linear_before_reset: bool,
    ) -> Value:
        types = gates.tensor, recurrence.tensor, bias.tensor, state.tensor
        result = GRU.infer(*types, direction=direction, linear_before_reset=linear_before_reset)
        loops = GRULoops.of(writer, gates, recurrence, direction, bias=bias, linear_before_reset=linear_before_reset)
        return loops.write(result, [state])


class RNN(Recurrent, mnemonic="rnn"):
    """A recurrent layer of one gate, all steps in both directions: the state is tanh of what input and state give.

    `gates` [steps, batch, directions * hidden] is what its input gives, of one direction after the other. `recurrence`
    [directions, blocks, hidden, columns] is what the state is multiplied with, in blocks of columns. `state`
    [directions, batch, hidden] is that before the first step. The result is the state after each step, [steps,
    directions, batch, hidden].
    """

    GATES = 1

    @classmethod
    def infer(cls, gates: Tensor, recurrence: Tensor, state: Tensor, *, direction: str) -> Tensor:
        return cls.check_layer(gates, recurrence, state, direction)

    @staticmethod
    def evaluate(gates: np.ndarray, recurrence: np.ndarray, state: np.ndarray, *, direction: str) -> np.ndarray:
        matrices = [unpacked(one) for one in recurrence]

        def step(number: int, given: np.ndarray, before: States) -> States:
            return (np.tanh(given + before[0] @ matrices[number]),)

        return _after_steps(gates, (state,), direction, step)[0]

    @staticmethod
    def lower(writer: CodeletWriter, gates: Value, recurrence: Value, state: Value, *, direction: str) -> Value:
        result = RNN.infer(gates.tensor, recurrence.tensor, state.tensor, direction=direction)
        return RNNLoops.of(writer, gates, recurrence, direction).write(result, [state])


def unpacked(recurrence: np.ndarray) -> np.ndarray:
    """One direction's blocks of columns as a matrix, [hidden, gates * hidden]."""
    blocks, hidden, columns = recurrence.shape
    gates = blocks * columns // hidden
    split = recurrence.reshape(blocks, hidden, gates, columns // gates)
    return split.transpose(1, 2, 0, 3).reshape(hidden, -1)


def _after_steps(
    gates: np.ndarray, before: States, direction: str, step: Callable[[int, np.ndarray, States], States]
) -> tuple[np.ndarray, list[States]]:
    """The first state after each step, [steps, directions, batch, hidden], and all of each direction's last states.

    `step` gets the number of the direction, what the input gives to its gates, [batch, gates * hidden], and the states.
    """
    directions, batch, _ = before[0].shape
    split = gates.reshape(len(gates), batch, directions, -1)
    result, last = np.empty((len(gates), *before[0].shape), gates.dtype), []
    for number, backwards in enumerate(DIRECTIONS[direction]):
        states: States = [one[number] for one in before]
        for time in sorted(range(len(gates)), reverse=backwards):
            states = step(number, split[time, :, number], states)
            result[time, number] = states[0]
        last.append(states)
    return result, last
