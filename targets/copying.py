"""Vertices that move one range of bytes to another place: a command does that, which needs no code of its own."""

from __future__ import annotations

from collections.abc import Mapping

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.program import Execute
from pyipu.passes.functions import returned_value
from pyipu.passes.references import distance


def moves(op: Execute, bodies: Mapping[str, func.FuncOp]) -> bool:
    """Whether a placed vertex does nothing but move one piece of memory; `bodies` are the codelets by name."""
    is_copy = len(op.operands) == 2 and isinstance(returned_value(bodies[op.codelet]), ir.BlockArgument)
    return is_copy and all(distance(value) is not None for value in op.operands)
