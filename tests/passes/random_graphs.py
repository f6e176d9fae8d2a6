"""Random graphs of the ops that layout and canonicalisation rewrite, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.elementwise import Add, Clip, Divide, Maximum, Multiply, Negate, Power, Relu, Sigmoid, Subtract
from pyipu.dialect.linear import Einsum, MatMul
from pyipu.dialect.movement import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose, inverse
from pyipu.dialect.reduction import ReduceMax, ReduceSum, Softmax
from pyipu.dialect.types import NUMPY_DTYPES, Tensor, mlir_type, tensor_of
from pyipu.dialect.windows import Conv, MaxPool, SumPool
from pyipu.passes.folding import add_known
from pyipu.passes.session import Session
from tests.passes.graphs import sample

LARGEST = 600
"""Elements of a tensor; small graphs find the same mistakes."""


@dataclass
class Builder:
    """Draws one op after the other; every op takes values that are there already."""

    draw: Callable[..., object]
    session: Session
    values: list[ir.Value]
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    dtype: str = "f64"

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def value(self, minimum: int = 0, maximum: int = 9) -> ir.Value | None:
        fitting = [v for v in self.values if minimum <= rank(v) <= maximum]
        return self.draw(st.sampled_from(fitting[-4:])) if fitting else None

    def numbers(self, shape, low: int, high: int) -> list[int]:
        return [self.draw(st.integers(low, high)) for _ in shape]

    def known(self, shape) -> ir.Value:
        if self.one_of(*[False] * 7, True):
            array = np.full(shape, self.one_of(0.0, 1.0, 2.0), NUMPY_DTYPES[self.dtype])
            return add_known(array, "splat", self.session.parameters)
        return add_known(sample(Tensor(tuple(shape), self.dtype), self.generator), "weight", self.session.parameters)

    def broadcastable(self, shape) -> tuple[int, ...]:
        """A shape that broadcasts to `shape`: some dimensions one, some leading ones missing."""
        kept = [self.one_of(1, size) for size in shape]
        return tuple(kept[self.draw(st.integers(0, len(kept))) :])


def rank(value: ir.Value) -> int:
    return tensor_of(value).rank


def shape_of(value: ir.Value) -> tuple[int, ...]:
    return tensor_of(value).shape


def transpose(b: Builder) -> ir.Value | None:
    x = b.value(2)
    return None if x is None else Transpose.create(x, permutation=b.draw(st.permutations(range(rank(x))))).result


def reshape(b: Builder) -> ir.Value | None:
    """Merges two neighbours, splits an even dimension, adds or removes a unit dimension, or flattens."""
    x = b.value(1)
    shape = list(shape_of(x))
    i = b.draw(st.integers(0, len(shape) - 1))
    kind = b.one_of("merge", "split", "unsqueeze", "squeeze", "flatten")
    if kind == "merge" and i + 1 < len(shape):
        shape[i : i + 2] = [shape[i] * shape[i + 1]]
    elif kind == "split" and shape[i] % 2 == 0 and len(shape) < 6:
        shape[i : i + 1] = b.one_of([2, shape[i] // 2], [shape[i] // 2, 2])
    elif kind == "unsqueeze" and len(shape) < 6:
        shape.insert(i, 1)
    elif kind == "squeeze" and shape[i] == 1 and len(shape) > 1:
        del shape[i]
    else:
        shape = [shape[0], int(np.prod(shape[1:]))]
    return Reshape.create(x, shape=shape).result


def unary(b: Builder) -> ir.Value:
    x = b.value()
    kind = b.one_of(Relu, Negate, Sigmoid, Clip)
    return kind.create(x, **({"low": -1.0, "high": 3.0} if kind is Clip else {})).result


def with_known(b: Builder) -> ir.Value:
    x = b.value()
    other = b.known(b.broadcastable(shape_of(x)))
    kind = b.one_of(Add, Multiply, Multiply, Subtract, Maximum)
    return kind.create(*b.one_of((x, other), (x, other), (other, x))).result


def divided(b: Builder) -> ir.Value:
    x = b.value()
    divisor = add_known(sample(Tensor(b.broadcastable(shape_of(x)), b.dtype), b.generator), "by", b.session.parameters)
    return Divide.create(x, divisor).result


def squared(b: Builder) -> ir.Value:
    two = add_known(np.array(2.0, NUMPY_DTYPES[b.dtype]), "two", b.session.parameters)
    return Power.create(Sigmoid.create(b.value()).result, two).result


def matching(b: Builder, x: ir.Value) -> ir.Value | None:
    """Another value, transposed if need be, of the shape of `x`."""
    found = [v for v in b.values if sorted(shape_of(v)) == sorted(shape_of(x))]
    y = b.draw(st.sampled_from(found[-5:]))
    if shape_of(y) == shape_of(x) and b.one_of(True, False):
        return y
    left = list(range(rank(y)))
    permutation = [left.pop(next(k for k, i in enumerate(left) if shape_of(y)[i] == size)) for size in shape_of(x)]
    return Transpose.create(y, permutation=permutation).result


def with_computed(b: Builder) -> ir.Value:
    x = b.value()
    y = matching(b, x)
    return b.one_of(Add, Multiply, Maximum).create(x, y).result


def concat(b: Builder) -> ir.Value | None:
    x = b.value(1)
    others = [b.known(shape_of(x)) if b.one_of(False, True) else matching(b, x) for _ in range(b.one_of(0, 1, 1, 2))]
    return Concat.create(x, *others, axis=b.draw(st.integers(0, rank(x) - 1))).result


def pad(b: Builder) -> ir.Value:
    x = b.value(1)
    low, high = b.numbers(shape_of(x), 0, 1), b.numbers(shape_of(x), 0, 1)
    interior = b.one_of([0] * rank(x), [0] * rank(x), b.numbers(shape_of(x), 0, 1))
    return Pad.create(x, low=low, high=high, interior=interior, value=b.one_of(0.0, 0.0, 1.5)).result


def slice_(b: Builder) -> ir.Value:
    x = b.value(1)
    offsets = [b.draw(st.integers(0, size - 1)) for size in shape_of(x)]
    strides = b.numbers(shape_of(x), 1, 2)
    limits = [(s - o - 1) // step + 1 for s, o, step in zip(shape_of(x), offsets, strides, strict=True)]
    sizes = [b.one_of(limit, max(1, limit - 1)) for limit in limits]
    return Slice.create(x, offsets=offsets, sizes=sizes, strides=strides).result


def reduce(b: Builder) -> ir.Value:
    x = b.value(1)
    axes = sorted(b.draw(st.sets(st.integers(0, rank(x) - 1), min_size=1, max_size=2)))
    return b.one_of(ReduceSum, ReduceMax).create(x, axes=axes, keep=b.one_of(True, False)).result


def softmax(b: Builder) -> ir.Value:
    x = b.value(1)
    return Softmax.create(x, axis=b.draw(st.integers(0, rank(x) - 1))).result


def broadcast(b: Builder) -> ir.Value:
    x = b.value()
    shape = [b.one_of(1, 2, 3) if size == 1 else size for size in shape_of(x)]
    return Broadcast.create(x, shape=b.one_of(shape, [2, *shape])).result


def gather(b: Builder) -> ir.Value:
    x = b.value(1)
    axis = b.draw(st.integers(0, rank(x) - 1))
    size = shape_of(x)[axis]
    indices = b.one_of(np.array(b.draw(st.integers(-size, size - 1))), np.arange(size), np.array([size - 1, 0]))
    return Gather.create(x, add_known(indices, "indices", b.session.parameters), axis=axis).result


def windowed(b: Builder) -> ir.Value | None:
    """As the importer writes convolutions and pools: to channels-last, pad, op, and back."""
    x = b.value(3, 5)
    if x is None:
        return None
    spatial = rank(x) - 2
    last = (0, *range(2, rank(x)), 1)
    moved = Transpose.create(x, permutation=last).result
    edge = (0, *b.numbers(range(spatial), 0, 1), 0)
    moved = Pad.create(moved, low=edge, high=edge, interior=[0] * rank(x)).result
    window = [b.draw(st.integers(1, min(2, size))) for size in shape_of(moved)[1:-1]]
    steps = {"strides": b.numbers(window, 1, 2), "dilations": [1] * spatial}
    result = _convolution(b, moved, window, steps) if b.one_of(True, True, False) else _pool(b, moved, window, steps)
    return Transpose.create(result, permutation=inverse(last)).result


def _convolution(b: Builder, x: ir.Value, window: list[int], steps) -> ir.Value:
    channels = shape_of(x)[-1]
    groups = b.one_of(1, 1, channels)
    weights = b.known((*window, channels // groups, b.one_of(1, 2) * groups))
    return Conv.create(x, weights, groups=groups, **steps).result


def _pool(b: Builder, x: ir.Value, window: list[int], steps) -> ir.Value:
    return b.one_of(SumPool, MaxPool).create(x, window=window, **steps).result


def matmul(b: Builder) -> ir.Value | None:
    x = b.value(2)
    if x is None:
        return None
    if b.one_of(True, True, False):
        return MatMul.create(x, b.known((shape_of(x)[-1], b.one_of(1, 2, 3)))).result
    y = matching(b, x)
    swapped = (*range(rank(x) - 2), rank(x) - 1, rank(x) - 2)
    return MatMul.create(x, Transpose.create(y, permutation=swapped).result).result


def einsum(b: Builder) -> ir.Value | None:
    x = b.value(2, 3)
    if x is None:
        return None
    letters = "abc"[: rank(x)]
    weights = b.known((shape_of(x)[0], 2))
    out = b.draw(st.permutations(letters[1:] + "z"))
    return Einsum.create(x, weights, equation=f"{letters},az->{''.join(out)}").result


STEPS = [
    *(transpose, transpose, transpose, reshape, reshape, unary, with_known, with_known, with_computed, with_computed),
    *(concat, pad, slice_, reduce, softmax, broadcast, gather, windowed, windowed, matmul, einsum, divided, squared),
]


@st.composite
def shapes(draw) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4]), min_size=2, max_size=4)))


def random_module(draw, session: Session, longest: int = 12, dtype: str = "f64") -> ir.Module:
    """A function of one or two inputs in the current context; it returns every value that nothing uses."""
    arguments = draw(st.lists(shapes(), min_size=1, max_size=2))
    module = ir.Module.create()
    types = [mlir_type(Tensor(shape, dtype)) for shape in arguments]
    with ir.InsertionPoint(module.body):
        function = func.FuncOp("main", (types, []))
        block = function.add_entry_block()
    with ir.InsertionPoint(block):
        builder = Builder(draw, session, list(block.arguments), dtype=dtype)
        values = _draw_body(builder, draw(st.integers(1, longest)))
        unused = [value for value in values if next(value.uses, None) is None]
        func.ReturnOp(unused)
    function.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, [v.type for v in unused]))
    return module


def _draw_body(builder: Builder, length: int) -> list[ir.Value]:
    for _ in range(length):
        value = builder.one_of(*STEPS)(builder)
        if value is not None and tensor_of(value).elements <= LARGEST:
            builder.values.append(value)
    return builder.values
