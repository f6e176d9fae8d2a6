"""Writes a codelet that starts with a `DotConv` as loops over vectors.

IREE's code generator has no convolutions with instructions that multiply two or four channels at once. The loops are
those of a convolution: blocks of filters, tiles of pixels, the window, groups of channels; the sums of one tile and one
block stay in registers, and what is element-wise behind them runs on those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.pairs import DotConv
from pyipu.dialect.program import Constant
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import tensor_of
from pyipu.dialect.vectors import Term
from pyipu.dialect.writer import CodeletWriter
from pyipu.passes.functions import returned_value
from pyipu.passes.planning.blocks import largest_divisor, pixel_tile
from pyipu.targets.binding import Interface, Passed
from pyipu.targets.buffers import Buffer, BufferWriter

UNROLLED = 2
"""Groups of channels that one turn of the innermost loop adds."""


@dataclass(frozen=True)
class Kernel:
    """What an executable runs: so many workgroups in two dimensions, and the lines of one of them."""

    workgroups: tuple[int, int]
    lines: Sequence[str]


def paired_kernel(interface: Interface, codelet: func.FuncOp, tiles: Tiles) -> Kernel | None:
    """The loops of such a codelet; None where it is none, or where its elements do not lie side by side."""
    total = next((op for op in ipu_ops(codelet.regions[0].blocks[0]) if isinstance(op, DotConv)), None)
    if total is None:
        return None
    lanes = min(tensor_of(total.operands[1]).shape[-2], 16)
    writer = BufferWriter(CodeletWriter(), lanes, tiles.features)
    loops = _Loops.of(total)
    shared = tiles.pairs(loops.tiles, loops.blocks)
    buffers = _Buffers.of(interface, codelet)
    if shared is None or not buffers.side_by_side:
        return None
    buffers.bind(writer, interface)
    _Codelet(writer, total, returned_value(codelet), buffers, loops).write(*shared)
    workgroups = loops.blocks // shared[1], loops.tiles // shared[0]
    return Kernel(workgroups, [*writer.codelet.head, *writer.lines])


@dataclass(frozen=True)
class _Loops:
    """The extents of the loops; `pixels` are the result's dimensions but the last one."""

    pixels: tuple[int, ...]
    along: int
    """The dimension of the pixels whose neighbours are computed together: the last one that is not of size one."""
    tile: int
    blocks: int
    columns: int

    @staticmethod
    def of(total: DotConv) -> _Loops:
        pixels = tensor_of(total.results[0]).shape[:-1]
        blocks, columns = (tensor_of(total.operands[1]).shape[i] for i in (0, -2))
        along = max((i for i, size in enumerate(pixels) if size != 1), default=len(pixels) - 1)
        tile = pixel_tile(pixels[along], columns) if pixels else 1
        return _Loops(pixels, along, tile, blocks, columns)

    @property
    def tiles(self) -> int:
        return math.prod(self.pixels) // self.tile

    def coordinates(self, writer: BufferWriter, tile: str) -> list[str]:
        """The pixel that a tile starts with."""
        extents = [size // self.tile if i == self.along else size for i, size in enumerate(self.pixels)]
        found, rest = [writer.index(0)] * len(extents), tile
        inner = [i for i, extent in enumerate(extents) if extent != 1]
        for i in reversed(inner[1:]):
            rest, found[i] = writer.divided(rest, extents[i])
        for i in inner[:1]:
            found[i] = rest
        return [writer.sum([(one, self.tile)]) if i == self.along else one for i, one in enumerate(found)]


@dataclass(frozen=True)
class _Buffers:
    """What the codelet reads and writes."""

    arguments: Mapping[ir.Value, Buffer]
    result: Buffer

    @staticmethod
    def of(interface: Interface, codelet: func.FuncOp) -> _Buffers:
        bindings = enumerate(interface.bindings.items())
        every = {value: Buffer(f"%m{i}", binding) for i, (value, binding) in bindings}
        *reads, result = interface.vertex.operands
        arguments = codelet.regions[0].blocks[0].arguments
        return _Buffers({a: every[value] for a, value in zip(arguments, reads, strict=True)}, every[result])

    @property
    def side_by_side(self) -> bool:
        """Neighbours in the last dimension are neighbours in memory."""
        return all(one.steps[-1:] in ((), (1,)) for one in (*self.arguments.values(), self.result))

    def bind(self, writer: BufferWriter, interface: Interface) -> None:
        """Writes what gives the buffers and the offsets that are passed their names."""
        for number, one in {_number(b): b for b in (*self.arguments.values(), self.result)}.items():
            place = f"%b{number}[{writer.index(0)}]"
            writer.lines.append(f"{one.name} = stream.binding.subspan {place} : !stream.binding -> {one.type}")
        offsets = [offset for binding in interface.bindings.values() for offset in binding.offsets]
        for offset in dict.fromkeys(one for one in offsets if isinstance(one, Passed)):
            units = writer.line(f"arith.index_castui %passed{offset.number} : i32 to index")
            writer.lines.append(f"{offset} = arith.muli {units}, {writer.index(offset.unit)} : index")


def _number(buffer: Buffer) -> int:
    return int(buffer.name.removeprefix("%m"))


@dataclass(frozen=True)
class _Tile:
    """Where one turn of the outer loops is: the pixel that it starts with, and the block of filters."""

    pixel: Sequence[str]
    block: str
    sums: Mapping[tuple[int, int], Scalar]
    """By the pixel of the tile and the vector of the block."""
    known: dict[tuple[ir.Value, int, int], Scalar] = field(default_factory=dict)
    """What was computed already; the pixel or the vector is 0 where a value does not vary with it."""


@dataclass(frozen=True)
class _Codelet:
    """Writes the loops of one codelet."""

    writer: BufferWriter
    total: DotConv
    returned: ir.Value
    buffers: _Buffers
    loops: _Loops

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
        sums = self._sums(pixel, block)
        keys = [(p, v) for p in range(self.loops.tile) for v in range(self.vectors)]
        here = _Tile(pixel, block, dict(zip(keys, sums, strict=True)))
        for p, v in keys:
            value = self._vector(self.returned, here, p, v)
            self.writer.store(value, self.buffers.result, self._place(self.buffers.result, here, p, v))
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

    # What follows them ------------------------------------------------------------------------------------------------

    def _vector(self, value: ir.Value, tile: _Tile, p: int, v: int) -> Scalar:
        """Elements of a value: vector `v` of the block, of pixel `p` of the tile."""
        *pixels, filters = tensor_of(value).shape or (1,)
        key = value, p if set(pixels) - {1} else 0, v if filters != 1 else 0
        if key not in tile.known:
            tile.known[key] = self._computed(value, tile, p, v)
        return tile.known[key]

    def _computed(self, value: ir.Value, tile: _Tile, p: int, v: int) -> Scalar:
        if isinstance(value, ir.BlockArgument):
            return self._loaded(self.buffers.arguments[value], tile, p, v)
        op = value.owner
        if op == self.total:
            return tile.sums[p, v]
        if isinstance(op, Constant):
            return self.writer.constant(op.value.reshape(-1)[0].item(), tensor_of(value).dtype)
        assert isinstance(op, Elementwise)
        return type(op).scalar(self.writer, *(self._vector(one, tile, p, v) for one in op.operands), **op.values)

    def _loaded(self, buffer: Buffer, tile: _Tile, p: int, v: int) -> Scalar:
        place = self._place(buffer, tile, p, v)
        varies = buffer.binding.tensor.shape[-1:] not in ((), (1,))
        return self.writer.load(buffer, place) if varies else self.writer.load_one(buffer, place)

    def _place(self, buffer: Buffer, tile: _Tile, p: int, v: int) -> str:
        """Where elements of a tensor lie that broadcasts to the result."""
        loops, shape = self.loops, buffer.binding.tensor.shape
        pixel: list[list[Term]] = [[(one, 1), (p * (i == loops.along), 1)] for i, one in enumerate(tile.pixel)]
        every: list[list[Term]] = [*pixel, [(tile.block, loops.columns), (v, self.writer.lanes)]]
        aligned = zip(shape, buffer.steps, every[len(every) - len(shape) :], strict=True)
        moved = [(one, factor * step) for size, step, terms in aligned if size != 1 for one, factor in terms]
        return self.writer.sum([*buffer.first, *moved])
