"""Keeps weights in 8 bits, with a scale for each output channel; activations and sums stay in fp32."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast, Multiply
from pyipu.dialect.linear import MatMul, PackedMatMul, ShuffledMatMul
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.types import NUMPY_DTYPES, Tensor, tensor_of
from pyipu.dialect.windows import Conv
from pyipu.parameters import Array, Parameters
from pyipu.passes.base import Pass
from pyipu.passes.functions import erase_unread_parameters, main_function
from pyipu.passes.planning.grouping import MOST_INPUTS
from pyipu.passes.retyping import own_codelet, sign_anew
from pyipu.passes.session import Session

LARGEST = 127
"""Of the integers; -128 is not used, so that zero is in the middle."""

SMALLEST = 1e-20
"""Of the steps: what a sum starts from is divided by them."""

Quantized = dict[tuple[str, tuple[int, ...]], tuple[ir.Value, ir.Value]]
"""By the key of the weights and the dimensions that are summed over: the integers and the scales."""


@dataclass(frozen=True)
class Quantize(Pass):
    """Stores the weights of sums of products in 8 bits: integers times a scale for each output channel.

    What is summed up are the products with the integers; the scale multiplies each sum once.
    """

    NAME: ClassVar[str] = "ipu-quantize"

    def run(self, module: ir.Module, session: Session) -> None:
        block = main_function(module).regions[0].blocks[0]
        quantized: Quantized = {}
        for vertex in [op for op in ipu_ops(block) if isinstance(op, Vertex)]:
            weight = _weight(vertex, own_codelet(module, vertex))
            if weight is None:
                continue
            if len(vertex.operands) >= MOST_INPUTS:
                session.remark(self.NAME, vertex.location, "weights stay as they are: no operand is left for a scale")
                continue
            weight.apply(vertex, quantized, session.parameters)
        erase_unread_parameters(block)


@dataclass(frozen=True)
class _Weight:
    """Operand 1 of a sum of products that is known, and is argument `number` of the codelet."""

    codelet: func.FuncOp
    op: Op
    number: int
    summed: tuple[int, ...]
    """The dimensions of the weights that are summed over: the others are output channels."""
    scales: tuple[int, ...]
    """The shape in which one number for each output channel broadcasts to the sums."""

    def apply(self, vertex: Vertex, quantized: Quantized, parameters: Parameters) -> None:
        """Gives the vertex integers instead of the weights, and the scales as one more operand."""
        known = vertex.operands[self.number].owner
        key = known.key, self.summed
        if key not in quantized:
            quantized[key] = self._quantized(known, parameters)
        integers, scale = quantized[key]
        self._rewrite(integers.type, scale.type)
        operands = [integers if i == self.number else value for i, value in enumerate(vertex.operands)]
        with ir.InsertionPoint(vertex.operation):
            replacement = Vertex.create(
                *operands,
                scale,
                codelet=Symbol(vertex.codelet),
                results=[tensor_of(vertex.results[0])],
                location=vertex.location,
            )
        vertex.results[0].replace_all_uses_with(replacement.results[0])
        vertex.operation.erase()

    def _quantized(self, known: Parameter, parameters: Parameters) -> tuple[ir.Value, ir.Value]:
        """Derives two parameters: the integers and the scales."""
        tensor = tensor_of(known.results[0]).with_dtype("i8")
        scales = Tensor(self.scales, "f32")
        with ir.InsertionPoint(known.operation):
            integers = _derived(known.key, "int8", tensor, parameters, partial(integers_of, summed=self.summed))
            scale = _derived(known.key, "scale", scales, parameters, partial(scales_of, summed=self.summed))
        return integers, scale

    def _rewrite(self, integers: ir.Type, scale: ir.Type) -> None:
        """In the codelet: the sum of products with integers, times the scale."""
        codelet = self.codelet
        argument = codelet.arguments[self.number]
        factor = codelet.regions[0].blocks[0].add_argument(scale, self.op.location)
        argument.set_type(integers)
        with ir.InsertionPoint(self.op.operation), self.op.location:
            self.op.operands[1] = Cast.create(argument, dtype=tensor_of(self.op.results[0]).dtype).result
        uses = [(use.owner, use.operand_number) for use in self.op.results[0].uses]
        with ir.InsertionPoint.after(self.op.operation), self.op.location:
            product = Multiply.create(self.op.results[0], factor).result
        for owner, position in uses:
            owner.operands[position] = product
        sign_anew(codelet)


def _weight(vertex: Vertex, codelet: func.FuncOp) -> _Weight | None:
    """The weights of a vertex that are worth it; None when there are none."""
    body = codelet.regions[0].blocks[0]
    sums = [op for op in ipu_ops(body) if isinstance(op, Conv | MatMul | PackedMatMul | ShuffledMatMul)]
    right = sums[0].operands[1] if sums else None
    if not isinstance(right, ir.BlockArgument) or len(list(right.uses)) != 1:
        return None
    known = isinstance(vertex.operands[right.arg_number].owner, Parameter)
    weight = _Weight(codelet, sums[0], right.arg_number, *_channels(sums[0], tensor_of(right).shape))
    tensor, scales = tensor_of(right), Tensor(weight.scales, "f32")
    smaller = tensor.elements + scales.bytes < tensor.bytes
    return weight if known and tensor.dtype == "f32" and smaller else None


def _channels(op: Op, weights: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimensions of the weights that are summed over, and the shape of a number for each output channel."""
    rank = len(weights)
    if isinstance(op, PackedMatMul):
        return (2,), (math.prod(weights) // weights[2],)
    if isinstance(op, ShuffledMatMul):
        return (1,), (math.prod(weights) // weights[1],)
    if isinstance(op, Conv):
        return tuple(range(rank - 1)), weights[-1:]
    return (rank - 2,), (*weights[:-2], 1, weights[-1]) if rank > 2 else weights[-1:]


def _derived(
    key: str, word: str, tensor: Tensor, parameters: Parameters, compute: Callable[[Array], Array]
) -> ir.Value:
    name = parameters.unique(f"{key}.{word}")
    parameters.derive(name, tensor.shape, tensor.numpy_dtype, lambda: compute(parameters[key]).reshape(tensor.shape))
    return Parameter.create(key=name, results=[tensor]).result


def scales_of(weights: Array, summed: tuple[int, ...]) -> Array:
    """The size of one step for each channel, such that the largest weight is `LARGEST` steps, and never zero.

    Symmetric quantization as in Krishnamoorthi, "Quantizing deep convolutional networks" (2018), section 2.2.
    """
    largest = np.abs(weights).max(axis=summed, keepdims=True)
    return np.maximum(largest / LARGEST, SMALLEST).astype(np.float32)


def integers_of(weights: Array, summed: tuple[int, ...]) -> Array:
    """The nearest numbers of steps."""
    return np.rint(weights / scales_of(weights, summed)).clip(-LARGEST, LARGEST).astype(NUMPY_DTYPES["i8"])
