"""How a processor's loop nests are tiled: from extents to tiles, as plain arithmetic.

The innermost tile of a contraction is what stays in vector registers: some pixels times some columns. Every tile
divides its extent, because IREE's code for a rest that does not fill a vector is 20 to 30 times slower.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import Tensor
from pyipu.passes.planning.blocks import AVX512, LANES, Registers, channel_block, largest_divisor, pixel_tile

_ENOUGH_PIXELS = 5
"""So many pixels, times two vectors of columns, hide the latency of a multiplication."""

_MOST_ROWS = 6
"""More rows than this leave no registers for two vectors of columns of each gate."""

_FLOAT = 4
"""Bytes of a number."""

_KEPT = 2**19
"""Bytes of weights that a workgroup finds in its core's cache when it reads them again."""

_WIDEST = 5
"""Registers that a vector of element-wise results takes at most."""

_CONVOLUTION, _CONTRACTION = "ConvTileAndDecomposeExpert", "DoubleTilingExpert"


@dataclass(frozen=True)
class Tiling:
    """Tile sizes of one loop nest, one per loop; 0 leaves a loop alone."""

    distribution: tuple[int, ...]
    """The part of the result that one workgroup computes."""
    parallel: tuple[int, ...]
    """The part of the result that is held in registers."""
    reduction: tuple[int, ...]
    """How many terms are added to it at a time."""
    pipeline: str
    """IREE's code generation strategy."""

    def __str__(self) -> str:
        sizes = (self.distribution, self.parallel, self.reduction)
        return f"tiles {' / '.join('x'.join(map(str, one)) for one in sizes)}"

    @property
    def attribute(self) -> str:
        """As an attribute of a linalg operation."""
        return (
            f"compilation_info = #iree_codegen.compilation_info<{self.sizes}, "
            f"translation_info = <pipeline = #iree_cpu.pipeline<{self.pipeline}>>>"
        )

    @property
    def sizes(self) -> str:
        """As an attribute without the pipeline, which only one operation of a dispatch may name."""
        return (
            f"lowering_config = #iree_cpu.lowering_config<distribution = {list(self.distribution)}, "
            f"vector_common_parallel = {list(self.parallel)}, vector_reduction = {list(self.reduction)}>"
        )


@dataclass(frozen=True)
class TiledNest:
    """A loop nest: how often each loop runs, and how it is tiled."""

    extents: tuple[int, ...]
    tiling: Tiling

    @property
    def fits(self) -> bool:
        """A tile for every loop, each of which divides what it is a part of."""
        tiling, rank = self.tiling, len(self.extents)
        if any(len(tiles) != rank for tiles in (tiling.distribution, tiling.parallel, tiling.reduction)):
            return False
        return all(map(_divides, self.extents, tiling.distribution, tiling.parallel, tiling.reduction))


Note = Callable[[TiledNest], None]


