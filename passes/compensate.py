"""Makes up for the rounding of weights in the mean: what it does to a sum is taken back from the sum's bias."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add
from pyipu.dialect.linear import MatMul
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import NUMPY_DTYPES, tensor_of
from pyipu.dialect.windows import Conv
from pyipu.parameters import Array, Parameters
from pyipu.passes.base import Pass
from pyipu.passes.estimates import Operands, Sums, mean_sums, walk, weights_of
from pyipu.passes.functions import erase_unread_parameters, main_function
from pyipu.passes.rules.rewriting import has_one_use, users
from pyipu.passes.session import Session


@dataclass(frozen=True)
class Compensate(Pass):
    """Corrects biases for weights that are going to be rounded, by the mean of what these are multiplied with.

    The means follow from the weights themselves, so nothing is needed to calibrate with, and a call takes no longer:
    bias correction as in Nagel et al., "Data-free quantization through weight equalization and bias correction" (2019),
    section 4.2. Sums that have no bias stay as they are.
    """

    NAME: ClassVar[str] = "ipu-compensate"

    rounded: str = ""
    """What weights are rounded to, such as bf16; nothing is done without it."""

    def run(self, module: ir.Module, session: Session) -> None:
        if not self.rounded:
            return
        block = main_function(module).regions[0].blocks[0]
        for op, operands in walk(block, session.parameters):
            if isinstance(op, Conv | MatMul):
                self._visit(op, operands, session)
        erase_unread_parameters(block)

    def _visit(self, op: Conv | MatMul, operands: Operands, session: Session) -> None:
        weights, data, addition = weights_of(op, session.parameters), operands[0], _addition_of_bias(op)
        if weights is None or data is None or addition is None:
            missing = "known weights" if weights is None else "a bias" if data is not None else "an estimate of its input"
            session.remark(self.NAME, op.location, f"keeps the mean error of rounded weights: it has no {missing}")
            return
        place = 1 - list(addition.operands).index(op.results[0])
        bias = addition.operands[place].owner
        key = session.parameters.unique(f"{bias.key}.compensated")
        compute = partial(_compensated, session.parameters, bias.key, weights.key, mean_sums(op, data), self.rounded)
        session.parameters.derive(key, tensor_of(bias.results[0]).shape, NUMPY_DTYPES["f32"], compute)
        with ir.InsertionPoint(bias.operation), bias.location:
            addition.operands[place] = Parameter.create(key=key, results=[tensor_of(bias.results[0])]).result


def _addition_of_bias(op: Op) -> Add | None:
    """What adds one known number for each filter to the sums, which nothing else reads."""
    result = op.results[0]
    addition = users(result)[0] if has_one_use(result) else None
    if not isinstance(addition, Add):
        return None
    other = next((value for value in addition.operands if value != result), None)
    filters = tensor_of(result).shape[-1]
    fits = other is not None and isinstance(other.owner, Parameter) and tensor_of(other).elements == filters
    return addition if fits and tensor_of(other).shape[-1:] == (filters,) else None


def _compensated(parameters: Parameters, bias: str, weights: str, sums: Sums, rounded: str) -> Array:
    """The bias, and what the sums lose in the mean."""
    exact = parameters[weights]
    lost = sums(exact - exact.astype(NUMPY_DTYPES[rounded]).astype(exact.dtype))
    wide = parameters[bias]
    return (wide + lost.reshape(wide.shape)).astype(wide.dtype)
