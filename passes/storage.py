"""Keeps what lies in memory between vertices in 16 bits, while vertices go on computing in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast
from pyipu.dialect.linear import MatMul, PackedMatMul
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.reduction import Softmax
from pyipu.dialect.types import NUMPY_DTYPES, Tensor, mlir_type, tensor_of
from pyipu.errors import PipelineError, StorageError
from pyipu.parameters import Array, Parameters
from pyipu.passes.base import Pass
from pyipu.passes.functions import codelets, erase_unread_parameters, main_function, returned_value
from pyipu.passes.retyping import is_weight, own_codelet, retype_codelet
from pyipu.passes.session import Session
from pyipu.passes.updates import is_bare_sum, start_of

TYPES = ("f16", "bf16")


@dataclass(frozen=True)
class Storage(Pass):
    """Stores activations and weights in 16 bits; vertices extend what they read and round what they write.

    Inputs and results of the network keep their types, and so do constants that are only added, multiplied and the
    like: they are small. Tensors of other types than f32 stay as they are, and so does a sum that is not complete.
    """

    NAME: ClassVar[str] = "ipu-storage"

    type: str = "f16"
    """What is stored: f16 or bf16."""
    scores: bool = False
    """Keep what a softmax reads whose result is returned: rounding can make the largest of such scores equal."""
    rows: bool = False
    """Keep what a single row of sums is computed of: it is short beside the weights, and all errors meet there."""

    def run(self, module: ir.Module, session: Session) -> None:
        if self.type not in TYPES:
            raise PipelineError(f"option 'type' of pass {self.NAME} takes {' or '.join(TYPES)}, not '{self.type}'")
        block = main_function(module).regions[0].blocks[0]
        narrowing = _Narrowing(module, session.parameters, self.type, self._kept(module))
        for op in list(ipu_ops(block)):
            narrowing.visit(op)
        erase_unread_parameters(block)

    def _kept(self, module: ir.Module) -> set[ir.Value]:
        """What stays as wide as it is: the network's results and what becomes one by movement alone, or, with `scores`,
        by a softmax; with `rows` what single rows are computed of; and partial sums.
        """
        block, bodies = main_function(module).regions[0].blocks[0], codelets(module)
        found = set(block.operations[len(block.operations) - 1].operands)
        for op in reversed(list(ipu_ops(block))):
            if op.results[0] in found and (op.movement or (self.scores and _is_softmax(op, bodies))):
                found.update(op.operands)
        rows = _read_by_rows(block, bodies) if self.rows else set()
        return found | rows | _partial_sums(block, bodies)


def _read_by_rows(block: ir.Block, bodies: Mapping[str, func.FuncOp]) -> set[ir.Value]:
    """What sums of products read that have one number for each filter, and what becomes that by movement."""
    found: set[ir.Value] = set()
    for op in reversed(list(ipu_ops(block))):
        if isinstance(op, Vertex):
            found |= _row(op, bodies[op.codelet])
        elif op.movement and op.results[0] in found:
            found.update(op.operands)
    return found


def _row(vertex: Vertex, codelet: func.FuncOp) -> set[ir.Value]:
    """The data of a vertex that computes a single row of sums."""
    first = next(iter(ipu_ops(codelet.regions[0].blocks[0])), None)
    if not isinstance(first, MatMul | PackedMatMul) or not isinstance(first.operands[0], ir.BlockArgument):
        return set()
    result = tensor_of(first.results[0])
    return {vertex.operands[first.operands[0].arg_number]} if result.elements == result.shape[-1] else set()


def _is_softmax(op: Op, bodies: dict[str, func.FuncOp]) -> bool:
    """A vertex that computes nothing else."""
    if not isinstance(op, Vertex):
        return False
    ops = list(ipu_ops(bodies[op.codelet].regions[0].blocks[0]))
    return len(ops) == 1 and isinstance(ops[0], Softmax)


def _partial_sums(block: ir.Block, bodies: Mapping[str, func.FuncOp]) -> set[ir.Value]:
    """What another product of the same node of the model adds to: else one result would be rounded many times."""
    sums = [op for op in ipu_ops(block) if isinstance(op, Vertex) and is_bare_sum(bodies[op.codelet])]
    return {op.results[0] for op in sums if all(_goes_on(op, use, bodies) for use in op.results[0].uses)}


def _goes_on(op: Vertex, use: ir.OpOperand, bodies: Mapping[str, func.FuncOp]) -> bool:
    """The reader starts its sum of products from what `op` has summed up."""
    reader = use.owner
    same_node = isinstance(reader, Vertex) and reader.location == op.location
    return same_node and start_of(bodies[reader.codelet], use.operand_number) is not None


class _Narrowing:
    """Visits the ops of the main function in order and changes the types of their results."""

    def __init__(self, module: ir.Module, parameters: Parameters, dtype: str, kept: set[ir.Value]) -> None:
        self.module, self.parameters, self.dtype, self.kept = module, parameters, dtype, kept
        self.copies: dict[ir.Value, ir.Value] = {}

    def visit(self, op: Op) -> None:
        if isinstance(op, Vertex):
            self._vertex(op)
        elif op.movement and self._changes(op.results[0]):
            for i, value in enumerate(op.operands):
                op.operands[i] = self._narrow(value)
            self._retype(op.results[0])

    def _changes(self, value: ir.Value) -> bool:
        return tensor_of(value).dtype == "f32" and value not in self.kept

    def _retype(self, value: ir.Value) -> None:
        value.set_type(mlir_type(tensor_of(value).with_dtype(self.dtype)))

    def _vertex(self, op: Vertex) -> None:
        codelet = own_codelet(self.module, op)
        for i, argument in enumerate(codelet.arguments):
            if isinstance(op.operands[i].owner, Parameter) and is_weight(argument):
                op.operands[i] = self._narrow(op.operands[i])
        if self._changes(op.results[0]) and _rounds(codelet):
            self._retype(op.results[0])
        retype_codelet(codelet, [value.type for value in op.operands], op.results[0].type)

    def _narrow(self, value: ir.Value) -> ir.Value:
        """The value itself where it is stored narrow already, else a copy of it."""
        if tensor_of(value).dtype != "f32":
            return value
        if value not in self.copies:
            self.copies[value] = self._copy(value)
        return self.copies[value]

    def _copy(self, value: ir.Value) -> ir.Value:
        tensor = tensor_of(value).with_dtype(self.dtype)
        if isinstance(value, ir.BlockArgument):
            point, location = ir.InsertionPoint.at_block_begin(value.owner), ir.Location.unknown()
        else:
            point, location = ir.InsertionPoint.after(value.owner.operation), value.owner.location
        with point, location:
            if isinstance(value.owner, Parameter):
                return Parameter.create(key=self._derived(value.owner.key, tensor), results=[tensor]).result
            return Vertex.create(value, codelet=Symbol(self._cast_codelet(value)), results=[tensor]).results[0]

    def _derived(self, key: str, tensor: Tensor) -> str:
        name = self.parameters.unique(f"{key}.{self.dtype}")
        convert = partial(_rounded, self.parameters, key, self.dtype)
        self.parameters.derive(name, tensor.shape, tensor.numpy_dtype, convert)
        return name

    def _cast_codelet(self, value: ir.Value) -> str:
        name = f"to_{self.dtype}_{len(self.copies)}"
        result = mlir_type(tensor_of(value).with_dtype(self.dtype))
        with ir.InsertionPoint(self.module.body):
            codelet = func.FuncOp(name, ([value.type], [result]), visibility="private")
        with ir.InsertionPoint(codelet.add_entry_block()):
            func.ReturnOp([Cast.create(codelet.arguments[0], dtype=self.dtype).result])
        return name


def _rounds(codelet: func.FuncOp) -> bool:
    """What the codelet computes last may be rounded behind it."""
    last = returned_value(codelet).owner
    return not isinstance(last, Op) or last.rounds


def _rounded(parameters: Parameters, key: str, dtype: str) -> Array:
    """A weight in 16 bits.

    Raises:
        StorageError: a finite element would become infinite.
    """
    wide = parameters[key]
    with np.errstate(over="ignore"):
        narrow = wide.astype(NUMPY_DTYPES[dtype])
    if np.any(np.isinf(narrow) & np.isfinite(wide)):
        raise StorageError(f"the weight {key!r} has elements that {dtype} cannot hold; use another storage")
    return narrow
