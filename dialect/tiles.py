"""What an op may ask a target about the tiling of its loop nest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyipu.dialect.types import Tensor


@dataclass(frozen=True)
class Tiles:
    """Leaves every choice to IREE's code generator; a target that knows better overrides methods.

    Each method returns an attribute for the linalg operation that computes `result`, or "".
    """

    features: frozenset[str] = frozenset()
    """Of the processor, as LLVM calls them: which instructions loops over vectors may be written with."""
    workgroup: str = ""
    """The attribute of an `scf.forall` each of whose turns is a workgroup."""

    @property
    def vector_bytes(self) -> int:
        """The bytes of a vector register; 0 for targets whose code generator writes all loops."""
        return 0

    def described(self, device: str) -> Tiles:
        """The choices for a device, which is as IREE describes it."""
        return self

    def for_threads(self, threads: int) -> Tiles:
        """The choices for a device that works in so many threads."""
        return self

    def noting(self, note: Callable[[Any], None]) -> Tiles:
        """The same choices, each of which `note` is told; those that are left to IREE it is not."""
        return self

    def convolution(self, result: Tensor, window: Sequence[int], channels: int) -> str:
        """For `linalg.conv_2d_nhwc_hwcf` over so many input channels."""
        return ""

    def depthwise(self, result: Tensor, window: Sequence[int]) -> str:
        """For `linalg.depthwise_conv_2d_nhwc_hwc`."""
        return ""

    def elementwise(self, result: Tensor) -> str:
        """For a loop nest over `result` that computes each element on its own, and is all that a dispatch does."""
        return ""

    def interleaving(self, result: Tensor) -> str:
        """For a loop nest over `result`, whose last two dimensions lie the other way round in the operand."""
        return ""

    def packed_matmul(self, result: Tensor, pixels: int, depth: int) -> str:
        """For a sum over `depth` terms; of the result's dimensions the first `pixels` are pixels, the others columns.

        The last dimension is what lies side by side in the packed weights.
        """
        return ""

    def pairs(self, tiles: int, blocks: int) -> tuple[int, int] | None:
        """For loops over vectors that are written out.

        Returns how many of so many tiles of pixels and blocks of columns one workgroup computes; None where the code
        generator should do all of it.
        """
        return None

    def sums(self, row: int, blocks: int, columns: int) -> tuple[int, int]:
        """How many pixels of a row, and blocks of so many columns, are summed up together in registers.

        It is for sums that are written out as loops over vectors; the pixels divide the row.
        """
        return 1, 1

    def planes(self, result: Tensor, depth: int) -> str:
        """For a sum over `depth` terms in each of some planes: […, planes, pixels, blocks of columns, columns]."""
        return ""

    def lanes(self, result: Tensor) -> int:
        """How many elements of the last dimension a vector takes where loops are written with vectors.

        0 is for targets that are given `linalg` operations instead.
        """
        return 0

    def tiles_together(self, rows: int, columns: int) -> int:
        """How many tiles of a row one workgroup takes, of so many rows and columns of them; divides `columns`."""
        return columns

    def gates(self, result: Tensor, depth: int, first: bool) -> str:
        """For the product of a recurrent state with packed weights: a sum over `depth` terms, inside of a loop.

        A loop may have several, of which one is the `first`.
        """
        return ""

    def products(self, result: Tensor, rows: int, depth: int) -> str:
        """For products of computed matrices, sums over `depth` terms: dimension `rows` of the result and its last one.

        The other dimensions count products.
        """
        return ""
