"""Attributes survive the way into IR, to text and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from iree.compiler import ir

import pyipu.dialect
from pyipu.dialect.attributes import KINDS
from pyipu.dialect.types import NUMPY_DTYPES, Tensor

_VALUES = {
    "int": [0, -1, 2**62],
    "bool": [True, False],
    "float": [0.0, -1.5, 1e-300, math.inf, -math.inf],
    "str": ["", "plain", 'quotes " and \\ and\nlines', "größer"],
    "Symbol": ["codelet", "with.dots-and spaces"],
    "tuple[int, ...]": [(), (1,), (-3, 2**40, 0)],
    "tuple[str, ...]": [(), ("a", "b c")],
    "Tensor": [Tensor((), "f32"), Tensor((1, 0, 3), "ui8"), Tensor((2,), "bf16")],
}


def _travelled(kind: str, value: Any) -> Any:
    """The value after being printed as MLIR text and parsed again."""
    with pyipu.dialect.context():
        text = str(KINDS[kind].encode(value))
        return KINDS[kind].decode(ir.Attribute.parse(text))


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in _VALUES.items() for value in values])
def test_value_survives_text(kind: str, value: Any) -> None:
    result = _travelled(kind, value)
    assert result == value
    assert type(result) is type(value)


def test_every_kind_but_arrays_is_tried() -> None:
    assert _VALUES.keys() == KINDS.keys() - {"np.ndarray"}


def _tensors() -> st.SearchStrategy[np.ndarray]:
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    dtypes = st.sampled_from(sorted(NUMPY_DTYPES))
    return st.tuples(shapes, dtypes, st.integers(0, 2**32 - 1)).map(_filled)


def _filled(parts: tuple[tuple[int, ...], str, int]) -> np.ndarray:
    """Random bits: NaNs, infinities and subnormal numbers included."""
    shape, dtype, seed = parts
    item = NUMPY_DTYPES[dtype]
    random = np.random.default_rng(seed)
    if dtype == "i1":
        return random.integers(0, 2, shape).astype(bool)
    return np.frombuffer(random.bytes(math.prod(shape) * item.itemsize), item).reshape(shape)


@settings(max_examples=200, deadline=None)
@given(array=_tensors())
def test_array_survives_text_to_the_last_bit(array: np.ndarray) -> None:
    result = _travelled("np.ndarray", array)
    assert (result.shape, result.dtype) == (array.shape, array.dtype)
    assert result.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES))
def test_array_of_equal_elements_survives(dtype: str) -> None:
    array = np.ones((2, 3), NUMPY_DTYPES[dtype])
    np.testing.assert_array_equal(_travelled("np.ndarray", array), array)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dense<[1, 2]> : tensor<2xi64>", np.array([1, 2])),
        ("dense<[[1.5, -2.0]]> : tensor<1x2xf32>", np.array([[1.5, -2]], np.float32)),
        ("dense<[0x7F800000, 1.0]> : tensor<2xf32>", np.array([np.inf, 1], np.float32)),
        ("dense<7> : tensor<2x2xui8>", np.full((2, 2), 7, np.uint8)),
        ("dense<[true, false]> : tensor<2xi1>", np.array([True, False])),
        ("dense<2.5> : tensor<f16>", np.array(2.5, np.float16)),
    ],
)
def test_array_may_be_written_by_hand(text: str, expected: np.ndarray) -> None:
    with pyipu.dialect.context():
        array = KINDS["np.ndarray"].decode(ir.Attribute.parse(text))
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)
