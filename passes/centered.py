"""The pass that finds sums of squares and of powers: they read what they add up once, and nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Exp, Multiply, Subtract
from pyipu.dialect.reduction import ReducePowers, ReduceSquares, ReduceSum
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.rules.rewriting import apply_rules, build, has_one_use, producer
from pyipu.passes.session import Session


@dataclass(frozen=True)
class FindCenteredSums(Pass):
    """Makes one op of the sum of (x - center)^2, and of e^(x - center), as variances and softmaxes have them."""

    NAME: ClassVar[str] = "ipu-centered"

    def run(self, module: ir.Module, session: Session) -> None:
        apply_rules(module, {ReduceSum: (_of_squares, _of_powers)}, session)


def _of_squares(op: ReduceSum, session: Session) -> ir.Value | None:
    square = producer(op.operands[0], Multiply)
    if square is None or square.operands[0] != square.operands[1]:
        return None
    distance = _distance(square, square.operands[0], op)
    return None if distance is None else build(ReduceSquares, session, *distance.operands, axes=op.axes)


def _of_powers(op: ReduceSum, session: Session) -> ir.Value | None:
    power = producer(op.operands[0], Exp)
    distance = None if power is None else _distance(power, power.operands[0], op)
    return None if distance is None else build(ReducePowers, session, *distance.operands, axes=op.axes)


def _distance(term: Multiply | Exp, value: ir.Value, total: ReduceSum) -> Subtract | None:
    """What the term is of, if nobody but the sum reads the term, and the center has one element along its axes.

    Whoever else reads the distance computes it anew.
    """
    distance = producer(value, Subtract)
    if distance is None or not has_one_use(term.result) or not total.keep:
        return None
    input, center = distance.operands
    whole = tensor_of(input) == tensor_of(value) and tensor_of(value).is_float
    return distance if whole and center.type == total.result.type else None
