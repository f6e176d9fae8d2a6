"""Normalization of rows as loops over vectors: a row is read three times, from memory only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tile_loops import Index, Part, TileWriter
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Epilogue, Value

_MOST_OUTER = 3
"""Workgroups are counted in so many dimensions."""

_CHAINS = 4
"""Sums that do not wait for each other."""


def standardizes(input: Tensor, axes: Sequence[int], lanes: int) -> bool:
    """There are such loops: over the last dimension alone, in full vectors."""
    return lanes > 0 and list(axes) == [input.rank - 1] and input.rank <= _MOST_OUTER + 1


def write_standardized(writer: CodeletWriter, input: Value, epsilon: float) -> Value:
    """(x - mean) / sqrt(variance + epsilon) of each row along the last dimension, and its epilogue, if there is one."""
    rows = _Rows(writer, input, epsilon)
    writer.epilogue = None
    return rows.write()


class _Rows:
    def __init__(self, writer: CodeletWriter, input: Value, epsilon: float) -> None:
        self.vectors = TileWriter(writer, writer.tiles.lanes(input.tensor))
        self.input, self.epsilon = input, epsilon
        *self.outer, self.width = input.tensor.shape
        self.epilogue = writer.epilogue or Epilogue((), input.tensor, lambda scalars, element: element)
        *others, rows = [1] * (_MOST_OUTER - len(self.outer)) + self.outer
        self.counts = others[0], others[1], rows
        self.together = writer.tiles.tiles_together(others[0] * others[1], rows)

    def write(self) -> Value:
        *others, rows = self.counts
        counts = others[0], others[1], rows // self.together
        return self.vectors.in_workgroups(self.epilogue.result, counts, self.together, self._part, self._workgroup)

    def _part(self, *place: str) -> Part:
        """Of a single row, if the tensor has but one."""
        sizes = [1] * (len(self.outer) - 1) + [self.together] * (len(self.outer) > 0)
        return Part([*self._inner(place), 0], [*sizes, self.width])

    def _inner(self, place: Sequence[Index]) -> list[Index]:
        """The indices of dimensions that the tensor has."""
        return list(place[_MOST_OUTER - len(self.outer) :])

    def _workgroup(self, outer: str, inner: str, first: str) -> None:
        self.vectors.filling(self.together, 1, lambda number: self._row([outer, inner], first, number))

    def _row(self, outer: Sequence[str], first: str, number: str) -> None:
        vectors = self.vectors
        place = self._inner([*outer, vectors.affine("d0 + d1", first, number)])
        mean = self._mean(lambda column: vectors.read(self.input, [*place, column]))
        variance = self._mean(lambda column: self._squared(place, column, mean))
        deviation = vectors.math("sqrt", vectors.add(variance, self._constant(self.epsilon)))
        inverse = vectors.divide(self._constant(1), deviation)
        within: list[Index] = [*[0] * (len(self.outer) - 1), *([number] if self.outer else [])]
        vectors.filling(self.width, vectors.lanes, partial(self._finish, place, within, mean, inverse))

    def _finish(self, place: list[Index], within: list[Index], mean: Scalar, inverse: Scalar, column: str) -> None:
        """One vector of the result."""
        vectors = self.vectors
        normal = vectors.multiply(self._centered(place, column, mean), inverse)
        operands = [vectors.read_broadcast(one, [*place, column]) for one in self.epilogue.operands]
        vectors.fill(self.epilogue.body(vectors, normal, *operands), [*within, column])

    def _mean(self, element: Callable[[str], Scalar]) -> Scalar:
        """Of the row, in every lane."""
        vectors, lanes = self.vectors, self.vectors.lanes
        chains = next(n for n in range(_CHAINS, 0, -1) if self.width // lanes % n == 0)

        def turn(column: str, sums: Sequence[Scalar]) -> Sequence[Scalar]:
            columns = [vectors.affine(f"d0 + {i * lanes}", column) for i in range(chains)]
            return [vectors.add(total, element(one)) for total, one in zip(sums, columns, strict=True)]

        sums = vectors.loop(self.width, chains * lanes, [self._constant(0)] * chains, turn)
        return vectors.multiply(vectors.total(reduce(vectors.add, sums)), self._constant(1 / self.width))

    def _squared(self, place: list[Index], column: str, mean: Scalar) -> Scalar:
        centered = self._centered(place, column, mean)
        return self.vectors.multiply(centered, centered)

    def _centered(self, place: list[Index], column: str, mean: Scalar) -> Scalar:
        return self.vectors.subtract(self.vectors.read(self.input, [*place, column]), mean)

    def _constant(self, number: float) -> Scalar:
        return self.vectors.constant(number, self.input.tensor.dtype)
