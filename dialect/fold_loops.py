"""Rows that are folded to one element each, as loops over vectors: several vectors wait for none of the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pyipu.dialect.row_loops import MOST_OUTER, RowWriter
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.tile_loops import Index, Part
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Epilogue, Value


@dataclass(frozen=True)
class Fold:
    """How elements become one: `combine` does it to two, and `word` is how MLIR names it, such as add.

    `start` changes nothing. `term` is what is folded of each element, given the row's center if there is one.
    """

    word: str
    start: float
    combine: Callable[[Scalars, Scalar, Scalar], Scalar]
    term: Callable[..., Scalar] = lambda scalars, element: element


def folded_rows(
    writer: CodeletWriter, operands: Sequence[Value], axes: Sequence[int], result: Tensor, fold: Fold
) -> Value | None:
    """The fold of the first operand over its last dimensions, which are `axes`; None where vectors do not suit it.

    A second operand has the center of each row. `result` is what the fold has without an epilogue.
    """
    input, *centers = operands
    rank, width = input.tensor.rank, math.prod(input.tensor.shape[axis] for axis in axes)
    last = sorted(axes) == list(range(rank - len(axes), rank))
    rows = _repeated(input.tensor.shape[: rank - len(axes)])
    view = input.tensor.with_shape((*rows, width))
    if not (axes and last and 0 < len(rows) <= MOST_OUTER and writer.tiles.lanes(view)):
        return None
    whole = writer.epilogue.result if writer.epilogue else result
    found = _FoldedRows(writer, writer.reshape(input, view.shape), fold, [writer.reshape(one, rows) for one in centers])
    return writer.unsqueeze(found.write(), whole)


def _repeated(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


class _FoldedRows(RowWriter):
    """`input` [*rows, width] to [*rows]."""

    def __init__(self, writer: CodeletWriter, input: Value, fold: Fold, centers: Sequence[Value]) -> None:
        super().__init__(writer, input)
        self.fold, self.centers = fold, centers

    def taken(self, writer: CodeletWriter) -> Epilogue:
        """Dimensions of size one vanish from the epilogue's result, and from its operands with them."""
        if writer.epilogue is None:
            return Epilogue((), self.input.tensor.with_shape(self.outer), lambda scalars, element: element)
        whole = writer.epilogue.result
        views = []
        for one in writer.epilogue.operands:
            pairs = zip(one.tensor.shape, whole.shape[whole.rank - one.tensor.rank :], strict=True)
            views.append(writer.reshape(one, [size for size, extent in pairs if extent != 1]))
        return replace(writer.epilogue, operands=tuple(views), result=whole.with_shape(self.outer))

    def part(self, *place: str) -> Part:
        return Part(self.inner(place), [*[1] * (len(self.outer) - 1), self.together])

    def row(self, place: list[Index], within: list[Index]) -> None:
        vectors, fold = self.vectors, self.fold
        centers = [vectors.repeat(one, place) for one in self.centers]

        def term(column: str) -> Scalar:
            return fold.term(vectors, self.read(place, column), *centers)

        def combine(element: Scalar, total: Scalar) -> Scalar:
            return fold.combine(vectors, element, total)

        total = vectors.total(fold.word, self.combined(self.constant(fold.start), combine, term))
        operands = [self._of_row(one, place) for one in self.epilogue.operands]
        vectors.fill_element(self.epilogue.body(vectors, total, *operands), within)

    def _of_row(self, operand: Value, place: list[Index]) -> Scalar:
        """An element of what broadcasts to the result, in every lane."""
        shape = operand.tensor.shape
        aligned = zip(shape, place[len(place) - len(shape) :], strict=True)
        return self.vectors.repeat(operand, [0 if size == 1 else index for size, index in aligned])
