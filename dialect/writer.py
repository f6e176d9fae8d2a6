"""Writes the body of a codelet: linalg on tensors, as text, ready for one of IREE's dispatch functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pyipu.dialect.scalars import Scalar, Scalars, literal
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import Tensor

Shape = tuple[int, ...]
Nest = tuple[Shape, ...]
"""For each dimension of a tensor, the loops that it was computed with: () for one of size one, (8, 32) for 256."""


@dataclass(frozen=True)
class Value:
    """An SSA value of the codelet.

    A reshape in the middle of a codelet hinders the code generator, so a value may be at hand under other shapes:
    `under(shape)` is the same elements in row-major order, loaded, filled or computed under that shape, or None.
    `nest` says that it was computed in other loops than its dimensions; an epilogue is best computed in the same ones.
    `stored` is the element type in memory where that is not the one to compute with: who reads an element extends it.
    """

    name: str
    tensor: Tensor
    under: Callable[[Shape], Value | None] | None = field(default=None, compare=False)
    nest: Nest | None = None
    stored: str | None = None

    @property
    def type(self) -> str:
        return signless(self.in_memory)

    @property
    def in_memory(self) -> Tensor:
        return self.tensor.with_dtype(self.stored or self.tensor.dtype)

    def read_as(self, dtype: str) -> Value:
        """The same elements in memory, to be computed with as `dtype`."""
        stored = self.in_memory.dtype
        here = replace(self, tensor=self.tensor.with_dtype(dtype), stored=stored if stored != dtype else None)
        return replace(here, under=lambda shape: at.read_as(dtype) if (at := self.at(shape)) else None)

    @property
    def dense(self) -> Value | None:
        """This value without dimensions of size one; None when that is not at hand."""
        return self.at(squeezed(self.tensor).shape)

    def at(self, shape: Shape) -> Value | None:
        """This value under another shape; None when that is not at hand."""
        if shape == self.tensor.shape:
            return self
        return self.under(shape) if self.under else None


def signless(tensor: Tensor) -> str:
    """The type as linalg wants it: integers have no sign there, operations do."""
    return str(tensor).replace("ui", "i")


@dataclass(frozen=True)
class Epilogue:
    """Element-wise operations on what an op computes: `body(scalars, element, *operands)`; operands broadcast."""

    operands: tuple[Value, ...]
    result: Tensor
    body: Callable[..., Scalar]


Map = Sequence[str | int]
"""The indices of one operand of a `linalg.generic`: loop names (`d0`), sums of them (`d1 * 2 + d4`), or constants."""


class CodeletWriter:
    """Collects lines of IR; each method writes one operation and returns its result."""

    def __init__(self, tiles: Tiles | None = None) -> None:
        self.tiles = tiles or Tiles()
        self.lines: list[str] = []
        self._count = 0
        self._scalars: dict[tuple[str, str], str] = {}
        self.head: list[str] = []
        self.start: Value | None = None
        self.scale: Value | None = None
        self.epilogue: Epilogue | None = None

    def fresh(self) -> str:
        self._count += 1
        return f"%{self._count}"

    def write(self, operation: str, tensor: Tensor) -> Value:
        """Appends `%n = operation` and returns `%n` as a value of type `tensor`."""
        value = Value(self.fresh().replace("%", "%t"), tensor)
        self.lines.append(f"{value.name} = {operation}")
        return value

    def scalar(self, number: float | int | bool, dtype: str) -> str:
        """The SSA name of a scalar constant; equal ones are written once, at the head."""
        key = (literal(number, dtype), dtype)
        if key not in self._scalars:
            self._scalars[key] = f"%c{len(self._scalars)}"
            self.head.append(f"{self._scalars[key]} = arith.constant {key[0]} : {dtype.replace('ui', 'i')}")
        return self._scalars[key]

    def constant(self, array: np.ndarray) -> Value:
        """A small tensor whose elements stand in the IR."""
        tensor = Tensor.of(array)
        items = ", ".join(literal(item, tensor.dtype) for item in array.reshape(-1).tolist())
        flat = self.write(
            f"arith.constant dense<[{items}]> : {signless(tensor.with_shape((array.size,)))}",
            tensor.with_shape((array.size,)),
        )
        return self.reshape(flat, array.shape)

    def index(self, number: int) -> str:
        return self.scalar(number, "index")

    def empty(self, tensor: Tensor) -> Value:
        """A tensor whose elements will all be written."""
        value = self.write(f"tensor.empty() : {signless(tensor)}", tensor)
        return replace(value, under=lambda shape: self.empty(tensor.with_shape(shape)))

    def filled(self, tensor: Tensor, number: float | int | bool) -> Value:
        """A tensor with the same number everywhere, such as the start of a sum."""
        empty, scalar = self.empty(tensor), self.scalar(number, tensor.dtype)
        scalar_type = tensor.dtype.replace("ui", "i")
        value = self.write(
            f"linalg.fill ins({scalar} : {scalar_type}) outs({empty.name} : {empty.type}) -> {empty.type}", tensor
        )
        return replace(value, under=lambda shape: self.filled(tensor.with_shape(shape), number))

    def accumulator(self, tensor: Tensor) -> Value:
        """Where a sum of products starts: zeros, or the tensor that it is added to in place.

        If the sum will be multiplied by a scale of each channel, that tensor is divided by it before.
        """
        if self.start is None:
            return self.filled(tensor, 0)
        start = self.reshape(self.start, tensor.shape)
        if self.scale is None:
            return start
        channels = next(i for i in range(tensor.rank) if math.prod(tensor.shape[i:]) == self.scale.tensor.elements)
        scale = self.reshape(self.scale, tensor.shape[channels:])
        return self._elementwise([start, scale], tensor, lambda scalars, x, step: scalars.divide(x, step))

    def generic(
        self,
        inputs: Sequence[tuple[Value, Map]],
        result: tuple[Value, Map],
        iterators: Sequence[str],
        body: Callable[..., Scalar],
        attributes: str = "",
        squeeze: bool = True,
    ) -> Value:
        """A `linalg.generic`; `body(scalars, *inputs, accumulator)` returns what is yielded.

        `iterators` are "parallel" or "reduction", one per loop `d0`, `d1`, … Loops that run once are left out when all
        operands are at hand without dimensions of size one; `squeeze=False` keeps them.
        """
        operands = [*inputs, result]
        dense = [value.dense for value, _ in operands] if squeeze else [None]
        if any(value is None for value in dense) or all(1 not in value.tensor.shape for value, _ in operands):
            return self._generic(operands, iterators, body, attributes)
        loops = _LoopsThatRepeat.of(operands, len(iterators))
        pairs = zip(dense, operands, strict=True)
        kept = [(value, loops.indices(original, indices)) for value, (original, indices) in pairs if value]
        value = self._generic(kept, [iterators[i] for i in loops.kept], body, attributes)
        return self.unsqueeze(value, result[0].tensor)

    def _generic(
        self, operands: Sequence[tuple[Value, Map]], iterators: Sequence[str], body: Callable[..., Scalar], more: str
    ) -> Value:
        *inputs, (init, _) = operands
        scalars = Scalars(self.fresh())
        arguments = [Scalar(f"%a{i}", value.in_memory.dtype) for i, (value, _) in enumerate(operands)]
        read = [scalars.cast(a, value.tensor.dtype) for a, (value, _) in zip(arguments, operands, strict=True)]
        yielded = body(scalars, *read)
        block = ", ".join(f"{a.name}: {a.type}" for a in arguments)
        ins = f"ins({_listed([value for value, _ in inputs])}) " if inputs else ""
        return self.write(
            f"linalg.generic {{{_maps([m for _, m in operands], len(iterators))}, "
            f"iterator_types = [{', '.join(_quoted(iterators))}]{', ' + more if more else ''}}} "
            f"{ins}outs({_listed([init])}) {{\n^bb0({block}):\n"
            + "".join(f"  {line}\n" for line in scalars.lines)
            + f"  linalg.yield {yielded.name} : {yielded.type}\n}} -> {init.type}",
            init.tensor,
        )

    def unsqueeze(self, dense: Value, tensor: Tensor) -> Value:
        """The value with its dimensions of size one back; the dense one stays at hand."""
        if dense.tensor == tensor:
            return dense
        groups, sizes = _unit_groups(tensor), ", ".join(str(size) for size in tensor.shape)
        value = self.write(
            f"tensor.expand_shape {dense.name} {groups} output_shape [{sizes}] : {dense.type} into {signless(tensor)}",
            tensor,
        )
        return replace(value, under=dense.at)

    def folded(self, value: Value, nest: Nest) -> Value:
        """The tensor that was computed as `value` in the loops of `nest`; it stays at hand as it was computed."""
        tensor = value.tensor.with_shape([math.prod(group) for group in nest])
        return replace(self.unsqueeze(self._merged(value, [group for group in nest if group]), tensor), nest=nest)

    def _merged(self, value: Value, groups: Sequence[Shape]) -> Value:
        """One dimension for each group of dimensions that follow each other."""
        merged = value.tensor.with_shape([math.prod(group) for group in groups])
        if merged == value.tensor:
            return value
        numbers = iter(range(value.tensor.rank))
        listed = [[next(numbers) for _ in group] for group in groups]
        text = f"tensor.collapse_shape {value.name} {listed} : {value.type} into {signless(merged)}"
        return replace(self.write(text, merged), under=value.at)

    def elementwise(
        self, inputs: Sequence[Value], result: Tensor, body: Callable[..., Scalar], tiles: str = ""
    ) -> Value:
        """One loop nest over `result`; inputs broadcast to it as in numpy. `body(scalars, *inputs)`.

        What follows a value that was computed in a nest of its own runs in the same nest; `tiles` are for one that
        follows nothing.
        """
        nest = next((value.nest for value in inputs if value.nest and value.tensor.shape == result.shape), None)
        if nest is None:
            return self._elementwise(inputs, result, body, tiles)
        views = [self.reshape(value, _in_nest(value.tensor.shape, nest)) for value in inputs]
        loops = result.with_shape(_in_nest(result.shape, nest))
        return self.folded(self._elementwise(views, loops, body), nest)

    def _elementwise(
        self, inputs: Sequence[Value], result: Tensor, body: Callable[..., Scalar], tiles: str = ""
    ) -> Value:
        maps = [broadcast_map(value.tensor.shape, result.shape) for value in inputs]
        return self.generic(
            list(zip(inputs, maps, strict=True)),
            (self.empty(result), identity_map(result.rank)),
            ["parallel"] * result.rank,
            lambda scalars, *arguments: body(scalars, *arguments[:-1]),
            tiles,
            squeeze=not tiles,
        )

    def cast(self, value: Value, dtype: str) -> Value:
        """The same numbers in another element type."""
        return self.elementwise([value], value.tensor.with_dtype(dtype), lambda scalars, x: scalars.cast(x, dtype))

    def widened(self, value: Value) -> Value:
        """The value as a tensor of the type that it is computed with, for an operation that cannot extend elements."""
        return self.cast(value, value.tensor.dtype) if value.stored else value

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """The same elements in row-major order under another shape: as it is at hand, or collapsed and expanded."""
        target = value.in_memory.with_shape(tuple(shape))
        at_hand = value.at(target.shape)
        if at_hand is not None:
            return at_hand
        if value.stored:
            return self.reshape(value.read_as(value.stored), shape).read_as(value.tensor.dtype)
        flat = self._collapse(value)
        if target.rank == 0:
            return self.write(f"tensor.collapse_shape {flat.name} [] : {flat.type} into {signless(target)}", target)
        return flat if target.rank == 1 else self._expand(flat, target)

    def _expand(self, flat: Value, target: Tensor) -> Value:
        group = ", ".join(str(i) for i in range(target.rank))
        sizes = ", ".join(str(size) for size in target.shape)
        return self.write(
            f"tensor.expand_shape {flat.name} [[{group}]] output_shape [{sizes}] : {flat.type} into {signless(target)}",
            target,
        )

    def _collapse(self, value: Value) -> Value:
        if value.tensor.rank == 1:
            return value
        flat = value.tensor.with_shape((value.tensor.elements,))
        if value.tensor.rank == 0:
            return self.write(
                f"tensor.expand_shape {value.name} [] output_shape [1] : {value.type} into {signless(flat)}", flat
            )
        group = ", ".join(str(i) for i in range(value.tensor.rank))
        return self.write(f"tensor.collapse_shape {value.name} [[{group}]] : {value.type} into {signless(flat)}", flat)


@dataclass(frozen=True)
class _LoopsThatRepeat:
    """Which loops of a nest run more than once, and the nest's maps without the others."""

    kept: tuple[int, ...]

    @staticmethod
    def of(operands: Sequence[tuple[Value, Map]], loops: int) -> _LoopsThatRepeat:
        pairs = [(e, size) for value, indices in operands for e, size in zip(indices, value.tensor.shape, strict=True)]
        extents = {str(e): size for e, size in pairs if str(e).isalnum()}
        return _LoopsThatRepeat(tuple(i for i in range(loops) if extents.get(f"d{i}") != 1))

    def indices(self, original: Value, indices: Map) -> list[str | int]:
        """The map of an operand whose dimensions of size one are gone."""
        pairs = zip(indices, original.tensor.shape, strict=True)
        return [self._renamed(str(index)) for index, size in pairs if size != 1]

    def _renamed(self, index: str) -> str:
        """Loops get their new numbers; one that runs once is zero."""
        names = {f"d{old}": f"d{new}" for new, old in enumerate(self.kept)}
        return re.sub(r"d\d+", lambda match: names.get(match[0], "0"), index)


