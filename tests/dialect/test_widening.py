"""Ops whose loops extend what they read compute with narrow operands what they compute with the same numbers in f32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import iree.compiler
import iree.runtime
import numpy as np
import pytest

from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value, signless
from tests.dialect.samples import SAMPLES, Sample

pytestmark = pytest.mark.xdist_group("widening")

_FLAGS = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-const-eval=false"]


def _narrow(sample: Sample) -> Sample:
    """The sample with numbers that f16 holds, stored so; a power or a cast may leave its range."""
    return replace(sample, operands=tuple(operand.astype(np.float16) for operand in sample.operands))


NARROW = [
    _narrow(sample)
    for sample in SAMPLES
    if sample.op.widens
    and all(operand.dtype == np.float32 for operand in sample.operands)
    and sample.mnemonic != "cast"
]


def _function(number: int, sample: Sample) -> str:
    writer = CodeletWriter()
    arguments = [Value(f"%x{i}", Tensor.of(operand)) for i, operand in enumerate(sample.operands)]
    result = sample.op.lower(writer, *(one.read_as("f32") for one in arguments), **sample.values)
    header = ", ".join(f"{one.name}: {one.type}" for one in arguments)
    body = "\n".join([*writer.head, *writer.lines])
    type_ = signless(result.tensor)
    return f"func.func @f{number}({header}) -> {type_} {{\n{body}\nreturn {result.name} : {type_}\n}}\n"


@pytest.fixture(scope="module")
def compiled() -> Callable[[int], Callable[..., np.ndarray]]:
    """All in one module, because starting the compiler costs more than most of them."""
    text = "".join(_function(number, sample) for number, sample in enumerate(NARROW))
    binary = iree.compiler.compile_str(text, target_backends=["llvm-cpu"], extra_args=_FLAGS)
    module = iree.runtime.load_vm_flatbuffer(binary, driver="local-sync")
    return lambda number: module[f"f{number}"]


@pytest.mark.parametrize("number", range(len(NARROW)), ids=[sample.name for sample in NARROW])
def test_narrow_operands_are_extended(number: int, compiled: Callable[[int], Callable[..., np.ndarray]]) -> None:
    sample = NARROW[number]
    wide = replace(sample, operands=tuple(operand.astype(np.float32) for operand in sample.operands))
    computed = np.asarray(compiled(number)(*sample.operands).to_host())
    np.testing.assert_allclose(computed, wide.evaluate().astype(computed.dtype), rtol=2e-6, atol=2e-6)


def test_every_sum_of_products_is_among_them() -> None:
    assert {"conv", "matmul", "packed_matmul", "einsum", "max_pool", "reduce_sum", "add"} <= {
        sample.mnemonic for sample in NARROW
    }


def test_whatever_extends_nothing_gets_a_wide_tensor() -> None:
    writer = CodeletWriter()
    stored = Value("%x", Tensor((4, 8), "f16")).read_as("f32")
    assert stored.type == "tensor<4x8xf16>" and writer.reshape(stored, (32,)).type == "tensor<32xf16>"
    assert writer.widened(stored).type == "tensor<4x8xf32>"
    assert "arith.extf" in "\n".join(writer.lines)
