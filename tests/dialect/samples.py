"""Operands and attributes for every op that computes something. A new op needs a sample here, or a test fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pyipu.dialect import OPS, Op
from pyipu.dialect.types import NUMPY_DTYPES, Tensor

SPECIAL = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 1e-3], np.float32)
_BASES = np.array([-2, -2, -2, -0.5, 0, 0, 0, 3, 1, -1, np.inf, 2], np.float32)
_EXPONENTS = np.array([3, 2, 0.5, -3, 0, 2, -1, 0, np.inf, 5, 2, -np.inf], np.float32)


@dataclass(frozen=True)
class Sample:
    """One call of an op."""

    mnemonic: str
    operands: tuple[np.ndarray, ...]
    attributes: dict[str, Any]

    @property
    def op(self) -> type[Op]:
        return OPS[f"ipu.{self.mnemonic}"]

    @property
    def values(self) -> dict[str, Any]:
        """All attributes, defaults included."""
        return {**self.op.DEFAULTS, **self.attributes}

    @property
    def name(self) -> str:
        types = "_".join(str(Tensor.of(operand))[len("tensor<") : -1] for operand in self.operands)
        given = "_".join(_word(value) for value in self.attributes.values())
        return "-".join(part for part in (self.mnemonic, types, given) if part)

    def evaluate(self) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(self.op.evaluate(*self.operands, **self.values))


def _word(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(Tensor.of(value))[len("tensor<") : -1]
    return "".join(character if character.isalnum() else "." for character in str(value)).strip(".")


def numbers(text: str, seed: int = 0) -> np.ndarray:
    """Seeded numbers of the type that `text` spells as MLIR does, such as `2x3xf32`; integers are never 0."""
    tensor = Tensor.parse(f"tensor<{text}>")
    random = np.random.default_rng([seed, tensor.elements])
    if tensor.dtype == "i1":
        return random.integers(0, 2, tensor.shape).astype(bool)
    if tensor.is_float:
        return random.standard_normal(tensor.shape).astype(tensor.numpy_dtype)
    if tensor.dtype.startswith("ui"):
        return random.integers(1, 250, tensor.shape).astype(tensor.numpy_dtype)
    return (random.integers(1, 9, tensor.shape) * random.choice([-1, 1], tensor.shape)).astype(tensor.numpy_dtype)


def sample(mnemonic: str, *operands: str | np.ndarray, **attributes: Any) -> Sample:
    """Operands are arrays, or types for which there are seeded numbers."""
    arrays = [numbers(one, seed) if isinstance(one, str) else one for seed, one in enumerate(operands)]
    return Sample(mnemonic, tuple(arrays), attributes)


def _positive(text: str) -> np.ndarray:
    return np.abs(numbers(text)) + NUMPY_DTYPES[text.rpartition("x")[2]].type(0.1)


_UNARY = ("exp", "tanh", "floor", "ceil", "erf", "sigmoid", "hard_sigmoid", "reciprocal", "leaky_relu")
_COMPARISONS = ("equal", "less", "less_or_equal", "greater", "greater_or_equal")
_ARITHMETIC = ("add", "subtract", "multiply", "divide", "maximum", "minimum")

_ELEMENTWISE = [
    *(sample(name, f"2x3x{dtype}") for name in _UNARY for dtype in ("f32", "f16")),
    *(sample(name, "5xf64") for name in ("exp", "tanh", "erf", "sigmoid")),
    *(sample(name, "5xbf16") for name in ("exp", "sigmoid", "hard_sigmoid", "leaky_relu")),
    *(sample(name, _positive("2x3xf32")) for name in ("log", "sqrt")),
    *(sample(name, f"2x3x{dtype}") for name in ("abs", "negate", "relu") for dtype in ("f32", "f16", "i32", "i8")),
    *(sample(name, "7xui8") for name in ("abs", "relu")),
    *(sample(name, SPECIAL) for name in ("abs", "relu", "sigmoid", "tanh", "floor", "leaky_relu")),
    sample("leaky_relu", "2x3xf32", slope=0.25),
    sample("hard_sigmoid", "2x3xf32", slope=0.5, offset=0.25),
    sample("clip", "2x3xf32", low=-0.5, high=0.5),
    sample("clip", "f32", low=0.0, high=float("inf")),
    sample("clip", SPECIAL, low=-2.0, high=6.0),
    sample("clip", "7xi32", low=-3.0, high=float("inf")),
    sample("clip", "7xui8", low=float("-inf"), high=100.0),
    sample("not", "2x3xi1"),
    *(sample(name, "2x3xf32", "3xf32") for name in (*_ARITHMETIC, *_COMPARISONS)),
    *(sample(name, f"9x{dtype}", f"9x{dtype}") for name in _ARITHMETIC for dtype in ("f16", "i32", "i64", "ui8")),
    *(sample(name, "9xbf16", "9xbf16") for name in ("add", "multiply", "maximum")),
    *(sample(name, f"9x{dtype}", f"9x{dtype}") for name in _COMPARISONS for dtype in ("i32", "ui8")),
    *(sample(name, SPECIAL, SPECIAL[::-1].copy()) for name in ("maximum", "minimum", *_COMPARISONS)),
    sample("equal", "9xi1", "9xi1"),
    sample("add", "2x1x3xf32", "4x1xf32"),
    sample("add", "f32", "f32"),
    sample("power", _positive("2x3xf32"), "3xf32"),
    *(sample("power", _BASES.astype(dtype), _EXPONENTS.astype(dtype)) for dtype in (np.float32, np.float16)),
    *(sample(name, "2x3xi1", "3xi1") for name in ("and", "or", "xor")),
    *(sample("quantize", "9x8xf32", np.float32(0.017), np.array(zero)) for zero in (np.uint8(121), np.int8(-3))),
    sample("quantize", "3x4xf32", _positive("4xf32"), np.zeros(4, np.uint16)),
    sample("quantize", np.array([0.5, 1.5, -0.5, 2.5, 300, -300], np.float32), np.float32(1), np.array(0, np.uint8)),
    sample("quantize", SPECIAL, np.float32(0.5), np.array(7, np.int8)),
    *(sample("dequantize", f"3x4x{t}", _positive("4xf32"), numbers(f"4x{t}", 5)) for t in ("ui8", "i8", "i32", "i16")),
    *(sample("where", "2x1xi1", f"3x{dtype}", f"2x3x{dtype}") for dtype in ("f32", "i64", "i1")),
]

_FLOAT_CASTS = ("f64", "f32", "f16", "bf16")
_CASTS = [
    *(sample("cast", f"9x{a}", dtype=b) for a in _FLOAT_CASTS for b in _FLOAT_CASTS),
    *(sample("cast", f"9x{a}", dtype=b) for a in ("f32", "f16", "bf16") for b in ("i32", "i64", "i8", "i1")),
    *(
        sample("cast", f"9x{a}", dtype=b)
        for a in ("i32", "i64", "ui8", "i1")
        for b in ("f32", "f16", "i32", "i64", "i1")
    ),
    sample("cast", "9xui8", dtype="i8"),
    sample("cast", "9xi32", dtype="ui8"),
    sample("cast", "9xui8", dtype="i16"),
    sample("cast", "9xi8", dtype="ui32"),
    sample("cast", np.array([0.0, 3.7, 255.0], np.float32), dtype="ui8"),
    sample("cast", np.array([0, 2**63 + 2**40], np.uint64), dtype="f64"),
    sample("cast", SPECIAL, dtype="i1"),
]

_MOVEMENT = [
    sample("reshape", "2x3x4xf32", shape=(4, 6)),
    sample("reshape", "1x1xf32", shape=()),
    sample("reshape", "i64", shape=(1, 1, 1)),
    sample("reshape", "6xui8", shape=(1, 2, 3)),
    *(sample("interleave", f"3x4x6x{dtype}") for dtype in ("f32", "ui8", "i1", "f16")),
    *(sample("transpose", f"2x3x4x{dtype}", permutation=(2, 0, 1)) for dtype in ("f32", "ui8", "i1", "f16")),
    sample("broadcast", "3x1xf32", shape=(2, 3, 4)),
    sample("broadcast", "i64", shape=(2,)),
    sample("broadcast", "1xi1", shape=(4,)),
    sample("concat", "2x3xf32", "2x1xf32", "2x4xf32", axis=1),
    sample("concat", "2x3xi64", axis=0),
    sample("concat", "2xi1", "3xi1", axis=0),
    sample("slice", "5x6xf32", offsets=(1, 0), sizes=(2, 3), strides=(1, 2)),
    sample("slice", "7xui8", offsets=(6,), sizes=(1,), strides=(3,)),
    sample("copy", "2x3xf32"),
    sample("pad", "2x3xf32", low=(1, 0), high=(0, 2), interior=(0, 0), value=-1.5),
    sample("pad", "2x3xf32", low=(0, 1), high=(0, 0), interior=(2, 1)),
    sample("pad", "3xf16", low=(1,), high=(1,), interior=(0,), value=float("-inf")),
    sample("pad", "3xi32", low=(1,), high=(1,), interior=(0,), value=7.0),
    sample("gather", "4x5xf32", np.array([[0, -1], [3, 1]]), axis=0),
    sample("gather", "4x5xui8", np.array([4, -5, 2], np.int32), axis=1),
    sample("gather", "4x5x2xi1", np.array(2), axis=1),
]

_REDUCTION = [
    *(sample(name, "2x3x4xf32", axes=(1,)) for name in ("reduce_sum", "reduce_product", "reduce_max", "reduce_min")),
    *(
        sample(name, f"6x{t}", axes=(0,), keep=False)
        for name in ("reduce_max", "reduce_min")
        for t in ("i32", "ui8", "i1")
    ),
    sample("reduce_sum", "2x3x4xf32", axes=(0, 2), keep=False),
    sample("reduce_sum", "2x3x4xf32", axes=(0, 1, 2), keep=False),
    sample("reduce_sum", "2x3xi64", axes=()),
    sample("reduce_sum", "8x9xf16", axes=(1,)),
    sample("reduce_sum", "8x9xbf16", axes=(1,)),
    sample("reduce_product", "5xi64", axes=(0,)),
    sample("reduce_max", SPECIAL, axes=(0,)),
    *(sample(name, "2x3x4xf32", "2x1x1xf32", axes=(1, 2)) for name in ("reduce_squares", "reduce_powers")),
    *(sample(name, "5x3xf32", "1x3xf32", axes=(0,)) for name in ("reduce_squares", "reduce_powers")),
    sample("reduce_squares", "4x6xf64", "4x1xf64", axes=(1,)),
    sample("reduce_powers", "8x9xf16", "8x1xf16", axes=(1,)),
    sample("softmax", "4x5xf32", axis=1),
    sample("softmax", "4x5x3xf32", axis=0),
    *(sample("softmax", f"4x5x{dtype}", axis=1) for dtype in ("f64", "f16", "bf16")),
    sample("standardize", "3x16xf32", axes=(1,), epsilon=1e-5),
    sample("standardize", "2x3x5xf32", axes=(0, 2), epsilon=0.1),
    sample("standardize", "4x6xf64", axes=(1,), epsilon=1e-5),
]

_LINEAR = [
    sample("matmul", "3x4xf32", "4x5xf32"),
    sample("matmul", "2x1x3x4xf32", "6x4x5xf32"),
    *(sample("matmul", f"3x4x{dtype}", f"4x5x{dtype}") for dtype in ("f64", "f16", "bf16", "i32", "i64", "ui8")),
    sample("matmul", "3x4xui8", "2x4x5xi8"),
    sample("packed_matmul", "2x3x4xf32", "1x2x4x8xf32"),
    sample("packed_matmul", "1x3x4xf32", "1x1x4x8xf32"),
    sample("packed_matmul", "4xf32", "1x3x4x8xf32"),
    sample("shuffled_matmul", "2x3x8xf32", "3x4x6xf32"),
    sample("shuffled_matmul", "1x5x6x12xf32", "2x3x8xf32"),
    sample("shuffled_matmul", "3x8xf16", "1x4x4xf16"),
    sample("packed_matmul", "1x5x6xf32", "3x2x2x4xf32"),
    *(sample("packed_matmul", f"3x4x{dtype}", f"2x1x2x8x{dtype}") for dtype in ("f64", "f16", "i32")),
    sample("paired_conv", "2x3x4xbf16", "3x2x8x2xbf16", strides=(), dilations=()),
    sample("paired_conv", "2x3x8xbf16", "4x2x8x2xbf16", strides=(), dilations=(), groups=2),
    sample("paired_conv", "4xbf16", "1x2x8x2xbf16", strides=(), dilations=()),
    sample("quad_conv", "2x3x8xui8", "3x2x8x4xi8", strides=(), dilations=()),
    sample("einsum", "2x3xf32", "3x4xf32", equation="ij,jk->ki"),
    sample("einsum", "2x3x4xf32", "2x5x4xf32", equation="bij,bkj->bik"),
    sample("einsum", "2xf32", "3xf32", equation="i,j->ij"),
    sample("einsum", "2x3xf32", "4xf32", equation="ij,k->i"),
    sample("einsum", "3xf64", "3xf64", equation="i,i->"),
]

_ATTENTION = [
    sample("attention", "2x3x2x8xf32", "2x5x2x8xf32", "2x5x2x8xf32", scale=0.5),
    sample("attention", "1x4x3x8xf32", "1x6x3x8xf32", "1x6x3x16xf32", "1x1x1x6xf32", scale=1.0),
    sample("attention", "1x4x2x8xf32", "1x6x2x8xf32", "1x6x2x8xf32", "1x2x4x6xf32", scale=-0.5),
]

_AFTER = {"linear_before_reset": True}
_RECURRENT = [
    sample("lstm", "5x1x32xf32", "1x1x8x32xf32", "1x1x8xf32", "1x1x8xf32", direction="forward"),
    sample("lstm", "5x1x64xf32", "2x2x8x16xf32", "2x1x8xf32", "2x1x8xf32", direction="bidirectional", cells=True),
    sample("lstm", "4x3x24xf32", "2x1x3x12xf32", "2x3x3xf32", "2x3x3xf32", direction="bidirectional"),
    sample("lstm", "4x2x32xf32", "1x2x8x16xf32", "1x2x8xf32", "1x2x8xf32", direction="reverse", cells=True),
    sample("gru", "5x1x24xf32", "1x1x8x24xf32", "1x8xf32", "1x1x8xf32", direction="forward"),
    sample("gru", "4x3x48xf32", "2x2x8x12xf32", "2x8xf32", "2x3x8xf32", direction="bidirectional"),
    sample("gru", "5x1x48xf32", "2x2x8x12xf32", "2x8xf32", "2x1x8xf32", direction="bidirectional", **_AFTER),
    sample("gru", "4x2x9xf32", "1x1x3x9xf32", "1x3xf32", "1x2x3xf32", direction="reverse", **_AFTER),
    sample("rnn", "5x1x16xf32", "2x2x8x4xf32", "2x1x8xf32", direction="bidirectional"),
    sample("rnn", "4x3x5xf32", "1x1x5x5xf32", "1x3x5xf32", direction="reverse"),
]


def _conv(input: str, weights: str, strides: int = 1, dilations: int = 1, groups: int = 1) -> Sample:
    spatial = input.count("x") - 2
    steps = {"strides": (strides,) * spatial, "dilations": (dilations,) * spatial}
    return sample("conv", input, weights, **steps, groups=groups)


def _pool(mnemonic: str, input: str, window: int = 2, strides: int = 1, dilations: int = 1) -> Sample:
    spatial = input.count("x") - 2
    sizes = {"window": (window,) * spatial, "strides": (strides,) * spatial, "dilations": (dilations,) * spatial}
    return sample(mnemonic, input, **sizes)


_WINDOWS = [
    sample("paired_conv", "1x6x7x4xbf16", "2x3x2x2x8x2xbf16", strides=(1, 2), dilations=(2, 1)),
    sample("paired_conv", "1x6x5x8xbf16", "2x3x2x2x8x2xbf16", strides=(2, 1), dilations=(1, 1), groups=2),
    sample("paired_conv", "2x6x6xbf16", "1x3x3x16x2xbf16", strides=(1,), dilations=(1,)),
    sample("quad_conv", "1x6x7x8xui8", "2x3x2x2x8x4xi8", strides=(1, 2), dilations=(2, 1)),
    sample("quad_conv", "1x6x5x16xui8", "2x3x2x2x8x4xi8", strides=(2, 1), dilations=(1, 1), groups=2),
    _conv("2x7x6x3xf32", "3x3x3x5xf32"),
    _conv("2x7x6x3xui8", "3x3x3x5xi8"),
    _conv("1x7x7x6xui8", "3x3x2x9xi8", groups=3),
    _conv("1x7x7x4xi8", "3x3x1x4xi8", groups=4, strides=2),
    _conv("1x9x9x4xf32", "3x2x4x6xf32", strides=2, dilations=2),
    _conv("1x8x4xf32", "3x4x6xf32", strides=2),
    _conv("1x4x5x4x2xf32", "2x2x2x2x3xf32"),
    _conv("1x7x7x6xf32", "3x3x2x9xf32", groups=3),
    _conv("1x7x7x4xf32", "3x3x1x4xf32", groups=4),
    _conv("1x7x7x4xf32", "3x3x1x8xf32", groups=4, strides=2),
    _conv("1x9x4xf32", "3x1x4xf32", groups=4, dilations=2),
    _conv("1x9x4xf32", "3x2x4xf32", groups=2),
    *(_conv(f"1x5x5x3x{dtype}", f"3x3x3x4x{dtype}") for dtype in ("f64", "f16", "i32")),
    *(_pool(name, "2x6x7x3xf32") for name in ("max_pool", "sum_pool")),
    *(_pool(name, "1x9x3xf32", 3, 2, 2) for name in ("max_pool", "sum_pool")),
    _pool("max_pool", "1x4x4x4x2xf32", 2, 2),
    *(_pool("max_pool", f"1x5x5x2x{dtype}", 3) for dtype in ("f16", "i8", "ui8")),
    _pool("sum_pool", "1x5x5x2xf16"),
]

_WINOGRAD = [
    *(sample("winograd_input", f"2x6x10x3x{dtype}", size=4) for dtype in ("f32", "f64")),
    sample("winograd_input", "1x6x4x8xf32", size=2),
    *(sample("winograd_product", f"2x3x4x5x6x{dtype}", f"4x2x6x8x{dtype}") for dtype in ("f32", "f64")),
    sample("winograd_product", "1x1x4x5x6xf32", "4x1x6x8xf32"),
    *(sample("winograd_output", "2x2x36x3x5xf32", size=4, crop=crop) for crop in ((0, 0), (3, 1), (0, 2))),
    sample("winograd_output", "1x3x16x2x8xf64", size=2, crop=(1, 0)),
]

_CONSTANTS = [
    *(sample("constant", value=numbers(f"2x3x{dtype}")) for dtype in NUMPY_DTYPES),
    sample("constant", value=np.array(3.25, np.float32)),
    sample("constant", value=SPECIAL),
    sample("constant", value=SPECIAL.astype(np.float16)),
    sample("constant", value=SPECIAL.astype(NUMPY_DTYPES["bf16"])),
    sample("constant", value=np.array([0, 2**64 - 1], np.uint64)),
]

SAMPLES = [
    *_ELEMENTWISE,
    *_CASTS,
    *_MOVEMENT,
    *_REDUCTION,
    *_LINEAR,
    *_ATTENTION,
    *_RECURRENT,
    *_WINDOWS,
    *_WINOGRAD,
    *_CONSTANTS,
]
