"""What holds a graph together: constants and vertices, and, once placed, its buffers and the order of execution."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.definition import Op, require
from pyipu.dialect.types import Buffer, Ref, Tensor, Type

SPACES = ("arena", "result")


class Constant(Op, mnemonic="constant"):
    """A small tensor whose elements stand in the IR."""

    value: np.ndarray

    @staticmethod
    def infer(*, value: np.ndarray) -> Tensor:
        return Tensor.of(value)

    @staticmethod
    def evaluate(*, value: np.ndarray) -> np.ndarray:
        return value

    @staticmethod
    def lower(writer: Any, *, value: np.ndarray) -> Any:
        return writer.constant(value)


class Parameter(Op, mnemonic="parameter"):
    """A tensor that lives in the parameter archive under `key`; its elements never stand in the IR.

    In a placed program the result is a reference.
    """

    key: str
    results_are_given = True

    @staticmethod
    def infer(*, key: str) -> None:
        require(bool(key), "needs a key")


class Vertex(Op, mnemonic="vertex"):
    """Runs the graph ops of a codelet, a private function, as one dispatch. Equal vertices name the same codelet."""

    codelet: Symbol
    results_are_given = True

    @staticmethod
    def infer(*inputs: Tensor, codelet: Symbol) -> None:
        require(bool(codelet), "needs the name of a codelet")


class Allocate(Op, mnemonic="allocate"):
    """`size` bytes in the arena or in a returned result; `offset` is where in the arena they start, once decided."""

    space: str
    size: int
    offset: int | None = None
    pure = False

    @staticmethod
    def infer(*, space: str, size: int, offset: int | None) -> Buffer:
        require(space in SPACES, f"knows the spaces {', '.join(SPACES)}, not '{space}'")
        require(size >= 0 and (offset is None or offset >= 0), "needs a size and an offset that are not negative")
        return Buffer()


class View(Op, mnemonic="view"):
    """Part of a buffer, of an argument or of a parameter as a tensor.

    From byte `start` on, the buffer holds a row-major tensor of shape `whole`; the view is what `ipu.slice` would take
    of it with `offsets` and `strides`.
    """

    start: int
    whole: tuple[int, ...]
    offsets: tuple[int, ...]
    strides: tuple[int, ...]
    tensor: Tensor

    @staticmethod
    def infer(
        buffer: Buffer | Ref,
        *,
        start: int,
        whole: tuple[int, ...],
        offsets: tuple[int, ...],
        strides: tuple[int, ...],
        tensor: Tensor,
    ) -> Ref:
        complete = len(whole) == len(offsets) == len(strides) == tensor.rank
        require(complete, f"needs one whole size, offset and stride for each dimension of {tensor}")
        for limit, offset, size, stride in zip(whole, offsets, tensor.shape, strides, strict=True):
            inside = offset >= 0 and stride > 0 and (size == 0 or offset + (size - 1) * stride < limit)
            require(inside, f"leaves the whole tensor of shape {list(whole)}")
        return Ref(tensor)


class Border(Op, mnemonic="border"):
    """Writes `value` around the inside of a padded tensor, before anything is written to the inside.

    `padded` and `inside` are views of one buffer. Where the border is in very many pieces and `padded` is the whole
    tensor, what the inside holds afterwards is not defined. `wave` is as for `ipu.execute`.
    """

    value: float
    wave: int | None = None
    pure = False
    has_result = False

    @staticmethod
    def infer(padded: Ref, inside: Ref, *, value: float, wave: int | None) -> tuple[Type, ...]:
        fits = all(a <= b for a, b in zip(inside.tensor.shape, padded.tensor.shape, strict=True))
        require(fits, f"cannot have {inside.tensor} inside of {padded.tensor}")
        return ()


class Execute(Op, mnemonic="execute"):
    """A placed vertex: runs a codelet from references to references.

    The last `writes` operands are written, the others read. A reference that is both is updated in place.
    `executable` names the compiled function, shared by all placed vertices with equal codelet and equal layout; offsets
    may differ. What has the same number `wave` runs side by side, and waves run one after the other; without them
    everything runs in the order in which it stands.
    """

    codelet: Symbol
    writes: int
    executable: str | None = None
    wave: int | None = None
    pure = False
    has_result = False

    @staticmethod
    def infer(
        *references: Ref, codelet: Symbol, writes: int, executable: str | None, wave: int | None
    ) -> tuple[Type, ...]:
        require(0 < writes <= len(references), f"cannot write {writes} of {len(references)} references")
        return ()
