"""Emits one `stream.executable`: bindings are loaded through their views, a codelet is lowered, results are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.program import Execute, View
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.dialect.writer import CodeletWriter, Value, signless, squeezed
from pyipu.targets.codelet import lower_codelet

ALIGNMENT = 64
"""Bytes at which every binding starts; the code generator may rely on it."""


@dataclass(frozen=True)
class Binding:
    """One buffer that an executable sees, and the part of it that is the tensor."""

    tensor: Tensor
    whole: tuple[int, ...]
    offsets: tuple[int, ...]
    strides: tuple[int, ...]
    access: str
    """`readonly`, `writeonly` or `readwrite`."""

    @property
    def type(self) -> str:
        return f"!iree_tensor_ext.dispatch.tensor<{self.access}:{stored(self.tensor.with_shape(self.whole))}>"

    @property
    def place(self) -> str:
        return f"offsets = {list(self.offsets)}, sizes = {list(self.tensor.shape)}, strides = {list(self.strides)}"

    @property
    def bytes(self) -> int:
        """Bytes of the whole tensor that is bound."""
        return self.tensor.with_shape(self.whole).bytes


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
        return Binding(tensor, owner.whole, owner.offsets, owner.strides, access)
    return Binding(tensor, tensor.shape, (0,) * tensor.rank, (1,) * tensor.rank, access)


def emit_executable(name: str, op: Execute, codelet: func.FuncOp) -> str:
    """The text of the executable of `op` and of all placed vertices that share it."""
    bound = bindings(op)
    writer = CodeletWriter()
    loaded = _load_all(writer, bound)
    values = list(op.operands)
    reads, writes = values[: -op.writes], values[-op.writes :]
    updated = reads.index(writes[0]) if writes[0] in reads else None
    results = lower_codelet(writer, codelet, [loaded[value] for value in reads], updated)
    _store_all(writer, results, writes, dict(bound), [value for value, _ in bound])
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


def _load_all(writer: CodeletWriter, bound: Sequence[tuple[ir.Value, Binding]]) -> dict[ir.Value, Value]:
    """Subspans of all bindings, and the tensors of those that are read."""
    zero = writer.index(0)
    loaded = {}
    for i, (value, binding) in enumerate(bound):
        writer.lines.append(f"%v{i} = stream.binding.subspan %b{i}[{zero}] : !stream.binding -> {binding.type}")
        if binding.access != "writeonly":
            loaded[value] = _load(writer, i, binding)
    return loaded


def _load(writer: CodeletWriter, i: int, binding: Binding) -> Value:
    """The tensor; it is at hand without dimensions of size one, too."""
    value, dense = _load_as(writer, i, binding, binding.tensor), squeezed(binding.tensor)
    return value if dense == binding.tensor else replace(value, squeezed=_load_as(writer, i, binding, dense))


def _load_as(writer: CodeletWriter, i: int, binding: Binding, tensor: Tensor) -> Value:
    memory = stored(tensor)
    value = writer.write(f"iree_tensor_ext.dispatch.tensor.load %v{i}, {binding.place} : {binding.type} -> {memory}", tensor)
    if tensor.dtype != "i1":
        return value
    return writer.write(f"arith.trunci {value.name} : {memory} to {signless(tensor)}", tensor)


def _store_all(
    writer: CodeletWriter,
    results: Sequence[Value],
    targets: Sequence[ir.Value],
    bound: dict[ir.Value, Binding],
    order: Sequence[ir.Value],
) -> None:
    for full, target in zip(results, targets, strict=True):
        result = full.dense or full
        binding, memory, name = bound[target], stored(result.tensor), result.name
        if result.tensor.dtype == "i1":
            name = writer.write(f"arith.extui {name} : {result.type} to {memory}", result.tensor).name
        writer.lines.append(
            f"iree_tensor_ext.dispatch.tensor.store {name}, %v{order.index(target)}, {binding.place} : "
            f"{memory} -> {binding.type}"
        )
