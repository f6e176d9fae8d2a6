"""Rewrite rules over `ipu` ops, applied to a fixpoint by MLIR's greedy driver, and what rules are written with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from iree.compiler import ir
from iree.compiler import rewrite as mlir_rewrite

from pyipu.dialect.definition import OPS, Op, ipu_ops
from pyipu.dialect.elementwise import Multiply
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.errors import CompilationError
from pyipu.passes.folding import fold, number_of
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

Rule = Callable[[Any, Session], ir.Value | None]
"""Takes an op and returns what its result is replaced with, built at the current insertion point (just before the op)
and with its location; None, and nothing built, when the rule does not apply."""

_ITERATIONS = 100
"""Far more walks over the functions, and rewrites of each op in one walk, than any graph needs."""

_ANYWHERE = ir.OperationEquivalenceFlags.IGNORE_LOCATIONS

Rules = Mapping[type[Op], Sequence[Rule]]
"""Rules by the class of op that they start from; those of a base class hold for its leaves, after their own."""

AnyOp = TypeVar("AnyOp", bound=Op)


def apply_rules(module: ir.Module, rules: Rules, session: Session) -> None:
    """Rewrites all functions of `module` until no rule applies; ops whose results nobody needs vanish on the way.

    Raises:
        CompilationError: the rules undo each other and come to no end.
    """
    patterns = mlir_rewrite.RewritePatternSet(module.context)
    for kind in OPS.values():
        patterns.add(kind, _pattern(_rules_of(kind, rules), session))
    try:
        mlir_rewrite.apply_patterns_and_fold_greedily(module, patterns.freeze(), _configuration(module))
    except RuntimeError as error:
        raise CompilationError(f"the rewrite rules come to no end, this is a bug in pyipu: {error}") from error


def _configuration(module: ir.Module) -> Any:
    configuration = mlir_rewrite.GreedyRewriteConfig()
    configuration.region_simplification_level = mlir_rewrite.GreedySimplifyRegionLevel.DISABLED
    configuration.max_iterations = _ITERATIONS
    configuration.max_num_rewrites = _ITERATIONS * (1 + sum(1 for _ in all_ops(module)))
    return configuration


def merged(*tables: Rules) -> Rules:
    """One table of all rules, in the order in which the tables are given."""
    kinds = {kind: None for table in tables for kind in table}
    return {kind: tuple(rule for table in tables for rule in table.get(kind, ())) for kind in kinds}


def _rules_of(kind: type[Op], rules: Rules) -> list[Rule]:
    bases = [base for base in kind.__mro__ if issubclass(base, Op)]
    return [rule for base in bases for rule in rules.get(base, ())]


def _pattern(rules: Sequence[Rule], session: Session) -> Callable[[Any, Any], bool]:
    """The driver's form of the rules: true means that nothing was done."""

    def rewrite_op(op: Op, rewriter: Any) -> bool:
        if is_dead(op):
            rewriter.erase_op(op)
            return False
        value = _first(rules, op, session)
        if value is not None:
            rewriter.replace_op(op, [value])
        return value is None

    return rewrite_op


def _first(rules: Sequence[Rule], op: Op, session: Session) -> ir.Value | None:
    with ir.InsertionPoint(op.operation), op.location:
        return next((value for rule in rules if (value := rule(op, session)) is not None), None)


def merge_equal_ops(module: ir.Module) -> bool:
    """Common subexpression elimination: of pure ops with equal name, operands and attributes the first one stays.

    The functions have one block each, so the first one stands before all users. Says whether anything was merged.
    """
    blocks = [block for function in module.body.operations for block in function.regions[0].blocks]
    return sum(map(_merge_in_block, blocks)) > 0


def _merge_in_block(block: ir.Block) -> int:
    """Says how many ops it merged."""
    seen: defaultdict[int, list[Op]] = defaultdict(list)
    before = len(block.operations)
    for op in [op for op in ipu_ops(block) if op.pure and len(op.results) == 1]:
        alike = seen[op.operation.structural_hash(_ANYWHERE)]
        equal = next((one for one in alike if one.operation.is_structurally_equivalent(op.operation, _ANYWHERE)), None)
        if equal is None:
            alike.append(op)
        else:
            op.results[0].replace_all_uses_with(equal.results[0])
            op.operation.erase()
    return before - len(block.operations)


# What rules ask ---------------------------------------------------------------------------------------------------


def is_dead(op: Op) -> bool:
    """Nobody needs the op's results and it has no other effect."""
    return op.pure and op.has_result and all(next(result.uses, None) is None for result in op.results)


def producer(value: ir.Value, *kinds: type[AnyOp]) -> AnyOp | None:
    """The op that computes `value`, when it is of one of the kinds."""
    owner = value.owner
    return owner if isinstance(owner, kinds) else None


def has_one_use(value: ir.Value) -> bool:
    uses = value.uses
    return next(uses, None) is not None and next(uses, None) is None


def users(value: ir.Value) -> list[ir.OpView]:
    """The ops that take `value` as an operand; one that takes it twice is listed twice."""
    return [use.owner for use in value.uses]


def shape_of(value: ir.Value) -> tuple[int, ...]:
    return tensor_of(value).shape


def factor_of(value: ir.Value) -> tuple[ir.Value, float] | None:
    """What was multiplied with a known number, and the number."""
    op = producer(value, Multiply)
    number = None if op is None else number_of(op.operands[1])
    return None if op is None or number is None else (op.operands[0], number)


def build(kind: type[Op], session: Session, *operands: ir.Value, **attributes: Any) -> ir.Value:
    """The result of a new op, folded when its operands are known."""
    op = kind.create(*operands, **attributes)
    folded = fold(op, session.parameters)
    if folded is None:
        return op.result
    op.operation.erase()
    return folded


def result_tensor(op: Op) -> Tensor:
    return tensor_of(op.results[0])
