"""How placed vertices are bound to an executable: parts of buffers, and the offsets that each dispatch passes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from iree.compiler import ir

from pyipu.dialect.program import Execute, View
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.dialect.writer import Shape, signless
from pyipu.passes.references import accesses


@dataclass(frozen=True)
class Passed:
    """An offset in which dispatches of one executable differ: what they pass as argument `number`, times `unit`."""

    number: int
    unit: int

    def __str__(self) -> str:
        """The SSA value that is the offset."""
        return f"%offset{self.number}_{self.unit}"

    def __floordiv__(self, number: int) -> Passed:
        return Passed(self.number, self.unit // number)

    def __mod__(self, number: int) -> int:
        """Zero only where the rest is known to be zero, whatever is passed."""
        return self.unit % number


Offset = int | Passed


@dataclass(frozen=True)
class Binding:
    """One buffer that an executable sees, and the part of it that is the tensor.

    `sizes` may have dimensions of size one that the tensor has not.
    """

    tensor: Tensor
    whole: Shape
    offsets: tuple[Offset, ...]
    sizes: Shape
    strides: Shape
    access: str
    """As `accesses` has it."""

    @property
    def type(self) -> str:
        return f"!iree_tensor_ext.dispatch.tensor<{self.access}:{stored(self.tensor.with_shape(self.whole))}>"

    @property
    def place(self) -> str:
        offsets = ", ".join(map(str, self.offsets))
        return f"offsets = [{offsets}], sizes = {list(self.sizes)}, strides = {list(self.strides)}"

    @property
    def bytes(self) -> int:
        """Bytes of the whole tensor that is bound."""
        return self.tensor.with_shape(self.whole).bytes

    def under(self, shape: Shape) -> Binding | None:
        """The same elements of the buffer as a tensor of another shape; None when no strided slice is that."""
        tensor = self.tensor.with_shape(shape)
        if self.whole == self.sizes:
            return Binding(tensor, shape, (0,) * len(shape), shape, (1,) * len(shape), self.access)
        groups = _split_groups(self.sizes, shape)
        if groups is None or not all(map(_divides, groups, self.whole, self.offsets, self.strides)):
            return None
        return Binding(
            tensor,
            joined([_split_whole(whole, group) for whole, group in zip(self.whole, groups, strict=True)]),
            joined([_split_offset(offset, group) for offset, group in zip(self.offsets, groups, strict=True)]),
            joined(groups),
            joined([(stride, *[1] * (len(group) - 1)) for stride, group in zip(self.strides, groups, strict=True)]),
            self.access,
        )


def _split_groups(sizes: Shape, shape: Shape) -> list[Shape] | None:
    """For each dimension the dimensions of `shape` that it is split into; None when `shape` is no refinement.

    A dimension of size one that `shape` has not stays: loads and stores may leave those out.
    """
    groups: list[Shape] = []
    rest = list(shape)
    for size in sizes:
        count = _count_with_product(rest, size)
        if count is None:
            return None
        groups.append(tuple(rest[:count]) or (1,))
        del rest[:count]
    return None if rest else groups


def _count_with_product(sizes: Sequence[int], product: int) -> int | None:
    """How many of the sizes, at least one if it fits, have this product; None when no number has."""
    counts = [1, *range(len(sizes) + 1)] if sizes else [0]
    return next((count for count in counts if math.prod(sizes[:count]) == product), None)


def _divides(group: Shape, whole: int, offset: Offset, stride: int) -> bool:
    """A dimension of `whole` elements, from `offset` on, can be split into the group's dimensions."""
    inner = math.prod(group[1:])
    return len(group) == 1 or (stride == 1 and whole % inner == 0 and offset % inner == 0)


def _split_whole(extent: int, group: Shape) -> Shape:
    """The leading dimension in steps of the others, and the others."""
    return extent // math.prod(group[1:]), *group[1:]


def _split_offset(offset: Offset, group: Shape) -> tuple[Offset, ...]:
    return offset // math.prod(group[1:]), *[0] * (len(group) - 1)


Item = TypeVar("Item")


def joined(groups: Iterable[Iterable[Item]]) -> tuple[Item, ...]:
    """The items of all groups, in order."""
    return tuple(item for group in groups for item in group)


def stored(tensor: Tensor) -> str:
    """The type in memory: a truth value takes one byte."""
    return signless(tensor.with_dtype("i8") if tensor.dtype == "i1" else tensor)


def _binding(value: ir.Value, access: str) -> Binding:
    tensor, owner = tensor_of(value), value.owner
    if isinstance(owner, View):
        return Binding(tensor, owner.whole, owner.offsets, tensor.shape, owner.strides, access)
    return Binding(tensor, tensor.shape, _offsets_of(value), tensor.shape, (1,) * tensor.rank, access)


@dataclass(frozen=True)
class Interface:
    """What the vertices that share an executable are bound to; offsets are `Passed` where they differ."""

    vertex: Execute
    """The first of them; they differ in nothing but offsets and where bytes start."""
    bindings: Mapping[ir.Value, Binding]
    """For each reference of that vertex."""
    places: tuple[tuple[int, int, int], ...]
    """For each argument the binding, the dimension and the unit of the offset that it passes."""

    @staticmethod
    def of(ops: Sequence[Execute]) -> Interface:
        """The interface of equal codelets in equal layouts."""
        every = [_offsets(op) for op in ops]
        columns = {(i, d): {at[i][d] for at in every} for i, one in enumerate(every[0]) for d in range(len(one))}
        places = tuple((*place, math.gcd(*found)) for place, found in columns.items() if len(found) > 1)
        passed = {(i, d): Passed(number, unit) for number, (i, d, unit) in enumerate(places)}
        bound = {
            value: _with_passed(i, _binding(value, access), passed)
            for i, (value, access) in enumerate(accesses(ops[0]).items())
        }
        return Interface(ops[0], bound, places)

    def arguments(self, op: Execute) -> list[int]:
        """What the dispatch of one of the vertices passes."""
        offsets = _offsets(op) if self.places else []
        return [offsets[i][d] // unit for i, d, unit in self.places]


def _offsets(op: Execute) -> list[Shape]:
    """Where each of the distinct references begins in its whole tensor."""
    return [_offsets_of(value) for value in dict.fromkeys(op.operands)]


def _offsets_of(value: ir.Value) -> Shape:
    owner = value.owner
    return owner.offsets if isinstance(owner, View) else (0,) * tensor_of(value).rank


def _with_passed(number: int, binding: Binding, passed: Mapping[tuple[int, int], Passed]) -> Binding:
    offsets = tuple(passed.get((number, d), offset) for d, offset in enumerate(binding.offsets))
    return replace(binding, offsets=offsets)
