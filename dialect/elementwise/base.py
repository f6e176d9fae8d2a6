"""The base of all operations that work element by element, with numpy's broadcasting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyipu.dialect.definition import Op, Permutation, require
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape as numpy broadcasts; raises ValueError naming the shapes when there is none."""
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise ValueError(f"operands of shapes {', '.join(map(str, shapes))} do not broadcast") from error


class Elementwise(Op):
    """Base of all element-wise operations: `scalar` says what happens to one element."""

    elementwise = True
    widens = True

    @staticmethod
    def scalar(scalars: Scalars, *arguments: Any, **attributes: Any) -> Scalar:
        raise NotImplementedError

    @classmethod
    def lower(cls, writer: CodeletWriter, *operands: Value, **attributes: Any) -> Value:
        result = cls.result_types([value.tensor for value in operands], attributes)[0]
        assert isinstance(result, Tensor)
        return writer.elementwise(operands, result, lambda scalars, *a: cls.scalar(scalars, *a, **attributes))

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        return dict(attributes), permutation


class Binary(Elementwise):
    """Two operands of one element type."""

    @staticmethod
    def infer(left: Tensor, right: Tensor) -> Tensor:
        require(left.dtype == right.dtype, f"needs operands of one element type, got {left} and {right}")
        return left.with_shape(broadcast(left.shape, right.shape))
