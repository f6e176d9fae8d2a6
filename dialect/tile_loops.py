"""Loops over the tiles of a result, for what computes many elements from many: no `linalg` operation keeps those in
registers.

Workgroups share out the tiles: each takes some neighbours in a row of tiles, and all channels, `lanes` of them at a
time. Vectors are read from tensors and written to the workgroup's part of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from pyipu.dialect.loops import Filling
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.types import Tensor
from pyipu.dialect.vectors import VectorWriter
from pyipu.dialect.writer import CodeletWriter, Value, signless

Index = str | int
"""An SSA value of type index, or a number."""

Stored = TypeVar("Stored", Value, Filling)


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
        return self._read(value, indices, value.tensor.rank == 0 or value.tensor.shape[-1] == 1)

    def repeat(self, value: Value, indices: Sequence[Index]) -> Scalar:
        """One element in every lane."""
        return self._read(value, indices, True)

    def read_broadcast(self, value: Value, indices: Sequence[Index]) -> Scalar:
        """A vector of an operand that broadcasts as in numpy to the tensor which the indices are of."""
        shape = value.tensor.shape
        aligned = zip(shape, indices[len(indices) - len(shape) :], strict=True)
        return self.read(value, [0 if size == 1 else index for size, index in aligned])

    def total(self, word: str, vector: Scalar) -> Scalar:
        """All lanes combined, in every lane; `word` is how MLIR names the combination, such as add."""
        element = self.line(f"vector.reduction <{word}>, {vector.name} : {vector.type} into {vector.dtype}")
        return self.write(f"vector.broadcast {element} : {vector.dtype} to {vector.type}", vector.dtype)

    def _read(self, value: Value, indices: Sequence[Index], repeats: bool) -> Scalar:
        stored = value.in_memory
        dimensions = ", ".join(f"d{i}" for i in range(stored.rank))
        along = "0" if repeats else f"d{stored.rank - 1}"
        vector = self.write(
            f"vector.transfer_read {value.name}[{self._listed(indices)}], {self.codelet.scalar(0, stored.dtype)} "
            f"{{in_bounds = [true], permutation_map = affine_map<({dimensions}) -> ({along})>}} : "
            f"{value.type}, {self.named('', stored.dtype).type}",
            stored.dtype,
        )
        return self.cast(vector, value.tensor.dtype)

    def gathered(self, value: Value, places: Sequence[Sequence[Index]]) -> Scalar:
        """One element for each lane."""
        stored = self.named("", value.in_memory.dtype)
        found = [self.line(f"tensor.extract {value.name}[{self._listed(place)}] : {value.type}") for place in places]
        vector = self.write(f"vector.from_elements {', '.join(found)} : {stored.type}", stored.dtype)
        return self.cast(vector, value.tensor.dtype)

    def put(self, vector: Scalar, whole: Stored, indices: Sequence[Index]) -> Stored:
        """A tensor with a vector in it along the last dimension."""
        name = self.line(
            f"vector.transfer_write {vector.name}, {whole.name}[{self._listed(indices)}] "
            f"{{in_bounds = [true]}} : {vector.type}, {whole.type}"
        )
        return replace(whole, name=name)

    def fill(self, vector: Scalar, indices: Sequence[Index]) -> None:
        """Stores a vector along the last dimension of the part."""
        self.filled = self.put(vector, self.filled, indices)

    def fill_element(self, vector: Scalar, indices: Sequence[Index]) -> None:
        """Stores the first element of a vector in the part."""
        type_ = replace(vector, lanes=0).type
        element = self.line(f"vector.extract {vector.name}[0] : {type_} from {vector.type}")
        place = f"{self.filled.name}[{self._listed(indices)}]"
        name = self.line(f"tensor.insert {element} into {place} : {self.filled.type}")
        self.filled = replace(self.filled, name=name)

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

        def workgroup(batch: str, row: str, first: str) -> None:
            self.filling(grid.together, 1, lambda number: tile(batch, row, first, number))

        def tile(batch: str, row: str, first: str, number: str) -> None:
            column = self.affine("d0 + d1", first, number)
            channels, lanes = result.shape[-1], self.lanes
            self.filling(channels, lanes, lambda channel: body(Place(batch, row, column, number, channel)))

        counts = grid.batch, grid.rows, grid.columns // grid.together
        return self.in_workgroups(result, counts, grid.together, part, workgroup)

    def in_workgroups(
        self,
        result: Tensor,
        counts: tuple[int, int, int],
        together: int,
        part: Callable[[str, str, str], Part],
        body: Callable[[str, str, str], None],
    ) -> Value:
        """The result, of which each workgroup fills a part.

        Workgroups are counted in three dimensions. `part` and `body` are given the first two numbers of one, and
        `together` times the third.
        """
        whole, shared = self.codelet.empty(result), self.codelet.fresh().replace("%", "%o")
        numbers = [self.codelet.fresh().replace("%", "%g") for _ in counts]
        after = self.line(
            f"scf.forall ({', '.join(numbers)}) in ({', '.join(map(str, counts))}) "
            f"shared_outs({shared} = {whole.name}) -> ({whole.type}) {{"
        )
        outer, inner, last = numbers
        at = outer, inner, self.affine(f"d0 * {together}", last)
        place = self._enter(part(*at), result, shared, whole.type)
        body(*at)
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

    def turned(self, rows: Sequence[Scalar]) -> Sequence[Scalar]:
        """As many vectors as lanes, a power of two, transposed: each step interleaves one half with the other."""
        half = self.lanes // 2
        for _ in range(self.lanes.bit_length() - 1):
            pairs = zip(rows[:half], rows[half:], strict=True)
            rows = [self._interleaved(a, b, start) for a, b in pairs for start in (0, half)]
        return rows

    def _interleaved(self, a: Scalar, b: Scalar, start: int) -> Scalar:
        """Half of the lanes of two vectors, from `start` on, in turns."""
        order = [lane + i * self.lanes for lane in range(start, start + self.lanes // 2) for i in (0, 1)]
        return self.write(f"vector.shuffle {a.name}, {b.name} {order} : {a.type}, {b.type}", a.dtype)

    def _listed(self, indices: Sequence[Index]) -> str:
        return ", ".join(one if isinstance(one, str) else self.index(one) for one in indices)


_MAPPING = ", ".join(f"#iree_codegen.workgroup_mapping<{axis}>" for axis in "zyx")
