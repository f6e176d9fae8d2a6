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
    """A new MLIR context in which `ipu` IR parses.

    IREE's other dialects are loaded when something of theirs is parsed: to load them all takes 14 milliseconds.
    """
    created = ir.Context(load_on_create_dialects=["func"])
    created.allow_unregistered_dialects = True
    return created
