"""What MLIR's bindings import when they first meet an `ipu` op, and try again at every op as long as it is missing."""

from pyipu.dialect.definition import OPS

__all__ = ["OPS"]
