"""How the rows of an op's result depend on the rows of its operands; rows are dimension 1 of [1, rows, …, channels]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attention import Attention
from pyipu.dialect.definition import Op
from pyipu.dialect.interpolation import WINDOW
from pyipu.dialect.linear import MatMul, PackedMatMul, ShuffledMatMul
from pyipu.dialect.movement import Broadcast, Concat, Interleave, Pad, Reshape, Slice, Transpose
from pyipu.dialect.normalization import Standardize
from pyipu.dialect.pairs import DotConv
from pyipu.dialect.program import Constant, Vertex
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv, Pool
from pyipu.dialect.winograd import WinogradInput, WinogradOutput, WinogradProduct


@dataclass(frozen=True)
class Rows:
    """Result row j reads operand rows [k * stride - low, k * stride - low + window), along the operand's `axis`.

    k is j // repeat: so many result rows in turn read the same rows.
    """

    window: int = 1
    stride: int = 1
    low: int = 0
    axis: int = 1
    repeat: int = 1

    def after(self, inner: Rows) -> Rows | None:
        """The dependence on what `inner` reads, when its result is read as this says. Borders do not compose."""
        if WHOLE in (self, inner):
            return WHOLE
        if inner.repeat > 1:
            return inner if self == Rows() else None
        window = (self.window - 1) * inner.stride + inner.window
        axis = self.axis if self.axis != 1 else inner.axis
        return Rows(window, self.stride * inner.stride, inner.low, axis, self.repeat)


Dependence = dict[int, Rows]
"""Operand position -> rows. An operand that is read as a whole (weights, a bias) is not in it."""


def dependence(op: Op, bodies: dict[str, func.FuncOp]) -> Dependence | None:
    """What the rows of a main function's op depend on; None when it cannot run row by row."""
    if not has_rows(op.results[0]):
        return None
    if isinstance(op, Vertex):
        return _of_codelet(bodies[op.codelet])
    if isinstance(op, Pad):
        return {0: Rows(low=op.low[1])} if op.low[0] == op.high[0] == op.interior[1] == 0 else None
    if isinstance(op, Concat):
        return dict.fromkeys(range(len(op.operands)), Rows()) if op.axis > 1 else None
    if isinstance(op, Reshape):
        return _reshaped(tensor_of(op.operands[0]).shape, op.shape) if has_rows(op.operands[0]) else None
    if isinstance(op, Slice):
        return {0: Rows(stride=op.strides[1], low=-op.offsets[1])} if has_rows(op.operands[0]) else None
    return None


def _reshaped(before: Sequence[int], after: Sequence[int]) -> Dependence | None:
    """Whole rows of one shape are a row of the other one."""
    rows, of = before[1], after[1]
    if rows % of == 0:
        return {0: Rows(window=rows // of, stride=rows // of)}
    return {0: Rows(repeat=of // rows)} if of % rows == 0 else None


def has_rows(value: ir.Value) -> bool:
    """Rank 3 or more, batch one, more than one row."""
    shape = tensor_of(value).shape
    return len(shape) >= 3 and shape[0] == 1 and shape[1] > 1


def _of_codelet(codelet: func.FuncOp) -> Dependence | None:
    body = codelet.regions[0].blocks[0]
    reads: dict[ir.Value, Dependence] = {a: {a.arg_number: Rows()} for a in body.arguments}
    returned = body.operations[len(body.operations) - 1].operands[0]
    for op in (op for op in body.operations if isinstance(op, Op)):
        found = {} if isinstance(op, Constant) else _of_op(op, reads)
        if found is None or (_names_rows(op) and not _same_rows(op.results[0], returned)):
            return None
        reads[op.results[0]] = found
    return {argument: rows for argument, rows in reads[returned].items() if rows != WHOLE}


def _names_rows(op: Op) -> bool:
    """Its attributes differ from strip to strip, by the rows of the result."""
    return bool(op.for_rows(op.values, 0) != op.values) if has_rows(op.results[0]) else False


def _same_rows(one: ir.Value, other: ir.Value) -> bool:
    return tensor_of(one).shape[1] == tensor_of(other).shape[1]


def _of_op(op: Op, reads: dict[ir.Value, Dependence]) -> Dependence | None:
    """Through one op of a codelet; None when it mixes rows otherwise, or reads one argument in two ways.

    What is read as a whole is in it as `WHOLE`.
    """
    merged: Dependence = {}
    for value, rows in zip(op.operands, _local(op), strict=True):
        if rows is None or (rows.axis != 1 and not isinstance(value, ir.BlockArgument)):
            return None
        inner = {value.arg_number: Rows()} if rows.axis != 1 else reads[value]
        outer = {argument: rows.after(one) for argument, one in inner.items()}
        if any(one is None or merged.get(argument, one) != one for argument, one in outer.items()):
            return None
        merged |= {argument: one for argument, one in outer.items() if one is not None}
    return merged


WHOLE = Rows(window=0)
"""An operand that does not vary with the rows."""


def _local(op: Op) -> list[Rows | None]:
    """For each operand of one op."""
    if op.elementwise:
        return [_broadcast(value, op) for value in op.operands]
    if isinstance(op, Conv):
        return [_window(tensor_of(op.operands[1]).shape[0], op.strides[0], op.dilations[0]), WHOLE]
    if isinstance(op, DotConv) and op.strides:
        return [_window(tensor_of(op.operands[1]).shape[1], op.strides[0], op.dilations[0]), WHOLE]
    if isinstance(op, Pool):
        return [_window(op.window[0], op.strides[0], op.dilations[0])]
    if isinstance(op, MatMul) and tensor_of(op.operands[1]).rank == 2 and tensor_of(op.operands[0]).rank > 3:
        return [Rows(), WHOLE]
    if isinstance(op, PackedMatMul | ShuffledMatMul | DotConv | WinogradProduct):
        return [Rows(), WHOLE]
    if isinstance(op, Interleave) and tensor_of(op.operands[0]).rank > 3:
        return [Rows()]
    if isinstance(op, WinogradInput):
        return [Rows(op.size + WINDOW - 1, op.size)]
    if isinstance(op, WinogradOutput):
        return [Rows(repeat=op.size)]
    if isinstance(op, Transpose) and op.permutation[0] == 0:
        return [Rows(axis=op.permutation[1])]
    if isinstance(op, Broadcast):
        return [_broadcast(op.operands[0], op)]
    if isinstance(op, Softmax) and op.axis > 1:
        return [Rows()]
    if isinstance(op, Standardize) and min(op.axes) > 1:
        return [Rows()]
    if isinstance(op, Attention):
        return [Rows(), WHOLE, WHOLE, *map(_mask, op.operands[3:])]
    return [None] * len(op.operands)


def _window(extent: int, stride: int, dilation: int) -> Rows:
    return Rows((extent - 1) * dilation + 1, stride)


def _mask(value: ir.Value) -> Rows:
    """One number for each query is a row; a mask for all of them has a single row."""
    return Rows(axis=2) if tensor_of(value).shape[2] > 1 else WHOLE


def _broadcast(value: ir.Value, op: Op) -> Rows | None:
    """An operand of an element-wise op has the result's rows, or none that vary."""
    shape, result = tensor_of(value).shape, tensor_of(op.results[0]).shape
    position = 1 - (len(result) - len(shape))
    if position < 0 or shape[position] == 1 != result[1]:
        return WHOLE
    return Rows() if shape[position] == result[1] and position == 1 else None
