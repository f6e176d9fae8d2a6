"""The types that `ipu` IR computes with, as plain Python values next to their MLIR spelling."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import ml_dtypes
import numpy as np
from iree.compiler import ir

from pyipu.dialect.interning import PerContext

NUMPY_DTYPES: dict[str, np.dtype] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "i64": np.dtype(np.int64),
    "i32": np.dtype(np.int32),
    "i16": np.dtype(np.int16),
    "i8": np.dtype(np.int8),
    "ui64": np.dtype(np.uint64),
    "ui32": np.dtype(np.uint32),
    "ui16": np.dtype(np.uint16),
    "ui8": np.dtype(np.uint8),
    "i1": np.dtype(np.bool_),
}
_MLIR_DTYPES = {dtype: name for name, dtype in NUMPY_DTYPES.items()}
_TENSOR = re.compile(r"tensor<((?:\d+x)*)([a-z]+\d+)>")


@dataclass(frozen=True)
class Tensor:
    """A tensor type: static shape and element type (`f32`, `i64`, `i1`, … as MLIR spells it)."""

    shape: tuple[int, ...]
    dtype: str

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> Tensor:
        """The type that MLIR prints as `text`; raises ValueError when it is no static ranked tensor."""
        match = _TENSOR.fullmatch(text)
        if match is None or match[2] not in NUMPY_DTYPES:
            raise ValueError(f"{text} is not a tensor type of static shape and known element type")
        return Tensor(tuple(int(size) for size in match[1].split("x")[:-1]), match[2])

    @staticmethod
    def of(array: np.ndarray) -> Tensor:
        """The type of a numpy array."""
        return Tensor(tuple(array.shape), mlir_dtype(array.dtype))

    def __str__(self) -> str:
        return f"tensor<{'x'.join([*map(str, self.shape), self.dtype])}>"

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * self.numpy_dtype.itemsize

    @property
    def numpy_dtype(self) -> np.dtype:
        return NUMPY_DTYPES[self.dtype]

    @property
    def is_float(self) -> bool:
        return self.dtype in ("f64", "f32", "f16", "bf16")

    def with_shape(self, shape: tuple[int, ...] | list[int]) -> Tensor:
        return Tensor(tuple(map(int, shape)), self.dtype)

    def with_dtype(self, dtype: str) -> Tensor:
        return Tensor(self.shape, dtype)


@dataclass(frozen=True)
class Ref:
    """`!ipu.ref<tensor>`: a tensor that has been given a place in memory."""

    tensor: Tensor

    def __str__(self) -> str:
        return f"!ipu.ref<{self.tensor}>"


@dataclass(frozen=True)
class Buffer:
    """`!ipu.buffer`: a range of bytes in one memory space."""

    def __str__(self) -> str:
        return "!ipu.buffer"


Type = Tensor | Ref | Buffer


def parse_type(type_: ir.Type) -> Type:
    """The Python value of an MLIR type; raises ValueError for a type that `ipu` IR does not use."""
    return _parsed(type_, type_.context)


def _parse(type_: ir.Type, _: ir.Context) -> Type:
    text = str(type_)
    if text == "!ipu.buffer":
        return Buffer()
    if text.startswith("!ipu.ref<"):
        return Ref(Tensor.parse(text[len("!ipu.ref<") : -1]))
    return Tensor.parse(text)


_parsed: PerContext[ir.Type, Type] = PerContext(_parse)


def mlir_type(type_: Type) -> ir.Type:
    """The MLIR type of `type_`, in the current context."""
    return _spelled(type_, ir.Context.current)


_spelled: PerContext[Type, ir.Type] = PerContext(lambda type_, context: ir.Type.parse(str(type_), context))


def mlir_dtype(dtype: np.dtype) -> str:
    """How MLIR spells a numpy dtype; raises ValueError when it has no such type."""
    name = _MLIR_DTYPES.get(np.dtype(dtype))
    if name is None:
        raise ValueError(f"there is no element type for numpy's {dtype}")
    return name


def tensor_of(value: ir.Value) -> Tensor:
    """The tensor type of an SSA value, placed or not."""
    type_ = parse_type(value.type)
    if isinstance(type_, Buffer):
        raise ValueError(f"{value} is a buffer and has no tensor type")
    return type_.tensor if isinstance(type_, Ref) else type_
