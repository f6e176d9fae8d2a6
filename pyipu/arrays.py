"""Arrays that IREE's CPU devices use where they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64
"""IREE's CPU devices use an array in place if it starts at a multiple of this many bytes, and copy it otherwise."""


def empty(shape: Sequence[int], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Like `numpy.empty`, but aligned such that a call on the CPU reads it in place; few of numpy's own arrays are."""
    element = np.dtype(dtype)
    size = math.prod(shape) * element.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -address(memory) % ALIGNMENT
    return memory[start : start + size].view(element).reshape(tuple(shape))


def address(array: NDArray[Any]) -> int:
    """Where the first element lies in memory; several times faster than `array.ctypes.data`."""
    data: int = array.__array_interface__["data"][0]
    return data
