"""The pass that brings known weights into the order in which a processor reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.elementwise import Elementwise, Multiply
from pyipu.dialect.linear import Einsum, MatMul, PackedMatMul
from pyipu.dialect.movement import Interleave, Reshape, Transpose
from pyipu.dialect.recurrent import Recurrent
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv
from pyipu.passes.base import Pass
from pyipu.passes.folding import is_known
from pyipu.passes.planning.blocks import LANES, channel_block, largest_divisor
from pyipu.passes.rules.channels import Weave, read_groups, split_groups, unweave, widen
from pyipu.passes.rules.identities import MOVEMENT, reshaped, transposed
from pyipu.passes.rules.packing import packed, reached
from pyipu.passes.rules.quads import in_quads
from pyipu.passes.rules.rewriting import (
    Rules,
    apply_rules,
    build,
    has_one_use,
    merged,
    producer,
    result_tensor,
    shape_of,
)
from pyipu.passes.rules.shuffles import shuffled_product
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

MOST_GROUPS = 4
"""More groups than this are too small to be convolutions on their own."""


@dataclass(frozen=True)
class Pack(Pass):
    """Packs the weights of matrix products and pointwise convolutions, and fills vectors of filters."""

    NAME: ClassVar[str] = "ipu-pack"

    block: int = 32
    """The most columns of a weight matrix that are computed together."""
    scales: bool = True
    """Let computed scales of channels multiply weights, which are then stored as they are computed with."""

    def run(self, module: ir.Module, session: Session) -> None:
        apply_rules(module, {Reshape: (_interleaved,), Interleave: (self._shuffled,)}, session)
        for conv in [op for op in all_ops(module) if isinstance(op, Conv) and _splits(op)]:
            split_groups(conv, session)
        for op in [op for op in all_ops(module) if isinstance(op, Einsum)]:
            self._unweave(op, session)
        for op in [op for op in all_ops(module) if isinstance(op, Conv | MatMul) and is_known(op.operands[1])]:
            groups = op.groups if isinstance(op, Conv) else 1
            filters = self._filters(op, groups)
            if filters > shape_of(op.results[0])[-1] // groups:
                widen(op, groups, filters, session)
        packing: Rules = {
            Elementwise: (read_groups,),
            Conv: (_turned, self._pack_integers, self._pack_pointwise),
            MatMul: (self._pack_integers, self._pack_matmul),
            Recurrent: (self._pack_recurrence,),
        }
        apply_rules(module, merged(MOVEMENT, packing), session)

    def _unweave(self, op: Einsum, session: Session) -> None:
        """If the products that it becomes can be packed."""
        weave = Weave.of(op)
        if weave is not None and weave.applies(op) and channel_block(shape_of(op.result)[-1], 1, self.block):
            unweave(op, weave, session)

    def _filters(self, op: Conv | MatMul, groups: int) -> int:
        """How many filters a group should have; a single row of results is cheap to make longer."""
        filters = shape_of(op.results[0])[-1] // groups
        if filters < LANES or len(shape_of(op.operands[1])) < 2:
            return filters
        single = result_tensor(op).elements == filters > self.block
        step = self.block if single else LANES
        return -(-filters // step) * step

    def _shuffled(self, op: Interleave, session: Session) -> ir.Value | None:
        return shuffled_product(op, self.block, session)

    def _pack_integers(self, op: Conv | MatMul, session: Session) -> ir.Value | None:
        return in_quads(op, self.block, session)

    def _pack_pointwise(self, op: Conv, session: Session) -> ir.Value | None:
        """A convolution whose window is one element multiplies a matrix with every pixel that its strides reach."""
        data, weights = op.operands
        if not is_known(weights) or set(shape_of(weights)[:-2]) != {1} or shape_of(weights)[-2] == 1:
            return None
        blocks = packed(weights, op.groups, op, self.block, session)
        if blocks is None:
            return None
        if self.scales:
            data, blocks = _with_scale_moved(data, blocks, session)
        return build(PackedMatMul, session, reached(data, op, (0,) * len(op.strides), session), blocks)

    def _pack_matmul(self, op: MatMul, session: Session) -> ir.Value | None:
        data, weights = op.operands
        if not is_known(weights) or len(shape_of(weights)) != 2:
            return None
        blocks = packed(weights, 1, op, self.block, session)
        return None if blocks is None else build(PackedMatMul, session, data, blocks)

    def _pack_recurrence(self, op: Recurrent, session: Session) -> ir.Value | None:
        """The matrix of each direction, [hidden, gates * hidden], in blocks of columns that have some of each gate."""
        gates, weights, *others = op.operands
        directions, blocks, hidden, _ = shape_of(weights)
        columns = channel_block(hidden, 1, self.block) or largest_divisor(hidden, self.block)
        if not is_known(weights) or blocks > 1 or columns == hidden:
            return None
        split = reshaped(weights, (directions, hidden, op.GATES, hidden // columns, columns), session)
        blocked = transposed(split, (0, 3, 1, 2, 4), session)
        matrices = reshaped(blocked, (directions, hidden // columns, hidden, op.GATES * columns), session)
        return build(type(op), session, gates, matrices, *others, **op.values)


def _interleaved(op: Reshape, session: Session) -> ir.Value | None:
    """Groups of channels that are woven into one dimension: as one op it can write into a larger buffer."""
    inner = producer(op.operands[0], Transpose)
    if inner is None or not has_one_use(inner.results[0]) or is_known(inner.operands[0]):
        return None
    *outer, groups, channels = range(len(inner.permutation))
    *sizes, count, each = shape_of(inner.operands[0])
    woven = inner.permutation == (*outer, channels, groups) and op.shape == (*sizes, count * each)
    return build(Interleave, session, inner.operands[0]) if woven else None


def _turned(op: Conv, session: Session) -> ir.Value | None:
    """A convolution of a single column becomes one of a single row: the innermost spatial loop is the one tiled."""
    data, weights = op.operands
    source, window, result = shape_of(data), shape_of(weights), shape_of(op.results[0])
    if len(source) != 4 or source[2] != 1 or result[1] == 1:
        return None
    row = reshaped(data, (source[0], 1, source[1], source[3]), session)
    flat = reshaped(weights, (1, *window[:1], *window[2:]), session)
    turned = build(Conv, session, row, flat, strides=op.strides[::-1], dilations=op.dilations[::-1], groups=op.groups)
    return reshaped(turned, result, session)


def _with_scale_moved(data: ir.Value, blocks: ir.Value, session: Session) -> tuple[ir.Value, ir.Value]:
    """What a computed scale of each channel multiplies, data or weights: whichever has fewer elements.

    Squeeze-and-excitation scales all pixels of an image in front of such a product.
    """
    product = producer(data, Multiply)
    groups, _, channels, _ = shape_of(blocks)
    scale = None if product is None else _scale_of_channels(product, channels)
    fewer = tensor_of(blocks).elements < tensor_of(data).elements
    if product is None or scale is None or groups > 1 or not fewer or not has_one_use(data):
        return data, blocks
    rest = next(value for value in product.operands if value != scale)
    # Without leading dimensions of size one: these are weights, and no image that could run in strips of rows.
    matrices = shape_of(blocks)[1:] if shape_of(blocks)[1] > 1 else shape_of(blocks)[2:]
    factor = reshaped(scale, (channels, 1), session)
    scaled = build(Multiply, session, reshaped(blocks, matrices, session), factor)
    return rest, reshaped(scaled, shape_of(blocks), session)


def _scale_of_channels(product: Multiply, channels: int) -> ir.Value | None:
    """The computed operand that has one number for each channel, of an image that has more."""
    tensors = {value: tensor_of(value) for value in product.operands}
    scales = [value for value, one in tensors.items() if one.shape[-1:] == (channels,) and one.elements == channels]
    return scales[0] if len(scales) == 1 and not is_known(scales[0]) else None


def _splits(op: Conv) -> bool:
    """A convolution in few groups that have several channels each and a window of several elements."""
    *window, channels, _ = shape_of(op.operands[1])
    return 1 < op.groups <= MOST_GROUPS and channels > 1 and math.prod(window) > 1 and is_known(op.operands[1])
