"""Attention as a graph spells it: which dimensions of its contractions are queries, keys, heads."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from iree.compiler import ir

from pyipu.dialect.attention import Attention
from pyipu.dialect.elementwise import Add, Where
from pyipu.dialect.program import Constant
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import tensor_of
from pyipu.passes.rules.contractions import letters_of
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import build, shape_of
from pyipu.passes.rules.scores import Contraction, RefusedError, Scores, Weights, known_elements, unscaled
from pyipu.passes.session import Session

ROW, KEY, DEPTH, COLUMN = "l", "s", "d", "e"
"""What the letters of dimensions become: queries, keys, and what a key and a value consist of. Others count heads."""


@dataclass(frozen=True)
class Form:
    """The operands of attention, and the names of their dimensions in order."""

    query: tuple[ir.Value, str]
    key: tuple[ir.Value, str]
    value: tuple[ir.Value, str]
    scores: str
    result: str

    @staticmethod
    def of(op: Softmax, product: Contraction, weights: Weights) -> Form:
        """Raises RefusedError where the contractions are none of attention."""
        first, second = _spelled(product), _spelled(weights.product)
        key = 0 if first[2][op.axis] in first[0] else 1
        names = _named_after(first, op.axis, first[1 - key], first[key])
        after = {letter: names[one] for letter, one in zip(second[weights.place], first[2], strict=True)}
        after |= {letter: COLUMN for letter in second[1 - weights.place] if letter not in after}
        renamed = [_renamed(text, names) for text in first], [_renamed(text, after) for text in second]
        form = Form(
            (product.operands[1 - key], renamed[0][1 - key]),
            (product.operands[key], renamed[0][key]),
            (weights.product.operands[1 - weights.place], renamed[1][1 - weights.place]),
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
            raise RefusedError("belongs to contractions of another form than query · key and weights · value")
        if tensor_of(self.query[0]).dtype != "f32":
            raise RefusedError("computes in another type than fp32")

    @property
    def sizes(self) -> dict[str, int]:
        operands = self.query, self.key, self.value
        return {letter: size for value, text in operands for letter, size in zip(text, shape_of(value), strict=True)}

    def built(self, scores: Scores, weights: Weights, session: Session) -> ir.Value:
        """The result of the op, in the order of the graph."""
        before, heads = self._heads
        factors = [unscaled(*one) for one in (self.query, self.key)]
        parts = (factors[0][0], ROW, DEPTH), (factors[1][0], KEY, DEPTH), (self.value, KEY, COLUMN)
        operands = [self._ordered(*one, (before, row, heads, last), session) for one, row, last in parts]
        scale = scores.scale * factors[0][1] * factors[1][1]
        one = build(Attention, session, *operands, *self._mask(scores.masks, session), scale=scale)
        natural = before + ROW + heads + COLUMN
        split = reshaped(one, tuple(self.sizes[letter] for letter in natural), session)
        result = transposed(split, tuple(natural.index(letter) for letter in self.result), session)
        return self._without_hidden(result, weights.hidden, session)

    def _without_hidden(self, result: ir.Value, hidden: ir.Value | None, session: Session) -> ir.Value:
        """Zero for queries that have no weights."""
        if hidden is None:
            return result
        order = tuple(self.scores.index(KEY if letter == COLUMN else letter) for letter in self.result)
        condition = transposed(self._like_scores(hidden, session), order, session)
        zero = Constant.create(value=np.zeros((1,), tensor_of(result).numpy_dtype)).result
        return build(Where, session, condition, zero, result)

    def _like_scores(self, value: ir.Value, session: Session) -> ir.Value:
        """With all dimensions of the scores, to which it broadcasts."""
        shape = shape_of(value)
        return reshaped(value, (*[1] * (len(self.scores) - len(shape)), *shape), session)

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

    def _mask(self, masks: Sequence[ir.Value], session: Session) -> list[ir.Value]:
        """The sum of the masks as [heads in front, heads behind, queries, keys], or ones."""
        computed = [mask for mask in masks if (known := known_elements(mask, session)) is None or known.any()]
        if not computed:
            return []
        ordered = [self._ordered_mask(self._like_scores(mask, session), session) for mask in computed]
        whole = reduce(lambda a, b: build(Add, session, a, b), ordered)
        if shape_of(whole)[3] != self.sizes[KEY]:
            raise RefusedError("has a mask that is the same for all keys")
        return [whole]

    def _ordered_mask(self, mask: ir.Value, session: Session) -> ir.Value:
        extents = dict(zip(self.scores, shape_of(mask), strict=True))
        groups = *self._heads, ROW, KEY
        for group in groups:
            if len({extents[letter] == self.sizes[letter] for letter in group if self.sizes[letter] > 1}) > 1:
                raise RefusedError("has a mask that is repeated for some heads alone")
        moved = transposed(mask, tuple(self.scores.index(letter) for letter in "".join(groups)), session)
        return reshaped(moved, tuple(math.prod(extents[letter] for letter in group) for group in groups), session)


def _spelled(op: Contraction) -> tuple[str, str, str]:
    letters = letters_of(op)
    if letters is None:
        raise RefusedError("belongs to products with known weights, or with one matrix for many")
    return letters


def _named_after(letters: tuple[str, str, str], axis: int, query: str, key: str) -> dict[str, str]:
    """A name for each letter of the products: those that count heads become upper case."""
    inner = [letter for letter in query if letter in key and letter not in letters[2]]
    rows = [letter for letter in query if letter not in key]
    names = {letter: letter.upper() for letter in "".join(letters)}
    return names | dict.fromkeys(inner, DEPTH) | dict.fromkeys(rows, ROW) | {letters[2][axis]: KEY}


def _renamed(text: str, names: dict[str, str]) -> str:
    return "".join(names[letter] for letter in text)
