"""Loop nests written with vectors, for what computes many elements from many: no `linalg` operation keeps those in
registers.

Workgroups share out the tiles of a result: each takes some neighbours in a row of tiles, and all channels, `lanes` of
them at a time. Vectors are read from tensors and written to the workgroup's part of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor
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


class VectorWriter:
    """Writes operations on vectors of `lanes` elements where loops have led, and into the part that they fill."""

    def __init__(self, codelet: CodeletWriter, lanes: int) -> None:
        self.codelet, self.lanes = codelet, lanes
        self.filled = ""
        self.type = ""

    def line(self, operation: str) -> str:
        """Appends `%n = operation` and returns `%n`."""
        name = self.codelet.fresh().replace("%", "%v")
        self.codelet.lines.append(f"{name} = {operation}")
        return name

    def affine(self, expression: str, *indices: str) -> str:
        """An index computed from others, which are d0, d1, … in the expression."""
        names = ", ".join(f"d{i}" for i in range(len(indices)))
        return self.line(f"affine.apply affine_map<({names}) -> ({expression})>({', '.join(indices)})")

    def least(self, number: int, expression: str, *indices: str) -> str:
        """The smaller one of a number and an index computed from others."""
        names = ", ".join(f"d{i}" for i in range(len(indices)))
        return self.line(f"affine.min affine_map<({names}) -> ({number}, {expression})>({', '.join(indices)})")

    @contextmanager
    def arithmetic(self) -> Iterator[Scalars]:
        """Collects operations on vectors and writes them in the end."""
        scalars = Scalars(self.codelet.fresh(), self.lanes)
        yield scalars
        self.codelet.lines += scalars.lines

    def read(self, value: Value, indices: Sequence[Index]) -> Scalar:
        """A vector along the last dimension, of the type that the value is computed with.

        If the last dimension has a single element, the vector repeats it.
        """
        stored = value.in_memory
        repeats = stored.rank == 0 or stored.shape[-1] == 1
        dimensions = ", ".join(f"d{i}" for i in range(stored.rank))
        along = "0" if repeats else f"d{stored.rank - 1}"
        vector = Scalar("", stored.dtype, self.lanes)
        name = self.line(
            f"vector.transfer_read {value.name}[{self._listed(indices)}], {self.codelet.scalar(0, stored.dtype)} "
            f"{{in_bounds = [true], permutation_map = affine_map<({dimensions}) -> ({along})>}} : "
            f"{value.type}, {vector.type}"
        )
        with self.arithmetic() as scalars:
            return scalars.cast(Scalar(name, stored.dtype, self.lanes), value.tensor.dtype)

    def write(self, vector: Scalar, indices: Sequence[Index]) -> None:
        """Stores a vector along the last dimension of the part."""
        self.filled = self.line(
            f"vector.transfer_write {vector.name}, {self.filled}[{self._listed(indices)}] "
            f"{{in_bounds = [true]}} : {vector.type}, {self.type}"
        )

    @contextmanager
    def only_if(self, index: str, limit: int) -> Iterator[None]:
        """What is written within happens where the index is below the limit."""
        before = self.filled
        within = self.line(f"arith.cmpi ult, {index}, {self.codelet.index(limit)} : index")
        after = self.line(f"scf.if {within} -> ({self.type}) {{")
        yield
        self.codelet.lines += [
            f"scf.yield {self.filled} : {self.type}",
            f"}} else {{\nscf.yield {before} : {self.type}\n}}",
        ]
        self.filled = after

    @contextmanager
    def loop(self, end: int, step: int = 1) -> Iterator[str]:
        """Counts from 0 to `end`; yields the index."""
        index, carried = self.codelet.fresh().replace("%", "%i"), self.codelet.fresh().replace("%", "%p")
        bounds = [self.codelet.index(number) for number in (0, end, step)]
        after = self.line(
            f"scf.for {index} = {bounds[0]} to {bounds[1]} step {bounds[2]} "
            f"iter_args({carried} = {self.filled}) -> ({self.type}) {{"
        )
        self.filled = carried
        yield index
        self.codelet.lines.append(f"scf.yield {self.filled} : {self.type}\n}}")
        self.filled = after

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
        with self.loop(grid.together) as number:
            column = self.affine("d0 + d1", first, number)
            with self.loop(result.shape[-1], self.lanes) as channel:
                body(Place(batch, row, column, number, channel))
        self.codelet.lines.append(
            f"scf.forall.in_parallel {{\ntensor.parallel_insert_slice {self.filled} into {shared}{place} : "
            f"{self.type} into {whole.type}\n}}\n}} {{mapping = [{_MAPPING}]}}"
        )
        return Value(after, result)

    def _enter(self, part: Part, result: Tensor, shared: str, type_: str) -> str:
        """Takes the part of the result to fill; returns the text of its place."""
        lists = [part.offsets, part.sizes, [1] * result.rank]
        place = "".join(f"[{', '.join(map(str, items))}]" for items in lists)
        extents = "x".join("?" if isinstance(size, str) else str(size) for size in part.sizes)
        self.type = f"tensor<{extents}x{signless(result.with_shape(()))[len('tensor<') :]}"
        self.filled = self.line(f"tensor.extract_slice {shared}{place} : {type_} to {self.type}")
        return place

    def _listed(self, indices: Sequence[Index]) -> str:
        return ", ".join(one if isinstance(one, str) else self.codelet.index(one) for one in indices)


_MAPPING = ", ".join(f"#iree_codegen.workgroup_mapping<{axis}>" for axis in "zyx")


def combination(scalars: Scalars, coefficients: Sequence[float], terms: Sequence[Scalar]) -> Scalar:
    """The sum of the terms, each times its coefficient, of which some are not zero."""
    pairs = [(factor, term) for factor, term in zip(coefficients, terms, strict=True) if factor != 0]
    (factor, term), *rest = sorted(pairs, key=lambda pair: pair[0] != 1)
    total = term if factor == 1 else scalars.multiply(term, scalars.constant(factor, term.dtype))
    for factor, term in rest:
        total = _plus(scalars, total, factor, term)
    return total


def _plus(scalars: Scalars, total: Scalar, factor: float, term: Scalar) -> Scalar:
    if abs(factor) == 1:
        return scalars.add(total, term) if factor == 1 else scalars.subtract(total, term)
    return scalars.math("fma", term, scalars.constant(factor, term.dtype), total)
