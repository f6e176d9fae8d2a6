"""Writes the placed form of a program: allocations, views, fills and executed codelets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.movement import Pad
from pyipu.dialect.program import Allocate, Border, Execute, Parameter, View
from pyipu.dialect.types import NUMPY_DTYPES, Ref, Tensor, mlir_type, tensor_of
from pyipu.passes.functions import codelets
from pyipu.passes.planning.aliasing import Aliasing, Place, Storage
from pyipu.passes.planning.region import Region


class ProgramWriter:
    """Builds the new main function; values are the numbers of the aliasing plan."""

    def __init__(
        self, module: ir.Module, old: func.FuncOp, values: Sequence[ir.Value], plan: Aliasing, alignment: int
    ) -> None:
        self.module, self.values, self.plan, self.alignment = module, values, plan, alignment
        references = [_reference_type(value) for value in old.regions[0].blocks[0].arguments]
        results = [ir.Type.parse(str(Ref(Tensor.parse(str(type_))))) for type_ in old.type.results]
        with ir.InsertionPoint(module.body), old.location:
            self.function = func.FuncOp(old.name.value, (references, results))
            self.body = self.function.add_entry_block()
        for name in old.attributes:
            if name in ("arg_attrs", "res_attrs") or name.startswith("ipu."):
                self.function.attributes[name] = old.attributes[name]
        self._arguments = len(references)
        self._buffers: dict[int, ir.Value] = {}
        self._views: dict[tuple[int, Region, Tensor], ir.Value] = {}
        self._results: dict[int, int] = {}
        self._last_allocation: Allocate | None = None
        self._codelets = set(codelets(module))

    def mark_results(self, returned: Sequence[int]) -> None:
        """Decides which storages are the returned buffers themselves; other results will be copied into one."""
        self._results = self.plan.results(returned)

    def view(self, value: int) -> ir.Value:
        """The reference to a value's region of its storage."""
        with self._location(value):
            return self._least_view(self.plan.storage_of[value], self.plan.region(value))

    def _location(self, value: int) -> ir.Location:
        """A view has the location of the value that it shows, so that a placed program says what lies in a buffer."""
        source = self.values[value]
        return ir.Location.unknown() if isinstance(source, ir.BlockArgument) else source.owner.location

    def _least_view(self, number: int, region: Region) -> ir.Value:
        """Bound to no more rows than it needs, so that equal strips share an executable."""
        itemsize = NUMPY_DTYPES[self.plan.storages[number].dtype].itemsize
        return self._view(number, region.rebased(self.alignment // itemsize))

    def _view(self, number: int, region: Region) -> ir.Value:
        """A new view has the current location."""
        storage = self.plan.storages[number]
        tensor = Tensor(region.sizes, storage.dtype)
        key = (number, region, tensor)
        if key not in self._views:
            self._views[key] = self._new_view(number, storage, region, tensor)
        return self._views[key]

    def _new_view(self, number: int, storage: Storage, region: Region, tensor: Tensor) -> ir.Value:
        base = self._buffers.get(number) or self._base(number, storage)
        self._buffers[number] = base
        if storage.read_only and region == Region.all_of(storage.shape):
            return base
        return View.create(
            base,
            start=region.start * tensor.numpy_dtype.itemsize,
            whole=region.whole,
            offsets=region.offsets,
            strides=region.strides,
            tensor=tensor,
        ).result

    def _base(self, number: int, storage: Storage) -> ir.Value:
        """What holds a storage: an argument, a parameter, or a new buffer."""
        if not storage.read_only:
            space = "result" if number in self._results else "arena"
            return self._allocate(space, storage.shape, storage.dtype)
        value = next(v for v, region in storage.members.items() if v < len(self.values) and _is_source(self.values[v]))
        if isinstance(self.values[value], ir.BlockArgument):
            return self.body.arguments[value]
        owner = self.values[value].owner
        type_ = Ref(tensor_of(owner.results[0]))
        return Parameter.create(key=owner.key, results=[type_], location=owner.location).result

    def _allocate(self, space: str, shape: tuple[int, ...], dtype: str) -> ir.Value:
        size = math.prod(shape) * NUMPY_DTYPES[dtype].itemsize
        with self._after_allocations():
            allocation = Allocate.create(space=space, size=size)
        self._last_allocation = allocation
        return allocation.result

    def _after_allocations(self) -> ir.InsertionPoint:
        """Allocations stand together at the head, in the order in which they are needed."""
        if self._last_allocation is None:
            return ir.InsertionPoint.at_block_begin(self.body)
        return ir.InsertionPoint.after(self._last_allocation.operation)

    def border(self, value: int, place: Place, pad: Pad) -> None:
        """Writes around `place` inside of a padded tensor."""
        number = self.plan.storage_of[value]
        padded = self.plan.storages[number].members[value]
        inside = padded.slice(*place)
        with pad.location:
            Border.create(self._view(number, padded), self._view(number, inside), value=pad.value)

    def execute(self, codelet: str, reads: Sequence[int], results: Sequence[int], location: ir.Location) -> None:
        operands = [*map(self.view, reads), *map(self.view, results)]
        Execute.create(*operands, codelet=Symbol(codelet), writes=len(results), location=location)

    def copy(
        self,
        source: int,
        result: int,
        place: Place | None,
        location: ir.Location,
    ) -> None:
        """Copies a value into its place inside `result`, or to all of it, under the result's shape, without one."""
        read = self.view(source)
        with location:
            self._copy(read, self._copied(source, result, place))

    def _copied(self, source: int, result: int, place: Place | None) -> ir.Value:
        """Where a copy of `source` goes."""
        number, region = self.plan.storage_of[result], self.plan.region(result)
        if place is not None:
            return self._least_view(number, region.slice(*place))
        shape = tensor_of(self.values[source]).shape
        if shape == region.sizes:
            return self._least_view(number, region)
        viewed = region.reshape(shape)
        assert viewed is not None
        return self._view(number, viewed)

    def _copy(self, source: ir.Value, target: ir.Value) -> None:
        codelet = self._copy_codelet(tensor_of(source))
        Execute.create(source, target, codelet=Symbol(codelet), writes=1)

    def _copy_codelet(self, tensor: Tensor) -> str:
        """The name of the codelet that returns its operand; made when the module has none for this type."""
        name = f"copy_{'x'.join(str(size) for size in tensor.shape)}_{tensor.dtype}"
        if name not in self._codelets:
            self._codelets.add(name)
            _write_copy_codelet(self.module, name, mlir_type(tensor))
        return name

    def finish(self, returned: Sequence[int]) -> None:
        """Copies what is not in a returned buffer yet, and returns."""
        func.ReturnOp([self._returned(position, value) for position, value in enumerate(returned)])

    def _returned(self, position: int, value: int) -> ir.Value:
        if self._results.get(self.plan.storage_of[value]) == position:
            return self.view(value)
        tensor = tensor_of(self.values[value])
        buffer = self._allocate("result", tensor.shape, tensor.dtype)
        zeros, ones = (0,) * tensor.rank, (1,) * tensor.rank
        target = View.create(buffer, start=0, whole=tensor.shape, offsets=zeros, strides=ones, tensor=tensor).result
        self._copy(self.view(value), target)
        return target


def _reference_type(value: ir.Value) -> ir.Type:
    return mlir_type(Ref(tensor_of(value)))


def _is_source(value: ir.Value) -> bool:
    return isinstance(value, ir.BlockArgument) or isinstance(value.owner, Parameter)


def _write_copy_codelet(module: ir.Module, name: str, type_: ir.Type) -> None:
    with ir.InsertionPoint(module.body), ir.Location.unknown():
        codelet = func.FuncOp(name, ([type_], [type_]), visibility="private")
        with ir.InsertionPoint(codelet.add_entry_block()):
            func.ReturnOp([codelet.arguments[0]])
