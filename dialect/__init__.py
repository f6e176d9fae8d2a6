"""The `ipu` dialect: importing it declares every operation. See `definition.py` for how an op is declared."""

from __future__ import annotations

from iree.compiler import ir

from pyipu.dialect import (
    attention,
    elementwise,
    linear,
    movement,
    normalization,
    pairs,
    program,
    recurrent,
    reduction,
    windows,
    winograd,
)
from pyipu.dialect.definition import OPS, Op

__all__ = [
    "OPS",
    "Op",
    "attention",
    "context",
    "elementwise",
    "linear",
    "movement",
    "normalization",
    "pairs",
    "program",
    "recurrent",
    "reduction",
    "windows",
    "winograd",
]


def context() -> ir.Context:
    """A new MLIR context in which `ipu` IR parses."""
    created = ir.Context()
    created.allow_unregistered_dialects = True
    return created
