"""Contractions: sums of products over shared dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.elementwise import broadcast
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import NUMPY_DTYPES, Tensor
from pyipu.dialect.writer import CodeletWriter, Map, Value, broadcast_map, identity_map, squeezed

NARROW = ("ui8", "i8")
"""Integers whose products are summed up in i32."""


def sum_type(left: Tensor, right: Tensor) -> str | None:
    """The element type of sums of products: that of the operands, or i32 for integers of 8 bits; None if none fits."""
    if left.dtype in NARROW and right.dtype in NARROW:
        return "i32"
    return left.dtype if left.dtype == right.dtype else None


def wide(array: np.ndarray, other: np.ndarray) -> np.ndarray:
    """An operand in the type in which its products with the other one are summed up."""
    dtype = sum_type(Tensor.of(array), Tensor.of(other))
    assert dtype is not None
    return array.astype(NUMPY_DTYPES[dtype])


class MatMul(Op, mnemonic="matmul"):
    """[…, M, K] times […, K, N]; the leading dimensions broadcast as in numpy. Integers of 8 bits give sums of i32."""

    accumulates = True
    widens = True

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        require(min(left.rank, right.rank) >= 2, f"needs matrices, got {left} and {right}")
        dtype = sum_type(left, right)
        require(left.shape[-1] == right.shape[-2] and dtype is not None, f"cannot multiply {left} with {right}")
        outer = broadcast(left.shape[:-2], right.shape[:-2])
        return Tensor((*outer, left.shape[-2], right.shape[-1]), str(dtype))

    @staticmethod
    def evaluate(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        first, second = wide(left, right), wide(right, left)
        return np.matmul(first, second).astype(first.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        return cls.infer(*operands).elements * operands[0].shape[-1]

    @staticmethod
    def lower(writer: CodeletWriter, left: Value, right: Value) -> Value:
        result = MatMul.infer(left.tensor, right.tensor)
        batch, inner = result.rank - 2, f"d{result.rank}"
        rows = [*broadcast_map(left.tensor.shape[:-2], result.shape[:-2]), f"d{batch}", inner]
        columns = [*broadcast_map(right.tensor.shape[:-2], result.shape[:-2]), inner, f"d{batch + 1}"]
        return contraction(writer, (left, rows), (right, columns), result, 1)


class PackedMatMul(Op, mnemonic="packed_matmul"):
    """[…, G * K] times a matrix in blocks of columns, [G, B, K, C]: […, G * B * C], each of G groups on its own.

    The weights lie in memory in the order in which they are read: C columns of a block are computed together.
    """

    accumulates = True
    widens = True

    @staticmethod
    def infer(input: Tensor, weights: Tensor) -> Tensor:
        require(weights.rank == 4 and input.rank >= 1, f"cannot multiply {input} with {weights}")
        groups, blocks, depth, columns = weights.shape
        fits = input.shape[-1] == groups * depth and input.dtype == weights.dtype
        require(fits, f"cannot multiply {input} with {weights}")
        return input.with_shape((*input.shape[:-1], groups * blocks * columns))

    @staticmethod
    def evaluate(input: np.ndarray, weights: np.ndarray) -> np.ndarray:
        groups, _, depth, _ = weights.shape
        split = input.reshape(*input.shape[:-1], groups, depth)
        result = np.einsum("...gk,gbkc->...gbc", split, weights, optimize=True)
        return result.reshape(*input.shape[:-1], -1).astype(input.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        return cls.infer(*operands).elements * operands[1].shape[2]

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, weights: Value) -> Value:
        groups, blocks, depth, columns = weights.tensor.shape
        outer = input.tensor.shape[:-1]
        loops = Loops({"p": outer, "g": (groups,), "b": (blocks,)}, {"c": (columns,), "k": (depth,)})
        tensor = input.tensor.with_shape(loops.shape("pgbc"))
        result = writer.generic(
            [loops.operand(writer, input, "pgk"), loops.operand(writer, weights, "gbkc")],
            (writer.accumulator(tensor), loops.indices("pgbc")),
            ["parallel"] * tensor.rank + ["reduction"],
            multiply_add,
            writer.tiles.packed_matmul(tensor, len(loops.shape("p")), depth),
            squeeze=False,
        )
        return writer.folded(result, (*(tuple(loops.repeating([size])) for size in outer), loops.shape("gbc")))


class ShuffledMatMul(Op, mnemonic="shuffled_matmul"):
    """[…, G * K] times a matrix in blocks of columns, [B, K, C]: […, B * C], where column i is of group i % G.

    It is a product in G groups whose results are interleaved, as channels are shuffled between groups.
    """

    accumulates = True
    widens = True

    @staticmethod
    def groups(input: Tensor, weights: Tensor) -> int:
        """How many groups the channels of the input are in."""
        return input.shape[-1] // weights.shape[1]

    @staticmethod
    def infer(input: Tensor, weights: Tensor) -> Tensor:
        require(weights.rank == 3 and input.rank >= 1, f"cannot multiply {input} with {weights}")
        blocks, depth, columns = weights.shape
        fits = input.shape[-1] % depth == 0 and columns % (input.shape[-1] // depth) == 0
        require(fits and input.dtype == weights.dtype, f"cannot multiply {input} with {weights}")
        return input.with_shape((*input.shape[:-1], blocks * columns))

    @classmethod
    def evaluate(cls, input: np.ndarray, weights: np.ndarray) -> np.ndarray:
        blocks, depth, columns = weights.shape
        groups = cls.groups(Tensor.of(input), Tensor.of(weights))
        split = input.reshape(*input.shape[:-1], groups, depth)
        woven = weights.reshape(blocks, depth, columns // groups, groups)
        result = np.einsum("...gk,bkng->...bng", split, woven, optimize=True)
        return result.reshape(*input.shape[:-1], -1).astype(input.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        return cls.infer(*operands).elements * operands[1].shape[1]

    @classmethod
    def lower(cls, writer: CodeletWriter, input: Value, weights: Value) -> Value:
        blocks, depth, columns = weights.tensor.shape
        groups, outer = cls.groups(input.tensor, weights.tensor), input.tensor.shape[:-1]
        sizes = {"b": (blocks,), "n": (columns // groups,), "g": (groups,), "k": (depth,)}
        loops = Loops({"p": outer}, sizes)
        tensor = input.tensor.with_shape(loops.shape("pbng"))
        result = writer.generic(
            [loops.operand(writer, input, "pgk"), loops.operand(writer, weights, "bkng")],
            (writer.accumulator(tensor), loops.indices("pbng")),
            ["parallel"] * tensor.rank + ["reduction"],
            multiply_add,
            squeeze=False,
        )
        return writer.folded(result, (*(tuple(loops.repeating([size])) for size in outer), loops.shape("bng")))


class Loops:
    """Loops in order; a letter stands for some that follow each other. Outer ones that run once are left out."""

    def __init__(self, outer: Mapping[str, Sequence[int]], inner: Mapping[str, Sequence[int]]) -> None:
        self._extents = {letter: self.repeating(sizes) for letter, sizes in outer.items()} | dict(inner)

    @staticmethod
    def repeating(sizes: Sequence[int]) -> list[int]:
        """The extents of loops that run more than once."""
        return [size for size in sizes if size != 1]

    def shape(self, letters: str) -> tuple[int, ...]:
        return tuple(size for letter in letters for size in self._extents[letter])

    def indices(self, letters: str) -> list[str | int]:
        order = [(letter, i) for letter, sizes in self._extents.items() for i in range(len(sizes))]
        return [f"d{order.index((letter, i))}" for letter in letters for i in range(len(self._extents[letter]))]

    def operand(self, writer: CodeletWriter, value: Value, letters: str) -> tuple[Value, Map]:
        return writer.reshape(value, self.shape(letters)), self.indices(letters)


class Einsum(Op, mnemonic="einsum"):
    """The sum of products that `equation` spells as numpy.einsum does; no letter repeats within one operand."""

    equation: str
    accumulates = True
    widens = True

    @staticmethod
    def infer(left: Tensor, right: Tensor, *, equation: str) -> Tensor:
        first, second, out = split_equation(equation)
        require(len(first) == left.rank and len(second) == right.rank, f"'{equation}' does not fit {left}, {right}")
        require(left.dtype == right.dtype, f"needs operands of one element type, got {left} and {right}")
        sizes = dict(zip(first, left.shape, strict=True))
        for letter, size in zip(second, right.shape, strict=True):
            require(sizes.setdefault(letter, size) == size, f"'{letter}' in '{equation}' has two sizes")
        require(set(out) <= sizes.keys(), f"the result of '{equation}' has a letter that no operand has")
        return left.with_shape([sizes[letter] for letter in out])

    @staticmethod
    def evaluate(left: np.ndarray, right: np.ndarray, *, equation: str) -> np.ndarray:
        return np.einsum(equation, left, right, optimize=True).astype(left.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        first, second, _ = split_equation(attributes["equation"])
        sizes = dict(zip(first + second, [*operands[0].shape, *operands[1].shape], strict=True))
        return math.prod(sizes.values())

    @staticmethod
    def lower(writer: CodeletWriter, left: Value, right: Value, *, equation: str) -> Value:
        first, second, out = split_equation(equation)
        result = Einsum.infer(left.tensor, right.tensor, equation=equation)
        dense = left.dense, right.dense
        if writer.start is not None or dense[0] is None or dense[1] is None:
            return _einsum(writer, (left, first), (right, second), (result, out))
        sizes = zip(first + second, left.tensor.shape + right.tensor.shape, strict=True)
        once = {letter for letter, size in sizes if size == 1}
        kept = ["".join(letter for letter in letters if letter not in once) for letters in (first, second, out)]
        value = _einsum(writer, (dense[0], kept[0]), (dense[1], kept[1]), (squeezed(result), kept[2]))
        return writer.unsqueeze(value, result)


def _einsum(
    writer: CodeletWriter, left: tuple[Value, str], right: tuple[Value, str], result: tuple[Tensor, str]
) -> Value:
    """The sum of products of operands with these letters."""
    (tensor, out), inner = result, [letter for letter in dict.fromkeys(left[1] + right[1]) if letter not in result[1]]
    loop = {letter: f"d{i}" for i, letter in enumerate([*out, *inner])}
    first, second = ((value, [loop[letter] for letter in letters]) for value, letters in (left, right))
    rows = rows_of(left[1], right[1], out)
    tiles = "" if rows is None else writer.tiles.products(tensor, rows, left[0].tensor.shape[-1])
    return contraction(writer, first, second, tensor, len(inner), tiles)


def rows_of(left: str, right: str, out: str) -> int | None:
    """Which dimension of the result are the rows of matrix products; None for a contraction of another form.

    The left operand has rows of what is summed over, the right one and the result have rows of columns.
    """
    inner = set(left + right) - set(out)
    rows = [i for i, letter in enumerate(out[:-1]) if letter in left and letter not in right]
    matrices = out[-1:] and right[-1:] == out[-1] and out[-1] not in left and inner == {left[-1:]}
    return rows[-1] if matrices and rows and left[-1] in right else None


def split_equation(equation: str) -> tuple[str, str, str]:
    """The letters of both operands and of the result; raises ValueError unless it reads 'ab,bc->ac'."""
    operands, arrow, out = equation.partition("->")
    parts = operands.split(",")
    plain = arrow and len(parts) == 2 and all(len(set(p)) == len(p) for p in [*parts, out])
    require(bool(plain), f"'{equation}' is not of the form 'ab,bc->ac'")
    return parts[0], parts[1], out


def contraction(
    writer: CodeletWriter,
    left: tuple[Value, Map],
    right: tuple[Value, Map],
    result: Tensor,
    inner: int,
    tiles: str = "",
) -> Value:
    """Writes the sum of products; the loops are the result's dimensions and then `inner` reductions."""
    return writer.generic(
        [left, right],
        (writer.accumulator(result), identity_map(result.rank)),
        ["parallel"] * result.rank + ["reduction"] * inner,
        multiply_add,
        tiles,
    )


def multiply_add(scalars: Scalars, a: Scalar, b: Scalar, accumulator: Scalar) -> Scalar:
    """One term of a sum of products, which may be in a wider type."""
    return scalars.add(accumulator, scalars.multiply(*(scalars.cast(one, accumulator.dtype) for one in (a, b))))
