"""The pass that finds attention in a graph: products, a softmax and products again become one op without scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.attention import Attention, lanes_of
from pyipu.dialect.elementwise import Add
from pyipu.dialect.linear import Einsum
from pyipu.dialect.reduction import Softmax
from pyipu.passes.base import Pass
from pyipu.passes.planning.attention import pays
from pyipu.passes.rules.attention_form import COLUMN, DEPTH, ROW, Form
from pyipu.passes.rules.rewriting import apply_rules, build, shape_of
from pyipu.passes.rules.scores import RefusedError, scores_of, times, weights_of
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops


@dataclass(frozen=True)
class FuseAttention(Pass):
    """Makes one op of softmax(scale * query · key + mask) · value, which never writes the scores to memory.

    An op that does not suit the target's vectors is written out as those products.
    """

    NAME: ClassVar[str] = "ipu-attention"

    lanes: int = 16
    """How many elements a vector has, where half vectors will do; 0 for a target without loops over vectors."""

    def run(self, module: ir.Module, session: Session) -> None:
        for op in [op for op in all_ops(module) if isinstance(op, Softmax) and self.lanes]:
            try:
                self._rewrite(op, session)
            except RefusedError as refusal:
                session.remark(self.NAME, op.location, str(refusal))
        apply_rules(module, {Attention: (self._written_out,)}, session)

    def _written_out(self, op: Attention, session: Session) -> ir.Value | None:
        query, _, value, *_ = (shape_of(one) for one in op.operands)
        return None if self._lanes(query[3], value[3]) else written_out(op, session)

    def _lanes(self, depth: int, columns: int) -> int:
        """Vectors of fewer elements than half a register are not worth it."""
        lanes = lanes_of(depth, columns, self.lanes)
        return lanes if 2 * lanes >= self.lanes else 0

    def _rewrite(self, op: Softmax, session: Session) -> None:
        with ir.InsertionPoint(op.operation), op.location:
            scores = scores_of(op, session)
        weights = weights_of(op, session)
        form = Form.of(op, scores.product, weights)
        self._check(form)
        with ir.InsertionPoint(weights.product.operation), weights.product.location:
            result = form.built(scores, weights, session)
        weights.product.result.replace_all_uses_with(result)
        session.remark(self.NAME, op.location, "runs with its products, as attention")

    def _check(self, form: Form) -> None:
        """Raises RefusedError where the op would be no faster."""
        depth, columns, queries = (form.sizes[letter] for letter in (DEPTH, COLUMN, ROW))
        lanes = self._lanes(depth, columns)
        if not lanes:
            raise RefusedError(f"has keys of {depth} and values of {columns} elements, which do not suit vectors")
        if not pays(queries, depth + columns, lanes):
            raise RefusedError(f"has only {queries} queries for vectors of {lanes}, so its products stay apart")


def written_out(op: Attention, session: Session) -> ir.Value:
    """The products, their softmax, and the products of that."""
    query, key, value, *masks = op.operands
    scores = build(Einsum, session, query, key, equation="nlhd,nshd->nhls")
    scores = times(scores, op.scale, session)
    for mask in masks:
        scores = build(Add, session, scores, mask)
    weights = build(Softmax, session, scores, axis=3)
    return build(Einsum, session, weights, value, equation="nhls,nshe->nlhe")
