"""Rules that compute with quantized tensors: integers move and multiply instead of the numbers they stand for.

Sums of products are those of Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (2018), section 2: of integers, less the zero point times the sum of the weights.
Activations are unsigned wherever the graph allows it, because instructions multiply unsigned with signed integers: one
of i8 is one of ui8 whose zero point is larger by 128.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Add, Cast, Clip, Dequantize, Divide, Multiply, Quantize, Relu
from pyipu.dialect.movement import Concat, Gather, Pad, Reshape, Slice, Transpose
from pyipu.dialect.program import Constant
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import MaxPool
from pyipu.passes.folding import is_known, known_value
from pyipu.passes.rules.rewriting import Rules, build, producer, shape_of
from pyipu.passes.session import Session

HALF = 128
"""Between an integer of i8 and the one of ui8 that has its place."""


def constant(array: np.ndarray) -> ir.Value:
    return Constant.create(value=np.asarray(array)).result


def unsigned(value: ir.Value, session: Session) -> ir.Value:
    """An integer of i8 as one of ui8, larger by 128."""
    offset = constant(np.array(HALF, np.uint8))
    return build(Add, session, build(Cast, session, value, dtype="ui8"), offset)


def _signed(value: ir.Value, session: Session) -> ir.Value:
    """The other way round."""
    return build(Cast, session, build(Add, session, value, constant(np.array(HALF, np.uint8))), dtype="i8")


def unsigned_source(value: ir.Value) -> ir.Value | None:
    """What `_signed` has made `value` of."""
    cast = producer(value, Cast)
    offset = None if cast is None or cast.dtype != "i8" else producer(cast.operands[0], Add)
    if offset is None or tensor_of(offset.result).dtype != "ui8" or known_value(offset.operands[1]) != HALF:
        return None
    return offset.operands[0]


def _numbers(*operands: ir.Value) -> ir.Value:
    """Stays an op even of known weights: products read their integers."""
    return Dequantize.create(*operands).result


@dataclass(frozen=True)
class Coded:
    """A tensor that stands for another one: element by element, and the same for all of them."""

    source: ir.Value
    scale: float = 1.0
    zero: int = HALF
    numbers: Dequantize | None = None
    """None for one of i8 that is kept in ui8."""

    @staticmethod
    def of(value: ir.Value) -> Coded | None:
        """None for a tensor that does not, or not for all elements alike."""
        source = unsigned_source(value)
        if source is not None:
            return Coded(source)
        numbers = producer(value, Dequantize)
        scale, zero = (None, None) if numbers is None else (known_value(one) for one in numbers.operands[1:])
        if numbers is None or scale is None or zero is None or scale.size > 1 or zero.size > 1 or scale.item() <= 0:
            return None
        return Coded(numbers.operands[0], scale.item(), zero.item(), numbers)

    def same_code(self, other: Coded) -> bool:
        kinds = [tensor_of(one.source).dtype for one in (self, other)]
        alike = (self.scale, self.zero, self.numbers is None) == (other.scale, other.zero, other.numbers is None)
        return alike and kinds[0] == kinds[1]

    def code(self, number: float) -> float | None:
        """What stands for a number; None when no integer of the source's type does."""
        limits = np.iinfo(tensor_of(self.source).numpy_dtype)
        integer = number / self.scale + self.zero
        return integer if integer.is_integer() and limits.min <= integer <= limits.max else None

    def decoded(self, value: ir.Value, session: Session) -> ir.Value:
        """What a tensor in the same code stands for."""
        if self.numbers is None:
            return _signed(value, session)
        return _numbers(value, *list(self.numbers.operands)[1:])


def move_code(op: Op, session: Session) -> ir.Value | None:
    """reshape(dequantize(x)) is dequantize(reshape(x)), of a quarter of the bytes; so for all that moves elements."""
    first, *others = (Coded.of(value) for value in _moved(op))
    if first is None or any(other is None or not first.same_code(other) for other in others):
        return None
    values = dict(op.values)
    if isinstance(op, Pad):
        border = first.code(op.value)
        if border is None:
            return None
        values["value"] = border
    sources = [first.source, *(other.source for other in others if other is not None)]
    return first.decoded(build(type(op), session, *sources, *list(op.operands)[len(sources) :], **values), session)


def _moved(op: Op) -> list[ir.Value]:
    return list(op.operands) if isinstance(op, Concat) else [op.operands[0]]


