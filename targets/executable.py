"""Emits one `stream.executable`: bindings are loaded through their views, a codelet is lowered, results are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.program import Execute, View
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.dialect.writer import CodeletWriter, Shape, Value, signless
from pyipu.targets.codelet import lower_codelet

ALIGNMENT = 64
"""Bytes at which every binding starts; the code generator may rely on it."""


@dataclass(frozen=True)
class Binding:
    """One buffer that an executable sees, and the part of it that is the tensor.

    `sizes` may have dimensions of size one that the tensor has not.
    """

    tensor: Tensor
    whole: Shape
    offsets: Shape
    sizes: Shape
    strides: Shape
    access: str
    """`readonly`, `writeonly` or `readwrite`."""

    @property
    def type(self) -> str:
        return f"!iree_tensor_ext.dispatch.tensor<{self.access}:{stored(self.tensor.with_shape(self.whole))}>"

    @property
    def place(self) -> str:
        return f"offsets = {list(self.offsets)}, sizes = {list(self.sizes)}, strides = {list(self.strides)}"

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
            _joined([_split(whole, group) for whole, group in zip(self.whole, groups, strict=True)]),
            _joined([_split(offset, group, 0) for offset, group in zip(self.offsets, groups, strict=True)]),
            _joined(groups),
            _joined([(stride, *[1] * (len(group) - 1)) for stride, group in zip(self.strides, groups, strict=True)]),
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


def _divides(group: Shape, whole: int, offset: int, stride: int) -> bool:
    """A dimension of `whole` elements, from `offset` on, can be split into the group's dimensions."""
    inner = math.prod(group[1:])
    return len(group) == 1 or (stride == 1 and whole % inner == 0 and offset % inner == 0)


def _split(extent: int, group: Shape, inner: int | None = None) -> Shape:
    """The leading dimension in steps of the others, and the others, or `inner` for each of them."""
    return extent // math.prod(group[1:]), *(size if inner is None else inner for size in group[1:])


def _joined(groups: Sequence[Shape]) -> Shape:
    return tuple(size for group in groups for size in group)


def stored(tensor: Tensor) -> str:
    """The type in memory: a truth value takes one byte."""
    return signless(tensor.with_dtype("i8") if tensor.dtype == "i1" else tensor)


def bindings(op: Execute) -> list[tuple[ir.Value, Binding]]:
    """The distinct references of a placed vertex, each with how it is bound."""
    values = list(op.operands)
    reads, writes = values[: -op.writes], values[-op.writes :]
    distinct = list(dict.fromkeys(values))
    return [(value, _binding(value, value in reads, value in writes)) for value in distinct]


def _binding(value: ir.Value, read: bool, written: bool) -> Binding:
    tensor, owner = tensor_of(value), value.owner
    access = "readwrite" if read and written else "writeonly" if written else "readonly"
    if isinstance(owner, View):
        return Binding(tensor, owner.whole, owner.offsets, tensor.shape, owner.strides, access)
    return Binding(tensor, tensor.shape, (0,) * tensor.rank, tensor.shape, (1,) * tensor.rank, access)


def emit_executable(name: str, op: Execute, codelet: func.FuncOp, tiles: Tiles | None = None) -> str:
    """The text of the executable of `op` and of all placed vertices that share it; `tiles` are the target's."""
    bound = bindings(op)
    writer = CodeletWriter(tiles)
    memory = {value: _Memory(writer, i, binding) for i, (value, binding) in enumerate(bound)}
    values = list(op.operands)
    reads, writes = values[: -op.writes], values[-op.writes :]
    updated = reads.index(writes[0]) if writes[0] in reads else None
    results = lower_codelet(writer, codelet, [memory[value].load() for value in reads], updated)
    for result, target in zip(results, writes, strict=True):
        memory[target].store(result)
    arguments = ", ".join(
        f"%b{i}: !stream.binding {{stream.alignment = {ALIGNMENT} : index}}" for i in range(len(bound))
    )
    body = "\n".join([*writer.head, *writer.lines])
    return f"""stream.executable private @{name} {{
stream.executable.export public @{name} workgroups() -> (index, index, index) {{
  %x, %y, %z = iree_tensor_ext.dispatch.workgroup_count_from_slice()
  stream.return %x, %y, %z : index, index, index
}}
builtin.module {{
func.func @{name}({arguments}) {{
{body}
return
}}
}}
}}
"""


class _Memory:
    """What an executable reads from one binding and writes to it."""

    def __init__(self, writer: CodeletWriter, number: int, binding: Binding) -> None:
        self._writer, self._number, self._binding = writer, number, binding
        self._subspans: dict[str, str] = {}

    def load(self) -> Value:
        """The tensor; it is at hand under every other shape that a strided slice of the buffer has."""
        return self._load(self._binding)

    def _load_under(self, shape: Shape) -> Value | None:
        binding = self._binding.under(shape)
        return self._load(binding) if binding else None

    def _load(self, binding: Binding) -> Value:
        memory, tensor = stored(binding.tensor), binding.tensor
        value = self._writer.write(
            f"iree_tensor_ext.dispatch.tensor.load {self._subspan(binding)}, {binding.place} : "
            f"{binding.type} -> {memory}",
            tensor,
        )
        if tensor.dtype != "i1":
            return replace(value, under=self._load_under)
        narrow = self._writer.write(f"arith.trunci {value.name} : {memory} to {signless(tensor)}", tensor)
        return replace(narrow, under=self._load_under)

    def store(self, result: Value) -> None:
        """Writes the result under the shape in which it was computed, where the buffer allows that."""
        value, binding = self._stored_form(result)
        memory, name = stored(value.tensor), value.name
        if value.tensor.dtype == "i1":
            name = self._writer.write(f"arith.extui {name} : {value.type} to {memory}", value.tensor).name
        self._writer.lines.append(
            f"iree_tensor_ext.dispatch.tensor.store {name}, {self._subspan(binding)}, {binding.place} : "
            f"{memory} -> {binding.type}"
        )

    def _stored_form(self, result: Value) -> tuple[Value, Binding]:
        forms = [result.at(_joined(result.nest)) if result.nest else None, result.dense]
        for form in forms:
            binding = self._binding.under(form.tensor.shape) if form else None
            if form and binding:
                return form, binding
        return result, self._binding

    def _subspan(self, binding: Binding) -> str:
        """The whole buffer under the binding's shape; each is taken once."""
        if binding.type not in self._subspans:
            name = f"%v{self._number}_{len(self._subspans)}"
            zero = self._writer.index(0)
            self._subspans[binding.type] = name
            self._writer.lines.append(
                f"{name} = stream.binding.subspan %b{self._number}[{zero}] : !stream.binding -> {binding.type}"
            )
        return self._subspans[binding.type]
