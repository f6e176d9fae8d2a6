"""Which channels and pixels of a contraction are computed together. Measured with IREE 3.13 on AVX-512 (Zen 4)."""

from __future__ import annotations

LANES = 8
"""The fewest columns that are worth computing together."""


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`."""
    return next(d for d in range(min(number, most), 0, -1) if number % d == 0)


def channel_block(channels: int, pixels: int, most: int = 32) -> int:
    """How many output channels are computed together; 0 when no useful number divides `channels`.

    `pixels` is the length of a row: where only a tile of 15 to 28 pixels divides it, the channels are fewer.
    """
    block = next((b for b in (32, 16, 8) if b <= most and channels % b == 0), 0)
    return 16 if block == 32 and _wide_tile(pixels) else block


def pixel_tile(pixels: int, block: int) -> int:
    """How many pixels of a row are computed together with `block` channels.

    From 5 to 8 are enough to hide the latency of a multiplication with 32 channels, narrower blocks take up to 14, and
    rows that nothing else divides up to 28.
    """
    small, middle = largest_divisor(pixels, 8), largest_divisor(pixels, 14)
    if block <= 16 and _wide_tile(pixels):
        return _wide_tile(pixels)
    return small if small >= (5 if block > 16 else 8) else middle


def _wide_tile(pixels: int) -> int:
    """A tile of 15 to 28 pixels, for rows that no smaller one divides; 0 when none is needed, or none divides."""
    if pixels < 15 or largest_divisor(pixels, 14) >= 5:
        return 0
    return next((d for d in range(28, 14, -1) if pixels % d == 0), 0)
