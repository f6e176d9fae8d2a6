"""Runs a placed program with numpy over one poisoned arena: an independent check of every offset, view and alias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Allocate, Border, Execute, Parameter, View
from pyipu.dialect.types import NUMPY_DTYPES, tensor_of
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.references import border_bytes
from tests.interpreter import interpret

POISON = 0xFF
"""Every byte of memory that nobody has written: NaN in all floating-point types."""


def run_placed(
    module: ir.Module, parameters: Mapping[str, np.ndarray], arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The results of the placed main function; reading unwritten memory gives NaN, writing an input is an error."""
    with module.context:
        return _Machine(module, parameters).run(arrays)


class _Machine:
    def __init__(self, module: ir.Module, parameters: Mapping[str, np.ndarray]) -> None:
        self.module, self.parameters = module, parameters
        self.main = main_function(module)
        size = ir.IntegerAttr(self.main.attributes["ipu.arena_bytes"]).value
        self.arena = np.full(size, POISON, np.uint8)
        self.memory: dict[ir.Value, np.ndarray] = {}

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        block = self.main.regions[0].blocks[0]
        for argument, array in zip(block.arguments, arrays, strict=True):
            self.memory[argument] = _read_only(array)
        *ops, last = block.operations
        steps = [op for op in ops if isinstance(op, Border | Execute)]
        for op in (op for op in ops if op not in steps):
            assert isinstance(op, Op)
            self._step(op)
        for op in _in_waves(steps):
            self._step(op)
        return [self.memory[value].copy() for value in last.operands]

    def _step(self, op: Op) -> None:
        if isinstance(op, Parameter):
            self.memory[op.results[0]] = _read_only(self.parameters[op.key])
        elif isinstance(op, Allocate):
            self.memory[op.results[0]] = self._bytes(op)
        elif isinstance(op, View):
            self.memory[op.results[0]] = self._view(op)
        elif isinstance(op, Border):
            self._border(op)
        else:
            assert isinstance(op, Execute), op
            self._execute(op)

    def _bytes(self, op: Allocate) -> np.ndarray:
        if op.space == "result":
            return np.full(op.size, POISON, np.uint8)
        assert op.offset + op.size <= self.arena.size, "a buffer leaves the arena"
        return self.arena[op.offset : op.offset + op.size]

    def _view(self, op: View) -> np.ndarray:
        dtype, base = NUMPY_DTYPES[op.tensor.dtype], self.memory[op.operands[0]]
        flat = base.reshape(-1).view(np.uint8)[op.start :]
        whole = flat[: int(np.prod(op.whole)) * dtype.itemsize].view(dtype).reshape(op.whole)
        steps = zip(op.offsets, op.tensor.shape, op.strides, strict=True)
        return whole[(*(slice(o, o + (n - 1) * s + 1 if n else o, s) for o, n, s in steps), ...)]

    def _border(self, op: Border) -> None:
        """What the emitter promises at least: the border is written, a border in many pieces destroys the inside."""
        padded, inside = (self.memory[value] for value in op.operands)
        before = inside.copy()
        padded[...] = op.value
        destroyed = op.wave is None or [length for _, length in border_bytes(op)] == [padded.nbytes]
        inside[...] = (np.nan if inside.dtype.kind == "f" else -1) if destroyed else before

    def _execute(self, op: Execute) -> None:
        values = list(op.operands)
        arrays = [self.memory[value].copy() for value in values[: -op.writes]]
        results = interpret(self.module, self.parameters, arrays, op.codelet)
        assert op.codelet in codelets(self.module)
        for value, result in zip(values[-op.writes :], results, strict=True):
            assert tuple(result.shape) == tensor_of(value).shape
            self.memory[value][...] = result


def _in_waves(steps: list[Border | Execute]) -> list[Border | Execute]:
    """Wave by wave, each backwards: what stands in it may run in any order."""
    if any(op.wave is None for op in steps):
        return steps
    return [op for _, op in sorted(enumerate(steps), key=lambda pair: (pair[1].wave, -pair[0]))]


def _read_only(array: np.ndarray) -> np.ndarray:
    view = np.ascontiguousarray(array).reshape(array.shape).view()
    view.flags.writeable = False
    return view
