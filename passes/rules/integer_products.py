"""Rules that multiply and add up integers of 8 bits instead of the numbers they stand for; see `quantized.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from iree.compiler import ir

from pyipu.dialect.elementwise import Add, Cast, Dequantize, Multiply
from pyipu.dialect.linear import NARROW, MatMul
from pyipu.dialect.program import Constant, Parameter
from pyipu.dialect.reduction import ReduceSum
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv, SumPool
from pyipu.passes.folding import add_known, is_known
from pyipu.passes.rules.identities import reshaped
from pyipu.passes.rules.quantized import HALF, Coded, constant, sum_of, unsigned, unsigned_source
from pyipu.passes.rules.rewriting import Rules, build, has_one_use, producer, shape_of
from pyipu.passes.session import Session

WHOLE = 2.0**-20
"""So much of its size a bias may be from a whole number of steps: it was rounded to f32 when it was written."""


@dataclass(frozen=True)
class Weights:
    """Known integers around zero, and their scale: one number, or one for each filter."""

    integers: ir.Value
    scale: ir.Value


def sum_integers(op: Conv | MatMul, session: Session) -> ir.Value | None:
    """conv(dequantize(x), dequantize(w)) is multiply(cast(conv(x, w) - …), scales)."""
    if product_refusal(op, session) != "":
        return None
    data = Coded.of(op.operands[0])
    weights = _weights(op.operands[1], session)
    assert data is not None and data.numbers is not None and isinstance(weights, Weights)
    total = _less(build(type(op), session, data.source, weights.integers, **op.values), weights, data.zero, session)
    scale = build(Multiply, session, data.numbers.operands[1], weights.scale)
    return build(Multiply, session, build(Cast, session, total, dtype="f32"), scale)


def add_up_integers(op: ReduceSum | SumPool, session: Session) -> ir.Value | None:
    """reduce_sum(dequantize(x)) is multiply(cast(reduce_sum(x) - …), scale); so for the sums of windows."""
    coded = Coded.of(op.operands[0])
    if coded is None or coded.numbers is None or tensor_of(coded.source).dtype not in NARROW:
        return None
    total = build(type(op), session, build(Cast, session, coded.source, dtype="i32"), **op.values)
    if coded.zero:
        excess = -coded.zero * _terms(op)
        total = build(Add, session, total, constant(np.array(excess, np.int32)))
    return build(Multiply, session, build(Cast, session, total, dtype="f32"), coded.numbers.operands[1])


def _terms(op: ReduceSum | SumPool) -> int:
    """How many elements are added up to one."""
    if isinstance(op, SumPool):
        return math.prod(op.window)
    return tensor_of(op.operands[0]).elements // tensor_of(op.results[0]).elements


def product_refusal(op: Conv | MatMul, session: Session) -> str | None:
    """Why a product of what integers stand for is computed in floating point; None if it is no such product."""
    data, numbers = Coded.of(op.operands[0]), producer(op.operands[1], Dequantize)
    if data is None or data.numbers is None or numbers is None or tensor_of(op.results[0]).dtype != "f32":
        return None
    if tensor_of(data.source).dtype not in NARROW:
        return f"its data are integers of {tensor_of(data.source).dtype}, not of 8 bits"
    weights = _weights(op.operands[1], session)
    return weights if isinstance(weights, str) else ""


def _weights(value: ir.Value, session: Session) -> Weights | str:
    """The integers and scales of weights, or why there are none."""
    numbers = value.owner
    assert isinstance(numbers, Dequantize)
    integers, scale, zero = numbers.operands
    if not all(map(is_known, numbers.operands)):
        return "its weights are not known at compile time"
    if len(shape_of(integers)) < 2 or not all(_along_filters(one, shape_of(integers)) for one in (scale, zero)):
        return "its weights have scales that run along what is added up"
    around = _array(zero, session)
    if tensor_of(integers).dtype not in NARROW or around is None:
        return "its weights are no integers of 8 bits"
    middle = HALF if tensor_of(integers).dtype == "ui8" else 0
    if np.any(around != middle):
        return f"its weights have a zero point that is not {middle}"
    signed = integers if middle == 0 else build(Cast, session, unsigned(integers, session), dtype="i8")
    return Weights(signed, reshaped(scale, shape_of(scale)[-1:], session))


def _along_filters(value: ir.Value, weights: tuple[int, ...]) -> bool:
    """One number, or one for each filter, which are the last dimension of the weights."""
    elements = tensor_of(value).elements
    return elements == 1 or (elements == weights[-1] and shape_of(value)[-1] == elements)


def _array(value: ir.Value, session: Session) -> np.ndarray | None:
    """The elements of a known tensor; IR that was read from text has none of its parameters."""
    owner = value.owner
    if isinstance(owner, Constant):
        return owner.value
    known = isinstance(owner, Parameter) and session.parameters.has_value(owner.key)
    return session.parameters[owner.key] if known else None


def _less(total: ir.Value, weights: Weights, zero: int, session: Session) -> ir.Value:
    """The sum of products of (x - zero), of the one of x."""
    if zero == 0:
        return total
    rank = len(shape_of(weights.integers))
    axes = tuple(range(rank - 1)) if isinstance(total.owner, Conv) else (rank - 2,)
    wide = build(Cast, session, weights.integers, dtype="i32")
    sums = build(ReduceSum, session, wide, axes=axes, keep=isinstance(total.owner, MatMul) and rank > 2)
    return build(Add, session, total, build(Multiply, session, sums, constant(np.array(-zero, np.int32))))


def multiply_unsigned(op: Conv | MatMul, session: Session) -> ir.Value | None:
    """conv(x, w) for x of i8 is that of ui8 less 128 times the sums of the weights."""
    data, weights = op.operands
    if tensor_of(data).dtype != "i8" or tensor_of(weights).dtype != "i8" or not is_known(weights):
        return None
    source = unsigned_source(data)
    total = build(type(op), session, source if source is not None else unsigned(data, session), weights, **op.values)
    return _less(total, Weights(weights, weights), HALF, session)


def add_whole_bias(op: Add, session: Session) -> ir.Value | None:
    """add(multiply(sum, m), b) is multiply(add(sum, b / m), m) where b are whole numbers of steps."""
    product = producer(op.operands[0], Multiply)
    total = None if product is None or not has_one_use(product.result) else sum_of(product)
    if product is None or total is None or product.result.type != op.result.type:
        return None
    bias, scale = (_array(one.operands[1], session) for one in (op, product))
    steps = None if bias is None or scale is None else _whole_steps(bias, scale)
    if steps is None:
        return None
    name = op.operands[1].owner.key if isinstance(op.operands[1].owner, Parameter) else "bias"
    moved = build(Add, session, total, add_known(steps, f"{name}.steps", session.parameters))
    return build(Multiply, session, build(Cast, session, moved, dtype="f32"), product.operands[1])


def _whole_steps(bias: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """A bias in steps of `scale`, of i32; None where it is not near whole numbers."""
    if bias.ndim > 1 or scale.ndim > 1:
        return None
    steps = bias.astype(np.float64) / scale.astype(np.float64)
    whole = np.rint(steps)
    near = np.abs(steps - whole) <= np.abs(steps) * WHOLE
    fits = np.abs(whole) < np.iinfo(np.int32).max
    return whole.astype(np.int32) if np.all(near & fits) else None


PRODUCTS: Rules = {
    Conv: (sum_integers, multiply_unsigned),
    MatMul: (sum_integers, multiply_unsigned),
    Add: (add_whole_bias,),
    ReduceSum: (add_up_integers,),
    SumPool: (add_up_integers,),
}
"""Sums of integers, and of their products."""
