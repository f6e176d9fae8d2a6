"""Loops in a codelet that carry tensors from turn to turn, and the parts of tensors that a turn reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyipu.dialect.writer import CodeletWriter, Value, signless

Offset = int | str
"""A number, or the SSA name of an index."""

Turn = Callable[..., Sequence[Value]]
"""From the SSA name of the turn's number and what is carried to what is carried on; types stay the same."""


def loop(writer: CodeletWriter, count: int, carried: Sequence[Value], turn: Turn) -> list[Value]:
    """`count` turns one after the other; returns what the last one hands on."""
    name, number = writer.fresh().replace("%", "%loop"), writer.fresh().replace("%", "%turn")
    inside = [Value(f"{name}_{i}", value.tensor) for i, value in enumerate(carried)]
    pairs = ", ".join(f"{inner.name} = {outer.name}" for inner, outer in zip(inside, carried, strict=True))
    types = ", ".join(value.type for value in carried)
    bounds = f"{writer.index(0)} to {writer.index(count)} step {writer.index(1)}"
    writer.lines.append(
        f"{name}:{len(carried)} = scf.for {number} = {bounds} iter_args({pairs}) -> ({types}) {{",
    )
    handed = turn(number, *inside)
    writer.lines += [f"scf.yield {', '.join(value.name for value in handed)} : {types}", "}"]
    return [Value(f"{name}#{i}", value.tensor) for i, value in enumerate(carried)]


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
