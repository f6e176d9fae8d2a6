"""Transpositions sink through ops as `permuted` says: checked on the samples, for every order of dimensions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from pyipu.dialect.definition import Op, Permutation
from pyipu.dialect.types import Tensor
from tests.dialect.samples import SAMPLES, Sample


def _is_full_rank(sample: Sample) -> bool:
    ranks = {operand.ndim for operand in sample.operands}
    sinks = "permuted" in {name for base in sample.op.__mro__ if base is not Op for name in vars(base)}
    return sinks and len(ranks) == 1 and ranks.pop() >= 2


_CASES = [
    pytest.param(sample, order, id=f"{sample.name}-{''.join(map(str, order))}")
    for sample in SAMPLES
    if _is_full_rank(sample)
    for order in permutations(range(sample.operands[0].ndim))
]


@pytest.mark.parametrize(("sample", "permutation"), _CASES)
def test_op_after_transpose_equals_transpose_after_op(sample: Sample, permutation: Permutation) -> None:
    undo = np.argsort(permutation)
    before = [np.transpose(operand, undo) for operand in sample.operands]
    sunk = sample.op.permuted(permutation, [Tensor.of(array) for array in before], sample.values)
    if sunk is None:
        assert sample.mnemonic == "broadcast", "only a broadcast that adds dimensions refuses"
        return
    attributes, after = sunk
    with np.errstate(all="ignore"):
        result = np.transpose(sample.op.evaluate(*before, **attributes), after)
    expected = sample.evaluate()
    assert result.shape == expected.shape
    relative = 1e-2 if expected.dtype.itemsize == 2 else 1e-5  # 16-bit floats have 8 or 11 bits
    np.testing.assert_allclose(result.astype(np.float64), expected.astype(np.float64), rtol=relative, atol=1e-6)
