"""Layers that run step by step, each as one op."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.elementwise import Sigmoid, Tanh
from pyipu.dialect.linear import multiply_add
from pyipu.dialect.loops import Offset, apart, loop, read_part, write_part
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value, identity_map

GATES = 4

DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction of a layer starts at the end."""


class LSTM(Op, mnemonic="lstm"):
    """A layer of long short-term memory, all steps in both directions; equations and gates are those of ONNX's LSTM.

    `gates` [steps, batch, directions * 4 * hidden] is what its input gives to the gates: of one direction after the
    other input, output, forget and candidate. `recurrence` [directions, blocks, hidden, 4 * columns] is what the state
    is multiplied with, in blocks of columns: each has its columns of all four gates. `state` and `cell`
    [directions, batch, hidden] are those before the first step. The result is the state after each step, [steps,
    directions, batch, hidden]; with `cells` there is one row more, the last cells.
    """

    direction: str
    cells: bool = False
    widens = True
    rounds = False

    @staticmethod
    def infer(gates: Tensor, recurrence: Tensor, state: Tensor, cell: Tensor, *, direction: str, cells: bool) -> Tensor:
        require(direction in DIRECTIONS, f"knows the directions {', '.join(DIRECTIONS)}, not '{direction}'")
        require(gates.rank == 3 and recurrence.rank == 4, f"cannot run {gates} through {recurrence}")
        steps, batch, width = gates.shape
        directions, blocks, hidden, columns = recurrence.shape
        fits = directions == len(DIRECTIONS[direction]) and width == directions * GATES * hidden
        require(fits and blocks * columns == GATES * hidden, f"cannot run {gates} through {recurrence}")
        before = gates.with_shape((directions, batch, hidden))
        require(state == cell == before, f"needs a state and a cell of type {before}, got {state} and {cell}")
        require(recurrence.dtype == gates.dtype and gates.is_float, "needs floating-point operands of one element type")
        return gates.with_shape((steps + cells, directions, batch, hidden))

    @staticmethod
    def evaluate(
        gates: np.ndarray, recurrence: np.ndarray, state: np.ndarray, cell: np.ndarray, *, direction: str, cells: bool
    ) -> np.ndarray:
        directions, batch, hidden = state.shape
        result = np.empty((len(gates) + cells, directions, batch, hidden), gates.dtype)
        split = gates.reshape(len(gates), batch, directions, GATES * hidden)
        for number, backwards in enumerate(DIRECTIONS[direction]):
            shown, kept = state[number], cell[number]
            for time in sorted(range(len(gates)), reverse=backwards):
                total = split[time, :, number] + shown @ unpacked(recurrence[number])
                shown, kept = _step(total, kept)
                result[time, number] = shown
            result[len(gates) :, number] = kept
        return result

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        steps, batch, _ = operands[0].shape
        return steps * batch * operands[1].elements

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
        layer = _Layer.of(writer, gates, recurrence, direction)

        def turn(number: str, part: Value) -> list[Value]:
            return [layer.run(number, part, state, cell)]

        return apart(writer, writer.empty(result), 1, turn)


