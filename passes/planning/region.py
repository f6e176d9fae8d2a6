"""Where a tensor lies inside a buffer: slices, interiors and reshapes without a copy, as plain arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple


class Runs(NamedTuple):
    """Elements [begin, end), or, when there is a pitch, a run of elements at the beginning of each pitch of these."""

    begin: int
    end: int
    pitch: int = 0
    run: int = 0


@dataclass(frozen=True)
class Region:
    """Part of a buffer of elements.

    From element `start` on the buffer holds a row-major tensor of shape `whole`; the region is the strided slice of it
    with `offsets`, `sizes` and `strides`.
    """

    start: int
    whole: tuple[int, ...]
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @staticmethod
    def all_of(shape: tuple[int, ...]) -> Region:
        """The whole of a buffer that holds one tensor of `shape`."""
        return Region(0, shape, (0,) * len(shape), shape, (1,) * len(shape))

    @property
    def is_whole(self) -> bool:
        """The region is all of the tensor that starts at `start`, without gaps."""
        return self.sizes == self.whole

    def slice(self, offsets: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]) -> Region:
        """The slice of this region that `ipu.slice` would take."""
        moved = tuple(a + b * s for a, b, s in zip(self.offsets, offsets, self.strides, strict=True))
        steps = tuple(a * b for a, b in zip(self.strides, strides, strict=True))
        return Region(self.start, self.whole, moved, sizes, steps)

    def reshape(self, shape: tuple[int, ...], granularity: int = 1) -> Region | None:
        """The same elements under another shape; None when they are not in one piece.

        A piece that starts inside `whole` is taken only when its distance is a multiple of `granularity` elements.
        """
        if self.is_whole:
            return replace(Region.all_of(shape), start=self.start)
        distance = self.distance
        if distance is None or distance % granularity:
            return None
        return replace(Region.all_of(shape), start=self.start + distance)

    @property
    def runs(self) -> Runs:
        """The least range with all elements of the region; the last dimension that it does not fill makes the pitch."""
        if 0 in self.sizes:
            return Runs(self.start, self.start)
        pitches = [math.prod(self.whole[i + 1 :]) for i in range(len(self.whole))]
        begin = self.start + sum(offset * pitch for offset, pitch in zip(self.offsets, pitches, strict=True))
        partial = [i for i, size in enumerate(self.sizes) if size != self.whole[i]]
        if not partial:
            return Runs(begin, begin + math.prod(self.whole))
        inner = partial[-1]
        lengths = [(n - 1) * step * pitch for n, step, pitch in zip(self.sizes, self.strides, pitches, strict=True)]
        run = lengths[inner] + pitches[inner]
        outer = sum(lengths[:inner])
        return Runs(begin, begin + outer + run, *((pitches[inner] * self.whole[inner], run) if outer else ()))

    @property
    def distance(self) -> int | None:
        """Elements of `whole` in front of the region if it is one piece of memory, else None."""
        if any(stride != 1 for stride, size in zip(self.strides, self.sizes, strict=True) if size > 1):
            return None
        leading = next((i for i, size in enumerate(self.sizes) if size != 1), len(self.sizes))
        if any(self.sizes[i] != self.whole[i] for i in range(leading + 1, len(self.sizes))):
            return None
        pitches = [math.prod(self.whole[i + 1 :]) for i in range(len(self.whole))]
        return sum(offset * pitch for offset, pitch in zip(self.offsets, pitches, strict=True))

    def rebased(self, granularity: int = 1) -> Region:
        """The same elements with the least `whole`: rows in front of and behind the region are left out of it.

        `start` stays at a multiple of `granularity` elements if it is at one. Where not every row begins at such a
        multiple, some rows in front stay, and `whole` has as many rows as any region of this height needs: equal strips
        of one buffer then differ in `start` and in one offset alone.
        """
        rows = next((i for i, size in enumerate(self.whole) if size != 1), None)
        if rows is None:
            return self
        pitch, total, offset = math.prod(self.whole[rows + 1 :]), self.whole[rows], self.offsets[rows]
        period = granularity // math.gcd(pitch, granularity)
        needed = max((self.sizes[rows] - 1) * self.strides[rows] + 1, 0)
        extent = _window(total, needed, period)
        skipped = min(offset // period * period, total - extent)
        return replace(
            self,
            start=self.start + skipped * pitch,
            whole=(*self.whole[:rows], extent, *self.whole[rows + 1 :]),
            offsets=(*self.offsets[:rows], offset - skipped, *self.offsets[rows + 1 :]),
        )

    def place(self, inner: Region, granularity: int = 1) -> Region | None:
        """Where `inner`, a region of a buffer of its own, lies once that buffer is stored in this region.

        None when the buffer cannot be stored so: it is seen under another shape, and this region is not one piece.
        """
        if inner.start == 0 and inner.whole == self.sizes:
            return self.slice(inner.offsets, inner.sizes, inner.strides)
        base = self.reshape((math.prod(self.sizes),), granularity)
        if base is None:
            return None
        return replace(inner, start=base.start + inner.start)


def _window(total: int, needed: int, period: int) -> int:
    """How many rows a window has that holds `needed` ones wherever they are among `total`.

    Windows begin at multiples of `period`, the last one, which ends with the buffer, too.
    """
    least = needed + period - 1
    return min(least + (total - least) % period, total)