def pool_code(op: MaxPool, session: Session) -> ir.Value | None:
    """max_pool(pad(dequantize(x))) is dequantize(max_pool(pad(x))) with the smallest number, or integer, around it."""
    pad = producer(op.operands[0], Pad)
    coded = None if pad is None else Coded.of(pad.operands[0])
    if pad is None or coded is None or coded.numbers is None or pad.value > np.finfo(np.float32).min:
        return None
    lowest = float(np.iinfo(tensor_of(coded.source).numpy_dtype).min)
    padded = build(Pad, session, coded.source, **{**pad.values, "value": lowest})
    return coded.decoded(build(MaxPool, session, padded, **op.values), session)


def transpose_channels(op: Transpose, session: Session) -> ir.Value | None:
    """transpose(dequantize(w)) where each channel has a scale."""
    numbers = producer(op.operands[0], Dequantize)
    rank = len(op.permutation)
    if numbers is None or any(len(shape_of(one)) not in (0, rank) for one in numbers.operands):
        return None
    operands = [
        build(Transpose, session, one, permutation=op.permutation) if shape_of(one) else one for one in numbers.operands
    ]
    return _numbers(*operands)


def quantize_unsigned(op: Quantize, session: Session) -> ir.Value | None:
    """Integers of i8 are those of ui8 that are larger by 128."""
    input, scale, zero = op.operands
    if tensor_of(zero).dtype != "i8":
        return None
    return _signed(build(Quantize, session, input, scale, unsigned(zero, session)), session)


def dequantize_unsigned(op: Dequantize, session: Session) -> ir.Value | None:
    input, scale, zero = op.operands
    source = unsigned_source(input)
    return None if source is None else _numbers(source, scale, unsigned(zero, session))


def same_steps(op: Quantize, session: Session) -> ir.Value | None:
    """quantize(dequantize(x)) with the same steps is x: rounding brings back what the division loses."""
    coded, own = Coded.of(op.operands[0]), [known_value(one) for one in op.operands[1:]]
    if coded is None or coded.numbers is None or any(one is None for one in own):
        return None
    inner = [known_value(one) for one in coded.numbers.operands[1:]]
    same_type = tensor_of(coded.source).dtype == tensor_of(op.result).dtype
    return coded.source if same_type and inner == own else None


def clip_by_type(op: Quantize, session: Session) -> ir.Value | None:
    """quantize(relu(x)) is quantize(x) where the smallest integer stands for zero, or for more; so for a clip."""
    inner = producer(op.operands[0], Relu, Clip)
    scale, zero = (known_value(one) for one in op.operands[1:])
    if inner is None or scale is None or zero is None or min(scale.size, zero.size) != 1 or scale.size * zero.size > 1:
        return None
    low, high = (0.0, np.inf) if isinstance(inner, Relu) else (inner.low, inner.high)
    limits = np.iinfo(zero.dtype)
    clips = _steps(low, scale, zero) <= limits.min and _steps(high, scale, zero) >= limits.max
    return build(Quantize, session, inner.operands[0], *list(op.operands)[1:]) if clips else None


def _steps(number: float, scale: np.ndarray, zero: np.ndarray) -> float:
    return float(np.rint(number / scale.item()) + zero.item())


def merge_steps(op: Quantize, session: Session) -> ir.Value | None:
    """quantize(multiply(sum, m), s) is quantize(multiply(sum, m / s), 1) for sums of integers, as in ONNX Runtime."""
    input, scale, zero = op.operands
    product, known = producer(input, Multiply), known_value(scale)
    if product is None or known is None or known.size > 1 or known.item() == 1 or sum_of(product) is None:
        return None
    steps = build(Divide, session, product.operands[1], scale)
    moved = build(Multiply, session, product.operands[0], steps)
    return build(Quantize, session, moved, constant(np.ones((), known.dtype)), zero)


def sum_of(product: Multiply) -> ir.Value | None:
    """The sum of products of integers that a known tensor multiplies."""
    cast = producer(product.operands[0], Cast)
    sums = cast is not None and tensor_of(cast.operands[0]).dtype == "i32"
    return cast.operands[0] if cast is not None and sums and is_known(product.operands[1]) else None


MOVING: Rules = {
    **dict.fromkeys((Reshape, Transpose, Slice, Pad, Concat, Gather, MaxPool), (move_code,)),
    Transpose: (move_code, transpose_channels),
    MaxPool: (move_code, pool_code),
}
"""Integers move instead of numbers."""

QUANTIZING: Rules = {
    Quantize: (quantize_unsigned, same_steps),
    Dequantize: (dequantize_unsigned,),
}
"""Integers are unsigned, and not made again of what they stand for."""

STEPS: Rules = {Quantize: (clip_by_type, merge_steps)}
"""What comes before the last step, once nothing lies in between."""
