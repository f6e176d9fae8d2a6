"""The pass that finds normalizations in a graph: what takes six vertices becomes one, which reads its operand once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from iree.compiler import ir

from pyipu.dialect.elementwise import Add, Divide, Multiply, Reciprocal, Sqrt, Subtract
from pyipu.dialect.normalization import Standardize
from pyipu.dialect.program import Constant
from pyipu.dialect.reduction import ReduceSum
from pyipu.dialect.row_loops import has_vector_rows
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.folding import number_of
from pyipu.passes.rules.rewriting import apply_rules, build, factor_of, producer, shape_of
from pyipu.passes.rules.scores import times
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

_CLOSE = 1e-5
"""How far the reciprocal of a number of elements may be from what exporters wrote."""


@dataclass(frozen=True)
class FindNormalization(Pass):
    """Makes one op of (x - mean) / sqrt(variance + epsilon).

    An op that does not suit the target's vectors is written out.
    """

    NAME: ClassVar[str] = "ipu-standardize"

    lanes: int = 16
    """How many elements a vector has, where half vectors will do; 0 for a target without loops over vectors."""

    def run(self, module: ir.Module, session: Session) -> None:
        for op in [op for op in all_ops(module) if isinstance(op, Multiply | Divide)]:
            found = _found(op)
            if found is not None:
                self._rewrite(op, found, session)
        apply_rules(module, {Standardize: (self._written_out,)}, session)

    def _rewrite(self, op: Multiply | Divide, found: _Normalization, session: Session) -> None:
        if not self._suits(found.value, found.axes):
            what = f"over dimensions {list(found.axes)} of {tensor_of(found.value)}"
            session.remark(self.NAME, op.location, f"stays apart: {what} there are no loops over vectors")
            return
        with ir.InsertionPoint(op.operation), op.location:
            result = build(Standardize, session, found.value, axes=found.axes, epsilon=found.epsilon)
        op.result.replace_all_uses_with(result)
        session.remark(self.NAME, op.location, "is one vertex with its mean and its variance")

    def _suits(self, value: ir.Value, axes: Sequence[int]) -> bool:
        tensor = tensor_of(value)
        full = self.lanes > 0 and tensor.shape[-1] % (self.lanes // 2) == 0 and tensor.dtype == "f32"
        return full and has_vector_rows(tensor, axes, self.lanes)

    def _written_out(self, op: Standardize, session: Session) -> ir.Value | None:
        return None if self._suits(op.operands[0], op.axes) else written_out(op, session)


@dataclass(frozen=True)
class _Normalization:
    """(value - mean) / sqrt(variance + epsilon), over `axes`."""

    value: ir.Value
    axes: tuple[int, ...]
    epsilon: float


def _found(op: Multiply | Divide) -> _Normalization | None:
    """The normalization that ends with `op`."""
    left, right = op.operands
    pairs = [(left, right)] if isinstance(op, Divide) else [(left, _reciprocal(right)), (right, _reciprocal(left))]
    found = (
        _of_deviation(value, deviation) for value, deviation in pairs if deviation and value.type == op.result.type
    )
    return next((one for one in found if one), None)


def _reciprocal(value: ir.Value) -> ir.Value | None:
    """What the value is one over."""
    op = producer(value, Reciprocal)
    return op.operands[0] if op else None


def _of_deviation(centered: ir.Value, deviation: ir.Value) -> _Normalization | None:
    """A value less its mean, which is divided by its deviation."""
    subtraction, root = producer(centered, Subtract), producer(deviation, Sqrt)
    shifted = producer(root.operands[0], Add) if root else None
    if subtraction is None or shifted is None:
        return None
    mean, variance = _mean(subtraction.operands[1]), _mean(shifted.operands[0])
    epsilon = number_of(shifted.operands[1])
    if mean is None or variance is None or epsilon is None or mean != (subtraction.operands[0], variance[1]):
        return None
    square = producer(variance[0], Multiply)
    squared = square is not None and list(square.operands) == [centered, centered]
    return _Normalization(*mean, epsilon) if squared else None


def _mean(value: ir.Value) -> tuple[ir.Value, tuple[int, ...]] | None:
    """What the value is the mean of, and over which dimensions, which it keeps."""
    total, share = factor_of(value) or (value, 1.0)
    op = producer(total, ReduceSum)
    if op is None or not op.keep:
        return None
    count = math.prod(shape_of(op.operands[0])[axis] for axis in op.axes)
    return (op.operands[0], op.axes) if abs(share * count - 1) < _CLOSE else None


def written_out(op: Standardize, session: Session) -> ir.Value:
    """The means, and what they are subtracted from and divide."""
    (value,), axes = op.operands, op.axes
    centered = build(Subtract, session, value, _written_mean(value, axes, session))
    square = build(Multiply, session, centered, centered)
    epsilon = Constant.create(value=np.asarray(op.epsilon, tensor_of(value).numpy_dtype)).result
    variance = build(Add, session, _written_mean(square, axes, session), epsilon)
    return build(Multiply, session, centered, build(Reciprocal, session, build(Sqrt, session, variance)))


def _written_mean(value: ir.Value, axes: tuple[int, ...], session: Session) -> ir.Value:
    count = math.prod(shape_of(value)[axis] for axis in axes)
    return times(build(ReduceSum, session, value, axes=axes, keep=True), 1 / count, session)
