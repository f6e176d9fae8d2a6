"""Whether attention pays as one op that keeps its scores in the cache. Knows nothing of MLIR.

Costs are in multiply-adds of a product of computed matrices. Measured with IREE 3.13 on two cores of Zen 4, where 100
multiply-adds take a nanosecond.
"""

from __future__ import annotations

SOFTMAX = 90
"""What it costs to write a score to memory and to bring a row of them through a vertex of its own."""

POWER = 20
"""What it costs to take a score to its power where it is."""


def pays(queries: int, width: int, lanes: int) -> bool:
    """Queries of a head are computed `lanes` at a time; `width` is the elements of a key and of a value together."""
    computed = -(-queries // lanes) * lanes
    return computed * (width + POWER) <= queries * (width + SOFTMAX)
