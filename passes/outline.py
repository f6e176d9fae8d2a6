"""Equal codelets become one, and placed vertices that also agree in layout share one executable."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import KINDS
from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Execute, Vertex, View
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.session import Session

BLOCK = 32
"""Elements of the last dimension that are computed together, at most."""


@dataclass(frozen=True)
class Outline(Pass):
    """Shares codelets among equal vertices, and executables among equally placed ones."""

    NAME: ClassVar[str] = "ipu-outline"

    def run(self, module: ir.Module, session: Session) -> None:
        ops = list(ipu_ops(main_function(module).regions[0].blocks[0]))
        calls = [op for op in ops if isinstance(op, Vertex | Execute)]
        _share_codelets(module, calls)
        _name_executables([op for op in calls if isinstance(op, Execute)])
        vertices = len(calls)
        shared = len({op.codelet for op in calls})
        session.remark(self.NAME, main_function(module).location, f"{vertices} vertices share {shared} codelets")


def _share_codelets(module: ir.Module, calls: list[Vertex | Execute]) -> None:
    functions = codelets(module)
    first: dict[str, str] = {}
    stays = {name: first.setdefault(_body_text(codelet), name) for name, codelet in functions.items()}
    for op in calls:
        op.attributes["codelet"] = KINDS["Symbol"].encode(stays[op.codelet])
    used = {op.codelet for op in calls}
    for name, codelet in functions.items():
        if name not in used:
            codelet.operation.erase()


def _body_text(codelet: func.FuncOp) -> str:
    """The function without its name: equal text is equal work. Its own scope spares MLIR a look at the whole module."""
    return re.sub(r"@[\w.$-]+", "@", codelet.operation.get_asm(use_local_scope=True), count=1)


def _name_executables(calls: list[Execute]) -> None:
    """One executable per codelet and layout; what vertices that share it pass is where bytes start, and offsets."""
    layouts: dict[str, dict[tuple[object, ...], str]] = {}
    for op in calls:
        known = layouts.setdefault(op.codelet, {})
        name = known.setdefault(layout_key(op), f"{op.codelet}_{len(known)}" if known else op.codelet)
        op.attributes["executable"] = KINDS["str"].encode(name)


def layout_key(op: Execute) -> tuple[object, ...]:
    """What an executable is compiled for besides its codelet: which operands are one reference, and their views."""
    values = list(op.operands)
    return tuple((values.index(value), layout(value)) for value in values)


def layout(reference: ir.Value) -> tuple[object, ...]:
    """Whole shape, strides, and how the offset in the last dimension is aligned, of a reference.

    Offsets themselves can be told to an executable, but which channels are computed together depends on where a block
    of them can begin.
    """
    owner = reference.owner
    if isinstance(owner, View):
        return owner.whole, owner.strides, *(math.gcd(offset, BLOCK) for offset in owner.offsets[-1:])
    shape = tensor_of(reference).shape
    return shape, (1,) * len(shape), *([BLOCK] * len(shape[-1:]))
