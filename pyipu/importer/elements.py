"""Element types: how ONNX numbers them and how MLIR spells them."""

from __future__ import annotations

import numpy as np
import onnx

from pyipu.dialect.types import mlir_dtype
from pyipu.errors import UnsupportedError


def element_type(data_type: int, what: str) -> str:
    """How MLIR spells an ONNX element type; raises UnsupportedError, naming what has it, when pyipu lacks the type."""
    try:
        return mlir_dtype(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(data_type)))
    except (KeyError, ValueError, TypeError):
        known = onnx.TensorProto.DataType.values()
        name = onnx.TensorProto.DataType.Name(data_type) if data_type in known else str(data_type)
        raise UnsupportedError(f"{what} has the element type {name}, which pyipu does not have") from None
