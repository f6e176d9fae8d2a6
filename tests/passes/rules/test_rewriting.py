"""The driver of rewrite rules."""

from __future__ import annotations

import pytest
from iree.compiler import ir

from pyipu.dialect.elementwise import Abs, Elementwise, Exp, Negate, Unary
from pyipu.errors import CompilationError
from pyipu.passes.rules.rewriting import apply_rules, build, merged
from pyipu.passes.session import Session
from tests.passes.graphs import ops, parsed

CHAIN = """func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "ipu.abs"(%x) : (tensor<4xf32>) -> tensor<4xf32> loc("first")
  %1 = "ipu.abs"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32> }"""


def replaced_by(kind):  # type: ignore[no-untyped-def]
    return lambda op, session: build(kind, session, op.operands[0])


def test_a_rule_applies_until_nothing_is_left_and_keeps_locations(context: ir.Context) -> None:
    module, session = parsed(CHAIN)
    apply_rules(module, {Abs: (replaced_by(Exp),), Exp: (replaced_by(Negate),)}, session)
    assert ops(module) == ["negate", "negate"]
    assert 'loc("first")' in module.operation.get_asm(enable_debug_info=True)


def test_rules_of_a_base_class_come_after_those_of_its_leaves(context: ir.Context) -> None:
    module, session = parsed(CHAIN)
    bases = {Elementwise: (lambda op, session: op.operands[0],)}
    apply_rules(module, merged(bases, {Abs: (replaced_by(Exp),), Unary: (lambda op, session: None,)}), session)
    assert ops(module) == []


def test_rules_that_undo_each_other_are_an_error(context: ir.Context) -> None:
    module, session = parsed(CHAIN)
    with pytest.raises(CompilationError, match="come to no end"):
        apply_rules(module, {Abs: (replaced_by(Exp),), Exp: (replaced_by(Abs),)}, session)


def test_what_a_rule_raises_reaches_the_caller(context: ir.Context) -> None:
    def broken(op: Abs, session: Session) -> None:
        raise ZeroDivisionError(op.MNEMONIC)

    module, session = parsed(CHAIN)
    with pytest.raises(ZeroDivisionError, match="abs"):
        apply_rules(module, {Abs: (broken,)}, session)
