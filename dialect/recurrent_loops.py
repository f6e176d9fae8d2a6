"""Recurrent layers as loops: directions, each with the workgroup that it keeps, steps, and blocks of columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pyipu.dialect.elementwise import Sigmoid, Tanh
from pyipu.dialect.linear import multiply_add
from pyipu.dialect.loops import Offset, apart, loop, read_part, write_part
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value, identity_map

DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction of a layer starts at the end."""


@dataclass(frozen=True)
class Step:
    """SSA indices: the number of the direction, and the row that its step reads and writes."""

    number: str
    time: str


@dataclass(frozen=True)
class Block:
    """A block of columns in a step of one row of the batch.

    `row` is empty in a batch of one, whose states are vectors; `at` is the SSA index of the block's first column.
    """

    writer: CodeletWriter
    gates: Value
    step: Step
    row: list[Offset]
    number: str
    at: str

    @property
    def columns(self) -> int:
        return self.gates.tensor.shape[-1]

    def given(self, gate: int) -> Value:
        """What the input gives to a gate."""
        place: list[Offset] = [self.step.time, *self._in_batch, self.step.number, gate, self.number, 0]
        return read_part(self.writer, self.gates, place, (1, 1, 1, 1, 1, self.columns), (self.columns,))

    def summed(self, sums: Value, gate: int) -> Value:
        """What a product gives to one of the gates that it has."""
        place: list[Offset] = [*self.row, self.number, gate, 0]
        return read_part(self.writer, sums, place, self._one(1, 1, self.columns), (self.columns,))

    def read(self, state: Value) -> Value:
        return read_part(self.writer, state, [*self.row, self.at], self._one(self.columns), (self.columns,))

    def read_weights(self, weights: Value) -> Value:
        """The block's part of one vector for each direction."""
        return read_part(self.writer, weights, [self.step.number, self.at], (1, self.columns), (self.columns,))

    def write(self, part: Value, state: Value) -> Value:
        return write_part(self.writer, part, state, [*self.row, self.at], self._one(self.columns))

    def show(self, part: Value, shown: Value) -> Value:
        """The layer's result with the block of this step."""
        place: list[Offset] = [self.step.time, 0, *self._in_batch, self.at]
        return write_part(self.writer, part, shown, place, (1, 1, 1, self.columns))

    def elementwise(self, inputs: Sequence[Value], place: Value, body: Callable[..., Scalar]) -> Value:
        """Is written to where `place` is, whose element `body` is given last: what a loop carries must stay there."""
        loops = identity_map(1)
        pairs = [(value, loops) for value in inputs]
        return self.writer.generic(pairs, (place, loops), ["parallel"], body, squeeze=False)

    @property
    def _in_batch(self) -> list[Offset]:
        """The row's place in tensors that have a dimension for the batch even if it is one."""
        return self.row or [0]

    def _one(self, *sizes: int) -> tuple[int, ...]:
        return (*(1 for _ in self.row), *sizes)


