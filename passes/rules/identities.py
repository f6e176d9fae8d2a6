"""Rules that replace an op by a simpler one, or by its operand, that computes the same elements."""

from __future__ import annotations

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import (
    Add,
    And,
    Cast,
    Divide,
    Elementwise,
    Equal,
    Maximum,
    Minimum,
    Multiply,
    Or,
    Power,
    Relu,
    Subtract,
    Xor,
)
from pyipu.dialect.movement import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose
from pyipu.dialect.reduction import Reduce, Softmax
from pyipu.dialect.types import tensor_of
from pyipu.passes.folding import fold, is_known, known_value
from pyipu.passes.rules.permutations import (
    broadcast_before_reshape,
    compose,
    dimension_before_reshape,
    moves_only_units,
)
from pyipu.passes.rules.rewriting import Rules, build, producer, result_tensor, shape_of, users
from pyipu.passes.session import Session


def fold_known(op: Op, session: Session) -> ir.Value | None:
    """An op of known operands is known itself; but none is stored repeated for ops that repeat it anyway."""
    if isinstance(op, Broadcast) and all(_broadcasts(user) for user in users(op.result)):
        return None
    return fold(op, session.parameters)


def _broadcasts(user: ir.OpView) -> bool:
    return isinstance(user, Elementwise) and len(user.operands) > 1


def reshaped(value: ir.Value, shape: tuple[int, ...], session: Session) -> ir.Value:
    """`value` under another shape: itself when it has that shape, known when it is known."""
    return value if shape_of(value) == tuple(shape) else build(Reshape, session, value, shape=shape)


def transposed(value: ir.Value, permutation: tuple[int, ...], session: Session) -> ir.Value:
    """`value` with its dimensions permuted; a reshape when only dimensions of size one move."""
    if moves_only_units(shape_of(value), permutation):
        return reshaped(value, Transpose.infer(tensor_of(value), permutation=permutation).shape, session)
    return build(Transpose, session, value, permutation=permutation)


def same_shape(op: Op, session: Session) -> ir.Value | None:
    """A slice of everything, a pad by nothing, a cast to the type at hand: the operand has the result's type."""
    operand = op.operands[0]
    return operand if len(op.operands) == 1 and operand.type == op.results[0].type else None


def merge_reshapes(op: Reshape, session: Session) -> ir.Value | None:
    inner = producer(op.operands[0], Reshape)
    return None if inner is None else reshaped(inner.operands[0], op.shape, session)


def elementwise_before_reshape(op: Elementwise, session: Session) -> ir.Value | None:
    """relu(reshape(x)) is reshape(relu(x)), next to what computes x; other operands are reshaped alike, or known."""
    source = _common_source(op)
    target = result_tensor(op).shape
    if source is None:
        return None
    shapes = [_shape_before(value, source, target) for value in op.operands]
    if None in shapes:
        return None
    operands = [_before(value, shape, session) for value, shape in zip(op.operands, shapes, strict=True)]
    return reshaped(build(type(op), session, *operands, **op.values), target, session)


def _common_source(op: Elementwise) -> tuple[int, ...] | None:
    """The shape of what the computed operands are reshapes of, when all agree and have the shape of the result."""
    computed = [value for value in op.operands if not is_known(value)]
    reshapes = [reshape for value in computed if (reshape := producer(value, Reshape)) is not None]
    shapes = {(shape_of(reshape.operands[0]), reshape.shape) for reshape in reshapes}
    if len(reshapes) < len(computed) or len(shapes) != 1:
        return None
    source, target = shapes.pop()
    return source if target == result_tensor(op).shape else None


def _shape_before(value: ir.Value, source: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...] | None:
    return broadcast_before_reshape(source, target, shape_of(value)) if is_known(value) else source


def _before(value: ir.Value, shape: tuple[int, ...] | None, session: Session) -> ir.Value:
    reshape = producer(value, Reshape)
    assert shape is not None
    if reshape is not None:
        return reshape.operands[0]
    return value if tensor_of(value).elements == 1 else reshaped(value, shape, session)


def softmax_before_reshape(op: Softmax, session: Session) -> ir.Value | None:
    reshape = producer(op.operands[0], Reshape)
    if reshape is None:
        return None
    source = reshape.operands[0]
    axis = dimension_before_reshape(shape_of(source), reshape.shape, op.axis)
    return None if axis is None else reshaped(build(Softmax, session, source, axis=axis), reshape.shape, session)


def merge_transposes(op: Transpose, session: Session) -> ir.Value | None:
    inner = producer(op.operands[0], Transpose)
    if inner is None:
        return None
    return transposed(inner.operands[0], compose(inner.permutation, op.permutation), session)


def transpose_of_units(op: Transpose, session: Session) -> ir.Value | None:
    operand = op.operands[0]
    if not moves_only_units(shape_of(operand), op.permutation):
        return None
    return reshaped(operand, result_tensor(op).shape, session)


def merge_slices(op: Slice, session: Session) -> ir.Value | None:
    inner = producer(op.operands[0], Slice)
    if inner is None:
        return None
    starts = zip(inner.offsets, op.offsets, inner.strides, strict=True)
    offsets = tuple(first + second * stride for first, second, stride in starts)
    strides = tuple(a * b for a, b in zip(inner.strides, op.strides, strict=True))
    return build(Slice, session, inner.operands[0], offsets=offsets, sizes=op.sizes, strides=strides)


