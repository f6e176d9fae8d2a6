"""What activations are like, derived from weights alone: for each channel some numbers that it may have.

The first dimension of `Sample.numbers` is that of the sample, the others are the tensor's: one where the numbers do not
differ along it. Sums of many products are taken to be normal, and their terms to be independent, as in assumed density
filtering (for networks: Gast and Roth, "Lightweight probabilistic deep networks", 2018). What is element-wise is
computed of the numbers themselves. Knows nothing of MLIR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from statistics import NormalDist

import numpy as np

from pyipu.parameters import Array

COUNT = 64
"""Numbers of a sample. Which ones of two tensors come together is drawn, so many keep them from seeming related."""

LONGEST = 2**16
"""Elements of a tensor whose places may differ, too, as in an image that becomes one row."""

QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / COUNT) for i in range(COUNT)], np.float32)


@dataclass(frozen=True)
class Sample:
    """Numbers [COUNT or 1, dimensions…] of a tensor, and the border of zeros around those, if there is one."""

    numbers: Array
    inside: tuple[Array, ...] = ()
    """For each dimension of the tensor which places are none of the border; empty without one."""

    @property
    def mean(self) -> Array:
        """For each channel: the last dimension, all others are of size one."""
        return _by_channel(self.numbers.mean(0))

    @property
    def variance(self) -> Array:
        """For each channel: the last dimension, all others are of size one."""
        return _by_channel(self.numbers.var(0))

    def inside_share(self, dimension: int, places: Array) -> float:
        """The part of places along a dimension that are none of the border."""
        return float(self.inside[dimension][places].mean()) if self.inside else 1.0


def normal(mean: Array, variance: Array, seed: int) -> Sample:
    """Normally distributed numbers; those of different seeds are independent."""
    drawn = np.random.default_rng(seed).permutation(QUANTILES).reshape(COUNT, *(1,) * mean.ndim)
    return Sample((mean + np.sqrt(np.maximum(variance, 0)) * drawn).astype(np.float32))


def standard(rank: int, seed: int) -> Sample:
    """Of mean 0 and variance 1 in all channels, as inputs of networks are made to be."""
    return normal(np.zeros((1,) * rank), np.ones((1,) * rank), seed)


def known(array: Array) -> Sample:
    """What is known does not vary; where it differs along several dimensions it is averaged over all but the last."""
    several = sum(size > 1 for size in array.shape) > 1
    return Sample((_by_channel(array) if several else array)[None])


def elementwise(function: Callable[..., Array], samples: Sequence[Sample]) -> Sample:
    """What a function of elements makes of them; lower ranks broadcast as in numpy."""
    rank = max(sample.numbers.ndim for sample in samples)
    with np.errstate(all="ignore"):
        return Sample(np.asarray(function(*(_of_rank(sample.numbers, rank) for sample in samples))))


def largest(sample: Sample, count: int, seed: int) -> Sample:
    """The largest of `count` independent numbers like these."""
    generator = np.random.default_rng(seed)
    return Sample(np.max([generator.permutation(sample.numbers) for _ in range(count)], axis=0))


def joined(samples: Sequence[Sample], sizes: Sequence[int], axis: int) -> Sample:
    """Concatenated along a dimension, in which the tensors have these sizes."""
    shape = np.broadcast_shapes(*(np.delete(sample.numbers.shape, 1 + axis) for sample in samples))
    parts = zip(samples, sizes, strict=True)
    full = [np.broadcast_to(one.numbers, np.insert(np.array(shape, int), 1 + axis, size)) for one, size in parts]
    return Sample(np.concatenate(full, 1 + axis))


def reshaped(sample: Sample, before: Sequence[int], after: Sequence[int]) -> Sample | None:
    """In another shape of the tensor, where what the numbers differ along are whole trailing dimensions of it.

    What is no larger than `LONGEST` is repeated in full where it must be; None stands for all else.
    """
    numbers, whole = sample.numbers, math.prod(before)
    trailing = [math.prod(after[i:]) for i in range(len(after) + 1)]
    if math.prod(numbers.shape[1:]) not in trailing and whole <= LONGEST:
        numbers = np.broadcast_to(numbers, (numbers.shape[0], *before))
    block = math.prod(numbers.shape[1:])
    if block not in trailing:
        return None
    # Dimensions of size one in front of the block are those that repeat it.
    first = max(i for i, size in enumerate(trailing) if size == block)
    return Sample(numbers.reshape(numbers.shape[0], *(1,) * first, *after[first:]))


def padded(sample: Sample, low: Sequence[int], shape: Sequence[int], high: Sequence[int]) -> Sample:
    """With a border of zeros around the inner `shape`, low and high elements wide."""
    widths = zip(low, shape, high, strict=True)
    inside = tuple(np.repeat([False, True, False], [before, size, behind]) for before, size, behind in widths)
    return Sample(sample.numbers, inside)


def window(
    channels: Array,
    sample: Sample,
    extents: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    positions: Sequence[int],
) -> Array:
    """What a window [1, reach…, C] reads in the mean, if `channels` is what it reads inside of the border."""
    steps = list(zip(extents, strides, dilations, positions, strict=True))
    shares = [
        [sample.inside_share(1 + i, np.arange(count) * stride + tap * dilation) for tap in range(extent)]
        for i, (extent, stride, dilation, count) in enumerate(steps)
    ]
    reach = [(extent - 1) * dilation + 1 for extent, _, dilation, _ in steps]
    read = np.zeros((1, *reach, channels.shape[-1]), np.float32)
    taps = reduce(np.multiply, np.ix_(*shares))[..., None]
    read[(slice(None), *(slice(None, None, dilation) for _, _, dilation, _ in steps))] = taps * channels.reshape(-1)
    return read


def _by_channel(array: Array) -> Array:
    return array.mean(axis=tuple(range(array.ndim - 1)), keepdims=True) if array.ndim else array


def _of_rank(numbers: Array, rank: int) -> Array:
    """With dimensions of size one behind that of the sample."""
    return numbers.reshape(numbers.shape[0], *(1,) * (rank - numbers.ndim), *numbers.shape[1:])
