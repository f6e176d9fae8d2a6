"""Networks of any size in the form that planning sees: vertices that name a few codelets, and movement between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.elementwise import Add, Relu
from pyipu.dialect.linear import MatMul
from pyipu.dialect.movement import Concat, Pad
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import Tensor, mlir_type
from pyipu.dialect.windows import MaxPool

TENSOR = Tensor((1, 14, 14, 64), "f32")
PADDED = Tensor((1, 16, 16, 64), "f32")
MOST_JOINED = 6
"""Tensors that are concatenated to one, at most."""

SKIPS = 32
"""Values that wait to be added again much later."""


def synthetic_graph(vertices: int, seed: int = 0) -> ir.Module:
    """A module with so many vertices, in the current context.

    Chains, residuals, branches, dense blocks, paddings and long skips follow each other as `seed` has it.
    """
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        _write_codelets()
        type_ = mlir_type(TENSOR)
        main = func.FuncOp("main", ([type_], [type_]))
    with ir.InsertionPoint(main.add_entry_block()):
        network = _Network(random.Random(seed), vertices)
        func.ReturnOp([network.write(main.arguments[0])])
    return module


def _write_codelets() -> None:
    _codelet("softmax", [TENSOR], lambda x: Softmax.create(x, axis=3))
    _codelet("relu", [TENSOR], lambda x: Relu.create(x))
    _codelet("add", [TENSOR, TENSOR], lambda x, y: Add.create(x, y))
    _codelet("max_pool", [PADDED], lambda x: MaxPool.create(x, window=(3, 3), strides=(1, 1), dilations=(1, 1)))
    for count in range(2, MOST_JOINED + 1):
        _codelet(f"project_{count}", [_joined(count), _weights(count)], lambda x, w: MatMul.create(x, w))


def _joined(count: int) -> Tensor:
    return TENSOR.with_shape((*TENSOR.shape[:-1], count * TENSOR.shape[-1]))


def _weights(count: int) -> Tensor:
    return TENSOR.with_shape((count * TENSOR.shape[-1], TENSOR.shape[-1]))


def _codelet(name: str, operands: Sequence[Tensor], body: Callable[..., ir.OpView]) -> None:
    codelet = func.FuncOp(name, ([mlir_type(one) for one in operands], [mlir_type(TENSOR)]), visibility="private")
    with ir.InsertionPoint(codelet.add_entry_block()):
        func.ReturnOp([body(*codelet.arguments).results[0]])


class _Network:
    """Writes blocks until there are enough vertices."""

    def __init__(self, generator: random.Random, vertices: int) -> None:
        self.random, self.left = generator, vertices
        self.skips: list[ir.Value] = []
        self.weights = {count: self._parameter(count) for count in range(2, MOST_JOINED + 1)}

    def _parameter(self, count: int) -> ir.Value:
        return Parameter.create(key=f"weights_{count}", results=[_weights(count)]).results[0]

    def write(self, x: ir.Value) -> ir.Value:
        blocks = (self._run, self._residual, self._branches, self._dense, self._padded, self._skip)
        while self.left > 0:
            x = self.random.choice(blocks)(x)
        return x

    def _vertex(self, codelet: str, *operands: ir.Value) -> ir.Value:
        self.left -= 1
        return Vertex.create(*operands, codelet=Symbol(codelet), results=[TENSOR]).results[0]

    def _chain(self, x: ir.Value, length: int) -> ir.Value:
        for _ in range(length):
            x = self._vertex(self.random.choice(("softmax", "relu")), x)
        return x

    def _run(self, x: ir.Value) -> ir.Value:
        """Vertices that all run in place, sometimes many."""
        for _ in range(self.random.choice((1, 2, 4, 64))):
            x = self._vertex("relu", x)
        return x

    def _residual(self, x: ir.Value) -> ir.Value:
        return self._vertex("add", self._chain(x, self.random.randint(1, 4)), x)

    def _branches(self, x: ir.Value) -> ir.Value:
        count = self.random.randint(2, MOST_JOINED)
        joined = self._join(*(self._chain(x, self.random.randint(1, 3)) for _ in range(count)))
        return self._project(joined, count)

    def _dense(self, x: ir.Value) -> ir.Value:
        """Each result is joined to all before it: concatenations in concatenations."""
        joined, last = x, self._chain(x, 1)
        for count in range(2, MOST_JOINED + 1):
            joined = self._join(joined, last)
            last = self._project(joined, count)
        return last

    def _join(self, *values: ir.Value) -> ir.Value:
        return Concat.create(*values, axis=TENSOR.rank - 1).result

    def _project(self, joined: ir.Value, count: int) -> ir.Value:
        return self._vertex(f"project_{count}", joined, self.weights[count])

    def _padded(self, x: ir.Value) -> ir.Value:
        widths = (0, 1, 1, 0)
        padded = Pad.create(x, low=widths, high=widths, interior=(0, 0, 0, 0)).result
        return self._vertex("max_pool", padded)

    def _skip(self, x: ir.Value) -> ir.Value:
        """Keeps `x` for later, or adds one of those that were kept."""
        if len(self.skips) < SKIPS:
            self.skips.append(x)
            return self._chain(x, 1)
        kept = self.skips.pop(self.random.randrange(SKIPS))
        return self._vertex("add", x, kept)
