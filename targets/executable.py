"""Emits `stream.executable`s: bindings are loaded through their views, a codelet is lowered, results are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from iree.compiler.dialects import func

from pyipu.cache import digest
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.writer import CodeletWriter, Shape, Value, signless
from pyipu.errors import TuningError
from pyipu.targets.binding import Binding, Interface, Passed, joined, stored
from pyipu.targets.codelet import lower_codelet
from pyipu.targets.depthwise import depthwise_kernel
from pyipu.targets.paired import paired_kernel
from pyipu.targets.shuffled import shuffled_kernel
from pyipu.targets.tiles import TiledNest, Tiling
from pyipu.targets.transposition import transposition_kernel

ALIGNMENT = 64
"""Bytes at which every binding starts; the code generator may rely on it."""


_BY_THE_CODE_GENERATOR = "%x, %y, %z = iree_tensor_ext.dispatch.workgroup_count_from_slice()"

_AS_IT_IS = "attributes {translation_info = #iree_codegen.translation_info<pipeline = #iree_codegen.no_pipeline>} "
"""Loops that are written out are neither tiled nor made vectors of by IREE."""

_KERNELS = (paired_kernel, depthwise_kernel, shuffled_kernel, transposition_kernel)
"""What writes codelets out as loops over vectors, each of one kind; None where it leaves one to IREE."""


@dataclass(frozen=True)
class Function:
    """What placed vertices share: its name, what computes how many workgroups it has, and its text."""

    name: str
    workgroups: str
    text: str
    nest: TiledNest | None = None
    """The loop nest that can be tiled otherwise, if there is one, and only one."""

    @property
    def key(self) -> str:
        """Names all that it does, and how; equal functions of other programs have the same key."""
        return digest(self.text.replace(_head(self.name), _head(""), 1))

    def tiled(self, tiling: Tiling, name: str = "") -> Function:
        """The same work in other tiles, under another name if one is given.

        Raises:
            TuningError: the loop nest cannot be tiled so.
        """
        nest = replace(self.nest, tiling=tiling) if self.nest else None
        if self.nest is None or nest is None or not nest.fits:
            raise TuningError(f"{tiling} do not fit the loops of {self.name}; delete the file that they are from")
        renamed = self.text.replace(_head(self.name), _head(name or self.name), 1)
        text = renamed.replace(self.nest.tiling.attribute, tiling.attribute)
        return Function(name or self.name, self.workgroups, text, nest)


def emit_function(
    name: str,
    interface: Interface,
    codelet: func.FuncOp,
    tiles: Tiles | None = None,
    learned: Mapping[str, Tiling] | None = None,
) -> Function:
    """The function that placed vertices share; `tiles` are the target's.

    `learned` are better ones, by the keys of functions in the target's tiles.
    """
    nests: list[TiledNest] = []
    tiles = (tiles or Tiles()).noting(nests.append)
    kernels = (write(interface, codelet, tiles) for write in _KERNELS)
    kernel = next((kernel for kernel in kernels if kernel is not None), None)
    if kernel is None:
        text = _text(name, interface, "", _lowered(interface, codelet, tiles))
        function = Function(name, _BY_THE_CODE_GENERATOR, text, nests[0] if len(nests) == 1 else None)
        better = learned.get(function.key) if learned and function.nest else None
        return function.tiled(better) if better else function
    counts = zip("xyz", (*kernel.workgroups, 1), strict=True)
    workgroups = "\n".join(f"%{dimension} = arith.constant {count} : index" for dimension, count in counts)
    return Function(name, workgroups, _text(name, interface, _AS_IT_IS, kernel.lines))


def _text(name: str, interface: Interface, attributes: str, lines: Sequence[str]) -> str:
    """`lines` are what one workgroup does."""
    bindings = range(len(interface.bindings))
    arguments = [f"%b{i}: !stream.binding {{stream.alignment = {ALIGNMENT} : index}}" for i in bindings]
    arguments += [f"%passed{i}: i32" for i in range(len(interface.places))]
    body = "\n".join(lines)
    return f"{_head(name)}{', '.join(arguments)}) {attributes}{{\n{body}\nreturn\n}}\n"


def _head(name: str) -> str:
    return f"func.func @{name}("


def emit_executable(name: str, functions: Sequence[Function]) -> str:
    """The text of an executable that holds functions."""
    exports = "".join(
        f"""stream.executable.export public @{function.name} workgroups() -> (index, index, index) {{
  {function.workgroups}
  stream.return %x, %y, %z : index, index, index
}}
"""
        for function in functions
    )
    bodies = "".join(function.text for function in functions)
    return f"stream.executable private @{name} {{\n{exports}builtin.module {{\n{bodies}}}\n}}\n"


def _lowered(interface: Interface, codelet: func.FuncOp, tiles: Tiles) -> list[str]:
    """The codelet over tensors, for IREE's code generator."""
    writer, op = CodeletWriter(tiles), interface.vertex
    memory = {value: _Memory(writer, i, binding) for i, (value, binding) in enumerate(interface.bindings.items())}
    values = list(op.operands)
    reads, writes = values[: -op.writes], values[-op.writes :]
    updated = reads.index(writes[0]) if writes[0] in reads else None
    results = lower_codelet(writer, codelet, [memory[value].load() for value in reads], updated)
    for result, target in zip(results, writes, strict=True):
        memory[target].store(result)
    return [*writer.head, *writer.lines]


class _Memory:
    """What an executable reads from one binding and writes to it."""

    def __init__(self, writer: CodeletWriter, number: int, binding: Binding) -> None:
        self._writer, self._number, self._binding = writer, number, binding
        self._subspans: dict[str, str] = {}
        self._offsets: set[Passed] = set()

    def load(self) -> Value:
        """The tensor; it is at hand under every other shape that a strided slice of the buffer has."""
        return self._load(self._binding)

    def _load_under(self, shape: Shape) -> Value | None:
        binding = self._binding.under(shape)
        return self._load(binding) if binding else None

    def _load(self, binding: Binding) -> Value:
        self._write_offsets(binding)
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
        self._write_offsets(binding)
        memory, name = stored(value.tensor), value.name
        if value.tensor.dtype == "i1":
            name = self._writer.write(f"arith.extui {name} : {value.type} to {memory}", value.tensor).name
        self._writer.lines.append(
            f"iree_tensor_ext.dispatch.tensor.store {name}, {self._subspan(binding)}, {binding.place} : "
            f"{memory} -> {binding.type}"
        )

    def _write_offsets(self, binding: Binding) -> None:
        """What dispatches pass, in elements: code generators see what it is a multiple of."""
        for offset in binding.offsets:
            if isinstance(offset, Passed) and offset not in self._offsets:
                self._offsets.add(offset)
                units = self._writer.fresh()
                self._writer.lines += [
                    f"{units} = arith.index_castui %passed{offset.number} : i32 to index",
                    f"{offset} = arith.muli {units}, {self._writer.index(offset.unit)} : index",
                ]

    def _stored_form(self, result: Value) -> tuple[Value, Binding]:
        forms = [result.at(joined(result.nest)) if result.nest else None, result.dense]
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
