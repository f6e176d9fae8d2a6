"""Operations that fold dimensions away."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pyipu.dialect.definition import Op, Permutation, require
from pyipu.dialect.fold_loops import Fold, folded_rows
from pyipu.dialect.row_loops import MOST_POWERS, SoftmaxRows, has_vector_rows
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value


class Reduce(Op):
    """Folds the dimensions `axes` with one operation; `keep` leaves them as dimensions of size one."""

    axes: tuple[int, ...]
    keep: bool = True
    takes_epilogue = True
    widens = True

    WORD: ClassVar[str]
    """How MLIR names it for the lanes of a vector of floats."""
    numpy_function: ClassVar[Callable[..., np.ndarray]]

    @staticmethod
    def start(dtype: np.dtype) -> float | int:
        """The value that changes nothing."""
        raise NotImplementedError

    @staticmethod
    def combine(scalars: Scalars, element: Scalar, accumulator: Scalar) -> Scalar:
        raise NotImplementedError

    @staticmethod
    def infer(input: Tensor, *, axes: tuple[int, ...], keep: bool) -> Tensor:
        inside = len(set(axes)) == len(axes) and all(0 <= axis < input.rank for axis in axes)
        require(inside, f"cannot reduce the dimensions {list(axes)} of {input}")
        kept = [1 if i in axes else size for i, size in enumerate(input.shape) if keep or i not in axes]
        return input.with_shape(kept)

    @classmethod
    def evaluate(cls, input: np.ndarray, *, axes: tuple[int, ...], keep: bool) -> np.ndarray:
        return cls.numpy_function(input, axis=axes, keepdims=keep).astype(input.dtype)

    @classmethod
    def lower(cls, writer: CodeletWriter, input: Value, *, axes: tuple[int, ...], keep: bool) -> Value:
        result = cls.infer(input.tensor, axes=axes, keep=keep)
        fold = Fold(cls.WORD, cls.start(input.tensor.numpy_dtype), cls.combine)
        found = folded_rows(writer, [input], axes, result, fold)
        return cls.nested(writer, input, axes=axes, keep=keep) if found is None else found

    @classmethod
    def nested(cls, writer: CodeletWriter, input: Value, *, axes: tuple[int, ...], keep: bool) -> Value:
        """As one of the loop nests of a codelet: IREE's code generator makes vectors of it."""
        result, dims = cls.infer(input.tensor, axes=axes, keep=keep), range(input.tensor.rank)
        parallel = [dim for dim in dims if dim not in axes]
        # With a reduction outermost, IREE's code for Vulkan has every thread zero the sums of the others.
        loops = {dim: f"d{i}" for i, dim in enumerate((*parallel, *axes))}
        kept = [0 if dim in axes else loops[dim] for dim in dims if keep or dim not in axes]
        return writer.generic(
            [(input, [loops[dim] for dim in dims])],
            (writer.filled(result, cls.start(input.tensor.numpy_dtype)), kept),
            ["parallel"] * len(parallel) + ["reduction"] * len(axes),
            cls.combine,
        )

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        axes = tuple(sorted(permutation[axis] for axis in attributes["axes"]))
        if attributes["keep"]:
            return {**attributes, "axes": axes}, permutation
        left = [i for i in permutation if i not in axes]
        return {**attributes, "axes": axes}, tuple(int(i) for i in np.argsort(np.argsort(left)))


class ReduceSum(Reduce, mnemonic="reduce_sum"):
    """The sum over `axes`."""

    WORD, numpy_function = "add", np.sum

    @staticmethod
    def start(dtype: np.dtype) -> int:
        return 0

    @staticmethod
    def combine(scalars: Scalars, element: Scalar, accumulator: Scalar) -> Scalar:
        return scalars.add(element, accumulator)


class ReduceProduct(Reduce, mnemonic="reduce_product"):
    """The product over `axes`."""

    WORD, numpy_function = "mul", np.prod

    @staticmethod
    def start(dtype: np.dtype) -> int:
        return 1

    @staticmethod
    def combine(scalars: Scalars, element: Scalar, accumulator: Scalar) -> Scalar:
        return scalars.multiply(element, accumulator)


def _limits(dtype: np.dtype) -> tuple[float | int, float | int]:
    """The smallest and the largest value of an element type."""
    if dtype == np.bool_:
        return False, True
    if np.issubdtype(dtype, np.integer):
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return float("-inf"), float("inf")


class ReduceMax(Reduce, mnemonic="reduce_max"):
    """The largest element over `axes`."""

    WORD, numpy_function = "maximumf", np.max

    @staticmethod
    def start(dtype: np.dtype) -> float | int:
        return _limits(dtype)[0]

    @staticmethod
    def combine(scalars: Scalars, element: Scalar, accumulator: Scalar) -> Scalar:
        return scalars.maximum(element, accumulator)


class ReduceMin(Reduce, mnemonic="reduce_min"):
    """The smallest element over `axes`."""

    WORD, numpy_function = "minimumf", np.min

    @staticmethod
    def start(dtype: np.dtype) -> float | int:
        return _limits(dtype)[1]

    @staticmethod
    def combine(scalars: Scalars, element: Scalar, accumulator: Scalar) -> Scalar:
        return scalars.minimum(element, accumulator)


