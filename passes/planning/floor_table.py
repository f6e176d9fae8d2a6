"""The minimum over all buffers of each clique, for many states at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyipu.passes.planning.problem import IntArray


class FloorTable:
    """Answers, for every clique, the least value among the buffers that are alive in it.

    A sparse table used backwards: each buffer's range of cliques is covered by two ranges whose length is the same
    power of two; minima are collected per such range, and then pushed down to ranges of half the length. That takes
    O(buffers + cliques · log(cliques)) vector operations, where going through all members of all cliques would take
    the sum of the lives. The columns (states) are what numpy vectorises over.
    """

    def __init__(self, first: IntArray, last: IntArray, clique_count: int) -> None:
        exponent = np.frexp(last - first)[1] - 1
        power = np.left_shift(1, exponent)
        slots = np.concatenate([exponent * clique_count + first, exponent * clique_count + last - power])
        buffers = np.concatenate([np.arange(len(first))] * 2)
        self._clique_count = clique_count
        self._highest = int(exponent.max(initial=0))
        self._rounds = _rounds(slots, buffers)

    def minima(self, values: NDArray[np.integer], empty: int) -> NDArray[np.integer]:
        """From values [buffers, states] the minima [cliques, states]; `empty` stands where no buffer is alive."""
        count = self._clique_count
        table = np.full(((self._highest + 1) * count, values.shape[1]), empty, dtype=values.dtype)
        for slots, buffers in self._rounds:
            table[slots] = np.minimum(table[slots], values[buffers])
        for exponent in range(self._highest, 0, -1):
            longer, shorter = table[exponent * count :][:count], table[(exponent - 1) * count :][:count]
            half = 1 << (exponent - 1)
            np.minimum(shorter, longer, out=shorter)
            np.minimum(shorter[half:], longer[:-half], out=shorter[half:])
        return table[:count]


def _rounds(slots: IntArray, buffers: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Splits pairs of slot and buffer such that no slot repeats in a round: several times as fast as `reduceat`."""
    by_slot = np.argsort(slots, kind="stable")
    slots, buffers = slots[by_slot], buffers[by_slot]
    _, begin, repeats = np.unique(slots, return_index=True, return_counts=True)
    turn = np.arange(len(slots)) - np.repeat(begin, repeats)
    return [(slots[turn == number], buffers[turn == number]) for number in range(int(repeats.max(initial=0)))]
