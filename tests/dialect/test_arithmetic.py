"""How many products contractions add up: of ones, each product adds 1 to the sum of the result's elements."""

import numpy as np
import pytest

from pyipu.dialect import OPS
from pyipu.dialect.types import Tensor
from tests.dialect.samples import SAMPLES, Sample

_NAMES = (
    "conv",
    "matmul",
    "packed_matmul",
    "shuffled_matmul",
    "einsum",
    "paired_conv",
    "quad_conv",
    "winograd_product",
)
CONTRACTIONS = [sample for sample in SAMPLES if sample.mnemonic in _NAMES]


@pytest.mark.parametrize("sample", CONTRACTIONS, ids=lambda sample: sample.name)
def test_a_contraction_of_ones_adds_up_to_its_multiply_adds(sample: Sample) -> None:
    ones = [np.ones(operand.shape, operand.dtype) for operand in sample.operands]
    total = np.asarray(sample.op.evaluate(*ones, **sample.values)).astype(np.float64).sum()
    assert sample.op.multiply_adds([Tensor.of(one) for one in ones], sample.values) == total > 0


def test_every_op_that_accumulates_is_a_contraction() -> None:
    counted = {f"ipu.{sample.mnemonic}" for sample in CONTRACTIONS}
    assert {name for name, op in OPS.items() if op.accumulates} == counted


def test_what_multiplies_no_matrix_counts_nothing() -> None:
    x = Tensor.parse("tensor<2x3xf32>")
    assert OPS["ipu.multiply"].multiply_adds([x, x], {}) == OPS["ipu.softmax"].multiply_adds([x], {"axis": 1}) == 0
