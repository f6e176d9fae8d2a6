"""What is around a softmax: the scaled and masked products that it reads, and the products that its weights go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add, Multiply, Where
from pyipu.dialect.linear import Einsum, MatMul
from pyipu.dialect.program import Constant, Parameter
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import tensor_of
from pyipu.passes.folding import known_value, number_of
from pyipu.passes.rules.rewriting import build, factor_of, has_one_use, producer, shape_of, users
from pyipu.passes.session import Session

HIDDEN = 1e9
"""Adding less than minus this to a score is the same as putting it in the score's place."""


class RefusedError(Exception):
    """Why a softmax is left as it is."""


Contraction = MatMul | Einsum


@dataclass(frozen=True)
class Scores:
    """scale * product + masks."""

    product: Contraction
    scale: float
    masks: Sequence[ir.Value]


def scores_of(op: Softmax, session: Session) -> Scores:
    """What a softmax reads; raises RefusedError if it is something else."""
    value, scale = op.operands[0], 1.0
    masks: list[ir.Value] = []
    while (inner := producer(value, Multiply, Add, Where)) is not None and has_one_use(value):
        factor, masked = factor_of(value), _masked(inner, session)
        if factor is not None:
            value, number = factor
            scale *= number
        elif masked is not None:
            value, mask = masked
            masks.append(times(mask, scale, session))
        else:
            break
    product = producer(value, MatMul, Einsum)
    if product is None or not has_one_use(value):
        raise RefusedError("reads no scaled and masked products that nothing else reads")
    return Scores(product, scale, masks)


def _masked(op: Op, session: Session) -> tuple[ir.Value, ir.Value] | None:
    """The operand that is computed from products, and what is added to it."""
    *conditions, left, right = op.operands
    value, other = (left, right) if _is_from_products(left, op) else (right, left)
    if not _is_from_products(value, op):
        return None
    if isinstance(op, Add):
        return value, other
    fill = number_of(other) if isinstance(op, Where) else None
    if fill is None or fill > -HIDDEN:
        return None
    kept, hidden = (Constant.create(value=np.full((1,), one, tensor_of(value).numpy_dtype)).result for one in (0, fill))
    return value, build(Where, session, *conditions, *((kept, hidden) if value == left else (hidden, kept)))


def _is_from_products(value: ir.Value, op: Op) -> bool:
    return producer(value, MatMul, Einsum, Multiply, Add, Where) is not None and value.type == op.results[0].type


@dataclass(frozen=True)
class Weights:
    """The products of weights and values; `hidden` says which queries have no weights at all, if some have none."""

    product: Contraction
    place: int
    """Which operand of the products the weights are."""
    hidden: ir.Value | None


def weights_of(op: Softmax, session: Session) -> Weights:
    """What reads a softmax; raises RefusedError if that is not a product with values, and nothing else."""
    value, hidden = op.result, None
    reader = _reader(value)
    if isinstance(reader, Where) and _hides_queries(reader, op):
        value, hidden = reader.result, reader.operands[0]
        reader = _reader(value)
    if not isinstance(reader, MatMul | Einsum):
        raise RefusedError("is read by something else than one product with values")
    known = None if hidden is None else known_elements(hidden, session)
    some = known is None or known.any()
    return Weights(reader, list(reader.operands).index(value), hidden if some else None)


def _hides_queries(op: Where, softmax: Softmax) -> bool:
    """Puts zeros where the softmax of a query's scores would be."""
    last = softmax.axis == len(shape_of(softmax.result)) - 1
    for_all_keys = shape_of(op.operands[0])[-1:] in ((), (1,)) and op.result.type == softmax.result.type
    return last and for_all_keys and op.operands[2] == softmax.result and number_of(op.operands[1]) == 0


def _reader(value: ir.Value) -> ir.OpView | None:
    return users(value)[0] if has_one_use(value) else None


def known_elements(value: ir.Value, session: Session) -> np.ndarray | None:
    """Of a known value, if it has them."""
    if isinstance(value.owner, Parameter) and session.parameters.has_value(value.owner.key):
        return session.parameters[value.owner.key]
    return known_value(value)


def unscaled(value: ir.Value, text: str) -> tuple[tuple[ir.Value, str], float]:
    """An operand without the numbers that it is multiplied with, and their product."""
    scale = 1.0
    while (factor := factor_of(value)) is not None and shape_of(factor[0]) == shape_of(value):
        value, number = factor
        scale *= number
    return (value, text), scale


def times(value: ir.Value, number: float, session: Session) -> ir.Value:
    """The product of a tensor and a number."""
    if number == 1:
        return value
    known = Constant.create(value=np.asarray(number, tensor_of(value).numpy_dtype)).result
    return build(Multiply, session, value, known)
