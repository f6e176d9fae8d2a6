"""Which channels and pixels of a contraction are computed together. Measured with IREE 3.13 on AVX-512 (Zen 4)."""

from __future__ import annotations

from dataclasses import dataclass

LANES = 8
"""The fewest columns that are worth computing together."""

_OTHERS = 2
"""Registers that hold no sums."""


@dataclass(frozen=True)
class Registers:
    """What a processor computes with: so many vector registers of so many numbers of 32 bits. AVX-512 by default."""

    count: int = 32
    lanes: int = 16

    def hold(self, pixels: int, columns: int) -> bool:
        """The sums of a tile, besides one number of the input and what else cannot be read from memory meanwhile."""
        return pixels * self.vectors(columns) + _OTHERS <= self.count

    def most_pixels(self, columns: int) -> int:
        """How many pixels of so many columns they hold; one, if not even that."""
        return max((self.count - _OTHERS) // self.vectors(columns), 1)

    def vectors(self, columns: int) -> int:
        """How many registers a row of columns takes."""
        return -(-columns // self.lanes)

    def columns(self, block: int) -> int:
        """How many of a block of columns are computed together: two vectors."""
        return largest_divisor(block, 2 * self.lanes)


AVX512 = Registers()


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`."""
    return next(d for d in range(min(number, most), 0, -1) if number % d == 0)


def channel_block(channels: int, pixels: int, most: int = 32) -> int:
    """How many output channels are computed together; 0 when no useful number divides `channels`.

    `pixels` is the length of a row: where only a tile of 15 to 28 pixels divides it, the channels are fewer.
    """
    block = next((b for b in (32, 16, 8) if b <= most and channels % b == 0), 0)
    return 16 if block == 32 and _wide_tile(pixels) else block


def pixel_tile(pixels: int, columns: int, registers: Registers = AVX512) -> int:
    """How many pixels of a row are computed together with so many columns.

    From 5 to 8 are enough to hide the latency of a multiplication with two vectors of columns, a single one takes up to
    14, and rows that nothing else divides up to 28; all of them if the registers hold them.
    """
    most, vectors = registers.most_pixels(columns), registers.vectors(columns)
    small, middle = largest_divisor(pixels, min(8, most)), largest_divisor(pixels, min(14, most))
    if vectors == 1 and _wide_tile(pixels) and _wide_tile(pixels) <= most:
        return _wide_tile(pixels)
    return small if small >= (5 if vectors > 1 else 8) else middle


def _wide_tile(pixels: int) -> int:
    """A tile of 15 to 28 pixels, for rows that no smaller one divides; 0 when none is needed, or none divides."""
    if pixels < 15 or largest_divisor(pixels, 14) >= 5:
        return 0
    return next((d for d in range(28, 14, -1) if pixels % d == 0), 0)
