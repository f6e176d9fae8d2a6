"""Finds the ops of the main function that all work row by row, and shows them to the planner of strips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.movement import Concat, Pad, Reshape, Slice
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.types import tensor_of
from pyipu.dialect.winograd import WinogradInput, WinogradProduct, pixels_of_tile
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.planning.row_run import Role, RowRun, StreamOp
from pyipu.passes.planning.row_strips import RowOp, RowUse
from pyipu.passes.row_uses import Dependence, dependence
from pyipu.passes.updates import updatable_operands

Given = tuple[ir.Value, int]
"""A tensor from outside of the run, and the dimension in which it has rows."""


@dataclass(frozen=True)
class Run:
    """Consecutive row-wise ops; `rows` numbers the tensors from outside first, and then the ops."""

    given: tuple[Given, ...]
    ops: tuple[Op, ...]
    dependences: tuple[Dependence, ...]
    rows: RowRun

    def op(self, number: int) -> Op:
        return self.ops[number - len(self.given)]

    def dependence(self, number: int) -> Dependence:
        return self.dependences[number - len(self.given)]


def row_runs(module: ir.Module) -> Iterator[Run]:
    """The longest stretches of ops that all work row by row, of two ops or more.

    What a run reads is looked up when the run is asked for: strips of the runs before it may have replaced that.
    """
    bodies = codelets(module)
    yield from (_run(members, bodies) for members in _members(module, bodies) if len(members) > 1)


Members = list[tuple[Op, Dependence]]


def _members(module: ir.Module, bodies: Mapping[str, func.FuncOp]) -> list[Members]:
    runs: list[Members] = [[]]
    for op in ipu_ops(main_function(module).regions[0].blocks[0]):
        if isinstance(op, Parameter):
            continue
        found = dependence(op, dict(bodies))
        if found is None:
            runs.append([])
            continue
        if _reads_otherwise(op, found, {one.results[0] for one, _ in runs[-1]}):
            runs.append([])
        runs[-1].append((op, found))
    return runs


def _reads_otherwise(op: Op, found: Dependence, inside: set[ir.Value]) -> bool:
    """The op reads a tensor of the run as a whole, or along another dimension than its rows."""
    return any(value in inside and (i not in found or found[i].axis != 1) for i, value in enumerate(op.operands))


def _run(members: Members, bodies: Mapping[str, func.FuncOp]) -> Run:
    ops = tuple(op for op, _ in members)
    given = tuple(_given(members))
    number = {one: i for i, one in enumerate(given)} | {(op.results[0], 1): i + len(given) for i, op in enumerate(ops)}
    planned = [*map(_outside, given), *(_stream_op(op, uses, number, bodies) for op, uses in members)]
    leaves = frozenset(number[op.results[0], 1] for op in ops if _leaves(op, {one.operation for one in ops}))
    return Run(given, ops, tuple(uses for _, uses in members), RowRun(tuple(planned), len(given), leaves))


def _given(members: Members) -> Iterator[Given]:
    inside = {op.results[0] for op, _ in members}
    seen = dict.fromkeys((op.operands[i], rows.axis) for op, uses in members for i, rows in uses.items())
    return (one for one in seen if one[0] not in inside)


def _leaves(op: Op, inside: set[ir.Operation]) -> bool:
    return any(use.owner.operation not in inside for use in op.results[0].uses)


def _outside(given: Given) -> StreamOp:
    """Inputs of the network and parameters are not in the arena."""
    value, axis = given
    rows = tensor_of(value).shape[axis]
    elsewhere = isinstance(value, ir.BlockArgument) or isinstance(value.owner, Parameter)
    return StreamOp(RowOp(rows, ()), 0 if elsewhere else tensor_of(value).bytes // rows)


def _stream_op(op: Op, uses: Dependence, number: Mapping[Given, int], bodies: Mapping[str, func.FuncOp]) -> StreamOp:
    tensor = tensor_of(op.results[0])
    reads = {i: number[op.operands[i], rows.axis] for i, rows in uses.items()}
    inner = tensor_of(op.operands[0]).shape[1] if isinstance(op, Pad) else None
    row_uses = tuple(RowUse(reads[i], rows.window, rows.stride, rows.low, rows.repeat) for i, rows in uses.items())
    pixels = tensor.elements // tensor.shape[-1]
    if _has_planes(op, bodies):
        pixels = pixels // tensor.shape[2] * pixels_of_tile(tensor.shape[2])
    weights = [tensor_of(value) for i, value in enumerate(op.operands) if i not in uses]
    weights = [weight for weight in weights if weight.rank > 1 and weight.elements > max(weight.shape)]
    return StreamOp(
        RowOp(tensor.shape[1], row_uses, inner),
        row_bytes=tensor.bytes // tensor.shape[1],
        row_pixels=pixels // tensor.shape[1],
        weight_bytes=sum(weight.bytes for weight in weights),
        weight_elements=_products(op, bodies) // pixels,
        weight_parts=weights[0].shape[0] if weights and _has_planes(op, bodies) else 1,
        role=_role(op),
        takes=tuple(reads[i] for i in _updatable(op, bodies) if i in reads),
    )


def _products(op: Op, bodies: Mapping[str, func.FuncOp]) -> int:
    """How many products of f32 take the time of those that a vertex adds up."""
    if not isinstance(op, Vertex):
        return 0
    ops = ipu_ops(bodies[op.codelet].regions[0].blocks[0])
    return sum(one.work // one.products_at_once for one in ops)


def _has_planes(op: Op, bodies: Mapping[str, func.FuncOp]) -> bool:
    """Computes planes: the rows are rows of tiles, and each plane has weights of its own."""
    ops = ipu_ops(bodies[op.codelet].regions[0].blocks[0]) if isinstance(op, Vertex) else ()
    return any(isinstance(one, WinogradInput | WinogradProduct) for one in ops)


def _role(op: Op) -> Role:
    if isinstance(op, Concat | Pad):
        return Role.GATHER
    return Role.VIEW if isinstance(op, Slice | Reshape) else Role.COMPUTE


def _updatable(op: Op, bodies: Mapping[str, func.FuncOp]) -> Sequence[int]:
    return updatable_operands(bodies[op.codelet]) if isinstance(op, Vertex) else ()
