"""The rule that looks rows of a table up instead of multiplying it by one-hot vectors, as some embeddings do."""

from __future__ import annotations

import numpy as np
from iree.compiler import ir

from pyipu.dialect.elementwise import Add, Cast, Clip, Equal
from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Gather, Pad
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import tensor_of
from pyipu.passes.folding import add_known, is_known, known_value
from pyipu.passes.rules.identities import reshaped
from pyipu.passes.rules.rewriting import Rules, build, producer, shape_of
from pyipu.passes.session import Session


def look_up(op: MatMul, session: Session) -> ir.Value | None:
    """matmul(cast(equal(i, [0, 1, …, K - 1])), table) is the rows `i` of the known table.

    An index outside has a one-hot vector of zeros, so the table gets a row of zeros at both ends.
    """
    one_hot, table = op.operands
    indices = _indices(one_hot, session)
    if indices is None or not is_known(table) or len(shape_of(table)) != 2:
        return None
    rows = shape_of(one_hot)[-1]
    zeros = build(Pad, session, table, low=(1, 0), high=(1, 0), interior=(0, 0), value=0.0)
    places = reshaped(build(Clip, session, indices, low=-1.0, high=float(rows)), shape_of(one_hot)[:-1], session)
    one = add_known(np.array(1, tensor_of(indices).numpy_dtype), "one", session.parameters)
    return build(Gather, session, zeros, build(Add, session, places, one), axis=0)


def _indices(one_hot: ir.Value, session: Session) -> ir.Value | None:
    """What a one-hot tensor was made of, one index for each of its vectors; None when it is something else."""
    cast = producer(one_hot, Cast)
    equal = None if cast is None else producer(cast.operands[0], Equal)
    if equal is None or not tensor_of(one_hot).is_float:
        return None
    indices, ramp = equal.operands
    fits = shape_of(indices) == (*shape_of(one_hot)[:-1], 1) and tensor_of(indices).dtype in ("i32", "i64")
    return indices if fits and _counts(ramp, shape_of(one_hot)[-1], session) else None


def _counts(value: ir.Value, length: int, session: Session) -> bool:
    """The value is 0, 1, 2, … along its last dimension, and that is its only one."""
    if tensor_of(value).elements != length or shape_of(value)[-1:] != (length,):
        return False
    parameter = producer(value, Parameter)
    elements = known_value(value)
    if parameter is not None and session.parameters.has_value(parameter.key):
        elements = session.parameters[parameter.key]
    return elements is not None and np.array_equal(elements.reshape(-1), np.arange(length))


ONE_HOT: Rules = {MatMul: (look_up,)}
