"""Computes only what is read: where all users of a tensor take the same strided part of it, that part moves up.

A 1x1 convolution with stride 2 reads every other row and column; so does everything between it and the last window
that mixes positions, and that one takes the stride. Every number that is still computed is the same as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.movement import Slice
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv, Pool
from pyipu.passes.base import Pass
from pyipu.passes.folding import is_known
from pyipu.passes.rules.rewriting import (
    Rules,
    apply_rules,
    build,
    has_one_use,
    merge_equal_ops,
    producer,
    shape_of,
    users,
)
from pyipu.passes.session import Session


@dataclass(frozen=True)
class Demand(Pass):
    """Moves slices towards the inputs, so that what nobody reads is not computed."""

    NAME: ClassVar[str] = "ipu-demand"

    def run(self, module: ir.Module, session: Session) -> None:
        apply_rules(module, _EXPOSE, session)
        merge_equal_ops(module)
        apply_rules(module, _PUSH, session)
        merge_equal_ops(module)
        apply_rules(module, _ABSORB, session)


def expose_stride(op: Conv, session: Session) -> ir.Value | None:
    """A pointwise convolution with strides reads a strided slice, if that is worth pushing: nobody reads the rest."""
    if set(shape_of(op.operands[1])[:-2]) != {1} or set(op.strides) == {1} or is_known(op.operands[0]):
        return None
    if not all(_is_strided_alike(user, op) for user in users(op.operands[0])):
        return None
    part = _strided(op.operands[0], op.strides, op.result, session)
    return build(Conv, session, part, op.operands[1], **{**op.values, "strides": (1,) * len(op.strides)})


def _is_strided_alike(user: ir.OpView, op: Conv) -> bool:
    """Reads the same positions as `op` does: a pointwise convolution with its strides, or the slice made from one."""
    if isinstance(user, Slice):
        return user.strides[1:-1] == op.strides and user.sizes[1:-1] == shape_of(op.result)[1:-1]
    pointwise = isinstance(user, Conv) and set(shape_of(user.operands[1])[:-2]) == {1}
    return pointwise and user.operands[0] == op.operands[0] and user.strides == op.strides


def _strided(value: ir.Value, strides: tuple[int, ...], like: ir.Value, session: Session) -> ir.Value:
    """Every `strides`-th position, as many as `like` has."""
    shape = shape_of(value)
    sizes = (shape[0], *shape_of(like)[1:-1], shape[-1])
    return build(Slice, session, value, offsets=(0,) * len(shape), sizes=sizes, strides=(1, *strides, 1))


def push_through_elementwise(op: Slice, session: Session) -> ir.Value | None:
    """slice(f(a, b)) is f(slice(a), slice(b)) when nobody else reads f's result."""
    source = producer(op.operands[0], Elementwise)
    if source is None or not has_one_use(source.results[0]):
        return None
    parts = [_part(value, op, session) for value in source.operands]
    return build(type(source), session, *parts, **source.values)


def _part(value: ir.Value, op: Slice, session: Session) -> ir.Value:
    """The slice of an operand that broadcasts to what `op` slices: dimensions of size one stay."""
    shape = shape_of(value)
    missing = len(op.sizes) - len(shape)
    repeats = [size == 1 for size in shape]
    offsets, sizes, strides = (
        tuple(default if one else given for one, given in zip(repeats, items[missing:], strict=True))
        for items, default in ((op.offsets, 0), (op.sizes, 1), (op.strides, 1))
    )
    if all(repeats):
        return value
    return build(Slice, session, value, offsets=offsets, sizes=sizes, strides=strides)


def push_through_window(op: Slice, session: Session) -> ir.Value | None:
    """slice(conv(x)) is conv(x) with larger strides, when it begins at the start and takes all channels."""
    source = producer(op.operands[0], Conv, Pool)
    if source is None or not has_one_use(source.results[0]) or any(op.offsets):
        return None
    whole = shape_of(source.results[0])
    if op.sizes[0] != whole[0] or op.sizes[-1] != whole[-1] or op.strides[0] != 1 or op.strides[-1] != 1:
        return None
    strides = tuple(a * b for a, b in zip(source.strides, op.strides[1:-1], strict=True))
    needed = _needed_input(source, op.sizes[1:-1], strides)
    data = _leading(source.operands[0], needed, strides, session)
    return build(type(source), session, data, *source.operands[1:], **{**source.values, "strides": strides})


def _needed_input(source: Conv | Pool, sizes: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """Spatial sizes of the input that `sizes` positions of the window reach."""
    window = source.window if isinstance(source, Pool) else shape_of(source.operands[1])[:-2]
    terms = zip(sizes, strides, window, source.dilations, strict=True)
    return tuple((size - 1) * stride + (extent - 1) * dilation + 1 for size, stride, extent, dilation in terms)


def _leading(value: ir.Value, needed: tuple[int, ...], strides: tuple[int, ...], session: Session) -> ir.Value:
    """The value without positions behind the needed ones, where these would make the window fit once more."""
    tensor = tensor_of(value)
    if all(size - need < step for size, need, step in zip(tensor.shape[1:-1], needed, strides, strict=True)):
        return value
    sizes = (tensor.shape[0], *needed, tensor.shape[-1])
    zeros, ones = (0,) * tensor.rank, (1,) * tensor.rank
    return build(Slice, session, value, offsets=zeros, sizes=sizes, strides=ones)


def absorb_stride(op: Conv, session: Session) -> ir.Value | None:
    """A slice that stays in front of a pointwise convolution is its stride again."""
    part = producer(op.operands[0], Slice)
    if part is None or set(shape_of(op.operands[1])[:-2]) != {1} or any(part.offsets) or part.strides[-1] != 1:
        return None
    whole = shape_of(part.operands[0])
    if part.sizes[-1] != whole[-1] or part.strides[0] != 1 or set(op.strides) != {1}:
        return None
    expected = tuple((size - 1) // stride + 1 for size, stride in zip(whole[1:-1], part.strides[1:-1], strict=True))
    if part.sizes[1:-1] != expected:
        return None
    return build(Conv, session, part.operands[0], op.operands[1], **{**op.values, "strides": part.strides[1:-1]})


_EXPOSE: Rules = {Conv: (expose_stride,)}
_PUSH: Rules = {Slice: (push_through_elementwise, push_through_window)}
_ABSORB: Rules = {Conv: (absorb_stride,)}
