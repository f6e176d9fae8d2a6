"""Writes loops over vectors in memory: MLIR that IREE's code generator translates as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pyipu.dialect.scalars import Scalar, Scalars, literal
from pyipu.targets.binding import Binding, Offset

Term = tuple[Offset | str, int]
"""A part of an index: a number or an SSA value, and what it is multiplied with."""


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


class VectorWriter(Scalars):
    """Collects lines of IR; arithmetic is on vectors of `lanes` elements."""

    def __init__(self, lanes: int, features: Collection[str] = ()) -> None:
        super().__init__("%v", lanes)
        self.head: dict[int, str] = {}
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

    def line(self, operation: str) -> str:
        """Writes an operation and returns the SSA name of its result, which is no vector of `lanes` elements."""
        return self.write(operation, "index").name

    def index(self, number: int) -> str:
        """The SSA name of a constant; equal ones are written once."""
        return self.head.setdefault(number, f"%i{number}")

    def sum(self, terms: Iterable[Term]) -> str:
        """The SSA name of a sum of indices."""
        total, fixed = "", 0
        for value, factor in terms:
            if isinstance(value, int):
                fixed += value * factor
                continue
            product = self._times(str(value), factor)
            total = self.line(f"arith.addi {total}, {product} : index") if total else product
        if not total:
            return self.index(fixed)
        return self.line(f"arith.addi {total}, {self.index(fixed)} : index") if fixed else total

    def _times(self, value: str, factor: int) -> str:
        return value if factor == 1 else self.line(f"arith.muli {value}, {self.index(factor)} : index")

    def divided(self, value: str, number: int) -> tuple[str, str]:
        """The quotient and the rest of an index."""
        by = self.index(number)
        return self.line(f"arith.divui {value}, {by} : index"), self.line(f"arith.remui {value}, {by} : index")

    def loop(
        self,
        extent: int,
        step: int,
        carried: Sequence[Scalar],
        body: Callable[[str, Sequence[Scalar]], Sequence[Scalar]],
    ) -> Sequence[Scalar]:
        """Runs `body(index, carried)`, which returns what the next turn is given, and returns the last of it."""
        if extent <= step:
            return body(self.index(0), carried)
        number = len(self.lines)
        inner = [self.named(f"%c{number}_{i}", value.dtype) for i, value in enumerate(carried)]
        outer = [self.named(f"%r{number}_{i}", value.dtype) for i, value in enumerate(carried)]
        types = ", ".join(value.type for value in carried)
        starts = ", ".join(f"{a.name} = {b.name}" for a, b in zip(inner, carried, strict=True))
        assigned = f"{', '.join(value.name for value in outer)} = " if outer else ""
        iterated = f" iter_args({starts}) -> ({types})" if outer else ""
        bounds = f"{self.index(0)} to {self.index(extent)} step {self.index(step)}"
        self.lines.append(f"{assigned}scf.for %l{number} = {bounds}{iterated} {{")
        last = body(f"%l{number}", inner)
        yielded = f"scf.yield {', '.join(value.name for value in last)} : {types}" if outer else "scf.yield"
        self.lines += [yielded, "}"]
        return outer

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

    def load_for_all(self, buffer: Buffer, place: str, together: int) -> Scalar:
        """The neighbours at `place`, 32 bits that are loaded once and spread, for every lane the same."""
        few, many = (Scalar("", buffer.dtype, count).type for count in (together, together * self.lanes))
        group = self.line(f"vector.load {buffer.name}[{place}] : {buffer.type}, {few}")
        bits = self.line(f"vector.bitcast {group} : {few} to vector<1xi32>")
        spread = self.line(f"vector.broadcast {bits} : vector<1xi32> to vector<{self.lanes}xi32>")
        name = self.line(f"vector.bitcast {spread} : vector<{self.lanes}xi32> to {many}")
        return Scalar(name, buffer.dtype, together * self.lanes)

    def store(self, value: Scalar, buffer: Buffer, place: str) -> None:
        self.lines.append(f"vector.store {value.name}, {buffer.name}[{place}] : {buffer.type}, {value.type}")

    def constants(self) -> list[str]:
        """The lines that must stand in front of all others."""
        return [f"{name} = arith.constant {number} : index" for number, name in self.head.items()]


def _element(number: float | int | bool, dtype: str) -> str:
    return str(bool(number)).lower() if dtype == "i1" else literal(number, dtype)
