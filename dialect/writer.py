"""Writes the body of a codelet: linalg on tensors, as text, ready for one of IREE's dispatch functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pyipu.dialect.scalars import Scalar, Scalars, literal
from pyipu.dialect.types import Tensor


@dataclass(frozen=True)
class Value:
    """An SSA value of the codelet."""

    name: str
    tensor: Tensor

    @property
    def type(self) -> str:
        return signless(self.tensor)


def signless(tensor: Tensor) -> str:
    """The type as linalg wants it: integers have no sign there, operations do."""
    return str(tensor).replace("ui", "i")


Map = Sequence[str | int]
"""The indices of one operand of a `linalg.generic`: loop names (`d0`), sums of them (`d1 * 2 + d4`), or constants."""


class CodeletWriter:
    """Collects lines of IR; each method writes one operation and returns its result."""

    def __init__(self, configure: Callable[[Tensor, Sequence[str]], str] | None = None) -> None:
        self.lines: list[str] = []
        self._count = 0
        self._scalars: dict[tuple[str, str], str] = {}
        self.head: list[str] = []

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
        return self.write(f"tensor.empty() : {signless(tensor)}", tensor)

    def filled(self, tensor: Tensor, number: float | int | bool) -> Value:
        """A tensor with the same number everywhere, such as the start of a sum."""
        empty = self.empty(tensor)
        scalar = self.scalar(number, tensor.dtype)
        scalar_type = tensor.dtype.replace("ui", "i")
        return self.write(
            f"linalg.fill ins({scalar} : {scalar_type}) outs({empty.name} : {empty.type}) -> {empty.type}", tensor
        )

    def generic(
        self,
        inputs: Sequence[tuple[Value, Map]],
        result: tuple[Value, Map],
        iterators: Sequence[str],
        body: Callable[..., Scalar],
        attributes: str = "",
    ) -> Value:
        """A `linalg.generic`; `body(scalars, *inputs, accumulator)` returns what is yielded.

        `iterators` are "parallel" or "reduction", one per loop `d0`, `d1`, …
        """
        init, _ = result
        scalars = Scalars(self.fresh())
        arguments = [Scalar(f"%a{i}", value.tensor.dtype) for i, (value, _) in enumerate([*inputs, result])]
        yielded = body(scalars, *arguments)
        block = ", ".join(f"{a.name}: {a.type}" for a in arguments)
        ins = f"ins({_listed([value for value, _ in inputs])}) " if inputs else ""
        return self.write(
            f"linalg.generic {{{_maps([m for _, m in [*inputs, result]], len(iterators))}, "
            f"iterator_types = [{', '.join(_quoted(iterators))}]{', ' + attributes if attributes else ''}}} "
            f"{ins}outs({_listed([init])}) {{\n^bb0({block}):\n"
            + "".join(f"  {line}\n" for line in scalars.lines)
            + f"  linalg.yield {yielded.name} : {yielded.type}\n}} -> {init.type}",
            init.tensor,
        )

    def elementwise(self, inputs: Sequence[Value], result: Tensor, body: Callable[..., Scalar]) -> Value:
        """One loop nest over `result`; inputs broadcast to it as in numpy. `body(scalars, *inputs)`."""
        maps = [broadcast_map(value.tensor.shape, result.rank) for value in inputs]
        return self.generic(
            list(zip(inputs, maps, strict=True)),
            (self.empty(result), identity_map(result.rank)),
            ["parallel"] * result.rank,
            lambda scalars, *arguments: body(scalars, *arguments[:-1]),
        )

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """The same elements in row-major order under another shape: collapses, then expands."""
        target = value.tensor.with_shape(tuple(shape))
        if target == value.tensor:
            return value
        flat = self._collapse(value)
        if target.rank == 1:
            return flat
        groups = f"[[{', '.join(str(i) for i in range(target.rank))}]]" if target.rank else "[]"
        sizes = ", ".join(str(size) for size in target.shape)
        return self.write(
            f"tensor.expand_shape {flat.name} {groups} output_shape [{sizes}] : {flat.type} into {signless(target)}",
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


def identity_map(rank: int) -> list[str | int]:
    """Every loop indexes its own dimension."""
    return [f"d{i}" for i in range(rank)]


def broadcast_map(shape: Sequence[int], rank: int) -> list[str | int]:
    """Indices of an operand of `shape` inside a loop nest of `rank`, aligned at the last dimension as in numpy."""
    offset = rank - len(shape)
    return [0 if size == 1 else f"d{offset + i}" for i, size in enumerate(shape)]


def _maps(maps: Sequence[Map], loops: int) -> str:
    domain = ", ".join(f"d{i}" for i in range(loops))
    listed = ", ".join(f"affine_map<({domain}) -> ({', '.join(str(e) for e in indices)})>" for indices in maps)
    return f"indexing_maps = [{listed}]"


def _listed(values: Sequence[Value]) -> str:
    return f"{', '.join(v.name for v in values)} : {', '.join(v.type for v in values)}"


def _quoted(words: Sequence[str]) -> list[str]:
    return [f'"{word}"' for word in words]
