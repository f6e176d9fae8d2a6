"""The pass that brings a graph into normal form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Multiply
from pyipu.passes.base import Pass
from pyipu.passes.rules.identities import ARITHMETIC, MOVEMENT
from pyipu.passes.rules.one_hot import ONE_HOT
from pyipu.passes.rules.quantized import STEPS
from pyipu.passes.rules.rewriting import apply_rules, merge_equal_ops, merged
from pyipu.passes.rules.scale_folding import SCALE_FOLDING, scale_refusal, scaled_contraction
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

RULES = merged(MOVEMENT, *ARITHMETIC, SCALE_FOLDING, ONE_HOT, STEPS)


@dataclass(frozen=True)
class Canonicalize(Pass):
    """Folds constants, scales and shifts, and removes dead, equal and useless ops."""

    NAME: ClassVar[str] = "ipu-canonicalize"

    def run(self, module: ir.Module, session: Session) -> None:
        apply_rules(module, RULES, session)
        while merge_equal_ops(module):
            apply_rules(module, RULES, session)
        _explain(module, session)


def _explain(module: ir.Module, session: Session) -> None:
    """Leaves a remark at every known scale that stays behind a contraction."""
    scales = [op for op in all_ops(module) if isinstance(op, Multiply) and scaled_contraction(op) is not None]
    for op in scales:
        session.remark(Canonicalize.NAME, op.location, scale_refusal(op) or "")
