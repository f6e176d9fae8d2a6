"""Winograd's form of a convolution is the convolution, and rounds little worse."""

from __future__ import annotations

import numpy as np
import pytest

from pyipu.dialect.interpolation import POINTS, matrices
from pyipu.dialect.types import Tensor
from pyipu.dialect.windows import Conv
from pyipu.dialect.winograd import WinogradInput, WinogradOutput, WinogradProduct, WinogradWeights

_STEPS = {"strides": (1, 1), "dilations": (1, 1), "groups": 1}

ROUNDING = 1e-15
"""Some units in the last place of float64: sums of a few numbers around one, or of a few dozen, are this exact."""


def fast(x: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """The convolution of [N, rows + 2, columns + 2, C] by the four ops, with zeros behind what no tile ends with."""
    rows, columns = x.shape[1] - 2, x.shape[2] - 2
    crop = -rows % size, -columns % size
    planes = WinogradInput.evaluate(np.pad(x, ((0, 0), (0, crop[0]), (0, crop[1]), (0, 0))), size=size)
    products = WinogradProduct.evaluate(planes, WinogradWeights.evaluate(weights, size=size, block=8))
    return WinogradOutput.evaluate(products, size=size, crop=crop)


@pytest.mark.parametrize("size", POINTS)
@pytest.mark.parametrize(("rows", "columns"), [(4, 8), (7, 5), (1, 1), (13, 6)])
def test_it_is_the_convolution(size: int, rows: int, columns: int) -> None:
    random = np.random.default_rng([size, rows])
    x, weights = random.standard_normal((2, rows + 2, columns + 2, 6)), random.standard_normal((3, 3, 6, 16))
    np.testing.assert_allclose(fast(x, weights, size), Conv.evaluate(x, weights, **_STEPS), rtol=0, atol=100 * ROUNDING)


@pytest.mark.parametrize("size", POINTS)
def test_the_matrices_convolve_one_dimension(size: int) -> None:
    given, random = matrices(size), np.random.default_rng(size)
    x, weights = random.standard_normal(size + 2), random.standard_normal(3)
    found = given.output @ ((given.weights @ weights) * (given.input @ x))
    np.testing.assert_allclose(found, np.correlate(x, weights, "valid"), rtol=0, atol=10 * ROUNDING)


@pytest.mark.parametrize(("size", "allowed"), [(2, 1e-6), (4, 4e-6)])
def test_fp32_loses_few_digits(size: int, allowed: float) -> None:
    """Of the largest element, over 256 channels; the direct form loses 4e-7 here."""
    random = np.random.default_rng(0)
    x = np.maximum(random.standard_normal((1, 18, 18, 256)), 0).astype(np.float32)
    weights = (random.standard_normal((3, 3, 256, 32)) / 48).astype(np.float32)
    exact = Conv.evaluate(x.astype(np.float64), weights.astype(np.float64), **_STEPS)
    assert np.abs(fast(x, weights, size) - exact).max() < allowed * np.abs(exact).max()


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "sentence"),
    [
        (WinogradInput, ["1x7x6x8xf32"], {"size": 4}, "is not covered by tiles that read 6 x 6 elements, 4 apart"),
        (WinogradInput, ["1x6x6x8xf32"], {"size": 3}, "has tiles of size 2, 4, not 3"),
        (WinogradWeights, ["5x5x8x8xf32"], {"size": 2, "block": 8}, r"needs floating-point weights \[3, 3, C, F\]"),
        (WinogradWeights, ["3x3x8x12xf32"], {"size": 2, "block": 8}, "12 filters do not come in blocks of 8"),
        (WinogradProduct, ["1x2x16x3x8xf32", "36x1x8x8xf32"], {}, "cannot multiply"),
        (WinogradOutput, ["1x2x16x3x8xf32"], {"size": 4, "crop": (0, 0)}, r"needs floating-point \[N, rows, 36,"),
        (WinogradOutput, ["1x2x16x3x8xf32"], {"size": 2, "crop": (2, 0)}, "cannot cut"),
    ],
)
def test_what_does_not_fit_is_refused(op, shapes, attributes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        op.infer(*(Tensor.parse(f"tensor<{shape}>") for shape in shapes), **attributes)


def test_fewer_rows_are_cropped_less() -> None:
    assert WinogradOutput.for_rows({"size": 4, "crop": (2, 1)}, 8) == {"size": 4, "crop": (0, 1)}
    assert WinogradOutput.for_rows({"size": 4, "crop": (2, 1)}, 6) == {"size": 4, "crop": (2, 1)}
