"""What kernels of sums of products have in common: their buffers, and what is element-wise behind the sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.program import Constant
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.types import tensor_of
from pyipu.dialect.vectors import Term
from pyipu.targets.binding import Interface, Passed
from pyipu.targets.buffers import Buffer, BufferWriter


@dataclass(frozen=True)
class Kernel:
    """What an executable runs: so many workgroups in two dimensions, and the lines of one of them."""

    workgroups: tuple[int, int]
    lines: Sequence[str]


@dataclass(frozen=True)
class Buffers:
    """What the codelet reads and writes."""

    arguments: Mapping[ir.Value, Buffer]
    result: Buffer

    @staticmethod
    def of(interface: Interface, codelet: func.FuncOp) -> Buffers:
        bindings = enumerate(interface.bindings.items())
        every = {value: Buffer(f"%m{i}", binding) for i, (value, binding) in bindings}
        *reads, result = interface.vertex.operands
        arguments = codelet.regions[0].blocks[0].arguments
        return Buffers({a: every[value] for a, value in zip(arguments, reads, strict=True)}, every[result])

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
class ProductLoops:
    """The extents of a product's loops; `pixels` are the result's dimensions but the last one."""

    pixels: tuple[int, ...]
    along: int
    """The dimension of the pixels whose neighbours are computed together: the last one that is not of size one."""
    tile: int
    """So many neighbours."""
    blocks: int
    columns: int

    @staticmethod
    def of(pixels: tuple[int, ...], blocks: int, columns: int, tile: Callable[[int], int]) -> ProductLoops:
        """`tile` says how many pixels of a row of so many are computed together."""
        along = max((i for i, size in enumerate(pixels) if size != 1), default=len(pixels) - 1)
        return ProductLoops(pixels, along, tile(pixels[along]) if pixels else 1, blocks, columns)

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
class SumTile:
    """Sums that are held in registers: some pixels that are neighbours, times some vectors of channels."""

    pixel: Sequence[str]
    """The coordinates of the first one: all of the result's but the channel."""
    along: int
    """The dimension in which the pixels are neighbours."""
    channel: Sequence[Term]
    """Where the first vector starts."""
    sums: Mapping[tuple[int, int], Scalar]
    """By the pixel of the tile and the vector."""
    known: dict[tuple[ir.Value, int, int], Scalar] = field(default_factory=dict)
    """What was computed already; the pixel or the vector is 0 where a value does not vary with it."""


@dataclass(frozen=True)
class Epilogue:
    """Writes what is element-wise behind sums, on vectors of them."""

    writer: BufferWriter
    total: ir.Value
    returned: ir.Value
    buffers: Buffers

    def store(self, tile: SumTile) -> None:
        """Computes the results of a tile and stores them."""
        for p, v in tile.sums:
            value = self._vector(self.returned, tile, p, v)
            self.writer.store(value, self.buffers.result, self._place(self.buffers.result, tile, p, v))

    def _vector(self, value: ir.Value, tile: SumTile, p: int, v: int) -> Scalar:
        """Elements of a value: vector `v` of the block, of pixel `p` of the tile."""
        *pixels, filters = tensor_of(value).shape or (1,)
        key = value, p if set(pixels) - {1} else 0, v if filters != 1 else 0
        if key not in tile.known:
            tile.known[key] = self._computed(value, tile, p, v)
        return tile.known[key]

    def _computed(self, value: ir.Value, tile: SumTile, p: int, v: int) -> Scalar:
        if isinstance(value, ir.BlockArgument):
            return self._loaded(self.buffers.arguments[value], tile, p, v)
        op = value.owner
        if value == self.total:
            return tile.sums[p, v]
        if isinstance(op, Constant):
            return self.writer.constant(op.value.reshape(-1)[0].item(), tensor_of(value).dtype)
        assert isinstance(op, Elementwise)
        return type(op).scalar(self.writer, *(self._vector(one, tile, p, v) for one in op.operands), **op.values)

    def _loaded(self, buffer: Buffer, tile: SumTile, p: int, v: int) -> Scalar:
        place = self._place(buffer, tile, p, v)
        varies = buffer.binding.tensor.shape[-1:] not in ((), (1,))
        return self.writer.load(buffer, place) if varies else self.writer.load_one(buffer, place)

    def _place(self, buffer: Buffer, tile: SumTile, p: int, v: int) -> str:
        """Where elements of a tensor lie that broadcasts to the result."""
        shape = buffer.binding.tensor.shape
        pixel: list[list[Term]] = [[(one, 1), (p * (i == tile.along), 1)] for i, one in enumerate(tile.pixel)]
        every: list[list[Term]] = [*pixel, [*tile.channel, (v, self.writer.lanes)]]
        aligned = zip(shape, buffer.steps, every[len(every) - len(shape) :], strict=True)
        moved = [(one, factor * step) for size, step, terms in aligned if size != 1 for one, factor in terms]
        return self.writer.sum([*buffer.first, *moved])
