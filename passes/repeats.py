"""The pass that stores nothing twice: who computes with a tensor that was enlarged by repeating reads the small one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.movement import Broadcast, Reshape
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.rules.identities import MOVEMENT, drop_broadcasts, reshaped
from pyipu.passes.rules.permutations import broadcast_before_reshape
from pyipu.passes.rules.rewriting import (
    apply_rules,
    build,
    has_one_use,
    merge_equal_ops,
    merged,
    producer,
    result_tensor,
    shape_of,
)
from pyipu.passes.session import Session

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ReadRepeats(Pass):
    """Makes `reshape(y + x)` of `y + reshape(broadcast(x))`: an image that is resized is added without being stored."""

    NAME: ClassVar[str] = "ipu-repeats"

    def run(self, module: ir.Module, session: Session) -> None:
        apply_rules(module, merged(MOVEMENT, {Elementwise: (_read_again, drop_broadcasts)}), session)
        merge_equal_ops(module)


def _read_again(op: Elementwise, session: Session) -> ir.Value | None:
    target = result_tensor(op).shape
    whole = [value for value in op.operands if shape_of(value) == target]
    repeats = [one for value in whole if (one := _repeat(value)) is not None]
    if not repeats or len(repeats) == len(whole):
        return None
    apart = repeats[0].shape
    if any(broadcast_before_reshape(apart, target, shape_of(value)) is None for value in op.operands):
        return None
    operands = [_viewed(value, apart, target, session) for value in op.operands]
    return reshaped(build(type(op), session, *operands, **op.values), target, session)


def _repeat(value: ir.Value) -> Broadcast | None:
    reshape = producer(value, Reshape)
    return None if reshape is None else producer(reshape.operands[0], Broadcast)


def _viewed(value: ir.Value, apart: Shape, target: Shape, session: Session) -> ir.Value:
    """What broadcasts to `target`, such that it broadcasts to `apart`; with all that is computed just for it.

    So what was one loop stays one.
    """
    shape = broadcast_before_reshape(apart, target, shape_of(value))
    assert shape is not None
    op, repeat = value.owner, _repeat(value)
    if repeat is not None and repeat.shape == shape:
        return repeat.result
    if tensor_of(value).elements == 1:
        return value
    if not (isinstance(op, Elementwise) and shape_of(value) == target and has_one_use(value)):
        return reshaped(value, shape, session)
    if any(broadcast_before_reshape(apart, target, shape_of(one)) is None for one in op.operands):
        return reshaped(value, shape, session)
    return build(type(op), session, *(_viewed(one, apart, target, session) for one in op.operands), **op.values)
