"""Loops over the tiles of a result, for what computes many elements from many: no `linalg` operation keeps those in
registers.

Workgroups share out the tiles: each takes some neighbours in a row of tiles, and all channels, `lanes` of them at a
time. Vectors are read from tensors and written to the workgroup's part of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyipu.dialect.loops import Filling
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.types import Tensor
from pyipu.dialect.vectors import VectorWriter
from pyipu.dialect.writer import CodeletWriter, Value, signless

Index = str | int
"""An SSA value of type index, or a number."""


@dataclass(frozen=True)
class Grid:
    """How many tiles there are, and how many of a row one workgroup takes."""

    batch: int
    rows: int
    columns: int
    together: int


@dataclass(frozen=True)
class Part:
    """Where one workgroup's part of the result starts, and its sizes; some are known only when it runs."""

    offsets: Sequence[Index]
    sizes: Sequence[Index]


@dataclass(frozen=True)
class Place:
    """SSA values: the tile, its number within the workgroup, and the first channel of the vector."""

    batch: str
    row: str
    column: str
    number: str
    channel: str


class TileWriter(VectorWriter):
    """Writes vectors where loops over tiles have led, and into the part that they fill."""

    def __init__(self, codelet: CodeletWriter, lanes: int) -> None:
        super().__init__(codelet, lanes)
        self.filled = Filling("", "")

    def affine(self, expression: str, *indices: str) -> str:
        """An index computed from others, which are d0, d1, … in the expression."""
        names = ", ".join(f"d{i}" for i in range(len(indices)))
        return self.line(f"affine.apply affine_map<({names}) -> ({expression})>({', '.join(indices)})")

    def least(self, number: int, expression: str, *indices: str) -> str:
        """The smaller one of a number and an index computed from others."""
        names = ", ".join(f"d{i}" for i in range(len(indices)))
        return self.line(f"affine.min affine_map<({names}) -> ({number}, {expression})>({', '.join(indices)})")

    def read(self, value: Value, indices: Sequence[Index]) -> Scalar:
        """A vector along the last dimension, of the type that the value is computed with.

        If the last dimension has a single element, the vector repeats it.
        """
        stored = value.in_memory
        repeats = stored.rank == 0 or stored.shape[-1] == 1
        dimensions = ", ".join(f"d{i}" for i in range(stored.rank))
        along = "0" if repeats else f"d{stored.rank - 1}"
        vector = self.write(
            f"vector.transfer_read {value.name}[{self._listed(indices)}], {self.codelet.scalar(0, stored.dtype)} "
            f"{{in_bounds = [true], permutation_map = affine_map<({dimensions}) -> ({along})>}} : "
            f"{value.type}, {self.named('', stored.dtype).type}",
            stored.dtype,
        )
        return self.cast(vector, value.tensor.dtype)

    def fill(self, vector: Scalar, indices: Sequence[Index]) -> None:
        """Stores a vector along the last dimension of the part."""
        filled = self.line(
            f"vector.transfer_write {vector.name}, {self.filled.name}[{self._listed(indices)}] "
            f"{{in_bounds = [true]}} : {vector.type}, {self.filled.type}"
        )
        self.filled = Filling(filled, self.filled.type)

    @contextmanager
    def only_if(self, index: str, limit: int) -> Iterator[None]:
        """What is written within happens where the index is below the limit."""
        before, type_ = self.filled.name, self.filled.type
        within = self.line(f"arith.cmpi ult, {index}, {self.index(limit)} : index")
        after = self.line(f"scf.if {within} -> ({type_}) {{")
        yield
        self.lines += [
            f"scf.yield {self.filled.name} : {type_}",
            f"}} else {{\nscf.yield {before} : {type_}\n}}",
        ]
        self.filled = Filling(after, type_)

    def filling(self, extent: int, step: int, body: Callable[[str], None]) -> None:
        """A loop whose body stores vectors; it is given the index."""

        def turn(index: str, carried: Sequence[Filling]) -> Sequence[Filling]:
            (self.filled,) = carried
            body(index)
            return [self.filled]

        (self.filled,) = self.loop(extent, step, [self.filled], turn)

    def over_tiles(
        self,
        result: Tensor,
        grid: Grid,
        part: Callable[[str, str, str], Part],
        body: Callable[[Place], None],
    ) -> Value:
        """The result, computed by `body`, which is written once; `part(batch, row, first column)`."""
        whole, shared = self.codelet.empty(result), self.codelet.fresh().replace("%", "%o")
        batch, row, group = (self.codelet.fresh().replace("%", "%g") for _ in range(3))
        after = self.line(
            f"scf.forall ({batch}, {row}, {group}) in ({grid.batch}, {grid.rows}, {grid.columns // grid.together}) "
            f"shared_outs({shared} = {whole.name}) -> ({whole.type}) {{"
        )
        first = self.affine(f"d0 * {grid.together}", group)
        place = self._enter(part(batch, row, first), result, shared, whole.type)

        def tile(number: str) -> None:
            column = self.affine("d0 + d1", first, number)
            self.filling(result.shape[-1], self.lanes, lambda channel: body(Place(batch, row, column, number, channel)))

        self.filling(grid.together, 1, tile)
        self.lines.append(
            f"scf.forall.in_parallel {{\ntensor.parallel_insert_slice {self.filled.name} into {shared}{place} : "
            f"{self.filled.type} into {whole.type}\n}}\n}} {{mapping = [{_MAPPING}]}}"
        )
        return Value(after, result)

    def _enter(self, part: Part, result: Tensor, shared: str, type_: str) -> str:
        """Takes the part of the result to fill; returns the text of its place."""
        lists = [part.offsets, part.sizes, [1] * result.rank]
        place = "".join(f"[{', '.join(map(str, items))}]" for items in lists)
        extents = "x".join("?" if isinstance(size, str) else str(size) for size in part.sizes)
        own = f"tensor<{extents}x{signless(result.with_shape(()))[len('tensor<') :]}"
        self.filled = Filling(self.line(f"tensor.extract_slice {shared}{place} : {type_} to {own}"), own)
        return place

    def _listed(self, indices: Sequence[Index]) -> str:
        return ", ".join(one if isinstance(one, str) else self.index(one) for one in indices)


_MAPPING = ", ".join(f"#iree_codegen.workgroup_mapping<{axis}>" for axis in "zyx")
