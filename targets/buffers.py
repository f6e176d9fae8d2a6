"""Loops over vectors in the memory that an executable is bound to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.vectors import Term, VectorWriter
from pyipu.targets.binding import Binding


@dataclass(frozen=True)
class Buffer:
    """The elements that an executable is bound to, in one dimension."""

    name: str
    binding: Binding

    @property
    def type(self) -> str:
        return f"memref<{math.prod(self.binding.whole)}x{self.binding.tensor.dtype}>"

    @property
    def steps(self) -> tuple[int, ...]:
        """How many elements lie between neighbours of the tensor in each of its dimensions."""
        whole, strides = self.binding.whole, self.binding.strides
        return tuple(math.prod(whole[i + 1 :]) * stride for i, stride in enumerate(strides))

    @property
    def first(self) -> list[Term]:
        """Where the tensor's first element is."""
        whole = self.binding.whole
        return [(offset, math.prod(whole[i + 1 :])) for i, offset in enumerate(self.binding.offsets)]


class BufferWriter(VectorWriter):
    """Loads vectors from buffers, computes with them, and stores them."""

    def cast(self, a: Scalar, dtype: str) -> Scalar:
        """Rounding to bf16 is one instruction where there are dot products of bf16."""
        if (a.dtype, dtype) != ("f32", "bf16"):
            return super().cast(a, dtype)
        name = f"llvm.x86.avx512bf16.cvtneps2bf16.{32 * self.lanes}"
        return self.write(f'llvm.call_intrinsic "{name}"({a.name}) : ({a.type}) -> {self.named("", dtype).type}', dtype)

    def dot(self, total: Scalar, pairs: str, weights: str) -> Scalar:
        """Adds to each element of `total`, in f32, the products of two neighbours of `pairs` and `weights`, in bf16."""
        double = f"vector<{2 * self.lanes}xbf16>"
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * self.lanes}"
        types = f"({total.type}, {double}, {double}) -> {total.type}"
        return self.write(f'llvm.call_intrinsic "{name}"({total.name}, {weights}, {pairs}) : {types}', "f32")

    def load(self, buffer: Buffer, place: str) -> Scalar:
        """Neighbours from `place` on."""
        dtype = buffer.binding.tensor.dtype
        return self.write(f"vector.load {buffer.name}[{place}] : {buffer.type}, {self.named('', dtype).type}", dtype)

    def load_one(self, buffer: Buffer, place: str) -> Scalar:
        """The element at `place` in every lane."""
        dtype = buffer.binding.tensor.dtype
        element = self.line(f"memref.load {buffer.name}[{place}] : {buffer.type}")
        return self.write(f"vector.broadcast {element} : {dtype} to {self.named('', dtype).type}", dtype)

    def load_pairs(self, buffer: Buffer, place: str) -> str:
        """A pair of neighbours for every lane."""
        return self.line(f"vector.load {buffer.name}[{place}] : {buffer.type}, vector<{2 * self.lanes}xbf16>")

    def load_pair(self, buffer: Buffer, place: str) -> str:
        """The pair of neighbours at `place`, for every lane the same: 32 bits are loaded and spread."""
        lanes = self.lanes
        pair = self.line(f"vector.load {buffer.name}[{place}] : {buffer.type}, vector<2xbf16>")
        bits = self.line(f"vector.bitcast {pair} : vector<2xbf16> to vector<1xf32>")
        spread = self.line(f"vector.broadcast {bits} : vector<1xf32> to vector<{lanes}xf32>")
        return self.line(f"vector.bitcast {spread} : vector<{lanes}xf32> to vector<{2 * lanes}xbf16>")

    def store(self, value: Scalar, buffer: Buffer, place: str) -> None:
        self.lines.append(f"vector.store {value.name}, {buffer.name}[{place}] : {buffer.type}, {value.type}")