def unpacked(recurrence: np.ndarray) -> np.ndarray:
    """One direction's blocks of columns as a matrix, [hidden, 4 * hidden]."""
    blocks, hidden, columns = recurrence.shape
    split = recurrence.reshape(blocks, hidden, GATES, columns // GATES)
    return split.transpose(1, 2, 0, 3).reshape(hidden, -1)


def _step(gates: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The state and the cell after a step."""
    write, read, keep, candidate = np.split(gates, GATES, axis=-1)
    new = Sigmoid.evaluate(keep) * cell + Sigmoid.evaluate(write) * np.tanh(candidate)
    return Sigmoid.evaluate(read) * np.tanh(new), new


@dataclass(frozen=True)
class _Layer:
    """What all directions share. In a batch of one the states are vectors, which are multiplied faster."""

    writer: CodeletWriter
    gates: Value
    """[steps, batch, directions, gate, block, column]."""
    recurrence: Value
    direction: str

    @staticmethod
    def of(writer: CodeletWriter, gates: Value, recurrence: Value, direction: str) -> _Layer:
        steps, batch, _ = gates.tensor.shape
        directions, blocks, _, columns = recurrence.tensor.shape
        split = writer.reshape(gates, (steps, batch, directions, GATES, blocks, columns // GATES))
        return _Layer(writer, split, recurrence, direction)

    @property
    def batch(self) -> int:
        return self.gates.tensor.shape[1]

    @property
    def rows(self) -> tuple[int, ...]:
        """The leading dimensions of states."""
        return () if self.batch == 1 else (self.batch,)

    def run(self, number: str, part: Value, state: Value, cell: Value) -> Value:
        """One direction's part of the result, [steps, 1, batch, hidden], one more row with the last cells."""
        steps, hidden = self.gates.tensor.shape[0], state.tensor.shape[-1]
        sizes = (1, self.batch, hidden)
        before = [read_part(self.writer, one, [number, 0, 0], sizes, (*self.rows, hidden)) for one in (state, cell)]
        weights = self._weights(number)

        def turn(time: str, shown: Value, state: Value, cell: Value) -> Sequence[Value]:
            sums = self._sums(state, weights)
            return self._rows(number, self._position(time, number), sums, [shown, state, cell])

        shown, _, last = loop(self.writer, steps, [part, *(self.writer.widened(one) for one in before)], turn)
        if part.tensor.shape[0] == steps:
            return shown
        return write_part(self.writer, last, shown, [steps, 0, 0, 0], (1, *sizes))

    def _weights(self, number: str) -> Value:
        _, *sizes = self.recurrence.tensor.shape
        return read_part(self.writer, self.recurrence, [number, 0, 0, 0], (1, *sizes), sizes)

    def _position(self, time: str, number: str) -> str:
        """The row of a step: the steps of a direction that starts at the end are counted from there."""
        if self.direction == "forward":
            return time
        last = self.writer.index(self.gates.tensor.shape[0] - 1)
        back = self._index(f"arith.subi {last}, {time} : index")
        if self.direction == "reverse":
            return back
        backwards = self._index(f"arith.cmpi eq, {number}, {self.writer.index(1)} : index")
        return self._index(f"arith.select {backwards}, {back}, {time} : index")

    def _index(self, operation: str) -> str:
        name = self.writer.fresh()
        self.writer.lines.append(f"{name} = {operation}")
        return name

    def _sums(self, state: Value, weights: Value) -> Value:
        """What the state gives to the gates, [batch, block, gate * column]."""
        blocks, depth, columns = weights.tensor.shape
        result = state.tensor.with_shape((*self.rows, blocks, columns))
        outer, block, column, inner = ["d0"][: len(self.rows)], *(f"d{len(self.rows) + i}" for i in range(3))
        return self.writer.generic(
            [(state, [*outer, inner]), (weights, [block, inner, column])],
            (self.writer.filled(result, 0), [*outer, block, column]),
            [*["parallel"] * result.rank, "reduction"],
            multiply_add,
            self.writer.tiles.gates(result, depth),
            squeeze=False,
        )

    def _rows(self, number: str, time: str, sums: Value, carried: Sequence[Value]) -> Sequence[Value]:
        """A step of the whole batch."""
        if not self.rows:
            return self._blocks([], number, time, sums, carried)

        def turn(row: str, *carried: Value) -> Sequence[Value]:
            return self._blocks([row], number, time, sums, carried)

        return loop(self.writer, self.batch, carried, turn)

    def _blocks(
        self, row: list[Offset], number: str, time: str, sums: Value, carried: Sequence[Value]
    ) -> Sequence[Value]:
        """A step of one row of the batch, one block of columns after the other: so the code is short."""
        blocks, columns = self.gates.tensor.shape[-2:]
        width = self.writer.index(columns)

        def turn(block: str, shown: Value, state: Value, cell: Value) -> Sequence[Value]:
            at = self._index(f"arith.muli {block}, {width} : index")
            gates = [*self._given(row, number, time, block), *self._summed(row, block, sums)]
            one = self._one(row, columns)
            old_cell, old_state = (
                read_part(self.writer, value, [*row, at], one, (columns,)) for value in (cell, state)
            )
            new, show = self._cell(gates, old_cell, old_state)
            return (
                write_part(self.writer, show, shown, [time, 0, *_in_batch(row), at], (1, 1, 1, columns)),
                write_part(self.writer, show, state, [*row, at], one),
                write_part(self.writer, new, cell, [*row, at], one),
            )

        return loop(self.writer, blocks, carried, turn)

    def _one(self, row: list[Offset], *sizes: int) -> tuple[int, ...]:
        return (*(1 for _ in row), *sizes)

    def _given(self, row: list[Offset], number: str, time: str, block: str) -> Iterator[Value]:
        """What the input gives to each gate."""
        columns = self.gates.tensor.shape[-1]
        for gate in range(GATES):
            place: list[Offset] = [time, *_in_batch(row), number, gate, block, 0]
            yield read_part(self.writer, self.gates, place, (1, 1, 1, 1, 1, columns), (columns,))

    def _summed(self, row: list[Offset], block: str, sums: Value) -> Iterator[Value]:
        """What the state gives to each gate."""
        columns = self.gates.tensor.shape[-1]
        for gate in range(GATES):
            place: list[Offset] = [*row, block, gate * columns]
            yield read_part(self.writer, sums, place, self._one(row, 1, columns), (columns,))

    def _cell(self, gates: Sequence[Value], cell: Value, state: Value) -> tuple[Value, Value]:
        """The new cell and what is shown of it; `gates` from the input, then from the state.

        Each is written to where the old one is: what a loop carries must stay in one place.
        """
        write, read, keep, candidate = zip(gates[:GATES], gates[GATES:], strict=True)
        new = self._elementwise([*write, *keep, *candidate], cell, _new_cell)
        return new, self._elementwise([*read, new], state, _shown)

    def _elementwise(self, inputs: Sequence[Value], place: Value, body: Callable[..., Scalar]) -> Value:
        loops = identity_map(place.tensor.rank)
        pairs = [(value, loops) for value in inputs]
        return self.writer.generic(pairs, (place, loops), ["parallel"] * place.tensor.rank, body, squeeze=False)


def _in_batch(row: list[Offset]) -> list[Offset]:
    """The row's place in tensors that have a dimension for the batch even if it is one."""
    return row or [0]


def _new_cell(scalars: Scalars, *operands: Scalar) -> Scalar:
    """keep * old + write * candidate; each gate is the sum of two operands."""
    *gates, old = operands
    write, keep, candidate = (scalars.add(gates[i], gates[i + 1]) for i in (0, 2, 4))
    written = scalars.multiply(Sigmoid.scalar(scalars, write), Tanh.scalar(scalars, candidate))
    return scalars.add(scalars.multiply(Sigmoid.scalar(scalars, keep), old), written)


def _shown(scalars: Scalars, given: Scalar, summed: Scalar, cell: Scalar, _: Scalar) -> Scalar:
    gate = Sigmoid.scalar(scalars, scalars.add(given, summed))
    return scalars.multiply(gate, Tanh.scalar(scalars, cell))