def merge_pads(op: Pad, session: Session) -> ir.Value | None:
    """The outer pad may not spread the inner one's border."""
    inner = producer(op.operands[0], Pad)
    if inner is None or inner.value != op.value or any(op.interior):
        return None
    low = tuple(a + b for a, b in zip(inner.low, op.low, strict=True))
    high = tuple(a + b for a, b in zip(inner.high, op.high, strict=True))
    return build(Pad, session, inner.operands[0], low=low, high=high, interior=inner.interior, value=op.value)


def merge_broadcasts(op: Broadcast, session: Session) -> ir.Value | None:
    inner = producer(op.operands[0], Broadcast)
    return None if inner is None else build(Broadcast, session, inner.operands[0], shape=op.shape)


def broadcast_of_units(op: Broadcast, session: Session) -> ir.Value | None:
    """A broadcast that repeats nothing only adds dimensions of size one."""
    operand = op.operands[0]
    return reshaped(operand, op.shape, session) if tensor_of(operand).elements == result_tensor(op).elements else None


def drop_broadcasts(op: Elementwise, session: Session) -> ir.Value | None:
    """Element-wise ops broadcast by themselves, as long as some operand has the result's shape."""
    operands = list(op.operands)
    for i, operand in enumerate(operands):
        inner = producer(operand, Broadcast)
        shorter = operands if inner is None else [*operands[:i], inner.operands[0], *operands[i + 1 :]]
        if op.result_types([tensor_of(value) for value in shorter], op.values) == [result_tensor(op)]:
            operands = shorter
    return None if operands == list(op.operands) else build(type(op), session, *operands, **op.values)


def reduce_of_units(op: Reduce, session: Session) -> ir.Value | None:
    """Nothing is added up along dimensions of size one."""
    shape = shape_of(op.operands[0])
    return None if any(shape[axis] != 1 for axis in op.axes) else reshaped(op.operands[0], shape_of(op.result), session)


def gather_of_range(op: Gather, session: Session) -> ir.Value | None:
    """Known indices that follow each other at one distance are a slice."""
    data, indices = op.operands
    sizes = list(shape_of(data))
    wanted = _as_range(known_value(indices), sizes[op.axis])
    if wanted is None:
        return None
    offsets, strides = [0] * len(sizes), [1] * len(sizes)
    offsets[op.axis], sizes[op.axis], strides[op.axis] = wanted.start, len(wanted), wanted.step
    taken = build(Slice, session, data, offsets=offsets, sizes=sizes, strides=strides)
    return reshaped(taken, shape_of(op.result), session)


def _as_range(indices: np.ndarray | None, size: int) -> range | None:
    """The same indices, negative ones counted from the end, as an ascending range; None when they are none."""
    if indices is None or indices.size == 0:
        return None
    first, *rest = [int(i) % size for i in indices.reshape(-1)]
    step = rest[0] - first if rest else 1
    found = range(first, first + step * indices.size, step) if step > 0 else range(0)
    return found if list(found) == [first, *rest] else None


def known_operand_right(op: Op, session: Session) -> ir.Value | None:
    """Commutative ops have their known operand on the right, where the other rules look for it."""
    left, right = op.operands
    return build(type(op), session, right, left) if is_known(left) and not is_known(right) else None


def neutral(op: Op, session: Session) -> ir.Value | None:
    """The right operand is everywhere the number that leaves the left one as it is."""
    left, right = op.operands
    known = known_value(right)
    leaves = known is not None and left.type == op.results[0].type and bool(np.all(known == _NEUTRAL[type(op)]))
    return left if leaves else None


def square(op: Power, session: Session) -> ir.Value | None:
    base, exponent = op.operands
    known = known_value(exponent)
    squares = known is not None and base.type == op.result.type and np.all(known == 2)
    return build(Multiply, session, base, base) if squares else None


def relu_of_relu(op: Relu, session: Session) -> ir.Value | None:
    return None if producer(op.operands[0], Relu) is None else op.operands[0]


_COMMUTATIVE = (Add, Multiply, Maximum, Minimum, Equal, And, Or, Xor)
_NEUTRAL: dict[type[Op], int] = {Add: 0, Subtract: 0, Multiply: 1, Divide: 1, Power: 1}

MOVEMENT: Rules = {
    Op: (fold_known,),
    Reshape: (same_shape, merge_reshapes),
    Transpose: (transpose_of_units, merge_transposes),
    Slice: (same_shape, merge_slices),
    Pad: (same_shape, merge_pads),
    Broadcast: (same_shape, merge_broadcasts, broadcast_of_units),
    Concat: (same_shape,),
    Reduce: (reduce_of_units,),
    Gather: (gather_of_range,),
    Elementwise: (elementwise_before_reshape,),
    Softmax: (softmax_before_reshape,),
}
"""Identities of ops that move elements."""

ARITHMETIC: tuple[Rules, ...] = (
    dict.fromkeys(_COMMUTATIVE, (known_operand_right,)),
    dict.fromkeys(_NEUTRAL, (neutral,)),
    {Cast: (same_shape,), Relu: (relu_of_relu,), Power: (square,), Elementwise: (drop_broadcasts,)},
)
"""Identities of ops that compute."""
