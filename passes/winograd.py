"""The pass that brings convolutions of 3 x 3 into Winograd's form: a quarter of the products, and two transforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.movement import Pad
from pyipu.dialect.windows import Conv
from pyipu.dialect.winograd import WinogradInput, WinogradOutput, WinogradProduct, WinogradWeights
from pyipu.passes.base import Pass
from pyipu.passes.folding import is_known
from pyipu.passes.planning.blocks import LANES, channel_block
from pyipu.passes.planning.winograd import Convolution, best_size
from pyipu.passes.rules.rewriting import build, is_dead, producer, result_tensor, shape_of
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops


@dataclass(frozen=True)
class Winograd(Pass):
    """Computes convolutions of 3 x 3 from fewer products, where an estimate says that this is faster."""

    NAME: ClassVar[str] = "ipu-winograd"

    largest: int = 4
    """The largest tiles, in pixels along each side: 4, or 2 for smaller errors, or 0 for none at all."""
    block: int = 32
    """The most columns of a weight matrix that are computed together."""

    def run(self, module: ir.Module, session: Session) -> None:
        convolutions = [op for op in all_ops(module) if isinstance(op, Conv) and self.largest]
        for op in convolutions:
            refusal = _refusal(op)
            size = 0 if refusal else best_size(_estimated(op), self.largest)
            if not size:
                session.remark(self.NAME, op.location, refusal or "is estimated to be faster as it is")
                continue
            session.remark(self.NAME, op.location, f"runs in tiles of {size} x {size}")
            self._rewrite(op, size, session)

    def _rewrite(self, op: Conv, size: int, session: Session) -> None:
        data, weights = op.operands
        rows, columns = _estimated(op).tiles(size)
        crop = (rows * size - shape_of(op.result)[1], columns * size - shape_of(op.result)[2])
        block = channel_block(shape_of(weights)[-1], columns, self.block)
        with ir.InsertionPoint(op.operation), op.location:
            planes = build(WinogradInput, session, _extended(data, crop, session), size=size)
            matrices = build(WinogradWeights, session, weights, size=size, block=block)
            products = build(WinogradProduct, session, planes, matrices)
            result = build(WinogradOutput, session, products, size=size, crop=crop)
        op.result.replace_all_uses_with(result)
        pad = producer(data, Pad)
        op.operation.erase()
        if pad is not None and is_dead(pad):
            pad.operation.erase()


def _refusal(op: Conv) -> str:
    """Why a convolution has no such form; empty if it has."""
    source, window, result = shape_of(op.operands[0]), shape_of(op.operands[1]), result_tensor(op)
    if len(source) != 4 or window[:2] != (3, 3) or {*op.strides, *op.dilations, op.groups} != {1}:
        return "is no dense convolution of 3 x 3 without strides and dilations"
    if result.dtype != "f32":
        return f"computes in {result.dtype}, and only fp32 has digits to spare"
    if not is_known(op.operands[1]):
        return "has weights that are not known"
    if source[-1] % LANES or result.shape[-1] % LANES:
        return f"has {source[-1]} channels and {result.shape[-1]} filters, which are not multiples of {LANES}"
    return ""


def _estimated(op: Conv) -> Convolution:
    batch, rows, columns, filters = shape_of(op.result)
    return Convolution(batch, rows, columns, shape_of(op.operands[0])[-1], filters)


def _extended(data: ir.Value, extra: tuple[int, int], session: Session) -> ir.Value:
    """With so many more rows and columns of zeros at the end, in one border with those that are there."""
    if not any(extra):
        return data
    pad = producer(data, Pad)
    more = (0, *extra, 0)
    if pad is None or pad.value != 0 or any(pad.interior):
        return build(Pad, session, data, low=(0,) * 4, high=more, interior=(0,) * 4, value=0.0)
    high = tuple(a + b for a, b in zip(pad.high, more, strict=True))
    return build(Pad, session, pad.operands[0], low=pad.low, high=high, interior=pad.interior, value=0.0)
