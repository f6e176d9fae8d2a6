"""Inputs and outputs of `affine`, for tests of the engine."""

import ml_dtypes
import numpy as np

from pyipu import targets
from tests.stream_modules import affine_scale

CPU = targets.get("cpu")
X = np.arange(6, dtype=np.float32).reshape(2, 3)
SHIFT = np.full((2, 3), 100, dtype=np.float32)
Y = X * affine_scale() + SHIFT
ELEMENTS = {
    "i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "ui8": np.uint8,
    "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
    "f32": np.float32, "f64": np.float64,
}  # fmt: skip


def assert_is_affine(results) -> None:
    np.testing.assert_array_equal(results[0], Y)
    np.testing.assert_array_equal(results[1], X)