@dataclass(frozen=True)
class RecurrentLoops(ABC):
    """What all directions share. In a batch of one the states are vectors, which are multiplied faster."""

    writer: CodeletWriter
    gates: Value
    """[steps, batch, directions, gate, block, column]."""
    recurrence: Value
    """[directions, block, hidden, gate, column]."""
    direction: str

    GATES: ClassVar[int]

    @classmethod
    def of(cls, writer: CodeletWriter, gates: Value, recurrence: Value, direction: str, **others: Any) -> Self:
        steps, batch, _ = gates.tensor.shape
        directions, blocks, hidden, columns = recurrence.tensor.shape
        each = columns // cls.GATES
        split = writer.reshape(gates, (steps, batch, directions, cls.GATES, blocks, each))
        matrices = writer.reshape(recurrence, (directions, blocks, hidden, cls.GATES, each))
        return cls(writer, split, matrices, direction, **others)

    @abstractmethod
    def step(self, at: Step, shown: Value, *states: Value) -> Sequence[Value]:
        """A step of one direction: the result with a new row, and the new states."""

    def write(self, result: Tensor, before: Sequence[Value]) -> Value:
        """All steps of all directions, from the states before."""

        def turn(number: str, part: Value) -> list[Value]:
            return [self._run(number, part, before)]

        return apart(self.writer, self.writer.empty(result), 1, turn)

    @property
    def batch(self) -> int:
        return self.gates.tensor.shape[1]

    @property
    def rows(self) -> tuple[int, ...]:
        """The leading dimensions of states."""
        return () if self.batch == 1 else (self.batch,)

    def _run(self, number: str, part: Value, before: Sequence[Value]) -> Value:
        """One direction's part of the result, [steps, 1, batch, hidden]; a row more has the last of the states."""
        steps, hidden = self.gates.tensor.shape[0], before[0].tensor.shape[-1]
        sizes = (1, self.batch, hidden)
        own = [read_part(self.writer, one, [number, 0, 0], sizes, (*self.rows, hidden)) for one in before]

        def turn(time: str, shown: Value, *states: Value) -> Sequence[Value]:
            return self.step(Step(number, self._position(time, number)), shown, *states)

        shown, *states = loop(self.writer, steps, [part, *(self.writer.widened(one) for one in own)], turn)
        if part.tensor.shape[0] == steps:
            return shown
        return write_part(self.writer, states[-1], shown, [steps, 0, 0, 0], (1, *sizes))

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

    def sums(self, at: Step, state: Value, first: int = 0, count: int | None = None) -> Value:
        """What a state gives to `count` gates from `first` on, or to all: [batch, block, gate, column]."""
        weights = self._weights(at, first, self.GATES if count is None else count)
        blocks, depth, gates, columns = weights.tensor.shape
        result = state.tensor.with_shape((*self.rows, blocks, gates, columns))
        outer, block, gate, column, inner = ["d0"][: len(self.rows)], *(f"d{len(self.rows) + i}" for i in range(4))
        return self.writer.generic(
            [(state, [*outer, inner]), (weights, [block, inner, gate, column])],
            (self.writer.filled(result, 0), [*outer, block, gate, column]),
            [*["parallel"] * result.rank, "reduction"],
            multiply_add,
            self.writer.tiles.gates(result, depth, first=first == 0),
            squeeze=False,
        )

    def _weights(self, at: Step, first: int, count: int) -> Value:
        """Of one direction's gates, [block, hidden, gate, column]."""
        _, blocks, depth, _, columns = self.recurrence.tensor.shape
        sizes = (blocks, depth, count, columns)
        return read_part(self.writer, self.recurrence, [at.number, 0, 0, first, 0], (1, *sizes), sizes)

    def over_blocks(self, at: Step, carried: Sequence[Value], turn: Callable[..., Sequence[Value]]) -> Sequence[Value]:
        """`turn(block, *carried)` for each block of each row of the batch: as a loop, so that the code is short."""
        if not self.rows:
            return self._blocks(at, [], carried, turn)
        return loop(self.writer, self.batch, carried, lambda row, *inner: self._blocks(at, [row], inner, turn))

    def _blocks(
        self, at: Step, row: list[Offset], carried: Sequence[Value], turn: Callable[..., Sequence[Value]]
    ) -> Sequence[Value]:
        blocks, columns = self.gates.tensor.shape[-2:]

        def one(number: str, *inner: Value) -> Sequence[Value]:
            first = self._index(f"arith.muli {number}, {self.writer.index(columns)} : index")
            return turn(Block(self.writer, self.gates, at, row, number, first), *inner)

        return loop(self.writer, blocks, carried, one)


class LSTMLoops(RecurrentLoops):
    """States and cells."""

    GATES = 4

    def step(self, at: Step, shown: Value, *states: Value) -> Sequence[Value]:
        sums = self.sums(at, states[0])

        def turn(block: Block, shown: Value, state: Value, cell: Value) -> Sequence[Value]:
            write, read, keep, candidate = ((block.given(gate), block.summed(sums, gate)) for gate in range(self.GATES))
            new = block.elementwise([*write, *keep, *candidate], block.read(cell), _new_cell)
            show = block.elementwise([*read, new], block.read(state), _shown)
            return block.show(show, shown), block.write(show, state), block.write(new, cell)

        return self.over_blocks(at, [shown, *states], turn)


def _new_cell(scalars: Scalars, *operands: Scalar) -> Scalar:
    """keep * old + write * candidate; each gate is the sum of two operands."""
    *gates, old = operands
    write, keep, candidate = (scalars.add(gates[i], gates[i + 1]) for i in (0, 2, 4))
    written = scalars.multiply(Sigmoid.scalar(scalars, write), Tanh.scalar(scalars, candidate))
    return scalars.add(scalars.multiply(Sigmoid.scalar(scalars, keep), old), written)


