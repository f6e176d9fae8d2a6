"""Rows along the last dimension as loops over vectors: a row is read several times, from memory only once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import reduce

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tile_loops import Index, Part, TileWriter
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Epilogue, Value

MOST_OUTER = 3
"""Workgroups are counted in so many dimensions."""

_CHAINS = 4
"""Sums that do not wait for each other."""


def has_vector_rows(input: Tensor, axes: Sequence[int], lanes: int) -> bool:
    """Loops over vectors take it: along the last dimension alone, in full vectors."""
    return lanes > 0 and list(axes) == [input.rank - 1] and input.rank <= MOST_OUTER + 1


class RowWriter(ABC):
    """Computes each row of a result from the same row of `input`; a leaf says how, in `row`."""

    def __init__(self, writer: CodeletWriter, input: Value) -> None:
        self.vectors, self.input = TileWriter(writer, writer.tiles.lanes(input.tensor)), input
        *self.outer, self.width = input.tensor.shape
        self.epilogue = self.taken(writer)
        writer.epilogue = None
        *others, rows = [1] * (MOST_OUTER - len(self.outer)) + self.outer
        self.counts = others[0], others[1], rows
        self.together = writer.tiles.tiles_together(others[0] * others[1], rows)

    @abstractmethod
    def row(self, place: list[Index], within: list[Index]) -> None:
        """Fills a row: `place` are its indices, `within` those in the workgroup's part."""

    def taken(self, writer: CodeletWriter) -> Epilogue:
        """What is done to each element of the result."""
        return writer.epilogue or Epilogue((), self.input.tensor, lambda scalars, element: element)

    def write(self) -> Value:
        *others, rows = self.counts
        counts = others[0], others[1], rows // self.together
        return self.vectors.in_workgroups(self.epilogue.result, counts, self.together, self.part, self._workgroup)

    def part(self, *place: str) -> Part:
        """Of a single row, if the tensor has but one."""
        sizes = [1] * (len(self.outer) - 1) + [self.together] * (len(self.outer) > 0)
        return Part([*self.inner(place), 0], [*sizes, self.width])

    def inner(self, place: Sequence[Index]) -> list[Index]:
        """The indices of dimensions that the tensor has."""
        return list(place[MOST_OUTER - len(self.outer) :])

    def _workgroup(self, outer: str, inner: str, first: str) -> None:
        self.vectors.filling(self.together, 1, lambda number: self._row([outer, inner], first, number))

    def _row(self, outer: Sequence[str], first: str, number: str) -> None:
        place = self.inner([*outer, self.vectors.affine("d0 + d1", first, number)])
        self.row(place, [*[0] * (len(self.outer) - 1), *([number] if self.outer else [])])

    def finish(self, place: list[Index], within: list[Index], element: Callable[[str], Scalar]) -> None:
        """Stores `element(column)` of each vector of the row, and what the epilogue makes of it."""
        vectors = self.vectors

        def turn(column: str) -> None:
            operands = [vectors.read_broadcast(one, [*place, column]) for one in self.epilogue.operands]
            vectors.fill(self.epilogue.body(vectors, element(column), *operands), [*within, column])

        vectors.filling(self.width, vectors.lanes, turn)

    def combined(
        self, start: Scalar, combine: Callable[[Scalar, Scalar], Scalar], element: Callable[[str], Scalar]
    ) -> Scalar:
        """All vectors `element(column)` of the row in one; `start` changes nothing."""
        vectors, lanes = self.vectors, self.vectors.lanes
        chains = next(n for n in range(_CHAINS, 0, -1) if self.width // lanes % n == 0)

        def turn(column: str, found: Sequence[Scalar]) -> Sequence[Scalar]:
            columns = [vectors.affine(f"d0 + {i * lanes}", column) for i in range(chains)]
            return [combine(element(one), before) for before, one in zip(found, columns, strict=True)]

        return reduce(combine, vectors.loop(self.width, chains * lanes, [start] * chains, turn))

    def constant(self, number: float) -> Scalar:
        return self.vectors.constant(number, self.input.tensor.dtype)

    def read(self, place: list[Index], column: str) -> Scalar:
        return self.vectors.read(self.input, [*place, column])


class StandardizedRows(RowWriter):
    """(x - mean) / sqrt(variance + epsilon)."""

    def __init__(self, writer: CodeletWriter, input: Value, epsilon: float) -> None:
        super().__init__(writer, input)
        self.epsilon = epsilon

    def row(self, place: list[Index], within: list[Index]) -> None:
        vectors = self.vectors
        mean = self._mean(lambda column: self.read(place, column))

        def centered(column: str) -> Scalar:
            return vectors.subtract(self.read(place, column), mean)

        variance = self._mean(lambda column: self._square(centered(column)))
        deviation = vectors.math("sqrt", vectors.add(variance, self.constant(self.epsilon)))
        inverse = vectors.divide(self.constant(1), deviation)
        self.finish(place, within, lambda column: vectors.multiply(centered(column), inverse))

    def _mean(self, element: Callable[[str], Scalar]) -> Scalar:
        """Of the row, in every lane."""
        vectors = self.vectors
        total = vectors.total("add", self.combined(self.constant(0), vectors.add, element))
        return vectors.multiply(total, self.constant(1 / self.width))

    def _square(self, vector: Scalar) -> Scalar:
        return self.vectors.multiply(vector, vector)


MOST_POWERS = 4096
"""Elements of a row whose powers are kept on the stack, of which IREE allows 32 KiB."""


class SoftmaxRows(RowWriter):
    """e^(x - largest), divided by the sum of those."""

    def row(self, place: list[Index], within: list[Index]) -> None:
        vectors = self.vectors
        start = self.constant(float("-inf"))
        largest = vectors.total("maximumf", self.combined(start, vectors.maximum, lambda one: self.read(place, one)))
        powers = self._powers(place, largest)
        total = self.combined(self.constant(0), vectors.add, lambda column: vectors.read(powers, [column]))
        inverse = vectors.divide(self.constant(1), vectors.total("add", total))
        self.finish(place, within, lambda column: vectors.multiply(vectors.read(powers, [column]), inverse))

    def _powers(self, place: list[Index], largest: Scalar) -> Value:
        """Of a row, as a tensor of its own."""
        vectors = self.vectors
        empty = vectors.codelet.empty(self.input.tensor.with_shape((self.width,)))

        def turn(column: str, carried: Sequence[Value]) -> Sequence[Value]:
            power = vectors.math("exp", vectors.subtract(self.read(place, column), largest))
            return [vectors.put(power, carried[0], [column])]

        return vectors.loop(self.width, vectors.lanes, [Value(empty.name, empty.tensor)], turn)[0]
