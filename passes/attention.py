"""The pass that finds attention in a graph: products, a softmax and products again become one op without scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from iree.compiler import ir

from pyipu.dialect.attention import Attention, lanes_of
from pyipu.dialect.elementwise import Add, Multiply
from pyipu.dialect.linear import Einsum, MatMul
from pyipu.dialect.program import Constant
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.folding import known_value
from pyipu.passes.planning.attention import pays
from pyipu.passes.rules.contractions import letters_of
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import apply_rules, build, has_one_use, producer, shape_of, users
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

ROW, KEY, DEPTH, COLUMN = "l", "s", "d", "e"
"""What the letters of dimensions become: queries, keys, and what a key and a value consist of. Others count heads."""


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
            except _RefusedError as refusal:
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
        scores, weighting = _scores(op), _weighting(op)
        form = _Form.of(op, scores.product, weighting)
        self._check(form)
        with ir.InsertionPoint(weighting.operation), weighting.location:
            result = form.built(scores, session)
        weighting.result.replace_all_uses_with(result)
        session.remark(self.NAME, op.location, "runs with its products, as attention")

    def _check(self, form: _Form) -> None:
        """Raises _RefusedError where the op would be no faster."""
        depth, columns, queries = (form.sizes[letter] for letter in (DEPTH, COLUMN, ROW))
        lanes = self._lanes(depth, columns)
        if not lanes:
            raise _RefusedError(f"has keys of {depth} and values of {columns} elements, which do not suit vectors")
        if not pays(queries, depth + columns, lanes):
            raise _RefusedError(f"has only {queries} queries for vectors of {lanes}, so its products stay apart")


class _RefusedError(Exception):
    """Why a softmax is left as it is."""


Contraction = MatMul | Einsum


@dataclass(frozen=True)
class _Scores:
    """scale * product + mask."""

    product: Contraction
    scale: float
    mask: ir.Value | None
    mask_scale: float
    """What the mask is multiplied with, too."""


def _scores(op: Softmax) -> _Scores:
    """What a softmax reads; raises _RefusedError if it is something else."""
    value, scale, mask, mask_scale = op.operands[0], 1.0, None, 1.0
    while (inner := producer(value, Multiply, Add)) is not None and has_one_use(value):
        factor = _factor(inner)
        if factor is not None:
            value, number = factor
            scale *= number
        elif isinstance(inner, Add) and mask is None:
            value, mask, mask_scale = *_masked(inner), scale
        else:
            break
    product = producer(value, MatMul, Einsum)
    if product is None or not has_one_use(value):
        raise _RefusedError("reads no scaled and masked products that nothing else reads")
    return _Scores(product, scale, mask, mask_scale)


def _factor(op: Multiply | Add) -> tuple[ir.Value, float] | None:
    """A value and the known number that it is multiplied with."""
    number = known_value(op.operands[1]) if isinstance(op, Multiply) else None
    return None if number is None or number.size != 1 else (op.operands[0], float(number.reshape(-1)[0]))


def _masked(op: Add) -> tuple[ir.Value, ir.Value]:
    """The operand that is computed from products, and the other one."""
    left, right = op.operands
    from_products = producer(left, MatMul, Einsum, Multiply) is not None and left.type == op.result.type
    return (left, right) if from_products else (right, left)


def _weighting(op: Softmax) -> Contraction:
    """The products of the softmax with the values."""
    readers = users(op.result)
    if len(readers) != 1 or not isinstance(readers[0], MatMul | Einsum):
        raise _RefusedError("is read by something else than one product with values")
    return readers[0]


@dataclass(frozen=True)
class _Form:
    """The operands of attention, and the names of their dimensions in order."""

    query: tuple[ir.Value, str]
    key: tuple[ir.Value, str]
    value: tuple[ir.Value, str]
    scores: str
    result: str

    @staticmethod
    def of(op: Softmax, product: Contraction, weighting: Contraction) -> _Form:
        """Raises _RefusedError where the contractions are none of attention."""
        first, second = _spelled(product), _spelled(weighting)
        key = 0 if first[2][op.axis] in first[0] else 1
        place = 0 if weighting.operands[0] == op.result else 1
        names = _named_after(first, op.axis, first[1 - key], first[key])
        after = {letter: names[one] for letter, one in zip(second[place], first[2], strict=True)}
        after |= {letter: COLUMN for letter in second[1 - place] if letter not in after}
        renamed = [_renamed(text, names) for text in first], [_renamed(text, after) for text in second]
        form = _Form(
            (product.operands[1 - key], renamed[0][1 - key]),
            (product.operands[key], renamed[0][key]),
            (weighting.operands[1 - place], renamed[1][1 - place]),
            renamed[0][2],
            renamed[1][2],
        )
        form.check()
        return form

    def check(self) -> None:
        """Each dimension stands where attention has it, once."""
        heads = set(self.scores) - {ROW, KEY}
        parts = (self.query[1], ROW + DEPTH), (self.key[1], KEY + DEPTH), (self.value[1], KEY + COLUMN)
        every = *parts, (self.scores, ROW + KEY), (self.result, ROW + COLUMN)
        if not all(sorted(found) == sorted([*heads, *own]) for found, own in every):
            raise _RefusedError("belongs to contractions of another form than query · key and weights · value")
        if tensor_of(self.query[0]).dtype != "f32":
            raise _RefusedError("computes in another type than fp32")

    @property
    def sizes(self) -> dict[str, int]:
        operands = self.query, self.key, self.value
        return {letter: size for value, text in operands for letter, size in zip(text, shape_of(value), strict=True)}

    def built(self, scores: _Scores, session: Session) -> ir.Value:
        """The result of the op, in the order of the graph."""
        before, heads = self._heads
        parts = (self.query, ROW, DEPTH), (self.key, KEY, DEPTH), (self.value, KEY, COLUMN)
        operands = [self._ordered(*one, (before, row, heads, last), session) for one, row, last in parts]
        if scores.mask is not None:
            operands.append(self._mask(scores, session))
        one = build(Attention, session, *operands, scale=scores.scale)
        natural = before + ROW + heads + COLUMN
        split = reshaped(one, tuple(self.sizes[letter] for letter in natural), session)
        return transposed(split, tuple(natural.index(letter) for letter in self.result), session)

    @property
    def _heads(self) -> tuple[str, str]:
        """Dimensions that count heads: in front of the rows, and behind them, as most of the tensors have it."""
        texts = (self.query[1], ROW), (self.key[1], KEY), (self.value[1], KEY), (self.result, ROW)
        splits = [(text.split(row)[0], text.split(row)[1][:-1]) for text, row in texts]
        own = {DEPTH, COLUMN}
        return Counter(one for one in splits if not own & set("".join(one))).most_common(1)[0][0]

    def _ordered(self, value: ir.Value, text: str, order: Sequence[str], session: Session) -> ir.Value:
        """An operand with one dimension for each group of the order."""
        moved = transposed(value, tuple(text.index(letter) for letter in "".join(order)), session)
        return reshaped(moved, tuple(math.prod(self.sizes[letter] for letter in group) for group in order), session)

    def _mask(self, scores: _Scores, session: Session) -> ir.Value:
        """The mask as [heads in front, heads behind, queries, keys], or ones."""
        assert scores.mask is not None
        shape = shape_of(scores.mask)
        full = (*[1] * (len(self.scores) - len(shape)), *shape)
        extents = dict(zip(self.scores, full, strict=True))
        groups = *self._heads, ROW, KEY
        for group in groups:
            if len({extents[letter] == self.sizes[letter] for letter in group}) > 1:
                raise _RefusedError("has a mask that is repeated for some heads alone")
        if extents[KEY] != self.sizes[KEY]:
            raise _RefusedError("has a mask that is the same for all keys")
        order = tuple(self.scores.index(letter) for letter in "".join(groups))
        moved = transposed(reshaped(scores.mask, full, session), order, session)
        merged = reshaped(moved, tuple(math.prod(extents[letter] for letter in group) for group in groups), session)
        return merged if scores.mask_scale == 1 else _times(merged, scores.mask_scale, session)


def written_out(op: Attention, session: Session) -> ir.Value:
    """The products, their softmax, and the products of that."""
    query, key, value, *masks = op.operands
    scores = build(Einsum, session, query, key, equation="nlhd,nshd->nhls")
    if op.scale != 1:
        scores = _times(scores, op.scale, session)
    for mask in masks:
        scores = build(Add, session, scores, mask)
    weights = build(Softmax, session, scores, axis=3)
    return build(Einsum, session, weights, value, equation="nhls,nshe->nlhe")


def _times(value: ir.Value, number: float, session: Session) -> ir.Value:
    known = Constant.create(value=np.asarray(number, tensor_of(value).numpy_dtype)).result
    return build(Multiply, session, value, known)


def _spelled(op: Contraction) -> tuple[str, str, str]:
    letters = letters_of(op)
    if letters is None:
        raise _RefusedError("belongs to products with known weights, or with one matrix for many")
    return letters


def _named_after(letters: tuple[str, str, str], axis: int, query: str, key: str) -> dict[str, str]:
    """A name for each letter of the products: those that count heads become upper case."""
    inner = [letter for letter in query if letter in key and letter not in letters[2]]
    rows = [letter for letter in query if letter not in key]
    names = {letter: letter.upper() for letter in "".join(letters)}
    return names | dict.fromkeys(inner, DEPTH) | dict.fromkeys(rows, ROW) | {letters[2][axis]: KEY}


def _renamed(text: str, names: dict[str, str]) -> str:
    return "".join(names[letter] for letter in text)
