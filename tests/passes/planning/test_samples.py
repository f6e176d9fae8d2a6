"""What activations are like: moments that are known in closed form, and shapes."""

import numpy as np
import pytest

from pyipu.passes.planning import samples
from pyipu.passes.planning.samples import Sample

CHANNELS = np.array([[-1.0, 0.0, 2.0]])
"""Means of three channels."""


def shape(sample: Sample | None) -> tuple[int, ...] | None:
    return None if sample is None else sample.numbers.shape[1:]


def test_a_normal_sample_has_the_moments_that_were_asked_for() -> None:
    sample = samples.normal(CHANNELS, np.array([[1.0, 4.0, 0.0]]), seed=0)
    np.testing.assert_allclose(sample.mean, CHANNELS, atol=1e-6)
    # Numbers are drawn, so the variance is what was asked for but for chance, which the seed fixes.
    np.testing.assert_allclose(sample.variance, [[1.0, 4.0, 0.0]], rtol=0.02)


FUNCTIONS = {
    "relu": (lambda x: np.maximum(x, 0), 1 / np.sqrt(2 * np.pi)),
    "square": (np.square, 1.0),
    "swish": (lambda x: x / (1 + np.exp(-x)), 0.2066),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_mean_of_a_function_of_a_normal_number(name: str) -> None:
    function, mean = FUNCTIONS[name]
    found = samples.elementwise(function, [samples.standard(1, seed=0)])
    assert found.mean.item() == pytest.approx(mean, rel=0.02)


def test_two_tensors_are_independent_and_one_is_equal_to_itself() -> None:
    first, second = samples.standard(1, seed=1), samples.standard(1, seed=2)
    together = samples.elementwise(np.add, [first, second]).variance.item()
    assert together == pytest.approx(2, rel=0.3)
    assert samples.elementwise(np.add, [first, first]).variance.item() == pytest.approx(4, rel=0.02)


def test_the_largest_of_three() -> None:
    """3 / (2 sqrt(pi)), for normal numbers."""
    assert samples.largest(samples.standard(1, seed=0), 3, seed=1).mean.item() == pytest.approx(0.846, rel=0.1)


def test_what_is_known_is_averaged_over_places() -> None:
    known = np.arange(12.0).reshape(1, 4, 3)
    assert samples.known(known).mean.tolist() == [[[4.5, 5.5, 6.5]]]
    assert samples.known(known.reshape(12, 1)).numbers.shape == (1, 12, 1)


@pytest.mark.parametrize(
    ("numbers", "before", "after", "expected"),
    [
        ((1, 1, 12), (1, 5, 12), (5, 12), (1, 12)),
        ((1, 12), (1, 12), (12, 1, 1), (12, 1, 1)),
        ((1, 1, 12), (1, 7, 12), (7, 3, 4), (1, 3, 4)),
        ((1, 3, 4), (7, 3, 4), (7, 12), (1, 12)),
        ((1, 1), (6, 5), (5, 6), (1, 1)),
        ((1, 1, 12), (7, 7, 12), (1, 588), (1, 588)),
        ((1, 12), (8000, 12), (12000, 8), None),
    ],
)
def test_reshaping(
    numbers: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...], expected: tuple[int, ...] | None
) -> None:
    assert shape(samples.reshaped(Sample(np.zeros((1, *numbers))), before, after)) == expected


def test_joining_repeats_what_does_not_differ() -> None:
    both = samples.joined([Sample(np.zeros((2, 1, 1))), Sample(np.ones((1, 1, 3)))], [2, 3], axis=1)
    assert both.numbers.tolist() == [[[0, 0, 1, 1, 1]]] * 2


def test_a_window_reads_zeros_outside() -> None:
    """Three places of a row of five, padded by one: the outer taps read the border once in five times."""
    sample = samples.padded(samples.normal(CHANNELS[None], CHANNELS[None] * 0, 0), (0, 1, 0), (1, 5, 3), (0, 1, 0))
    read = samples.window(sample.mean, sample, (3,), (1,), (1,), (5,))
    np.testing.assert_array_equal(read[0], (CHANNELS * np.array([[0.8], [1.0], [0.8]])).astype(np.float32))


def test_a_dilated_window_has_gaps() -> None:
    sample = samples.normal(CHANNELS[None], CHANNELS[None] * 0, 0)
    read = samples.window(sample.mean, sample, (2,), (1,), (3,), (5,))
    np.testing.assert_array_equal(read[0], CHANNELS * np.array([[1], [0], [0], [1]]))
