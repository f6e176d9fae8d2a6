"""Whether a convolution pays in Winograd's form, and with tiles of which size. Knows nothing of MLIR.

All costs are in multiply-adds of a dense convolution, which takes the time of those, or of reading its weights from
memory if that is more. Measured with IREE 3.13 on two cores of Zen 4, where 105 multiply-adds take a nanosecond.
"""

from __future__ import annotations

from dataclasses import dataclass

WEIGHT_BYTE = 5
"""What it costs to read one byte of the weights from memory."""

PLANE_ELEMENT = 20
"""What it costs to compute an element of the planes from the input, or to compute the result from it."""

FULL_VECTOR = 16
"""Where so many do not divide the channels, vectors are half as long."""

TRANSFORMS = 300_000
"""What it costs that there are two more dispatches."""

_WINDOW = 3
_GAIN, _PREFERENCE = 0.8, 0.85
"""Planes take memory, and larger tiles lose more digits: the one has to save so much over the direct form, and the
larger tiles over the smaller ones."""


@dataclass(frozen=True)
class Convolution:
    """A dense one in fp32 with windows of 3 x 3 that move by one; `rows` and `columns` are those of the result."""

    batch: int
    rows: int
    columns: int
    channels: int
    filters: int

    @property
    def direct_cost(self) -> int:
        matrix = self.channels * self.filters * _WINDOW**2
        return max(self.batch * self.rows * self.columns * matrix, matrix * 4 * WEIGHT_BYTE)

    def tiles(self, size: int) -> tuple[int, int]:
        """Rows and columns of tiles that cover the result."""
        return -(-self.rows // size), -(-self.columns // size)

    def cost(self, size: int) -> int:
        """In tiles of `size` x `size`."""
        rows, columns = self.tiles(size)
        planes = (size + _WINDOW - 1) ** 2
        elements, matrix = self.batch * rows * columns * planes, self.channels * self.filters
        products = max(elements * matrix, planes * matrix * 4 * WEIGHT_BYTE)
        return products + TRANSFORMS + elements * sum(map(_vectors, (self.channels, self.filters))) * PLANE_ELEMENT


def _vectors(channels: int) -> int:
    """The channels, doubled if they fill half vectors only."""
    return channels if channels % FULL_VECTOR == 0 else 2 * channels


def best_size(convolution: Convolution, largest: int = 4) -> int:
    """The size of the tiles, 2 or 4; 0 if the direct form is best."""
    best, limit = 0, _GAIN * convolution.direct_cost
    for size in (size for size in (2, 4) if size <= largest):
        cost = convolution.cost(size)
        if cost <= limit:
            best, limit = size, _PREFERENCE * cost
    return best
