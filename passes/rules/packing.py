"""Known weights in the order in which a processor reads them, and the pixels that they are multiplied with."""

from __future__ import annotations

from iree.compiler import ir

from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Slice
from pyipu.dialect.windows import Conv
from pyipu.passes.planning.blocks import channel_block
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.rewriting import build, result_tensor, shape_of
from pyipu.passes.session import Session


def packed(weights: ir.Value, groups: int, op: Conv | MatMul, most: int, session: Session) -> ir.Value | None:
    """The matrix [K, G * N] in blocks of at most `most` columns, [G, N / C, K, C]; None when these fill no vectors."""
    depth, filters = shape_of(weights)[-2:]
    columns = columns_together(weights, groups, op, most)
    if not columns:
        return None
    split = reshaped(weights, (depth, groups, filters // groups // columns, columns), session)
    return transposed(split, (1, 2, 0, 3), session)


def columns_together(weights: ir.Value, groups: int, op: Conv | MatMul, most: int) -> int:
    """How many columns of a weight matrix are computed together, at most `most`; 0 when they fill no vectors."""
    pixels = [size for size in shape_of(op.results[0])[:-1] if size != 1]
    columns = channel_block(shape_of(weights)[-1] // groups, pixels[-1] if pixels else 1, most)
    return columns if result_tensor(op).is_float else 0


def reached(data: ir.Value, op: Conv, tap: tuple[int, ...], session: Session) -> ir.Value:
    """The pixels that one element of the window visits."""
    offsets = (0, *(place * step for place, step in zip(tap, op.dilations, strict=True)), 0)
    sizes = (*shape_of(op.results[0])[:-1], shape_of(data)[-1])
    if sizes == shape_of(data):
        return data
    return build(Slice, session, data, offsets=offsets, sizes=sizes, strides=(1, *op.strides, 1))
