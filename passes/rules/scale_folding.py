"""Rules that gather known scales and shifts and fold scales into weights: batch-norms vanish into convolutions.

The normal form is `add(multiply(y, scale), shift)` with known tensors on the right; a scale that reaches a contraction
with known weights is multiplied into these. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (2018), section 3.2, folds batch-norms by the same formula.
"""

from __future__ import annotations

import math

from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add, Divide, Multiply, Negate, Reciprocal, Subtract, broadcast
from pyipu.dialect.linear import Einsum, MatMul, split_equation
from pyipu.dialect.windows import Conv
from pyipu.passes.folding import is_known
from pyipu.passes.rules.identities import reshaped
from pyipu.passes.rules.rewriting import Rules, build, has_one_use, producer, result_tensor, shape_of
from pyipu.passes.session import Session

Shape = tuple[int, ...]


def fold_scale(op: Multiply, session: Session) -> ir.Value | None:
    """multiply(conv(x, w), s) is conv(x, multiply(w, s)) when s runs along the filters; so for matmul and einsum."""
    contraction = scaled_contraction(op)
    if contraction is None or scale_refusal(op) is not None:
        return None
    data, weights = contraction.operands
    shape = scale_of_weights(contraction, shape_of(op.operands[1]))
    assert shape is not None
    scaled = build(Multiply, session, weights, reshaped(op.operands[1], shape, session))
    return build(type(contraction), session, data, scaled, **contraction.values)


def scaled_contraction(op: Multiply) -> Op | None:
    """The contraction whose result is multiplied by a known tensor; None when the op is something else."""
    left, right = op.operands
    return producer(left, Conv, MatMul, Einsum) if is_known(right) else None


def scale_refusal(op: Multiply) -> str | None:
    """Why a known scale is not folded into the contraction before it; None when it is."""
    contraction = scaled_contraction(op)
    assert contraction is not None
    name = f"the {contraction.MNEMONIC} before this scale"
    if not is_known(contraction.operands[1]):
        return f"{name} has weights that are not known at compile time"
    if not has_one_use(contraction.results[0]):
        return f"{name} has other users"
    along = scale_of_weights(contraction, shape_of(op.operands[1])) is not None
    if not along or op.result.type != contraction.results[0].type:
        return f"{name} has filters, and the scale runs along another dimension"
    return None if result_tensor(op).is_float else f"{name} computes integers"


def scale_of_weights(contraction: Op, scale: Shape) -> Shape | None:
    """The shape in which a scale of the result broadcasts over the weights; None when no such shape exists."""
    filters = math.prod(scale)
    if filters != (scale[-1] if scale else 1):
        return None
    if not isinstance(contraction, Einsum):
        return (filters,)
    _, letters, out = split_equation(contraction.equation)
    if filters > 1 and out[-1] not in letters:
        return None
    return tuple(filters if letter == out[-1] else 1 for letter in letters)


def merge_known(op: Add | Multiply, session: Session) -> ir.Value | None:
    """add(add(y, a), b) is add(y, add(a, b)) for known a and b; so for multiply."""
    inner = producer(op.operands[0], type(op))
    if inner is None or not _combine(inner, op):
        return None
    return build(type(op), session, inner.operands[0], build(type(op), session, inner.operands[1], op.operands[1]))


def scale_before_shift(op: Multiply, session: Session) -> ir.Value | None:
    """multiply(add(y, b), s) is add(multiply(y, s), multiply(b, s)) for known b and s."""
    inner = producer(op.operands[0], Add)
    if inner is None or not _combine(inner, op) or not result_tensor(op).is_float:
        return None
    shift = build(Multiply, session, inner.operands[1], op.operands[1])
    return build(Add, session, build(Multiply, session, inner.operands[0], op.operands[1]), shift)


def _combine(inner: Op, outer: Op) -> bool:
    """The right operands are known, and combining them makes nothing larger, nor leaves the inner op to others."""
    known = [inner.operands[1], outer.operands[1]]
    if not all(is_known(value) for value in known) or not has_one_use(inner.results[0]):
        return False
    shapes = [shape_of(value) for value in known]
    return math.prod(broadcast(*shapes)) <= max(math.prod(shape) for shape in shapes)


def subtract_known(op: Subtract, session: Session) -> ir.Value | None:
    left, right = op.operands
    return build(Add, session, left, build(Negate, session, right)) if is_known(right) else None


def divide_by_known(op: Divide, session: Session) -> ir.Value | None:
    left, right = op.operands
    if not is_known(right) or not result_tensor(op).is_float:
        return None
    return build(Multiply, session, left, build(Reciprocal, session, right))


SCALE_FOLDING: Rules = {
    Add: (merge_known,),
    Multiply: (merge_known, scale_before_shift, fold_scale),
    Subtract: (subtract_known,),
    Divide: (divide_by_known,),
}
