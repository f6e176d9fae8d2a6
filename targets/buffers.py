"""Loops over vectors in the memory that an executable is bound to."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.vectors import Term, VectorWriter
from pyipu.dialect.writer import CodeletWriter
from pyipu.targets.binding import Binding


@dataclass(frozen=True)
class Buffer:
    """The elements that an executable is bound to, in one dimension."""

    name: str
    binding: Binding

    @property
    def type(self) -> str:
        return f"memref<{math.prod(self.binding.whole)}x{Scalar('', self.dtype).type}>"

    @property
    def dtype(self) -> str:
        return self.binding.tensor.dtype

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


@dataclass(frozen=True)
class Scratch:
    """Memory of a workgroup's own, for so many numbers."""

    name: str
    numbers: int
    dtype: str = "f32"

    @property
    def type(self) -> str:
        return f"memref<{self.numbers}x{self.dtype}>"


class BufferWriter(VectorWriter):
    """Loads vectors from buffers, computes with them, and stores them; `features` are the processor's."""

    def __init__(self, codelet: CodeletWriter, lanes: int, features: Collection[str] = ()) -> None:
        super().__init__(codelet, lanes)
        self.features = features

    def cast(self, a: Scalar, dtype: str) -> Scalar:
        """Rounding to bf16 is one instruction where there are dot products of bf16."""
        if (a.dtype, dtype) != ("f32", "bf16"):
            return super().cast(a, dtype)
        name = f"llvm.x86.avx512bf16.cvtneps2bf16.{32 * self.lanes}"
        return self.write(f'llvm.call_intrinsic "{name}"({a.name}) : ({a.type}) -> {self.named("", dtype).type}', dtype)

    def dot(self, total: Scalar, data: Scalar, weights: Scalar) -> Scalar:
        """Adds to each element of `total` the products of as many neighbours of `data` and `weights` as fill it.

        They are two of bf16, summed up in f32, or four of ui8 and i8, in i32.
        """
        if data.dtype == "bf16":
            return self._instruction("avx512bf16.dpbf16ps", total, weights, data)
        if "avx512vnni" in self.features:
            return self._instruction("avx512.vpdpbusd", total, data, weights)
        return self._sum_of_bytes(total, data, weights)

    def _instruction(self, name: str, *operands: Scalar) -> Scalar:
        names, types = (", ".join(items) for items in zip(*((one.name, one.type) for one in operands), strict=True))
        total = operands[0]
        called = f'llvm.call_intrinsic "llvm.x86.{name}.{32 * self.lanes}"({names})'
        return self.write(f"{called} : ({types}) -> {total.type}", total.dtype)

    def _sum_of_bytes(self, total: Scalar, data: Scalar, weights: Scalar) -> Scalar:
        """As an instruction does it: every processor can take four bytes out of 32 bits."""
        words = [
            self.write(f"vector.bitcast {one.name} : {one.type} to {total.type}", "i32") for one in (data, weights)
        ]
        top, low = self.constant(24, "i32"), self.constant(255, "i32")
        for bits in (0, 8, 16, 24):
            byte = self.binary("arith.andi", self.binary("arith.shrui", words[0], self.constant(bits, "i32")), low)
            upper = self.binary("arith.shli", words[1], self.constant(24 - bits, "i32"))
            total = self.add(total, self.multiply(byte, self.binary("arith.shrsi", upper, top)))
        return total

    def scratch(self, numbers: int) -> Scratch:
        """Takes memory on the stack, a few KiB, outside of all loops."""
        memory = Scratch("", numbers)
        attributes = "alignment = 64 : i64, operandSegmentSizes = array<i32: 0, 0>"
        return replace(memory, name=self.line(f'"memref.alloca"() <{{{attributes}}}> : () -> {memory.type}'))

    def load(self, buffer: Buffer, place: str) -> Scalar:
        """Neighbours from `place` on."""
        dtype = buffer.dtype
        return self.write(f"vector.load {buffer.name}[{place}] : {buffer.type}, {self.named('', dtype).type}", dtype)

    def load_one(self, buffer: Buffer, place: str) -> Scalar:
        """The element at `place` in every lane."""
        dtype, one = buffer.dtype, Scalar("", buffer.dtype).type
        element = self.line(f"memref.load {buffer.name}[{place}] : {buffer.type}")
        return self.write(f"vector.broadcast {element} : {one} to {self.named('', dtype).type}", dtype)

    def load_together(self, buffer: Buffer, place: str, together: int) -> Scalar:
        """So many neighbours for every lane."""
        group = Scalar("", buffer.dtype, together * self.lanes)
        name = self.line(f"vector.load {buffer.name}[{place}] : {buffer.type}, {group.type}")
        return replace(group, name=name)

    def load_repeated(self, memory: Scratch, place: str, count: int) -> Scalar:
        """So many neighbours, again and again in all lanes."""
        few, order = Scalar("", memory.dtype, count), [lane % count for lane in range(self.lanes)]
        found = self.line(f"vector.load {memory.name}[{place}] : {memory.type}, {few.type}")
        return self.write(f"vector.shuffle {found}, {found} {order} : {few.type}, {few.type}", memory.dtype)

    def load_for_all(self, buffer: Buffer, place: str, together: int) -> Scalar:
        """The neighbours at `place`, 32 bits that are loaded once and spread, for every lane the same."""
        few, many = (Scalar("", buffer.dtype, count).type for count in (together, together * self.lanes))
        group = self.line(f"vector.load {buffer.name}[{place}] : {buffer.type}, {few}")
        bits = self.line(f"vector.bitcast {group} : {few} to vector<1xi32>")
        spread = self.line(f"vector.broadcast {bits} : vector<1xi32> to vector<{self.lanes}xi32>")
        name = self.line(f"vector.bitcast {spread} : vector<{self.lanes}xi32> to {many}")
        return Scalar(name, buffer.dtype, together * self.lanes)

    def shuffled(self, first: Scalar, second: Scalar, order: Sequence[int]) -> Scalar:
        """Lanes of two vectors, by their numbers in both."""
        name = self.line(f"vector.shuffle {first.name}, {second.name} {list(order)} : {first.type}, {second.type}")
        return Scalar(name, first.dtype, len(order))

    def store(self, value: Scalar, buffer: Buffer | Scratch, place: str) -> None:
        self.lines.append(f"vector.store {value.name}, {buffer.name}[{place}] : {buffer.type}, {value.type}")
