"""Element-wise comparisons, logic and choice. A leaf is its meaning twice: numpy and scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from pyipu.dialect.definition import require
from pyipu.dialect.elementwise.base import Binary, Elementwise, broadcast
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor


class Comparison(Binary):
    """Two operands of one type, a truth value as the result; `word` as in MLIR's predicates."""

    word: ClassVar[str]
    numpy_function: ClassVar[Callable[..., np.ndarray]]

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        return Binary.infer(left, right).with_dtype("i1")

    @classmethod
    def evaluate(cls, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return cls.numpy_function(left, right)

    @classmethod
    def scalar(cls, scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.compare(cls.word, left, right)


class Equal(Comparison, mnemonic="equal"):
    """left == right."""

    word, numpy_function = "eq", np.equal


class Less(Comparison, mnemonic="less"):
    """left < right."""

    word, numpy_function = "lt", np.less


class LessOrEqual(Comparison, mnemonic="less_or_equal"):
    """left <= right."""

    word, numpy_function = "le", np.less_equal


class Greater(Comparison, mnemonic="greater"):
    """left > right."""

    word, numpy_function = "gt", np.greater


class GreaterOrEqual(Comparison, mnemonic="greater_or_equal"):
    """left >= right."""

    word, numpy_function = "ge", np.greater_equal


class Logical(Binary):
    """Two truth values; `word` is and, or, xor."""

    word: ClassVar[str]
    numpy_function: ClassVar[Callable[..., np.ndarray]]

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        require(left.dtype == "i1", f"needs truth values, got {left}")
        return Binary.infer(left, right)

    @classmethod
    def evaluate(cls, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return cls.numpy_function(left, right)

    @classmethod
    def scalar(cls, scalars: Scalars, left: Scalar, right: Scalar) -> Scalar:
        return scalars.bitwise(cls.word, left, right)


class And(Logical, mnemonic="and"):
    """Both are true."""

    word, numpy_function = "and", np.logical_and


class Or(Logical, mnemonic="or"):
    """At least one is true."""

    word, numpy_function = "or", np.logical_or


class Xor(Logical, mnemonic="xor"):
    """Exactly one is true."""

    word, numpy_function = "xor", np.logical_xor


class Where(Elementwise, mnemonic="where"):
    """left where the condition holds, right elsewhere."""

    @staticmethod
    def infer(condition: Tensor, left: Tensor, right: Tensor) -> Tensor:
        require(condition.dtype == "i1", f"needs truth values as its condition, got {condition}")
        require(left.dtype == right.dtype, f"needs operands of one element type, got {left} and {right}")
        return left.with_shape(broadcast(condition.shape, left.shape, right.shape))

    evaluate = staticmethod(np.where)

    @staticmethod
    def scalar(scalars: Scalars, condition: Scalar, left: Scalar, right: Scalar) -> Scalar:
        return scalars.select(condition, left, right)
