"""What ops mean, on examples that are small enough to check by hand, and convolution against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyipu.dialect import OPS
from pyipu.dialect.windows import Conv

_ROWS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
_IMAGE = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
_POOL = {"window": (2, 2), "strides": (1, 1), "dilations": (1, 1)}

_EXAMPLES = [
    ("divide", [np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])], {}, np.array([3, -3, -3, 3])),
    ("divide", [np.array([250], np.uint8), np.array([3], np.uint8)], {}, np.array([83], np.uint8)),
    ("cast", [np.array([1.9, -1.9, 0.0], np.float32)], {"dtype": "i32"}, np.array([1, -1, 0], np.int32)),
    ("clip", [np.array([-3, 0, 9])], {"low": -1.0, "high": float("inf")}, np.array([-1, 0, 9])),
    ("hard_sigmoid", [np.float32([-9, 0, 1, 9])], {"slope": 0.25, "offset": 0.5}, np.float32([0, 0.5, 0.75, 1])),
    ("leaky_relu", [np.float32([-4, 4])], {"slope": 0.25}, np.float32([-1, 4])),
    ("sigmoid", [np.float32([-1000, 0, 1000])], {}, np.float32([0, 0.5, 1])),
    ("softmax", [np.float32([[1000, 1000], [0, -np.inf]])], {"axis": 1}, np.float32([[0.5, 0.5], [1, 0]])),
    ("where", [np.array([True, False]), np.float32(1), np.float32([[5], [6]])], {}, np.float32([[1, 5], [1, 6]])),
    ("reshape", [_ROWS], {"shape": (3, 2)}, np.float32([[1, 2], [3, 4], [5, 6]])),
    ("interleave", [_ROWS], {}, np.float32([1, 4, 2, 5, 3, 6])),
    ("transpose", [_ROWS], {"permutation": (1, 0)}, np.float32([[1, 4], [2, 5], [3, 6]])),
    ("broadcast", [np.float32([[1], [2]])], {"shape": (2, 2, 2)}, np.float32([[[1, 1], [2, 2]], [[1, 1], [2, 2]]])),
    ("concat", [_ROWS, _ROWS[:, :1]], {"axis": 1}, np.float32([[1, 2, 3, 1], [4, 5, 6, 4]])),
    ("slice", [_ROWS], {"offsets": (0, 0), "sizes": (2, 2), "strides": (1, 2)}, np.float32([[1, 3], [4, 6]])),
    ("slice", [_ROWS], {"offsets": (2, 0), "sizes": (0, 3), "strides": (1, 1)}, np.zeros((0, 3), np.float32)),
    ("pad", [np.float32([1, 2])], {"low": (1,), "high": (2,), "interior": (1,), "value": 9.0}, [9, 1, 9, 2, 9, 9]),
    ("gather", [_ROWS, np.array([[2, -3]])], {"axis": 1}, np.float32([[[3, 1]], [[6, 4]]])),
    ("reduce_sum", [_ROWS], {"axes": (0,), "keep": False}, np.float32([5, 7, 9])),
    ("reduce_product", [_ROWS], {"axes": (1,), "keep": True}, np.float32([[6], [120]])),
    ("reduce_max", [np.array([], np.float32)], {"axes": (), "keep": True}, np.array([], np.float32)),
    ("einsum", [_ROWS, np.float32([1, 0, 2])], {"equation": "ij,j->i"}, np.float32([7, 16])),
    ("matmul", [_ROWS, np.float32([[1], [0], [2]])], {}, np.float32([[7], [16]])),
    ("max_pool", [_IMAGE], _POOL, np.float32([4, 5, 7, 8]).reshape(1, 2, 2, 1)),
    ("sum_pool", [_IMAGE], _POOL, np.float32([8, 12, 20, 24]).reshape(1, 2, 2, 1)),
]


@pytest.mark.parametrize(("mnemonic", "operands", "attributes", "expected"), _EXAMPLES)
def test_example(mnemonic: str, operands: list[np.ndarray], attributes: dict[str, Any], expected: np.ndarray) -> None:
    result = OPS[f"ipu.{mnemonic}"].evaluate(*operands, **attributes)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.asarray(expected, operands[-1].dtype if isinstance(expected, list) else None).dtype


def _by_definition(x: np.ndarray, w: np.ndarray, stride: int, dilation: int, groups: int) -> np.ndarray:
    """out[n, i, j, f] = sum over window and channels of f's group, in plain loops."""
    rows, columns = ((x.shape[1 + d] - (w.shape[d] - 1) * dilation - 1) // stride + 1 for d in (0, 1))
    out = np.zeros((x.shape[0], rows, columns, w.shape[-1]))
    channels, filters = w.shape[2], w.shape[3] // groups
    for n, i, j, f in np.ndindex(*out.shape):
        first = f // filters * channels
        for u, v, c in np.ndindex(*w.shape[:3]):
            out[n, i, j, f] += x[n, i * stride + u * dilation, j * stride + v * dilation, first + c] * w[u, v, c, f]
    return out


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.integers(1, 3),
    channels=st.integers(1, 2),
    filters=st.integers(1, 2),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
)
def test_convolution_is_its_definition(
    window: tuple[int, int], groups: int, channels: int, filters: int, stride: int, dilation: int
) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 6, 5, channels * groups))
    w = random.standard_normal((*window, channels, filters * groups))
    steps = {"strides": (stride, stride), "dilations": (dilation, dilation)}
    expected = _by_definition(x, w, stride, dilation, groups)
    np.testing.assert_allclose(Conv.evaluate(x, w, **steps, groups=groups), expected, rtol=1e-9, atol=1e-9)
