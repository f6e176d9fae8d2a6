"""One function per ONNX operator, by family; importing this package declares all of them."""

from pyipu.importer.operators import (
    activation,
    arithmetic,
    convolution,
    linear,
    logic,
    movement,
    normalization,
    pooling,
    recurrent,
    reduction,
    resize,
    shape,
)

__all__ = [
    "activation",
    "arithmetic",
    "convolution",
    "linear",
    "logic",
    "movement",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "resize",
    "shape",
]