@dataclass(frozen=True)
class Processor(Tiles):
    """Tiles for a processor with vector registers and a pool of threads, for tensors of f32.

    Measured with IREE 3.13 on two cores of Zen 4, which has 32 registers of 16 numbers each.
    """

    threads: int = 2
    workgroups_per_thread: int = 4
    """How many workgroups a thread should get of one dispatch: fewer do not balance, more cost time each."""
    block: int = 32
    """The most columns that are computed together."""
    registers: Registers = AVX512
    workgroup: str = "mapping = [#iree_codegen.workgroup_mapping<x>]"
    note: Note = field(default=lambda nest: None, repr=False, compare=False)
    """Is told each nest that was tiled."""

    @property
    def vector_bytes(self) -> int:
        return self.registers.lanes * _FLOAT

    def noting(self, note: Note) -> Processor:
        return replace(self, note=note)

    def for_threads(self, threads: int) -> Processor:
        return replace(self, threads=threads)

    def described(self, device: str) -> Processor:
        return replace(self, registers=registers_of(device))

    def convolution(self, result: Tensor, window: Sequence[int], channels: int) -> str:
        """Tiles of `linalg.conv_2d_nhwc_hwcf`: loops n, y, x, f, window, c."""
        _, height, width, filters = result.shape
        block = channel_block(filters, width, self.block)
        if result.dtype != "f32" or not block:
            return ""
        rows, blocks = self._distribute(height, filters // block)
        return self._noted(
            (*result.shape, *window, channels),
            Tiling(
                (1, rows, width, blocks * block, 0, 0, 0),
                # Weights lie in rows of all filters: half as many columns read those in pieces, and took half longer.
                (1, 1, pixel_tile(width, block, self.registers), block, 0, 0, 0),
                (0, 0, 0, 0, 1, 1, largest_divisor(channels, 8)),
                _CONVOLUTION,
            ),
        )

    def depthwise(self, result: Tensor, window: Sequence[int]) -> str:
        """Tiles of `linalg.depthwise_conv_2d_nhwc_hwc`: loops n, y, x, c, window."""
        _, height, width, channels = result.shape
        block = next((b for b in (32, 16, 8, 4) if channels % b == 0), 0)
        if result.dtype != "f32" or not block:
            return ""
        rows, blocks = self._distribute(height, channels // block)
        columns = self.registers.columns(block)
        return self._noted(
            (*result.shape, *window),
            Tiling(
                (1, rows, width, blocks * block, 0, 0),
                (1, 1, largest_divisor(width, min(8, self.registers.most_pixels(columns))), columns, 0, 0),
                (0, 0, 0, 0, 1, window[1]),
                _CONVOLUTION,
            ),
        )

    def elementwise(self, result: Tensor) -> str:
        """Tiles of loops `result`: whole rows, so that workgroups read what lies together, in unmasked vectors."""
        rows = next((i for i, size in enumerate(result.shape) if size != 1), result.rank)
        width = vector_width(result.shape[-1], self.registers.lanes) if rows < result.rank - 1 else 0
        if result.dtype != "f32" or width < LANES:
            return ""
        share, _ = self._distribute(result.shape[rows], 1)
        return self._noted(
            result.shape,
            Tiling(
                tuple(share if i == rows else size for i, size in enumerate(result.shape)),
                (*(1 for _ in result.shape[:-1]), width),
                (0,) * result.rank,
                _CONTRACTION,
            ),
        )

    def interleaving(self, result: Tensor) -> str:
        """Tiles of loops `result`: few elements of all groups at a time, which are transposed in registers."""
        *outer, elements, groups = result.shape
        if result.dtype != "f32" or groups > LANES:
            return ""
        rows = next((i for i, size in enumerate(outer) if size != 1), 0)
        share = tuple(self._distribute(size, 1)[0] if i == rows else size for i, size in enumerate(outer))
        return self._noted(
            result.shape,
            Tiling(
                (*share, elements, groups),
                (*(1 for _ in outer), largest_divisor(elements, LANES), groups),
                (0,) * result.rank,
                _CONTRACTION,
            ),
        )

    def packed_matmul(self, result: Tensor, pixels: int, depth: int) -> str:
        """Tiles of loops `result`, depth. Without pixels each weight is read once: then memory is what it waits for."""
        *outer, block = result.shape
        if result.dtype != "f32" or block % LANES:
            return ""
        row = outer[pixels - 1] if pixels else 1
        tile, width = (self._pixels(row, block), self.registers.columns(block)) if pixels else (1, block)
        unit = tile if pixels == 1 else 1
        rows, blocks = self._distribute(_first(outer[:pixels]) // unit, _first(outer[pixels:]))
        return self._noted(
            (*result.shape, depth),
            Tiling(
                (*_starting_with(rows * unit, outer[:pixels]), *_starting_with(blocks, outer[pixels:]), 0, 0),
                (*(tile if i == pixels - 1 else 1 for i in range(len(outer))), width, 0),
                (*[0] * result.rank, largest_divisor(depth, 4) if pixels else 1),
                _CONTRACTION,
            ),
        )

    def pairs(self, tiles: int, blocks: int) -> tuple[int, int] | None:
        """Tiles are as `pixel_tile` has them."""
        return self._distribute(tiles, blocks)

    def sums(self, row: int, blocks: int, columns: int) -> tuple[int, int]:
        """As many as make loads few: one for each pixel, and one for each vector of columns, multiply all of them."""
        options = itertools.product(divisors(row), range(1, blocks + 1))

        def loads(option: tuple[int, int]) -> float:
            pixels, vectors = option[0], option[1] * self.registers.vectors(columns)
            fits = (pixels + 1) * vectors < self.registers.count
            return 1 / pixels + 1 / vectors if fits else math.inf

        return min(options, key=loads)

    def planes(self, result: Tensor, depth: int) -> str:
        """Tiles of loops `result`, depth: each workgroup has some planes, whose matrices are read by it alone.

        It reads them anew for each row of tiles, so they are few enough for its cache.
        """
        *outer, planes, pixels, blocks, block = result.shape
        if result.dtype != "f32" or block % LANES:
            return ""
        tile, width = self._pixels(pixels, block), self.registers.columns(block)
        fits = tile < _ENOUGH_PIXELS and self.registers.hold(2 * tile, width)
        rows = 2 if fits and outer and outer[-1] % 2 == 0 else 1
        matrices = planes * blocks * depth * block * _FLOAT
        together, columns = self._distribute(planes, blocks, matrices // _KEPT)
        return self._noted(
            (*result.shape, depth),
            Tiling(
                (*outer, together, pixels, columns, 0, 0),
                (*[1] * (len(outer) - 1), *([rows] if outer else []), 1, tile, 1, width, 0),
                (*[0] * result.rank, largest_divisor(depth, 4)),
                _CONTRACTION,
            ),
        )

    def lanes(self, result: Tensor) -> int:
        """A vector register, or half of one; other channels are left to `linalg`."""
        channels = result.shape[-1]
        widths = (self.registers.lanes, self.registers.lanes // 2)
        return next((lanes for lanes in widths if channels % lanes == 0), 0) if result.dtype == "f32" else 0

    def tiles_together(self, rows: int, columns: int) -> int:
        """As many tiles as keep all threads busy to the end, of one row."""
        wanted = self.threads * self.workgroups_per_thread

        def cost(together: int) -> tuple[float, int]:
            count = rows * columns // together
            return round(imbalance(count, self.threads), 2), abs(count - wanted)

        return min(reversed(divisors(columns)), key=cost)

    def gates(self, result: Tensor, depth: int, first: bool) -> str:
        """Tiles of loops `result`, depth: columns of as many gates and rows as the registers hold.

        Several rows share what is read of the weights.
        """
        *outer, _, gates, columns = result.shape
        rows = [largest_divisor(batch, _MOST_ROWS) for batch in outer]
        width = self.registers.columns(columns)
        together = max(g for g in divisors(gates) if g == 1 or self.registers.hold(math.prod(rows) * g, width))
        tiling = Tiling(
            (0,) * (result.rank + 1),
            (*rows, 1, together, width, 0),
            (*[0] * result.rank, largest_divisor(depth, 4)),
            _CONTRACTION,
        )
        attribute = self._noted((*result.shape, depth), tiling)
        return attribute if first else tiling.sizes

    def products(self, result: Tensor, rows: int, depth: int) -> str:
        """Tiles of loops `result`, depth."""
        shape, last = result.shape, result.rank - 1
        block = channel_block(shape[-1], shape[rows], self.block)
        if result.dtype != "f32" or not block:
            return ""
        tile = self._pixels(shape[rows], block)
        counted = next((i for i in range(last) if i != rows), rows)
        tiles, products = self._distribute(shape[rows] // tile, shape[counted] if counted != rows else 1)
        parts = {counted: products, rows: tiles * tile}
        return self._noted(
            (*result.shape, depth),
            Tiling(
                (*(parts.get(i, size) for i, size in enumerate(shape)), 0),
                (*(tile if i == rows else 1 for i in range(last)), self.registers.columns(block), 0),
                (*[0] * result.rank, largest_divisor(depth, 4)),
                _CONTRACTION,
            ),
        )

    def _pixels(self, row: int, block: int) -> int:
        """How many pixels of a row are computed together."""
        return pixel_tile(row, self.registers.columns(block), self.registers)

    def _noted(self, extents: tuple[int, ...], tiling: Tiling) -> str:
        self.note(TiledNest(extents, tiling))
        return tiling.attribute

    def _distribute(self, rows: int, blocks: int, least: int = 0) -> tuple[int, int]:
        """Rows and blocks of one workgroup: all threads are busy to the end, in about as many workgroups as wanted.

        More are wanted where `least` says so.
        """
        wanted = max(self.threads * self.workgroups_per_thread, least)

        def cost(option: tuple[int, int]) -> tuple[float, int, int]:
            count = (rows // option[0]) * (blocks // option[1])
            return round(imbalance(count, self.threads), 2), abs(count - wanted), -option[0]

        return min(itertools.product(divisors(rows), divisors(blocks)), key=cost)


_REGISTERS = {"+avx512f,": 32, '"x86_64-': 16, '"aarch64-': 32, '"riscv64-': 32}
"""How many vector registers there are, by what IREE's description of a device has in it; the first one counts."""


def registers_of(device: str) -> Registers:
    """The vector registers of a processor, from IREE's description of it; those of AVX-512 where it says nothing."""
    count = next((count for word, count in _REGISTERS.items() if word in device), AVX512.count)
    width = re.search(r"native_vector_size = (\d+)", device)
    return Registers(count, int(width[1]) // 4 if width else AVX512.lanes)


def _divides(extent: int, distribution: int, parallel: int, reduction: int) -> bool:
    """A tile of 0 leaves the loop alone; a loop that is held in registers is no sum."""
    share, inner = distribution or extent, parallel or reduction or 1
    return 0 < share <= extent and extent % share == 0 and inner > 0 and share % inner == 0


def imbalance(workgroups: int, threads: int) -> float:
    """The time of the slowest thread over that of the mean one.

    IREE hands out one workgroup at a time, and eight from eight per thread on (`iree/task/tuning.h`).
    """
    batch = 1 if workgroups < 8 * threads else 8
    busy = [0] * threads
    for start in range(0, workgroups, batch):
        busy[busy.index(min(busy))] += min(batch, workgroups - start)
    return max(busy) * threads / workgroups


def _first(extents: Sequence[int]) -> int:
    return extents[0] if extents else 1


def _starting_with(size: int, extents: Sequence[int]) -> Sequence[int]:
    """The extents, of which only the first one is divided."""
    return [size, *extents[1:]] if extents else []


def vector_width(elements: int, lanes: int) -> int:
    """How many of a row's elements are computed together: full registers if they divide it, few enough to be held."""
    return max((d for d in divisors(elements) if d <= _WIDEST * lanes), key=lambda d: (d % lanes == 0, d))


def divisors(number: int) -> list[int]:
    """All of them, in order."""
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