def squeezed(tensor: Tensor) -> Tensor:
    """The type without dimensions of size one."""
    return tensor.with_shape([size for size in tensor.shape if size != 1])


def _unit_groups(tensor: Tensor) -> str:
    """Reassociation from the squeezed to the full shape: units go with the next larger dimension, or the last one."""
    groups: list[list[int]] = [[]]
    for i, size in enumerate(tensor.shape):
        groups[-1].append(i)
        if size != 1:
            groups.append([])
    rest = groups.pop()
    if groups:
        groups[-1] += rest
    return str(groups)


def _in_nest(shape: Shape, nest: Nest) -> Shape:
    """The shape of an operand that broadcasts to the tensor of `nest`, in the nest's loops."""
    groups = zip(shape, nest[len(nest) - len(shape) :], strict=True)
    return tuple(loop for size, group in groups for loop in (group if size == math.prod(group) else [1] * len(group)))


def identity_map(rank: int) -> list[str | int]:
    """Every loop indexes its own dimension."""
    return [f"d{i}" for i in range(rank)]


def broadcast_map(shape: Sequence[int], result: Sequence[int]) -> list[str | int]:
    """Indices of an operand of `shape` in a loop nest over `result`, aligned at the last dimension as in numpy.

    A dimension of size one stays an index where the loop is of size one, too: the code generator fuses by such maps.
    """
    offset = len(result) - len(shape)
    return [0 if size == 1 != result[offset + i] else f"d{offset + i}" for i, size in enumerate(shape)]


def _maps(maps: Sequence[Map], loops: int) -> str:
    domain = ", ".join(f"d{i}" for i in range(loops))
    listed = ", ".join(f"affine_map<({domain}) -> ({', '.join(str(e) for e in indices)})>" for indices in maps)
    return f"indexing_maps = [{listed}]"


def _listed(values: Sequence[Value]) -> str:
    return f"{', '.join(v.name for v in values)} : {', '.join(v.type for v in values)}"


def _quoted(words: Sequence[str]) -> list[str]:
    return [f'"{word}"' for word in words]
