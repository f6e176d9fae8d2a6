"""One function per ONNX operator, by family; importing this package declares all of them."""

from pyipu.importer.operators import (
    activation,
    arithmetic,
    contributed,
    convolution,
    integers,
    linear,
    logic,
    movement,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    resize,
    shape,
)

__all__ = [
    "activation",
    "arithmetic",
    "contributed",
    "convolution",
    "integers",
    "linear",
    "logic",
    "movement",
    "normalization",
    "pooling",
    "quantization",
    "recurrent",
    "reduction",
    "resize",
    "shape",
]
