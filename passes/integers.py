"""The pass that computes with quantized tensors as integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Add, Dequantize, Quantize
from pyipu.dialect.linear import NARROW, MatMul
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv
from pyipu.passes.base import Pass
from pyipu.passes.rules.identities import known_operand_right
from pyipu.passes.rules.integer_products import PRODUCTS, product_refusal
from pyipu.passes.rules.quantized import MOVING, QUANTIZING
from pyipu.passes.rules.rewriting import apply_rules, merged
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

RULES = merged({Add: (known_operand_right,)}, MOVING, QUANTIZING, PRODUCTS)


@dataclass(frozen=True)
class Integers(Pass):
    """Moves and multiplies integers of 8 bits instead of the numbers they stand for.

    A product that needs other weights than known ones around zero stays one of floating-point numbers.
    """

    NAME: ClassVar[str] = "ipu-integers"

    def run(self, module: ir.Module, session: Session) -> None:
        if not any(_has_integers(op) for op in all_ops(module)):
            return
        apply_rules(module, RULES, session)
        for op in [op for op in all_ops(module) if isinstance(op, Conv | MatMul)]:
            refusal = product_refusal(op, session)
            if refusal:
                session.remark(self.NAME, op.location, f"is computed in floating point: {refusal}")


def _has_integers(op: ir.OpView) -> bool:
    if isinstance(op, Conv | MatMul):
        return tensor_of(op.operands[0]).dtype in NARROW
    return isinstance(op, Quantize | Dequantize)
