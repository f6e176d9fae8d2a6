"""Makes up for the rounding of weights in the mean: what it takes from a sum of products is added to the sum's bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add
from pyipu.dialect.linear import MatMul
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import NUMPY_DTYPES, Tensor, tensor_of
from pyipu.dialect.windows import Conv
from pyipu.parameters import Array, Parameters
from pyipu.passes.base import Pass
from pyipu.passes.estimates import Operands, Sums, mean_sums, walk, weights_of
from pyipu.passes.functions import erase_unread_parameters, main_function
from pyipu.passes.rules.rewriting import has_one_use, users
from pyipu.passes.session import Session

Lost = Callable[[], Array]
"""Returns what the sums of each filter lose in the mean, [filters]."""


@dataclass(frozen=True)
class Compensate(Pass):
    """Corrects biases for weights that are going to be rounded, by the mean of what these are multiplied with.

    The means follow from weights alone, so there is nothing to calibrate with, and a call takes no longer. Bias
    correction as in Nagel et al., "Data-free quantization through weight equalization and bias correction" (2019),
    section 4.2; where a sum has no bias it gets one.
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
        weights, data = weights_of(op, session.parameters), operands[0]
        if weights is None or data is None:
            reason = "its weights have no known values" if weights is None else "nothing is known of what it reads"
            session.remark(self.NAME, op.location, f"stays as it is: {reason}")
            return
        lost = partial(_lost, session.parameters, weights.key, mean_sums(op, data), self.rounded)
        addition = _addition_of_bias(op)
        if addition is None:
            _add(op, f"{weights.key}.compensation", lost, session.parameters)
        else:
            _correct(addition, op.results[0], lost, session.parameters)


def _addition_of_bias(op: Op) -> Add | None:
    """What adds one known number for each filter to the sums, which nothing else reads."""
    result = op.results[0]
    addition = users(result)[0] if has_one_use(result) else None
    if not isinstance(addition, Add):
        return None
    other, filters = _other(addition, result), tensor_of(result).shape[-1:]
    fits = isinstance(other.owner, Parameter) and tensor_of(other).elements == filters[0]
    return addition if fits and tensor_of(other).shape[-1:] == filters else None


def _other(addition: Add, value: ir.Value) -> ir.Value:
    left, right = addition.operands
    return right if left == value else left


def _correct(addition: Add, sums: ir.Value, lost: Lost, parameters: Parameters) -> None:
    """Adds what is lost to the bias."""
    old = _other(addition, sums)
    bias, tensor = old.owner.key, tensor_of(old)
    with ir.InsertionPoint(old.owner.operation):
        new = _derived(
            f"{bias}.compensated", tensor, lambda: parameters[bias] + lost().reshape(tensor.shape), parameters
        )
    addition.operands[list(addition.operands).index(old)] = new


def _add(op: Op, name: str, lost: Lost, parameters: Parameters) -> None:
    """Adds what is lost to the sums."""
    sums = op.results[0]
    uses = [(use.owner, use.operand_number) for use in sums.uses]
    with ir.InsertionPoint.after(op.operation), op.location:
        new = _derived(name, Tensor(tensor_of(sums).shape[-1:], "f32"), lost, parameters)
        total = Add.create(sums, new).result
    for owner, place in uses:
        owner.operands[place] = total


def _derived(name: str, tensor: Tensor, compute: Lost, parameters: Parameters) -> ir.Value:
    key = parameters.unique(name)
    parameters.derive(key, tensor.shape, tensor.numpy_dtype, compute)
    return Parameter.create(key=key, results=[tensor]).result


def _lost(parameters: Parameters, key: str, sums: Sums, rounded: str) -> Array:
    exact = parameters[key]
    error = exact - exact.astype(NUMPY_DTYPES[rounded]).astype(exact.dtype)
    return sums(error).reshape(-1)
