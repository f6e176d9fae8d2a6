"""Whether a model is done sooner than another thread has woken up."""

from __future__ import annotations

from collections.abc import Mapping

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Execute
from pyipu.dialect.types import tensor_of
from pyipu.passes.allocate import steps
from pyipu.passes.functions import codelets, main_function

WAKING = 50.0
"""Microseconds to wake a thread and to be woken by it. A call of a tiny model took 110 with another one, 24 without."""

# Of one core, per microsecond, so low that most code is faster.
MULTIPLY_ADDS = 20e3
BYTES = 10e3


def is_tiny(module: ir.Module) -> bool:
    """All vertices of the placed program are done, one after the other, before another thread could help."""
    bodies = codelets(module)
    return sum(_microseconds(op, bodies) for op in steps(main_function(module)) if isinstance(op, Execute)) < WAKING


def _microseconds(vertex: Execute, bodies: Mapping[str, func.FuncOp]) -> float:
    ops = ipu_ops(bodies[vertex.codelet].regions[0].blocks[0])
    moved = sum(tensor_of(value).bytes for value in vertex.operands)
    return sum(op.work for op in ops) / MULTIPLY_ADDS + moved / BYTES
