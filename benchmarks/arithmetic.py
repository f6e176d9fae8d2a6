"""How much a model computes: two floating-point operations for each product that its contractions add up.

Contractions are convolutions, matrix products and einsum; element-wise operations and reductions do not count.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyipu.dialect
from benchmarks.engines import Workload
from pyipu.dialect.definition import Op
from pyipu.importer import import_model
from pyipu.parameters import Parameters
from pyipu.passes.verifier import all_ops


def flop(ops: Iterable[Op]) -> int:
    """Floating-point operations that the contractions among `ops` need by their definition."""
    return 2 * sum(op.work for op in ops)


def model_flop(workload: Workload) -> int:
    """Of one call of the model as its file has it, before any pass."""
    imported = import_model(workload.model, pyipu.dialect.context(), Parameters(), workload.shapes or None)
    return flop(op for op in all_ops(imported.module) if isinstance(op, Op))
