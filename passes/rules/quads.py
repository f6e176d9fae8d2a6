"""The rewrite that brings weights of 8 bits into the order of instructions that multiply four channels at once."""

from __future__ import annotations

from iree.compiler import ir

from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Pad
from pyipu.dialect.pairs import QuadConv
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv
from pyipu.passes.folding import is_known
from pyipu.passes.planning.blocks import channel_block
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import build, producer, shape_of
from pyipu.passes.session import Session

FOUR = QuadConv.together


def in_quads(op: Conv | MatMul, most: int, session: Session) -> ir.Value | None:
    """conv(x, w) in blocks of `most` filters or fewer; None where channels are no fours, or filters too few."""
    data, weights = op.operands
    types = tuple(tensor_of(value).dtype for value in (*op.operands, op.results[0]))
    groups = op.groups if isinstance(op, Conv) else 1
    columns = _columns(op, groups, most)
    if types != QuadConv.types or not is_known(weights) or not columns:
        return None
    missing = -shape_of(weights)[-2] % FOUR
    many = isinstance(op, MatMul) and len(shape_of(weights)) > 2
    if many or (missing and groups > 1):
        return None
    steps = {name: getattr(op, name, ()) for name in ("strides", "dilations")}
    if set(steps["strides"]) <= {1} and set(shape_of(weights)[:-2]) <= {1}:
        weights, steps = reshaped(weights, shape_of(weights)[-2:], session), dict.fromkeys(steps, ())
    quads = _blocks(_more_channels(weights, -2, missing, session), columns, session)
    return build(QuadConv, session, _more_channels(data, -1, missing, session), quads, groups=groups, **steps)


def _columns(op: Conv | MatMul, groups: int, most: int) -> int:
    shape = shape_of(op.results[0])
    pixels = [size for size in shape[:-1] if size != 1]
    return channel_block(shape[-1] // groups, pixels[-1] if pixels else 1, most)


def _more_channels(value: ir.Value, axis: int, missing: int, session: Session) -> ir.Value:
    """So many more channels, which weights of zero multiply; they are part of the border that data may have."""
    if not missing:
        return value
    rank, pad = len(shape_of(value)), producer(value, Pad)
    high = tuple(missing if i == rank + axis else 0 for i in range(rank))
    border = 0.0 if pad is None else pad.value
    return build(Pad, session, value, low=(0,) * rank, high=high, interior=(0,) * rank, value=border)


def _blocks(weights: ir.Value, columns: int, session: Session) -> ir.Value:
    """[window…, C, F] as [F / columns, window…, C / 4, columns, 4]."""
    *window, channels, filters = shape_of(weights)
    split = reshaped(weights, (*window, channels // FOUR, FOUR, filters // columns, columns), session)
    rank = len(window) + 4
    return transposed(split, (rank - 2, *range(rank - 3), rank - 1, rank - 3), session)