def _shown(scalars: Scalars, given: Scalar, summed: Scalar, cell: Scalar, _: Scalar) -> Scalar:
    gate = Sigmoid.scalar(scalars, scalars.add(given, summed))
    return scalars.multiply(gate, Tanh.scalar(scalars, cell))


UPDATE, RESET, CANDIDATE = range(3)


@dataclass(frozen=True)
class GRULoops(RecurrentLoops):
    """`bias` [directions, hidden] is added to what the state gives to the candidate."""

    bias: Value
    linear_before_reset: bool

    GATES = 3

    def step(self, at: Step, shown: Value, *states: Value) -> Sequence[Value]:
        return (self._reset_behind if self.linear_before_reset else self._reset_before)(at, shown, *states)

    def _reset_behind(self, at: Step, shown: Value, state: Value) -> Sequence[Value]:
        sums = self.sums(at, state)

        def turn(block: Block, shown: Value, state: Value) -> Sequence[Value]:
            pairs = [(block.given(gate), block.summed(sums, gate)) for gate in (UPDATE, RESET, CANDIDATE)]
            inputs = [*(value for pair in pairs for value in pair), block.read_weights(self.bias)]
            new = block.elementwise(inputs, block.read(state), _reset_sum)
            return block.show(new, shown), block.write(new, state)

        return self.over_blocks(at, [shown, state], turn)

    def _reset_before(self, at: Step, shown: Value, state: Value) -> Sequence[Value]:
        """Two products, the second one with what the reset gate leaves of the state."""
        gates = self.sums(at, state, count=2)

        def reset(block: Block, left: Value) -> Sequence[Value]:
            inputs = [block.given(RESET), block.summed(gates, RESET), block.read(state)]
            return [block.write(block.elementwise(inputs, block.read(left), _left), left)]

        (left,) = self.over_blocks(at, [self.writer.empty(state.tensor)], reset)
        candidates = self.sums(at, left, CANDIDATE, 1)

        def turn(block: Block, shown: Value, state: Value) -> Sequence[Value]:
            update = block.given(UPDATE), block.summed(gates, UPDATE)
            candidate = block.given(CANDIDATE), block.summed(candidates, 0), block.read_weights(self.bias)
            new = block.elementwise([*update, *candidate], block.read(state), _new_state)
            return block.show(new, shown), block.write(new, state)

        return self.over_blocks(at, [shown, state], turn)


def _left(scalars: Scalars, given: Scalar, summed: Scalar, state: Scalar, _: Scalar) -> Scalar:
    return scalars.multiply(Sigmoid.scalar(scalars, scalars.add(given, summed)), state)


def _reset_sum(scalars: Scalars, *operands: Scalar) -> Scalar:
    """Each gate is the sum of two operands; the last ones are the bias and the old state."""
    update, summed_update, reset, summed_reset, candidate, summed, bias, old = operands
    gate = Sigmoid.scalar(scalars, scalars.add(reset, summed_reset))
    left = scalars.multiply(gate, scalars.add(summed, bias))
    return _between(scalars, scalars.add(update, summed_update), scalars.add(candidate, left), old)


def _new_state(scalars: Scalars, *operands: Scalar) -> Scalar:
    update, summed_update, candidate, summed, bias, old = operands
    total = scalars.add(candidate, scalars.add(summed, bias))
    return _between(scalars, scalars.add(update, summed_update), total, old)


def _between(scalars: Scalars, update: Scalar, candidate: Scalar, old: Scalar) -> Scalar:
    """share * old + (1 - share) * new."""
    share, new = Sigmoid.scalar(scalars, update), Tanh.scalar(scalars, candidate)
    return scalars.add(new, scalars.multiply(share, scalars.subtract(old, new)))


class RNNLoops(RecurrentLoops):
    """A single gate, whose tanh is the state."""

    GATES = 1

    def step(self, at: Step, shown: Value, *states: Value) -> Sequence[Value]:
        sums = self.sums(at, states[0])

        def turn(block: Block, shown: Value, state: Value) -> Sequence[Value]:
            new = block.elementwise([block.given(0), block.summed(sums, 0)], block.read(state), _squashed)
            return block.show(new, shown), block.write(new, state)

        return self.over_blocks(at, [shown, *states], turn)


def _squashed(scalars: Scalars, given: Scalar, summed: Scalar, _: Scalar) -> Scalar:
    return Tanh.scalar(scalars, scalars.add(given, summed))
