"""Walks a graph and says of each op what the numbers that it reads are like, as far as weights tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Broadcast, Concat, Copy, Interleave, Pad, Reshape, Slice, Transpose
from pyipu.dialect.normalization import Standardize
from pyipu.dialect.program import Constant, Parameter
from pyipu.dialect.reduction import ReduceSum
from pyipu.dialect.types import tensor_of
from pyipu.dialect.windows import Conv, MaxPool, SumPool
from pyipu.parameters import Array, Parameters
from pyipu.passes.planning import samples
from pyipu.passes.planning.samples import Sample

Operands = Sequence[Sample | None]
Sums = Callable[[Array], Array]
"""Sums of products of what an op reads in the mean, as a function of its weights."""


def walk(block: ir.Block, parameters: Parameters) -> Iterator[tuple[Op, Operands]]:
    """Each op of a function, and samples of what it reads; None where nothing is known.

    Inputs of the network are taken to have mean 0 and variance 1. Ops may be given other operands meanwhile.
    """
    numbers = [value for value in block.arguments if tensor_of(value).is_float]
    found = {value: samples.standard(tensor_of(value).rank, i) for i, value in enumerate(numbers)}
    read = [(op, list(op.operands)) for op in ipu_ops(block)]
    last = {value: op for op, values in read for value in values}
    for seed, (op, values) in enumerate(read, len(found)):
        operands = [_sample(op, value, found, parameters) for value in values]
        yield op, operands
        result = _result(op, operands, parameters, seed)
        if result is not None:
            found[op.results[0]] = result
        for value in [value for value in values if last[value] == op]:
            found.pop(value, None)


def _sample(op: Op, value: ir.Value, found: Mapping[ir.Value, Sample], parameters: Parameters) -> Sample | None:
    """Known tensors are looked at where they are added, multiplied and the like: there they are small."""
    if not tensor_of(value).is_float or not isinstance(value.owner, Constant | Parameter):
        return found.get(value)
    if isinstance(value.owner, Constant):
        return samples.known(value.owner.value)
    key = value.owner.key
    return samples.known(parameters[key]) if op.elementwise and parameters.has_value(key) else None


def _result(op: Op, operands: Operands, parameters: Parameters, seed: int) -> Sample | None:
    if isinstance(op, Standardize):
        return samples.standard(tensor_of(op.results[0]).rank, seed)
    read = [sample for sample in operands if sample is not None]
    if isinstance(op, Conv | MatMul) and operands[0] is not None:
        return _of_products(op, operands[0], parameters, seed)
    if not op.operands or len(read) < len(operands):
        return None
    if isinstance(op, Elementwise) and tensor_of(op.results[0]).is_float:
        return samples.elementwise(partial(type(op).evaluate, **op.values), read)
    rule = next((rule for kind, rule in _RULES.items() if isinstance(op, kind)), None)
    return None if rule is None else rule(op, read, seed)


# Sums of products -----------------------------------------------------------------------------------------------------


def weights_of(op: Conv | MatMul, parameters: Parameters) -> Parameter | None:
    """The f32 weights of a convolution, or of products with one matrix, if their values are known."""
    known, tensor = op.operands[1].owner, tensor_of(op.operands[1])
    if not isinstance(known, Parameter) or tensor.dtype != "f32" or not parameters.has_value(known.key):
        return None
    return known if isinstance(op, Conv) or tensor.rank == 2 else None


def mean_sums(op: Conv | MatMul, data: Sample) -> Sums:
    """The sums of an op in the mean, [1…, filters], as a function of its weights."""
    return _sums(op, data, data.mean)


def _of_products(op: Conv | MatMul, data: Sample, parameters: Parameters, seed: int) -> Sample | None:
    known = weights_of(op, parameters)
    if known is None:
        return None
    weights = parameters[known.key]
    mean, variance = mean_sums(op, data)(weights), _sums(op, data, data.variance)(np.square(weights))
    return samples.normal(mean, variance, seed)


def _sums(op: Conv | MatMul, data: Sample, numbers: Array) -> Sums:
    source, weights = (tensor_of(value).shape for value in op.operands)
    channels = np.broadcast_to(numbers, (*numbers.shape[:-1], source[-1])).astype(np.float32)
    if isinstance(op, MatMul):
        return partial(MatMul.evaluate, channels)
    positions = tensor_of(op.results[0]).shape[1:-1]
    read = samples.window(channels, data, weights[:-2], op.strides, op.dilations, positions)
    return partial(Conv.evaluate, read, **{**op.values, "strides": (1,) * len(positions)})


# Everything else ------------------------------------------------------------------------------------------------------


def _largest(op: MaxPool, read: Sequence[Sample], seed: int) -> Sample:
    return samples.largest(read[0], max(op.window), seed)


def _sum_of_window(op: SumPool, read: Sequence[Sample], seed: int) -> Sample:
    count = math.prod(op.window)
    return samples.normal(count * read[0].mean, count * read[0].variance, seed)


def _sum(op: ReduceSum, read: Sequence[Sample], seed: int) -> Sample | None:
    """Over other dimensions than channels."""
    shape = tensor_of(op.operands[0]).shape
    if len(shape) - 1 in op.axes:
        return None
    count = math.prod(shape[axis] for axis in op.axes)
    total = samples.normal(count * read[0].mean, count * read[0].variance, seed)
    return samples.reshaped(total, total.numbers.shape[1:], tensor_of(op.results[0]).shape)


def _moved(op: Reshape | Broadcast, read: Sequence[Sample], seed: int) -> Sample | None:
    return samples.reshaped(read[0], tensor_of(op.operands[0]).shape, tensor_of(op.results[0]).shape)


def _transposed(op: Transpose, read: Sequence[Sample], seed: int) -> Sample:
    return Sample(read[0].numbers.transpose(0, *(1 + i for i in op.permutation)))


def _interleaved(op: Interleave, read: Sequence[Sample], seed: int) -> Sample | None:
    groups = tensor_of(op.operands[0]).shape[-2:]
    return Sample(Interleave.evaluate(read[0].numbers)) if read[0].numbers.shape[-2:] == groups else None


def _slice(op: Slice, read: Sequence[Sample], seed: int) -> Sample:
    numbers = read[0].numbers
    ranges = zip(numbers.shape[1:], op.offsets, op.sizes, op.strides, strict=True)
    taken = (slice(o, o + (n - 1) * s + 1, s) if size > 1 else slice(None) for size, o, n, s in ranges)
    return Sample(numbers[(slice(None), *taken)])


def _joined(op: Concat, read: Sequence[Sample], seed: int) -> Sample:
    return samples.joined(read, [tensor_of(value).shape[op.axis] for value in op.operands], op.axis)


def _padded(op: Pad, read: Sequence[Sample], seed: int) -> Sample | None:
    """A border that is not finite is one that pooling ignores."""
    if any((*op.interior, *op.low[-1:], *op.high[-1:])):
        return None
    if op.value == 0:
        return samples.padded(read[0], op.low, tensor_of(op.operands[0]).shape, op.high)
    return None if np.isfinite(op.value) else read[0]


_RULES: Mapping[type[Op], Callable[[Any, Sequence[Sample], int], Sample | None]] = {
    MaxPool: _largest,
    SumPool: _sum_of_window,
    ReduceSum: _sum,
    Reshape: _moved,
    Broadcast: _moved,
    Transpose: _transposed,
    Interleave: _interleaved,
    Slice: _slice,
    Concat: _joined,
    Pad: _padded,
    Copy: lambda op, read, seed: read[0],
}
"""What an op's result is like if what it reads is like this; each op draws with its own seed."""
