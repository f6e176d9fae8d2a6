"""The three steps of Winograd's fast convolution of windows of 3 x 3 that move by one: few products, many additions.

The result is cut into square tiles of `size` x `size` pixels. The (size + 2) x (size + 2) elements of the input that a
tile depends on are brought into planes, each plane is multiplied with a matrix of its own, and the planes give the
tile. See `interpolation.py`. Data is [N, rows, columns, C]; planes are [N, tile rows, planes, tile columns, C], so
that rows of tiles are rows like any others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.interpolation import POINTS, WINDOW, Matrix, matrices
from pyipu.dialect.linear import Loops, multiply_add
from pyipu.dialect.movement import extract_slice
from pyipu.dialect.types import Tensor
from pyipu.dialect.windows import windows_of
from pyipu.dialect.winograd_loops import write_input_transform, write_output_transform
from pyipu.dialect.writer import CodeletWriter, Map, Value, identity_map


def _side(size: int) -> int:
    """How many elements a tile reads along each dimension; raises ValueError for an unknown size."""
    require(size in POINTS, f"has tiles of size {', '.join(map(str, POINTS))}, not {size}")
    return size + WINDOW - 1


def pixels_of_tile(planes: int) -> int:
    """How many pixels of the result a tile has that is computed from so many planes."""
    return (math.isqrt(planes) - WINDOW + 1) ** 2


class WinogradInput(Op, mnemonic="winograd_input"):
    """Overlapping tiles of [N, size * T + 2, size * P + 2, C] brought into planes: [N, T, (size + 2)^2, P, C]."""

    size: int

    @staticmethod
    def infer(input: Tensor, *, size: int) -> Tensor:
        side = _side(size)
        require(input.rank == 4 and input.is_float, f"needs floating-point [N, rows, columns, C], got {input}")
        batch, *extents, channels = input.shape
        fits = all(extent >= side and (extent - side) % size == 0 for extent in extents)
        require(fits, f"{input} is not covered by tiles that read {side} x {side} elements, {size} apart")
        rows, columns = ((extent - side) // size + 1 for extent in extents)
        return input.with_shape((batch, rows, side * side, columns, channels))

    @staticmethod
    def evaluate(input: np.ndarray, *, size: int) -> np.ndarray:
        side, matrix = size + WINDOW - 1, matrices(size).input
        tiles = windows_of(input, (side, side), (size, size), (1, 1)).astype(np.float64)
        planes = np.einsum("iu,jv,ntpcuv->ntijpc", matrix, matrix, tiles, optimize=True)
        return planes.reshape(*planes.shape[:2], side * side, *planes.shape[4:]).astype(input.dtype)

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, size: int) -> Value:
        result = WinogradInput.infer(input.tensor, size=size)
        if writer.tiles.lanes(result):
            return write_input_transform(writer, input, result, size)
        side, matrix = size + WINDOW - 1, matrices(size).input
        batch, rows, _, columns, channels = result.shape
        across = _applied(
            writer,
            matrix,
            (input, ["d0", "d1", f"d3 * {size} + d5", "d4"]),
            (*input.tensor.shape[:2], side, columns, channels),
            2,
        )
        planes = (batch, rows, side, side, columns, channels)
        down = _applied(writer, matrix, (across, ["d0", f"d1 * {size} + d6", "d3", "d4", "d5"]), planes, 2)
        return writer.reshape(down, result.shape)


class WinogradWeights(Op, mnemonic="winograd_weights"):
    """Weights [3, 3, C, F] as one matrix for each plane, in blocks of columns: [(size + 2)^2, F / block, C, block].

    They are known at compile time, so this is always folded; it is computed in double precision.
    """

    size: int
    block: int

    @staticmethod
    def infer(weights: Tensor, *, size: int, block: int) -> Tensor:
        side = _side(size)
        fits = weights.rank == 4 and weights.shape[:2] == (WINDOW, WINDOW) and weights.is_float
        require(fits, f"needs floating-point weights [3, 3, C, F], got {weights}")
        channels, filters = weights.shape[2:]
        require(block > 0 and filters % block == 0, f"{filters} filters do not come in blocks of {block}")
        return weights.with_shape((side * side, filters // block, channels, block))

    @staticmethod
    def evaluate(weights: np.ndarray, *, size: int, block: int) -> np.ndarray:
        matrix = matrices(size).weights
        planes = np.einsum("iu,jv,uvcf->ijcf", matrix, matrix, weights.astype(np.float64), optimize=True)
        blocks = planes.reshape(len(matrix) ** 2, planes.shape[2], -1, block)
        return np.ascontiguousarray(blocks.transpose(0, 2, 1, 3).astype(weights.dtype))


class WinogradProduct(Op, mnemonic="winograd_product"):
    """Each plane of [N, T, planes, P, C] times its matrix, [planes, B, C, K]: [N, T, planes, P, B * K]."""

    accumulates = True
    widens = True

    @staticmethod
    def infer(input: Tensor, weights: Tensor) -> Tensor:
        require(input.rank == 5 and weights.rank == 4, f"cannot multiply {input} with {weights}")
        fits = input.shape[2] == weights.shape[0] and input.shape[4] == weights.shape[2]
        require(fits and input.dtype == weights.dtype, f"cannot multiply {input} with {weights}")
        return input.with_shape((*input.shape[:-1], weights.shape[1] * weights.shape[3]))

    @staticmethod
    def evaluate(input: np.ndarray, weights: np.ndarray) -> np.ndarray:
        result = np.einsum("ntqpc,qbck->ntqpbk", input, weights, optimize=True)
        return result.reshape(*input.shape[:-1], -1).astype(input.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        return cls.infer(*operands).elements * operands[1].shape[2]

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, weights: Value) -> Value:
        batch, rows, planes, columns, depth = input.tensor.shape
        _, blocks, _, block = weights.tensor.shape
        inner = {"q": (planes,), "p": (columns,), "b": (blocks,), "k": (block,), "c": (depth,)}
        loops = Loops({"t": (batch, rows)}, inner)
        tensor = input.tensor.with_shape(loops.shape("tqpbk"))
        product = writer.generic(
            [loops.operand(writer, input, "tqpc"), loops.operand(writer, weights, "qbck")],
            (writer.accumulator(tensor), loops.indices("tqpbk")),
            ["parallel"] * tensor.rank + ["reduction"],
            multiply_add,
            writer.tiles.planes(tensor, depth),
            squeeze=False,
        )
        outer = [tuple(loops.repeating([size])) for size in (batch, rows)]
        return writer.folded(product, (*outer, (planes,), (columns,), (blocks, block)))


class WinogradOutput(Op, mnemonic="winograd_output"):
    """Planes [N, T, (size + 2)^2, P, F] as tiles: [N, size * T, size * P, F] less the last `crop` rows and columns."""

    size: int
    crop: tuple[int, ...]
    takes_epilogue = True

    @staticmethod
    def infer(input: Tensor, *, size: int, crop: tuple[int, ...]) -> Tensor:
        side = _side(size)
        fits = input.rank == 5 and input.shape[2] == side * side and input.is_float
        require(fits, f"needs floating-point [N, rows, {side * side}, columns, F], got {input}")
        require(len(crop) == 2 and all(0 <= one < size for one in crop), f"cannot cut {crop} off tiles of size {size}")
        batch, rows, _, columns, filters = input.shape
        return input.with_shape((batch, rows * size - crop[0], columns * size - crop[1], filters))

    @staticmethod
    def evaluate(input: np.ndarray, *, size: int, crop: tuple[int, ...]) -> np.ndarray:
        batch, rows, columns, filters = WinogradOutput.infer(Tensor.of(input), size=size, crop=crop).shape
        matrix = matrices(size).output
        side = matrix.shape[1]
        planes = input.reshape(*input.shape[:2], side, side, *input.shape[3:]).astype(np.float64)
        tiles = np.einsum("ai,bj,ntijpf->ntapbf", matrix, matrix, planes, optimize=True)
        whole = tiles.reshape(batch, size * input.shape[1], size * input.shape[3], filters)
        return np.ascontiguousarray(whole[:, :rows, :columns].astype(input.dtype))

    @classmethod
    def for_rows(cls, attributes: Mapping[str, Any], rows: int) -> dict[str, Any]:
        return {**attributes, "crop": (-rows % attributes["size"], attributes["crop"][1])}

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, size: int, crop: tuple[int, ...]) -> Value:
        result = WinogradOutput.infer(input.tensor, size=size, crop=crop)
        if writer.tiles.lanes(result):
            return write_output_transform(writer, input, result, size)
        side, matrix = size + WINDOW - 1, matrices(size).output
        batch, rows, _, columns, filters = input.tensor.shape
        planes = writer.reshape(input, (batch, rows, side, side, columns, filters))
        down = _applied(
            writer,
            matrix,
            (planes, ["d0", "d1", "d6", "d3", "d4", "d5"]),
            (batch, rows, size, side, columns, filters),
            2,
        )
        tiles = (batch, rows, size, columns, size, filters)
        across = _applied(writer, matrix, (down, ["d0", "d1", "d2", "d6", "d3", "d5"]), tiles, 4)
        whole = writer.reshape(across, (batch, rows * size, columns * size, filters))
        return extract_slice(writer, whole, (0,) * 4, result.shape, (1,) * 4)


def _applied(
    writer: CodeletWriter, matrix: Matrix, source: tuple[Value, Map], shape: tuple[int, ...], place: int
) -> Value:
    """Sums of products with the matrix: its rows run along dimension `place` of the result, its columns are summed."""
    tensor = source[0].tensor.with_shape(shape)
    known = writer.constant(matrix.astype(tensor.numpy_dtype))
    return writer.generic(
        [source, (known, [f"d{place}", f"d{len(shape)}"])],
        (writer.filled(tensor, 0), identity_map(len(shape))),
        ["parallel"] * len(shape) + ["reduction"],
        multiply_add,
        squeeze=False,
    )
