"""The pass that computes convolutions of few pixels as sums of products, whose weights lie as they are read."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Add
from pyipu.dialect.linear import PackedMatMul
from pyipu.dialect.movement import Slice
from pyipu.dialect.windows import Conv
from pyipu.passes.base import Pass
from pyipu.passes.folding import is_known
from pyipu.passes.rules.identities import MOVEMENT
from pyipu.passes.rules.packing import columns_together, packed, reached
from pyipu.passes.rules.rewriting import Rules, apply_rules, build, merged, result_tensor, shape_of
from pyipu.passes.session import Session

MOST_PIXELS = 64
"""Of more pixels a convolution computes so long that its weights come in time."""

LEAST_OF_A_TAP = 2**20
"""Multiply-adds of one tap that take several times as long as a dispatch."""


@dataclass(frozen=True)
class Taps(Pass):
    """Makes convolutions that wait for their weights a sum of matrix products, one for each tap of the window."""

    NAME: ClassVar[str] = "ipu-taps"

    block: int = 32
    """The most columns of a weight matrix that are computed together."""

    def run(self, module: ir.Module, session: Session) -> None:
        taps: Rules = {Conv: (self._split,)}
        apply_rules(module, merged(MOVEMENT, taps), session)

    def _split(self, op: Conv, session: Session) -> ir.Value | None:
        """Each product starts from the sum of those behind it, so the first one runs last and takes the epilogue."""
        data, weights = op.operands
        if not is_known(weights) or not _waits_for_weights(op) or not columns_together(weights, 1, op, self.block):
            return None
        products = []
        for tap in itertools.product(*map(range, shape_of(weights)[:-2])):
            matrix = packed(_weights_of(tap, weights, session), 1, op, self.block, session)
            assert matrix is not None
            products.append(build(PackedMatMul, session, reached(data, op, tap, session), matrix))
        return functools.reduce(lambda total, product: build(Add, session, product, total), reversed(products))


def _waits_for_weights(op: Conv) -> bool:
    """Each weight is read for few pixels, and each tap is worth a dispatch."""
    *window, channels, filters = shape_of(op.operands[1])
    pixels = result_tensor(op).elements // filters
    few = op.groups == 1 and math.prod(window) > 1 and 1 < pixels <= MOST_PIXELS
    return few and pixels * channels * filters >= LEAST_OF_A_TAP


def _weights_of(tap: tuple[int, ...], weights: ir.Value, session: Session) -> ir.Value:
    ones, matrix = (1,) * len(tap), shape_of(weights)[-2:]
    return build(Slice, session, weights, offsets=(*tap, 0, 0), sizes=(*ones, *matrix), strides=(*ones, 1, 1))
