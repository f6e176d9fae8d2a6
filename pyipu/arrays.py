"""Arrays that IREE's CPU devices use where they lie."""

from __future__ import annotations

import math
import mmap
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


LARGE_PAGE = 2**21
"""Bytes of a large page on x86-64 and ARM, where others have 4096."""


def in_large_pages(size: int) -> NDArray[np.uint8] | None:
    """So many bytes of new memory that the system keeps in large pages if it can; None where it has none.

    A processor finds few of the small pages of a large tensor in its tables, and it reads ahead within a page only.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    memory = mmap.mmap(-1, size + LARGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # The kernel was built without large pages.
        return None
    whole = np.frombuffer(memory, np.uint8)
    start = -address(whole) % LARGE_PAGE
    return whole[start : start + size]


def address(array: NDArray[Any]) -> int:
    """Where the first element lies in memory; several times faster than `array.ctypes.data`."""
    data: int = array.__array_interface__["data"][0]
    return data
