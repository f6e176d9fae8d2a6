"""Allocation problems as neural networks have them, drawn from a seed.

Chains, residuals, branches and dense blocks; concatenations whose parts are produced inside of them; and chains that
run in strips of rows, with windows between their ops and pieces that are given up one by one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from pyipu.passes.planning.allocation import Interval

FACTORS = (0.25, 0.5, 1, 2)
"""A result's bytes as a part of its operand's."""


def network(seed: int, count: int) -> list[Interval]:
    """The buffers of a random network, at least `count`, in the order in which they are first written."""
    drawn = _Network(random.Random(seed))
    blocks: tuple[Callable[[int], int], ...] = (
        drawn.residual,
        drawn.branches,
        drawn.dense_block,
        drawn.concatenation,
        drawn.strips,
    )
    x = drawn.write(drawn.random.choice([64, 128, 256]) * 56 * 56)
    scale = drawn.sizes[x]
    while len(drawn.sizes) < count:
        x = drawn.random.choice(blocks)(x)
        x = drawn.write(drawn.random.uniform(0.5, 1.5) * scale, x)
    return drawn.intervals()


class _Network:
    """Buffers by number, and the steps that touch them."""

    def __init__(self, generator: random.Random) -> None:
        self.random = generator
        self.sizes: list[int] = []
        self.first: list[int] = []
        self.last: list[int] = []
        self.steps = 0

    def intervals(self) -> list[Interval]:
        rows = zip(self.first, self.last, self.sizes, strict=True)
        return [Interval(f"v{number}", first, last + 1, size) for number, (first, last, size) in enumerate(rows)]

    def write(self, size: float, *operands: int) -> int:
        """A step that reads buffers and writes a new one."""
        self.sizes.append(max(1, int(size)))
        self.first.append(self.steps)
        self.last.append(self.steps)
        return self.touch(len(self.sizes) - 1, *operands)

    def touch(self, result: int, *operands: int) -> int:
        """A step that reads buffers and writes to one that is there."""
        for buffer in (result, *operands):
            self.last[buffer] = self.steps
        self.steps += 1
        return result

    def chain(self, x: int, length: int) -> int:
        for _ in range(length):
            x = self.write(self.sizes[x] * self.random.choice(FACTORS), x)
        return x

    def residual(self, x: int) -> int:
        return self.write(self.sizes[x], x, self.chain(x, self.random.randint(1, 3)))

    def branches(self, x: int) -> int:
        ends = [self.chain(x, self.random.randint(1, 3)) for _ in range(self.random.randint(2, 5))]
        return self.write(sum(self.sizes[end] for end in ends) / 2, x, *ends)

    def dense_block(self, x: int) -> int:
        """Each result is computed from all before it."""
        features, growth = [x], self.sizes[x] * self.random.choice([0.1, 0.25])
        for _ in range(self.random.randint(2, 6)):
            squeezed = self.write(sum(self.sizes[feature] for feature in features), *features)
            features.append(self.write(growth, squeezed))
        return self.write(self.sizes[x], *features)

    def concatenation(self, x: int) -> int:
        """The last step of each branch writes a part of one buffer, which is alive from the first of them on."""
        count = self.random.randint(2, 5)
        ends = [self.random.randint(1, 3) for _ in range(count)]
        joined = self.write(self.sizes[x] * self.random.choice([1, 1.5, 2]), self.chain(x, ends[0]))
        for length in ends[1:]:
            self.touch(joined, self.chain(x, length))
        return joined

    def strips(self, x: int) -> int:
        """One or two stretches in strips; the second takes the pieces that the first left, and gives them up."""
        count, whole = self.random.choice([4, 7, 14]), float(self.sizes[x])
        pieces = [x] * count
        for _ in range(self.random.randint(1, 2)):
            whole *= self.random.choice(FACTORS)
            pieces = self._stretch(pieces, whole / count)
        return self.write(whole, *pieces)

    def _stretch(self, sources: Sequence[int], size: float) -> list[int]:
        """Each strip goes through all ops; rows that the next strip reads again are kept beside the new ones."""
        sizes = [size * self.random.choice(FACTORS) for _ in range(self.random.randint(1, 4))] + [size]
        overlap = self.random.choice([0.25, 0.5, 1])
        kept: Sequence[int] = ()
        pieces = []
        for x in sources:
            windows = self._strip(x, sizes, overlap, kept)
            kept = windows[:-1]
            pieces.append(windows[-1])
        return pieces

    def _strip(self, x: int, sizes: Sequence[float], overlap: float, kept: Sequence[int]) -> list[int]:
        """The windows of one strip; all but the last hold rows of the strip before, too."""
        windows: list[int] = []
        for number, size in enumerate(sizes):
            before = kept[number : number + 1]
            rows = size * (1 + overlap) if number < len(sizes) - 1 else size
            windows.append(self.write(rows, windows[-1] if windows else x, *before))
        return windows
