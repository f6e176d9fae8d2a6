"""The pass that makes activations channels-last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.movement import Transpose
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.folding import is_known
from pyipu.passes.rules.contractions import ABSORBING
from pyipu.passes.rules.hoisting import HOISTING
from pyipu.passes.rules.identities import MOVEMENT
from pyipu.passes.rules.rewriting import apply_rules, merge_equal_ops, merged, users
from pyipu.passes.rules.sinking import SINKING
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops


@dataclass(frozen=True)
class Layout(Pass):
    """Moves transposes until they cancel, vanish into contractions or weights, or stand at the edges of the graph."""

    NAME: ClassVar[str] = "ipu-layout"

    def run(self, module: ir.Module, session: Session) -> None:
        original, before = module.operation.clone(), bytes_moved(module)
        _move_transposes(module, session)
        if bytes_moved(module) > before:
            _restore(module, original)
            session.remark(Layout.NAME, module.operation.location, "moving transposes does not pay here")
        for op in computed_transposes(module):
            session.remark(Layout.NAME, op.location, f"a transpose of {op.operands[0].type} stays: {_takers(op)}")


def _move_transposes(module: ir.Module, session: Session) -> None:
    apply_rules(module, merged(MOVEMENT, ABSORBING, SINKING), session)
    merge_equal_ops(module)
    apply_rules(module, merged(MOVEMENT, ABSORBING, HOISTING), session)
    merge_equal_ops(module)


def _restore(module: ir.Module, original: ir.Operation) -> None:
    """Gives the module the functions of the copy."""
    for function in list(module.body.operations):
        function.operation.erase()
    for function in list(original.regions[0].blocks[0].operations):
        module.body.append(function)


def computed_transposes(module: ir.Module) -> Iterator[Transpose]:
    """The transposes of tensors that are not known at compile time: those that cost time in each run."""
    return (op for op in all_ops(module) if isinstance(op, Transpose) and not is_known(op.operands[0]))


def bytes_moved(module: ir.Module) -> int:
    """The bytes of all tensors that are transposed in each run."""
    return sum(tensor_of(op.result).bytes for op in computed_transposes(module))


def _takers(op: Transpose) -> str:
    names = sorted({user.operation.name for user in users(op.result)})
    return f"it is taken by {' and '.join(names)}"
