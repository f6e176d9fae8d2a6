"""Writes a codelet that starts with a depthwise convolution of integers of 8 bits as loops over vectors.

The instruction that multiplies four bytes with four others and adds up the products is given four rows of the window. A
vector of channels is loaded from each of them and their bytes are interleaved; this quad is multiplied for every pixel
whose window has its column. Weights are interleaved alike, once for each row of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.pairs import QuadConv
from pyipu.dialect.program import Constant
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import tensor_of
from pyipu.dialect.vectors import Term
from pyipu.dialect.windows import Conv
from pyipu.dialect.writer import CodeletWriter
from pyipu.passes.functions import returned_value
from pyipu.targets.binding import Interface
from pyipu.targets.buffers import BufferWriter
from pyipu.targets.vector_codelet import Buffers, Epilogue, Kernel, SumTile

FEATURE = "avx512vnni"
"""Without its instruction the code generator's loops are as good."""

QUAD = QuadConv.together
"""How many rows of the window are multiplied at once."""

MOST_PIXELS = 14
"""So many sums stay in registers: neighbours share all columns of their windows but a few."""

LINE = 64
"""Channels whose bytes fill a line of the cache: no two workgroups write to one."""


def depthwise_kernel(interface: Interface, codelet: func.FuncOp, tiles: Tiles) -> Kernel | None:
    """The loops of such a codelet; None where it is none, and where the code generator should do it."""
    total = _total(codelet)
    if total is None or FEATURE not in tiles.features:
        return None
    batch, height, _, channels = tensor_of(total.results[0]).shape
    together = LINE if channels % LINE == 0 else channels
    shared = tiles.pairs(batch * height, channels // together)
    buffers = Buffers.of(interface, codelet)
    if shared is None or not buffers.side_by_side:
        return None
    writer = BufferWriter(CodeletWriter(), _lanes(channels), tiles.features)
    buffers.bind(writer, interface)
    epilogue = Epilogue(writer, total.results[0], returned_value(codelet), buffers)
    rows, parts = shared
    _Codelet(writer, total, buffers, epilogue).write(rows, parts * together)
    return Kernel((channels // together // parts, batch * height // rows), [*writer.codelet.head, *writer.lines])


def _total(codelet: func.FuncOp) -> Conv | None:
    """The convolution of images that a codelet starts with; behind it everything is element-wise."""
    body = codelet.regions[0].blocks[0]
    ops = [op for op in ipu_ops(body) if not isinstance(op, Constant)]
    total = next((op for op in ops if isinstance(op, Conv)), None)
    if total is None or not _is_depthwise(total):
        return None
    shape = tensor_of(total.results[0]).shape
    fits = all(op == total or (isinstance(op, Elementwise) and _shape(op) == shape) for op in ops)
    truth = any(tensor_of(value).dtype == "i1" for value in (*body.arguments, returned_value(codelet)))
    return total if fits and not truth else None


def _shape(op: Op) -> tuple[int, ...]:
    return tensor_of(op.results[0]).shape


def _is_depthwise(total: Conv) -> bool:
    """Of images in integers, read as they lie, with channels that fill vectors."""
    data, weights = map(tensor_of, total.operands)
    as_they_lie = all(isinstance(value, ir.BlockArgument) for value in total.operands)
    alone = total.groups == data.shape[-1] == weights.shape[-1] and data.rank == 4
    return as_they_lie and alone and (data.dtype, weights.dtype) == QuadConv.types[:2] and _lanes(total.groups) > 0


def _lanes(channels: int) -> int:
    """How many channels a vector takes; 0 where they fill none."""
    return next((lanes for lanes in (16, 8) if channels % lanes == 0), 0)


@dataclass(frozen=True)
class _Row:
    """A row of the result, in one vector of channels."""

    coordinates: tuple[str, str]
    """The image, and the row in it."""
    channel: str
    weights: Sequence[Sequence[Scalar]]
    """By the column of the window and the quad of its rows."""


@dataclass(frozen=True)
class _Codelet:
    """Writes the loops of one codelet."""

    writer: BufferWriter
    total: Conv
    buffers: Buffers
    epilogue: Epilogue

    @property
    def window(self) -> tuple[int, int]:
        rows, columns, _, _ = tensor_of(self.total.operands[1]).shape
        return rows, columns

    def write(self, rows: int, channels: int) -> None:
        """One workgroup: so many rows, whose channels are computed one vector after the other."""
        part = self.writer.line("stream.dispatch.workgroup.id[0] : index")
        share = self.writer.line("stream.dispatch.workgroup.id[1] : index")
        lanes = self.writer.lanes

        def row(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            coordinates = self._coordinates(self.writer.sum([(share, rows), (index, 1)]))

            def vector(number: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
                channel = self.writer.sum([(part, channels), (number, lanes)])
                return self._row(_Row(coordinates, channel, self._weights(channel)))

            return self.writer.loop(channels // lanes, 1, [], vector)

        self.writer.loop(rows, 1, [], row)

    def _coordinates(self, row: str) -> tuple[str, str]:
        """The image and the row in it, of a row of all images."""
        batch, height, *_ = tensor_of(self.total.results[0]).shape
        return self.writer.divided(row, height) if batch > 1 else (self.writer.index(0), row)

    def _row(self, row: _Row) -> Sequence[Scalar]:
        """Tiles of equal length, and a shorter one at the end."""
        width = tensor_of(self.total.results[0]).shape[2]
        pixels = -(-width // -(-width // MOST_PIXELS))
        whole, rest = divmod(width, pixels)

        def tile(index: str, _: Sequence[Scalar]) -> Sequence[Scalar]:
            return self._tile(row, self.writer.sum([(index, pixels)]), pixels)

        self.writer.loop(whole, 1, [], tile)
        return self._tile(row, self.writer.index(whole * pixels), rest) if rest else []

    def _tile(self, row: _Row, first: str, pixels: int) -> Sequence[Scalar]:
        """So many pixels of a row, from column `first` on."""
        sums = self._sums(row, first, pixels)
        tile = SumTile([*row.coordinates, first], 2, [(row.channel, 1)], {(p, 0): one for p, one in enumerate(sums)})
        self.epilogue.store(tile)
        return []

    def _sums(self, row: _Row, first: str, pixels: int) -> list[Scalar]:
        """Column by column of the input: each quad is multiplied for all pixels whose windows have the column."""
        (_, stride), (_, dilation) = self.total.strides, self.total.dilations
        pairs = [(p, k) for p in range(pixels) for k in range(self.window[1])]
        origin, sums = self._origin(row, first), [self.writer.constant(0, "i32")] * pixels
        for column in sorted({p * stride + k * dilation for p, k in pairs}):
            quads = [self._data(origin, rows, column) for rows in self._quads]
            for p, k in [(p, k) for p, k in pairs if p * stride + k * dilation == column]:
                sums[p] = self._plus_products(sums[p], quads, row.weights[k])
        return sums

    def _plus_products(self, total: Scalar, data: Sequence[Scalar], weights: Sequence[Scalar]) -> Scalar:
        for quad, factors in zip(data, weights, strict=True):
            total = self.writer.dot(total, quad, factors)
        return total

    @property
    def _quads(self) -> list[range]:
        """The rows of the window, four by four."""
        return [range(first, min(first + QUAD, self.window[0])) for first in range(0, self.window[0], QUAD)]

    def _origin(self, row: _Row, first: str) -> str:
        """Where the window of the first pixel begins."""
        data, (down, right) = self.buffers.arguments[self.total.operands[0]], self.total.strides
        image, line = row.coordinates
        steps = zip((image, line, first, row.channel), (1, down, right, 1), data.steps, strict=True)
        return self.writer.sum([*data.first, *((place, factor * step) for place, factor, step in steps)])

    def _data(self, origin: str, rows: range, column: int) -> Scalar:
        """A quad of the input; a row that is missing is another one, which weights of zero multiply."""
        data = self.buffers.arguments[self.total.operands[0]]
        apart = self.total.dilations[0] * data.steps[1]
        places = [self.writer.sum([(origin, 1), (row, apart), (column, data.steps[2])]) for row in rows]
        loaded = [self.writer.load(data, place) for place in places]
        return self._interleaved([*loaded, *[loaded[-1]] * (QUAD - len(rows))])

    def _weights(self, channel: str) -> list[list[Scalar]]:
        """The quads of all columns of the window, for a vector of channels."""
        return [[self._weight(channel, rows, column) for rows in self._quads] for column in range(self.window[1])]

    def _weight(self, channel: str, rows: range, column: int) -> Scalar:
        weights = self.buffers.arguments[self.total.operands[1]]
        down, right, _, along = weights.steps
        fixed: list[Term] = [*weights.first, (channel, along), (column, right)]
        loaded = [self.writer.load(weights, self.writer.sum([*fixed, (row, down)])) for row in rows]
        return self._interleaved([*loaded, *[self.writer.constant(0, weights.dtype)] * (QUAD - len(rows))])

    def _interleaved(self, rows: Sequence[Scalar]) -> Scalar:
        """The bytes of four vectors: one of each, of the first channel, and so on."""
        first, second, third, last = rows
        order = [row * self.writer.lanes + channel for channel in range(self.writer.lanes) for row in range(QUAD)]
        return self.writer.shuffled(self._joined(first, second), self._joined(third, last), order)

    def _joined(self, first: Scalar, second: Scalar) -> Scalar:
        return self.writer.shuffled(first, second, list(range(2 * self.writer.lanes)))
