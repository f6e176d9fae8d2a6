"""Writes a codelet that starts with a `ShuffledMatMul` as loops over vectors.

Neighbours in the result are of different groups, and so are the lanes of a vector of sums: each group's channel is
multiplied in the lanes of that group. First the channels of a tile of pixels are copied such that those of all groups
lie side by side, in memory that stays in the nearest cache. From there one load fills a vector for all columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast, Elementwise
from pyipu.dialect.linear import ShuffledMatMul
from pyipu.dialect.program import Constant
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import tensor_of
from pyipu.dialect.vectors import Term
from pyipu.dialect.writer import CodeletWriter
from pyipu.passes.functions import returned_value
from pyipu.passes.planning.blocks import largest_divisor
from pyipu.targets.binding import Interface
from pyipu.targets.buffers import Buffer, BufferWriter, Scratch
from pyipu.targets.vector_codelet import Buffers, Epilogue, Kernel, ProductLoops, SumTile
from pyipu.targets.weaving import interleaved

SCRATCH = 4096
"""Numbers that are copied at once: they fill half of the nearest cache, and of the stack that IREE grants."""

UNROLLED = 4
"""Channels of each group that one turn of the innermost loop multiplies."""


def shuffled_kernel(interface: Interface, codelet: func.FuncOp, tiles: Tiles) -> Kernel | None:
    """The loops of such a codelet; None where it is none, and where the code generator should do it."""
    total = _total(codelet)
    lanes = 0 if total is None else tiles.lanes(tensor_of(total.results[0]))
    if total is None or not lanes:
        return None
    source, weights = (tensor_of(value) for value in total.operands)
    groups, (blocks, depth, columns) = ShuffledMatMul.groups(source, weights), weights.shape
    pixels, together = tiles.sums(([size for size in source.shape[:-1] if size != 1] or [1])[-1], blocks, columns)
    tile = largest_divisor(pixels, SCRATCH // (groups * depth)) if groups * depth <= SCRATCH else 0
    loops = ProductLoops.of(source.shape[:-1], blocks, columns, lambda row: tile)
    shared, buffers = tiles.pairs(loops.tiles, 1) if tile else None, Buffers.of(interface, codelet)
    lanes = min(lanes, columns)
    if shared is None or not buffers.side_by_side or lanes % groups or columns % lanes:
        return None
    writer = BufferWriter(CodeletWriter(), lanes)
    buffers.bind(writer, interface)
    _Codelet(writer, total, returned_value(codelet), buffers, loops, groups, together).write(shared[0])
    return Kernel((loops.tiles // shared[0], 1), [*writer.codelet.head, *writer.lines])


def _total(codelet: func.FuncOp) -> ShuffledMatMul | None:
    """The product that a codelet starts with; behind it everything is element-wise."""
    ops = [op for op in ipu_ops(codelet.regions[0].blocks[0]) if not isinstance(op, Constant)]
    total = next((op for op in ops if isinstance(op, ShuffledMatMul)), None)
    if total is None or any(_stored(value) is None for value in total.operands):
        return None
    rest = [op for op in ops if op != total and op.results[0] not in total.operands]
    shape = tensor_of(total.results[0]).shape
    fits = all(isinstance(op, Elementwise) and tensor_of(op.results[0]).shape == shape for op in rest)
    truth = any(tensor_of(one).dtype == "i1" for one in (*codelet.arguments, returned_value(codelet)))
    return total if fits and not truth else None


def _stored(value: ir.Value) -> ir.BlockArgument | None:
    """What lies in memory of an operand, which may be stored in another type; None if it is computed here."""
    stored = value.owner.operands[0] if isinstance(value.owner, Cast) else value
    return stored if isinstance(stored, ir.BlockArgument) else None


@dataclass(frozen=True)
class _Codelet:
    """Writes the loops of one codelet."""

    writer: BufferWriter
    total: Op
    returned: ir.Value
    buffers: Buffers
    loops: ProductLoops
    groups: int
    together: int
    """Blocks of columns that are summed up at once."""

    @property
    def data(self) -> Buffer:
        return self._buffer(0)

    @property
    def weights(self) -> Buffer:
        return self._buffer(1)

    def _buffer(self, number: int) -> Buffer:
        stored = _stored(self.total.operands[number])
        assert stored is not None
        return self.buffers.arguments[stored]

    @property
    def depth(self) -> int:
        """Channels of one group."""
        return tensor_of(self.total.operands[1]).shape[1]

    def write(self, tiles: int) -> None:
        """One workgroup: so many tiles of pixels, each with all columns."""
        scratch = self.writer.scratch(self.loops.tile * self.groups * self.depth)
        row = self.writer.line("stream.dispatch.workgroup.id[0] : index")

        def tile(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            pixel = self.loops.coordinates(self.writer, self.writer.sum([(row, tiles), (index, 1)]))
            self._copy(pixel, scratch)
            return self._columns(pixel, scratch)

        self.writer.loop(tiles, 1, [], tile)

    def _copy(self, pixel: Sequence[str], scratch: Scratch) -> None:
        """Copies the channels of a tile: the first ones of all groups, the second ones, and so on."""
        step = self.data.steps[self.loops.along] if self.loops.pixels else 0
        first = [*self.data.first, *zip(pixel, self.data.steps, strict=False)]

        def one(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            read, write = self.writer.sum([*first, (index, step)]), self.writer.sum([(index, self.groups * self.depth)])
            for channel in self._starts:
                self._copy_channels([(read, 1), (channel, 1)], [(write, 1), (channel, self.groups)], scratch)
            return []

        self.writer.loop(self.loops.tile, 1, [], one)

    @property
    def _together(self) -> int:
        """So many channels of a group are copied at once: a vector, or the power of two that there are."""
        return min(self.writer.lanes, 1 << self.depth.bit_length() - 1)

    @property
    def _starts(self) -> list[int]:
        """The first of the channels that are copied at once; the last ones are copied twice if they fill no vector."""
        whole = list(range(0, self.depth - self._together + 1, self._together))
        return whole if self.depth % self._together == 0 else [*whole, self.depth - self._together]

    def _copy_channels(self, read: Sequence[Term], write: Sequence[Term], scratch: Scratch) -> None:
        narrow = BufferWriter(self.writer.codelet, self._together)
        places = [narrow.sum([*read, (group * self.depth, 1)]) for group in range(self.groups)]
        loaded = [narrow.cast(narrow.load(self.data, place), scratch.dtype) for place in places]
        for number, one in enumerate(interleaved(narrow, loaded)):
            narrow.store(one, scratch, narrow.sum([*write, (number * narrow.lanes, 1)]))

    def _columns(self, pixel: Sequence[str], scratch: Scratch) -> Sequence[Scalar]:
        """All sums of a tile: some blocks of columns after the other, and those that are left."""
        whole, rest = divmod(self.loops.blocks, self.together)

        def turn(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            return self._blocks(pixel, self.writer.sum([(index, self.together)]), self.together, scratch)

        self.writer.loop(whole, 1, [], turn)
        return self._blocks(pixel, self.writer.index(whole * self.together), rest, scratch) if rest else []

    def _blocks(self, pixel: Sequence[str], block: str, count: int, scratch: Scratch) -> Sequence[Scalar]:
        """The sums of a tile and of so many blocks of columns, and what is computed of them."""
        lanes = self.writer.lanes
        columns = range(0, count * self.loops.columns, lanes)
        begin = self.writer.sum([*self.weights.first, (block, self.weights.steps[0])])
        filters = [(begin, self._filter(column)) for column in columns]
        zero = self.writer.constant(0, scratch.dtype)

        def turn(channel: str, sums: Sequence[Scalar]) -> Sequence[Scalar]:
            for one in range(unrolled):
                sums = self._products(self.writer.sum([(channel, 1), (one, 1)]), filters, sums, scratch)
            return sums

        keys = [(p, v) for p in range(self.loops.tile) for v in range(len(columns))]
        unrolled = largest_divisor(self.depth, UNROLLED)
        sums = self.writer.loop(self.depth, unrolled, [zero] * len(keys), turn)
        here = SumTile(pixel, self.loops.along, [(block, self.loops.columns)], dict(zip(keys, sums, strict=True)))
        Epilogue(self.writer, self.total.results[0], self.returned, self.buffers).store(here)
        return []

    def _filter(self, column: int) -> int:
        """How far behind the first of some blocks the weights of a column begin."""
        block, part = divmod(column, self.loops.columns)
        return block * self.weights.steps[0] + part

    def _products(
        self, channel: str, filters: Sequence[tuple[str, int]], sums: Sequence[Scalar], scratch: Scratch
    ) -> list[Scalar]:
        """Adds the products of one channel of each group to all sums of the tile."""
        writer, vectors = self.writer, len(filters)
        places = [writer.sum([(begin, 1), (apart, 1), (channel, self.weights.steps[1])]) for begin, apart in filters]
        weights = [writer.cast(writer.load(self.weights, place), scratch.dtype) for place in places]
        begin = writer.sum([(channel, self.groups)])
        added: list[Scalar] = []
        for p in range(self.loops.tile):
            place = writer.sum([(begin, 1), (p * self.groups * self.depth, 1)])
            data = writer.load_repeated(scratch, place, self.groups)
            here = sums[p * vectors : (p + 1) * vectors]
            added += [writer.math("fma", data, one, total) for total, one in zip(here, weights, strict=True)]
        return added
