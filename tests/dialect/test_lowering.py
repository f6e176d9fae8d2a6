"""Every op computes with IREE what `evaluate` computes with numpy, in every kind of element type that it takes."""

from __future__ import annotations

from collections.abc import Callable

import iree.compiler
import iree.runtime
import numpy as np
import pytest

from pyipu.dialect import OPS, Op
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value, signless
from tests.dialect.samples import SAMPLES, Sample

pytestmark = pytest.mark.xdist_group("lowering")  # all samples are compiled once

_TOLERANCE = {"f64": 1e-9, "f32": 2e-6, "f16": 4e-3, "bf16": 3e-2}
_FLAGS = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-const-eval=false", "--iree-input-demote-f64-to-f32=false"]


def _lowers(op: type[Op]) -> bool:
    return any("lower" in base.__dict__ for base in op.__mro__ if base is not Op)


def test_every_op_that_lowers_has_a_sample() -> None:
    missing = {op.MNEMONIC for op in OPS.values() if _lowers(op)} - {sample.mnemonic for sample in SAMPLES}
    assert not missing, f"tests/dialect/samples.py has no sample of {sorted(missing)}"


def test_no_two_samples_are_equal() -> None:
    names = [sample.name for sample in SAMPLES]
    repeated = {name for name in names if names.count(name) > 1 and "8xf32" not in name}
    assert not repeated


def _passed(tensor: Tensor) -> str:
    """The type at the boundary: the runtime's Python side knows no signless and no bfloat16 tensors."""
    return signless(tensor).replace("bf16", "i16")


def _tolerance(sample: Sample, dtype: str) -> float:
    """IREE has these two functions only for f32."""
    return _TOLERANCE["f32"] if sample.mnemonic in ("tanh", "erf") and dtype == "f64" else _TOLERANCE.get(dtype, 0)


def _function(number: int, sample: Sample) -> str:
    """One sample as a function of its own; bfloat16 arrives and leaves as the integer of the same bits."""
    writer = CodeletWriter()
    arguments = [Value(f"%x{i}", Tensor.of(operand)) for i, operand in enumerate(sample.operands)]
    operands = [_bitcast(writer, one, signless(one.tensor)) for one in arguments]
    value = sample.op.lower(writer, *operands, **sample.values)
    result = _bitcast(writer, Value(value.name, value.tensor), _passed(value.tensor), signless(value.tensor))
    header = ", ".join(f"{one.name}: {_passed(one.tensor)}" for one in arguments)
    body = "\n".join([*writer.head, *writer.lines])
    passed = _passed(value.tensor)
    return f"func.func @f{number}({header}) -> {passed} {{\n{body}\nreturn {result.name} : {passed}\n}}\n"


def _bitcast(writer: CodeletWriter, value: Value, to: str, source: str | None = None) -> Value:
    source = source or _passed(value.tensor)
    if source == to:
        return value
    return writer.write(f"arith.bitcast {value.name} : {source} to {to}", value.tensor)


@pytest.fixture(scope="module")
def compiled() -> Callable[[int], Callable[..., np.ndarray]]:
    """All samples in one module, because starting the compiler costs more than most of them."""
    text = "".join(_function(number, sample) for number, sample in enumerate(SAMPLES))
    binary = iree.compiler.compile_str(text, target_backends=["llvm-cpu"], extra_args=_FLAGS)
    module = iree.runtime.load_vm_flatbuffer(binary, driver="local-sync")
    return lambda number: module[f"f{number}"]


def _bits(array: np.ndarray, dtype: str) -> np.ndarray:
    plain = dtype == "bf16" or dtype.startswith("ui")
    return array.view(f"i{array.itemsize}") if plain else array


@pytest.mark.parametrize("number", range(len(SAMPLES)), ids=[sample.name for sample in SAMPLES])
def test_lowered_op_computes_what_evaluate_does(
    number: int, compiled: Callable[[int], Callable[..., np.ndarray]]
) -> None:
    sample = SAMPLES[number]
    expected = sample.evaluate()
    tensor = Tensor.of(expected)
    passed = [_bits(operand, Tensor.of(operand).dtype) for operand in sample.operands]
    result = np.asarray(compiled(number)(*passed).to_host())
    computed = result if result.dtype == expected.dtype else result.view(expected.dtype)
    assert sample.op.result_types([Tensor.of(one) for one in sample.operands], sample.values) == [tensor]
    assert computed.shape == expected.shape
    tolerance = _tolerance(sample, tensor.dtype)
    wide = np.float64 if tensor.is_float else expected.dtype
    np.testing.assert_allclose(computed.astype(wide), expected.astype(wide), rtol=tolerance, atol=tolerance)
