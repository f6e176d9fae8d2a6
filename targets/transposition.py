"""Writes a codelet that transposes as loops over vectors.

IREE's code generator moves single elements where a side has few neighbours, as the channels of an image are. Here a
tile of vectors is loaded, transposed in registers and stored: 16 pixels of three planes become 48 neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.elementwise import Cast
from pyipu.dialect.movement import Transpose, permute
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.dialect.vectors import VectorWriter
from pyipu.dialect.writer import CodeletWriter
from pyipu.passes.planning.transposing import Dimension, Loop, Nest, transposing
from pyipu.targets.binding import Interface
from pyipu.targets.buffers import BufferWriter
from pyipu.targets.vector_codelet import Buffers, Kernel
from pyipu.targets.weaving import interleaved, separated


def transposition_kernel(interface: Interface, codelet: func.FuncOp, tiles: Tiles) -> Kernel | None:
    """The loops of such a codelet; None where it is none, and where the code generator should do it."""
    op, tensors = _transpose(codelet), _tensors(codelet)
    if op is None or any(one.dtype == "i1" for one in tensors):
        return None
    buffers = Buffers.of(interface, codelet)
    lanes = tiles.vector_bytes // max(one.numpy_dtype.itemsize for one in tensors)
    nest = transposing(_dimensions(op, buffers), lanes)
    shared = tiles.pairs(nest.rows, nest.inner.turns) if nest else None
    if nest is None or shared is None:
        return None
    writer = BufferWriter(CodeletWriter(), nest.lanes, tiles.features)
    buffers.bind(writer, interface)
    _Codelet(writer, nest, buffers, [one.dtype for one in tensors]).write(*shared)
    workgroups = nest.inner.turns // shared[1], nest.rows // shared[0]
    return Kernel(workgroups, [*writer.codelet.head, *writer.lines])


def _transpose(codelet: func.FuncOp) -> Transpose | None:
    """The only op of a codelet but casts."""
    ops = list(ipu_ops(codelet.regions[0].blocks[0]))
    found = [op for op in ops if isinstance(op, Transpose)]
    return found[0] if len(found) == 1 and all(isinstance(op, Cast | Transpose) for op in ops) else None


def _tensors(codelet: func.FuncOp) -> list[Tensor]:
    """What is read, and what each op makes of it."""
    body = codelet.regions[0].blocks[0]
    values: list[ir.Value] = [*body.arguments, *(op.results[0] for op in ipu_ops(body))]
    return [tensor_of(value) for value in values]


def _dimensions(op: Transpose, buffers: Buffers) -> list[Dimension]:
    [source], result = buffers.arguments.values(), buffers.result
    steps = zip(result.binding.tensor.shape, permute(source.steps, op.permutation), result.steps, strict=True)
    return [Dimension(*one) for one in steps]


@dataclass(frozen=True)
class _Codelet:
    """Writes the loops of one codelet."""

    writer: BufferWriter
    nest: Nest
    buffers: Buffers
    dtypes: Sequence[str]
    """Of what is read, and what that is cast to, one after the other."""

    def write(self, rows: int, turns: int) -> None:
        """One workgroup: so many rows, of each of which the inner loop runs so many turns."""
        part = self.writer.line("stream.dispatch.workgroup.id[0] : index")
        share = self.writer.line("stream.dispatch.workgroup.id[1] : index")

        def row(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            source, result = self._row(self.writer.sum([(share, rows), (index, 1)]))

            def tile(number: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
                return self._tile(source, result, self.writer.sum([(part, turns), (number, 1)]))

            return self.writer.loop(turns, 1, [], tile)

        self.writer.loop(rows, 1, [], row)

    def _row(self, number: str) -> tuple[str, str]:
        """Where a row is read and where it is written."""
        [source], result = self.buffers.arguments.values(), self.buffers.result
        read, written, rest = list(source.first), list(result.first), number
        for loop in reversed(self.nest.outer):
            rest, turn = self.writer.divided(rest, loop.turns)
            place = self._place(loop, turn)
            read.append((place, loop.dimension.source))
            written.append((place, loop.dimension.result))
        return self.writer.sum(read), self.writer.sum(written)

    def _place(self, loop: Loop, turn: str) -> str:
        """The first of the neighbours that a turn of a loop moves."""
        place = self.writer.sum([(turn, loop.tile)])
        if not loop.overlaps:
            return place
        return self.writer.line(f"arith.minui {place}, {self.writer.index(loop.last)} : index")

    def _tile(self, source: str, result: str, turn: str) -> Sequence[Scalar]:
        """Moves a tile of a row that is read at `source` and written at `result`."""
        place, inner = self._place(self.nest.inner, turn), self.nest.inner.dimension
        loaded = self._load(self.writer.sum([(source, 1), (place, inner.source)]))
        moved = (separated if self.nest.separates else interleaved)(self.writer, [self._cast(one) for one in loaded])
        self._store(moved, self.writer.sum([(result, 1), (place, inner.result)]))
        return []

    def _load(self, begin: str) -> list[Scalar]:
        [source], loads = self.buffers.arguments.values(), self.nest.loads
        places = [self.writer.sum([(begin, 1), (v, loads.step)]) for v in range(loads.count)]
        return [self.writer.load(source, place) for place in places]

    def _store(self, vectors: Sequence[Scalar], begin: str) -> None:
        for v, vector in enumerate(vectors):
            place = self.writer.sum([(begin, 1), (v, self.nest.stores.step)])
            self.writer.store(vector, self.buffers.result, place)

    def _cast(self, vector: Scalar) -> Scalar:
        """In operations that every processor has: the one that rounds to bf16 is not written by its name."""
        for dtype in self.dtypes:
            vector = VectorWriter.cast(self.writer, vector, dtype)
        return vector
