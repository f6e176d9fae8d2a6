"""The matrices of Winograd's fast convolution with windows of three elements, from points of interpolation.

They compute `size` neighbours of a convolution, y[i] = x[i] w[0] + x[i + 1] w[1] + x[i + 2] w[2], with one product for
each of size + 2 points: y = output ((weights w) * (input x)). In two dimensions each matrix is applied along both.
Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016); constructed as by Toom and Cook.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

WINDOW = 3

_THREE_QUARTERS, _ONE_AND_A_HALF = Fraction(3, 4), Fraction(3, 2)

POINTS: dict[int, tuple[Fraction | int, ...]] = {
    2: (0, 1, -1),
    4: (0, _THREE_QUARTERS, -_THREE_QUARTERS, _ONE_AND_A_HALF, -_ONE_AND_A_HALF),
}
"""Where the polynomials are evaluated besides at infinity, by `size`.

With 0, 1, -1, 2, -2, as in the paper, the largest error of 256 channels was four times as large as with these.
"""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Matrices:
    """`input` is [size + 2, size + 2], `weights` [size + 2, 3], `output` [size, size + 2]."""

    input: Matrix
    weights: Matrix
    output: Matrix


@functools.cache
def matrices(size: int) -> Matrices:
    """For `size` neighbours at once, one of `POINTS`."""
    points = [Fraction(point) for point in POINTS[size]]
    others = [points[:i] + points[i + 1 :] for i in range(len(points))]
    input = [[*_polynomial(roots), Fraction(0)] for roots in others] + [_polynomial(points)]
    weights = [
        [x / _at(roots, point) for x in _powers(point, WINDOW)] for point, roots in zip(points, others, strict=True)
    ]
    output = [_powers(point, size) for point in points]
    return Matrices(
        _matrix(input), _matrix([*weights, _infinity(WINDOW)]), _matrix([*output, _infinity(size)]).transpose()
    )


def _polynomial(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the product of all (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


def _at(roots: Sequence[Fraction], point: Fraction) -> Fraction:
    """The value at `point` of the product of all (x - root)."""
    value = Fraction(1)
    for root in roots:
        value *= point - root
    return value


def _powers(point: Fraction, count: int) -> list[Fraction]:
    return [point**power for power in range(count)]


def _infinity(count: int) -> list[Fraction]:
    """At infinity only the highest coefficient counts."""
    return [Fraction(0)] * (count - 1) + [Fraction(1)]


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return np.array([[float(x) for x in row] for row in rows])
