"""Writes a codelet that starts with a `DotConv` as loops over vectors.

IREE's code generator has no convolutions with instructions that multiply two or four channels at once. The loops are
those of a convolution: blocks of filters, tiles of pixels, the window, groups of channels; the sums of one tile and one
block stay in registers, and what is element-wise behind them runs on those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.pairs import DotConv
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import tensor_of
from pyipu.dialect.vectors import Term
from pyipu.dialect.writer import CodeletWriter
from pyipu.passes.functions import returned_value
from pyipu.passes.planning.blocks import largest_divisor, pixel_tile
from pyipu.targets.binding import Interface
from pyipu.targets.buffers import BufferWriter
from pyipu.targets.vector_codelet import Buffers, Epilogue, Kernel, ProductLoops, SumTile

UNROLLED = 2
"""Groups of channels that one turn of the innermost loop adds."""


def paired_kernel(interface: Interface, codelet: func.FuncOp, tiles: Tiles) -> Kernel | None:
    """The loops of such a codelet; None where it is none, or where its elements do not lie side by side."""
    total = next((op for op in ipu_ops(codelet.regions[0].blocks[0]) if isinstance(op, DotConv)), None)
    if total is None:
        return None
    lanes = min(tensor_of(total.operands[1]).shape[-2], 16)
    writer = BufferWriter(CodeletWriter(), lanes, tiles.features)
    loops = _loops(total)
    shared = tiles.pairs(loops.tiles, loops.blocks)
    buffers = Buffers.of(interface, codelet)
    if shared is None or not buffers.side_by_side:
        return None
    buffers.bind(writer, interface)
    _Codelet(writer, total, returned_value(codelet), buffers, loops).write(*shared)
    workgroups = loops.blocks // shared[1], loops.tiles // shared[0]
    return Kernel(workgroups, [*writer.codelet.head, *writer.lines])


def _loops(total: DotConv) -> ProductLoops:
    blocks, columns = (tensor_of(total.operands[1]).shape[i] for i in (0, -2))
    pixels = tensor_of(total.results[0]).shape[:-1]
    return ProductLoops.of(pixels, blocks, columns, lambda row: pixel_tile(row, columns))


@dataclass(frozen=True)
class _Codelet:
    """Writes the loops of one codelet."""

    writer: BufferWriter
    total: DotConv
    returned: ir.Value
    buffers: Buffers
    loops: ProductLoops

    @property
    def vectors(self) -> int:
        """Of one block."""
        return self.loops.columns // self.writer.lanes

    def write(self, tiles: int, blocks: int) -> None:
        """One workgroup: so many tiles and blocks; the weights of a block stay in the cache for all of its tiles."""
        group = self.writer.line("stream.dispatch.workgroup.id[0] : index")
        row = self.writer.line("stream.dispatch.workgroup.id[1] : index")

        def block(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            number = self.writer.sum([(group, blocks), (index, 1)])
            return self.writer.loop(tiles, 1, [], lambda tile, _: self._tile(number, [(row, tiles), (tile, 1)]))

        self.writer.loop(blocks, 1, [], block)

    def _tile(self, block: str, tile: Sequence[Term]) -> Sequence[Scalar]:
        pixel = self.loops.coordinates(self.writer, self.writer.sum(tile))
        keys = [(p, v) for p in range(self.loops.tile) for v in range(self.vectors)]
        sums = dict(zip(keys, self._sums(pixel, block), strict=True))
        here = SumTile(pixel, self.loops.along, [(block, self.loops.columns)], sums)
        Epilogue(self.writer, self.total.results[0], self.returned, self.buffers).store(here)
        return []

    # The sums ---------------------------------------------------------------------------------------------------------

    def _sums(self, pixel: Sequence[str], block: str) -> Sequence[Scalar]:
        """The sums of a tile, pixel by pixel."""
        data, weights = (self.buffers.arguments[value] for value in self.total.operands)
        strides = self._strides
        read = [*data.first, *((one, s * step) for one, s, step in zip(pixel, strides, data.steps, strict=False))]
        filters = [*weights.first, (block, weights.steps[0])]
        if self.total.groups > 1:
            group, _ = self.writer.divided(block, self.loops.blocks // self.total.groups)
            read.append((group, self.total.together * tensor_of(self.total.operands[1]).shape[-3]))
        zero = self.writer.constant(0, self.total.types[2])
        return self._window(0, read, filters, [zero] * (self.loops.tile * self.vectors))

    @property
    def _strides(self) -> tuple[int, ...]:
        """How many pixels of the input lie between those of neighbours, in each dimension."""
        return (1, *self.total.strides) if self.total.strides else (1,) * len(self.loops.pixels)

    def _window(self, depth: int, read: list[Term], filters: list[Term], sums: Sequence[Scalar]) -> Sequence[Scalar]:
        """The loops over the window from dimension `depth` on."""
        data, weights = (self.buffers.arguments[value] for value in self.total.operands)
        if depth == len(self.total.strides):
            return self._channels(read, filters, sums)

        def turn(index: str, inner: Sequence[Scalar]) -> Sequence[Scalar]:
            place = (index, self.total.dilations[depth] * data.steps[1 + depth])
            return self._window(depth + 1, [*read, place], [*filters, (index, weights.steps[1 + depth])], inner)

        return self.writer.loop(tensor_of(self.total.operands[1]).shape[1 + depth], 1, sums, turn)

    def _channels(self, read: list[Term], filters: list[Term], sums: Sequence[Scalar]) -> Sequence[Scalar]:
        """The loop over groups of channels that one instruction multiplies."""
        depth, together = tensor_of(self.total.operands[1]).shape[-3], self.total.together
        unrolled, step = largest_divisor(depth, UNROLLED), self.buffers.arguments[self.total.operands[1]].steps[-3]

        def turn(index: str, inner: Sequence[Scalar]) -> Sequence[Scalar]:
            begin, first = self.writer.sum([*read, (index, together)]), self.writer.sum([*filters, (index, step)])
            for number in range(unrolled):
                inner = self._products([(begin, 1), (number, together)], [(first, 1), (number, step)], inner)
            return inner

        return self.writer.loop(depth, unrolled, sums, turn)

    def _products(self, read: list[Term], filters: list[Term], sums: Sequence[Scalar]) -> list[Scalar]:
        """Adds the products of one group of channels to all sums of the tile."""
        data, weights = (self.buffers.arguments[value] for value in self.total.operands)
        writer, together = self.writer, self.total.together
        places = [writer.sum([*filters, (v, together * writer.lanes)]) for v in range(self.vectors)]
        loaded = [writer.load_together(weights, place, together) for place in places]
        apart = self._strides[self.loops.along] * data.steps[self.loops.along] if self.loops.pixels else 0
        added: list[Scalar] = []
        for p in range(self.loops.tile):
            group = writer.load_for_all(data, writer.sum([*read, (p, apart)]), together)
            here = sums[p * self.vectors : (p + 1) * self.vectors]
            added += [writer.dot(total, group, one) for total, one in zip(here, loaded, strict=True)]
        return added
