"""Networks of 8 bits, made of those of the zoo with ONNX Runtime's own tools."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

OPSET = 13
"""The older files of the zoo have no scales for each channel."""


OPERATORS = [
    *("Conv", "Gemm", "MatMul", "Add", "Relu", "Clip"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Reshape"),
]
"""What becomes integers: scores behind a softmax would all become zero.

With Relu and Clip a convolution is rounded once, behind them; without, ONNX Runtime computes them in fp32, and takes
twice as long for MobileNetV2.
"""


class _Samples(CalibrationDataReader):
    """One call's inputs, which the ranges of activations are taken from."""

    def __init__(self, inputs: Mapping[str, np.ndarray]) -> None:
        self._rest = iter([dict(inputs)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rest, None)


def quantized(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """The network with QuantizeLinear and DequantizeLinear around what is computed with integers.

    Activations are ui8, weights i8 with a scale for each channel; batch normalizations are folded before.
    """
    newer = _with_additions(model)
    if newer.opset_import[0].version < OPSET:
        newer = onnx.version_converter.convert_version(newer, OPSET)
    with tempfile.TemporaryDirectory() as folder:
        plain, folded, result = (Path(folder, name) for name in ("plain.onnx", "folded.onnx", "result.onnx"))
        onnx.save(newer, plain)
        quant_pre_process(plain, folded, skip_symbolic_shape=True)
        quantize_static(
            folded,
            result,
            _Samples(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=OPERATORS,
        )
        return onnx.load(result)


def _with_additions(model: onnx.ModelProto) -> onnx.ModelProto:
    """ONNX Runtime's tools quantize Add, and not Sum."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"
    return copy
