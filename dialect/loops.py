"""Loops in a codelet that carry values from turn to turn, and the parts of tensors that a turn reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.writer import CodeletWriter, Value, signless

Offset = int | str
"""A number, or the SSA name of an index."""


@dataclass(frozen=True)
class Filling:
    """The SSA tensor of a part that is being filled, as it is by now; its sizes may be known only when it runs."""

    name: str
    type: str


Carried = TypeVar("Carried", Scalar, Value, Filling)
"""What a loop hands from turn to turn: vectors in registers, tensors, parts of one."""

Turn = Callable[..., Sequence[Value]]
"""From the SSA name of the turn's number and what is carried to what is carried on; types stay the same."""


def counted(
    writer: CodeletWriter,
    bounds: Sequence[str],
    carried: Sequence[Carried],
    turn: Callable[[str, Sequence[Carried]], Sequence[Carried]],
) -> list[Carried]:
    """A loop from the first to before the second of three SSA indices, by the third; returns what the last turn does.

    `turn(number, carried)` returns what is carried on, of the same types.
    """
    name, number = (writer.fresh().replace("%", f"%{word}") for word in ("loop", "turn"))
    inside, after = ([replace(value, name=f"{name}{kind}{i}") for i, value in enumerate(carried)] for kind in "_#")
    pairs = ", ".join(f"{inner.name} = {outer.name}" for inner, outer in zip(inside, carried, strict=True))
    types = ", ".join(value.type for value in carried)
    iterated = f" iter_args({pairs}) -> ({types})" if carried else ""
    head = f"scf.for {number} = {bounds[0]} to {bounds[1]} step {bounds[2]}{iterated} {{"
    writer.lines.append(f"{name}:{len(carried)} = {head}" if carried else head)
    handed = turn(number, inside)
    writer.lines.append(f"scf.yield {', '.join(value.name for value in handed)} : {types}" if carried else "scf.yield")
    writer.lines.append("}")
    return after


def loop(writer: CodeletWriter, count: int, carried: Sequence[Value], turn: Turn) -> list[Value]:
    """`count` turns one after the other; returns what the last one hands on."""
    bounds = [writer.index(number) for number in (0, count, 1)]
    tensors = [Value(value.name, value.tensor) for value in carried]
    return counted(writer, bounds, tensors, lambda number, inside: turn(number, *inside))


def apart(writer: CodeletWriter, whole: Value, axis: int, turn: Turn) -> Value:
    """One turn for each element along `axis` of a tensor, from its part of the tensor to what replaces that.

    The turns are in workgroups of their own if the target has a word for those; else one follows the other.
    """
    shape = whole.tensor.shape
    sizes = [1 if i == axis else size for i, size in enumerate(shape)]

    def place(number: str) -> list[Offset]:
        return [number if i == axis else 0 for i in range(len(shape))]

    def part(number: str, outer: Value) -> Value:
        (replaced,) = turn(number, read_part(writer, outer, place(number), sizes, sizes))
        return replaced

    if writer.tiles.workgroup:
        return _in_workgroups(writer, whole, shape[axis], lambda number: _place(place(number), sizes), part)
    return loop(
        writer,
        shape[axis],
        [whole],
        lambda number, outer: [write_part(writer, part(number, outer), outer, place(number), sizes)],
    )[0]


def _in_workgroups(
    writer: CodeletWriter,
    whole: Value,
    count: int,
    place: Callable[[str], str],
    part: Callable[[str, Value], Value],
) -> Value:
    """An `scf.forall`, which puts the part of each turn into its place."""
    name, number = writer.fresh().replace("%", "%apart"), writer.fresh().replace("%", "%turn")
    outer = Value(f"{name}_0", whole.tensor)
    head = f"{name} = scf.forall ({number}) in ({count}) shared_outs({outer.name} = {whole.name}) -> ({whole.type}) {{"
    writer.lines.append(head)
    replaced = part(number, outer)
    writer.lines += [
        f"scf.forall.in_parallel {{ tensor.parallel_insert_slice {replaced.name} into {outer.name}"
        f"{place(number)} : {replaced.type} into {outer.type} }}",
        f"}} {{{writer.tiles.workgroup}}}",
    ]
    return Value(name, whole.tensor)


def read_part(
    writer: CodeletWriter, whole: Value, offsets: Sequence[Offset], sizes: Sequence[int], shape: Sequence[int]
) -> Value:
    """A part of a tensor; its `shape` is `sizes`, perhaps without dimensions of size one."""
    memory, part = whole.in_memory, whole.in_memory.with_shape(tuple(shape))
    text = f"tensor.extract_slice {whole.name}{_place(offsets, sizes)} : {signless(memory)} to {signless(part)}"
    return writer.write(text, part).read_as(whole.tensor.dtype)


def write_part(
    writer: CodeletWriter, part: Value, whole: Value, offsets: Sequence[Offset], sizes: Sequence[int]
) -> Value:
    """The whole tensor with a part of it replaced."""
    text = f"tensor.insert_slice {part.name} into {whole.name}{_place(offsets, sizes)} : {part.type} into {whole.type}"
    return writer.write(text, whole.tensor)


def _place(offsets: Sequence[Offset], sizes: Sequence[int]) -> str:
    return f"[{', '.join(map(str, offsets))}] {list(sizes)} {[1] * len(sizes)}"