class CenteredSum(Op):
    """The sum over `axes` of what `term` makes of each element's distance from `center`, which is one along those."""

    axes: tuple[int, ...]
    takes_epilogue = True
    widens = True

    @staticmethod
    @abstractmethod
    def term(scalars: Scalars, distance: Scalar) -> Scalar:
        """What is added up for an element at that distance."""

    @staticmethod
    @abstractmethod
    def numpy_term(distance: np.ndarray) -> np.ndarray:
        """The same in numpy."""

    @staticmethod
    def infer(input: Tensor, center: Tensor, *, axes: tuple[int, ...]) -> Tensor:
        require(input.is_float, f"needs a floating-point operand, got {input}")
        result = Reduce.infer(input, axes=axes, keep=True)
        require(center == result, f"needs a center of type {result}, got {center}")
        return result

    @classmethod
    def evaluate(cls, input: np.ndarray, center: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
        return cls.numpy_term(input - center).sum(axes, keepdims=True, dtype=input.dtype)

    @classmethod
    def lower(cls, writer: CodeletWriter, input: Value, center: Value, *, axes: tuple[int, ...]) -> Value:
        fold = Fold(
            "add", 0, ReduceSum.combine, lambda scalars, x, middle: cls.term(scalars, scalars.subtract(x, middle))
        )
        found = folded_rows(writer, [input, center], axes, center.tensor, fold)
        return cls.nested(writer, input, center, axes=axes) if found is None else found

    @classmethod
    def nested(cls, writer: CodeletWriter, input: Value, center: Value, *, axes: tuple[int, ...]) -> Value:
        """As one of the loop nests of a codelet."""
        dims = range(input.tensor.rank)
        parallel = [dim for dim in dims if dim not in axes]
        loops = {dim: f"d{i}" for i, dim in enumerate((*parallel, *axes))}
        kept: list[str | int] = [0 if dim in axes else loops[dim] for dim in dims]

        def body(scalars: Scalars, x: Scalar, middle: Scalar, total: Scalar) -> Scalar:
            return scalars.add(cls.term(scalars, scalars.subtract(x, middle)), total)

        return writer.generic(
            [(input, [loops[dim] for dim in dims]), (center, kept)],
            (writer.filled(center.tensor, 0), kept),
            ["parallel"] * len(parallel) + ["reduction"] * len(axes),
            body,
        )

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        return {"axes": tuple(sorted(permutation[axis] for axis in attributes["axes"]))}, permutation


class ReduceSquares(CenteredSum, mnemonic="reduce_squares"):
    """The sum over `axes` of (input - center)^2; `center` has one element along each of those."""

    @staticmethod
    def term(scalars: Scalars, distance: Scalar) -> Scalar:
        return scalars.multiply(distance, distance)

    @staticmethod
    def numpy_term(distance: np.ndarray) -> np.ndarray:
        return distance * distance


class ReducePowers(CenteredSum, mnemonic="reduce_powers"):
    """The sum over `axes` of e^(input - center); `center` has one element along each of those."""

    @staticmethod
    def term(scalars: Scalars, distance: Scalar) -> Scalar:
        return scalars.math("exp", distance)

    @staticmethod
    def numpy_term(distance: np.ndarray) -> np.ndarray:
        return np.exp(distance)


class Softmax(Op, mnemonic="softmax"):
    """e^(x - max) divided by its sum, along `axis`."""

    axis: int
    takes_epilogue = True
    widens = True

    @staticmethod
    def infer(input: Tensor, *, axis: int) -> Tensor:
        require(input.is_float, f"needs a floating-point operand, got {input}")
        require(0 <= axis < input.rank, f"axis {axis} is outside of {input}")
        return input

    @staticmethod
    def evaluate(input: np.ndarray, *, axis: int) -> np.ndarray:
        powers = np.exp(input - input.max(axis, keepdims=True))
        return (powers / powers.sum(axis, keepdims=True)).astype(input.dtype)

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, axis: int) -> Value:
        # IREE links a softmax of 16-bit floats against fmaxf, which its embedded linker does not find.
        if input.tensor.dtype in ("f16", "bf16"):
            powers = Softmax.lower(writer, input.read_as("f32"), axis=axis)
            return writer.cast(powers, input.tensor.dtype)
        if input.stored:
            return _softmax_of_narrow(writer, input, axis)
        lanes = writer.tiles.lanes(input.tensor)
        if has_vector_rows(input.tensor, (axis,), lanes) and input.tensor.shape[axis] <= MOST_POWERS:
            return SoftmaxRows(writer, input).write()
        empty = writer.empty(input.tensor)
        return writer.write(
            f"linalg.softmax dimension({axis}) ins({input.name} : {input.type}) outs({empty.name} : {empty.type}) "
            f"-> {empty.type}",
            input.tensor,
        )

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        return {"axis": permutation[attributes["axis"]]}, permutation


def _softmax_of_narrow(writer: CodeletWriter, input: Value, axis: int) -> Value:
    """Reads what it extends three times: `linalg.softmax` would need a wide copy, and rows of that leave the stack."""
    largest = ReduceMax.nested(writer, input, axes=(axis,), keep=True)
    total = ReducePowers.nested(writer, input, largest, axes=(axis,))
    return writer.elementwise(
        [input, largest, total],
        input.tensor,
        lambda scalars, x, top, sum_: scalars.divide(scalars.math("exp", scalars.subtract(x, top)), sum_),
    )
