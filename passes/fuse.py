"""Graph ops become vertices: each vertex runs an anchor with its epilogue as one dispatch, and names a codelet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attention import Attention
from pyipu.dialect.attributes import Symbol
from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast, Dequantize
from pyipu.dialect.linear import NARROW
from pyipu.dialect.movement import Broadcast, Gather, Interleave, Transpose
from pyipu.dialect.program import Constant, Parameter, Vertex
from pyipu.dialect.recurrent import Recurrent
from pyipu.dialect.reduction import ReduceSum, Softmax
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.dialect.windows import SumPool
from pyipu.parameters import Parameters
from pyipu.passes.base import Pass
from pyipu.passes.functions import main_function
from pyipu.passes.planning.grouping import Kind, Node, form_groups
from pyipu.passes.session import Session

_ALONE = (Softmax, Gather, Broadcast, Interleave, Transpose, Recurrent, Attention)


@dataclass(frozen=True)
class Fuse(Pass):
    """Forms vertices: convolutions, contractions, reductions and what is element-wise behind them."""

    NAME: ClassVar[str] = "ipu-fuse"

    def run(self, module: ir.Module, session: Session) -> None:
        block = main_function(module).regions[0].blocks[0]
        _read_integers(block)
        ops = [op for op in ipu_ops(block) if not isinstance(op, Vertex) and not _comes_along(op)]
        for number, group in enumerate(form_groups(_nodes(ops))):
            _build_vertex([ops[i] for i in group.members], number, module)
        _keep_constants_as_parameters(block, session.parameters)


def _read_integers(block: ir.Block) -> None:
    """Whoever computes with what integers stand for gets an op of its own that makes it of them.

    So it is integers that lie in memory, and wait there: they take a quarter of the bytes.
    """
    found = [op for op in ipu_ops(block) if _is_read(op)]
    uses = [(op, use) for op in found for use in op.results[0].uses if _takes(use.owner, op)]
    for op, use in uses:
        with ir.InsertionPoint(use.owner):
            use.owner.operands[use.operand_number] = op.operation.clone().results[0]
    for op in [op for op in found if not list(op.results[0].uses)]:
        op.operation.erase()


def _is_read(op: ir.OpView) -> bool:
    """Makes numbers of integers, all with one scale, or wide integers of those of 8 bits."""
    if isinstance(op, Dequantize):
        return all(map(_is_splat, list(op.operands)[1:]))
    return isinstance(op, Cast) and op.dtype == "i32" and tensor_of(op.operands[0]).dtype in NARROW


def _takes(reader: ir.OpView, op: ir.OpView) -> bool:
    """The reader computes element by element, or adds up integers, which it can extend itself."""
    if isinstance(op, Cast):
        return isinstance(reader, ReduceSum | SumPool)
    return isinstance(reader, Op) and reader.elementwise


def _comes_along(op: ir.OpView) -> bool:
    """Whoever reads the op's result computes it: it is in no group, and nothing of it is in memory."""
    return _is_read(op) and all(_takes(use.owner, op) for use in op.results[0].uses)


def _in_memory(value: ir.Value) -> ir.Value:
    """What is read where `value` is."""
    return value.owner.operands[0] if _comes_along(value.owner) else value


def _nodes(ops: Sequence[Op]) -> list[Node]:
    position = {op.results[0]: i for i, op in enumerate(ops)}
    return [_node(op, position) for op in ops]


def _node(op: Op, position: dict[ir.Value, int]) -> Node:
    read = [_in_memory(value) for value in op.operands]
    operands = tuple(position[value] for value in read if value in position)
    returned = any(not isinstance(use.owner, Op) for use in op.results[0].uses)
    inputs = len({value for value in read if not _is_splat(value)})
    return Node(_kind(op), operands, tensor_of(op.results[0]).shape, returned, inputs)


def _kind(op: Op) -> Kind:
    if isinstance(op, Constant | Parameter) or op.movement:
        return Kind.OUTSIDE
    if op.elementwise:
        return Kind.ELEMENTWISE
    return Kind.ALONE if isinstance(op, _ALONE) else Kind.ANCHOR


def _build_vertex(members: Sequence[Op], number: int, module: ir.Module) -> None:
    """Moves the members into a new codelet and puts a vertex where the last of them was."""
    last = members[-1]
    outer = _outer_operands(members)
    name = f"{_title(members)}_{number}"
    _build_codelet(name, members, outer, module)
    with ir.InsertionPoint(last.operation):
        vertex = Vertex.create(
            *outer,
            codelet=Symbol(name),
            results=[tensor_of(last.results[0])],
            location=_anchor(members).location,
        )
    last.results[0].replace_all_uses_with(vertex.results[0])
    for op in reversed(members):
        carried = [value.owner for value in op.operands if _comes_along(value.owner)]
        op.operation.erase()
        for one in carried:
            one.operation.erase()


def _anchor(members: Sequence[Op]) -> Op:
    return next((op for op in members if not op.elementwise), members[0])


def _title(members: Sequence[Op]) -> str:
    return _anchor(members).MNEMONIC


def _outer_operands(members: Sequence[Op]) -> list[ir.Value]:
    """What the group reads from outside, each once, without the scalars that it can hold itself."""
    inside = {op.results[0] for op in members}
    values = dict.fromkeys(_in_memory(value) for op in members for value in op.operands)
    return [value for value in values if value not in inside and not _is_splat(value)]


def _is_splat(value: ir.Value) -> bool:
    owner = value.owner
    return isinstance(owner, Constant) and np.unique(owner.value).size == 1


def _build_codelet(name: str, members: Sequence[Op], outer: Sequence[ir.Value], module: ir.Module) -> None:
    result = members[-1].results[0].type
    with ir.InsertionPoint(module.body), _anchor(members).location:
        codelet = func.FuncOp(name, ([value.type for value in outer], [result]), visibility="private")
        body = codelet.add_entry_block()
    inner = dict(zip(outer, body.arguments, strict=True))
    with ir.InsertionPoint(body):
        for op in members:
            _clone(op, inner)
        func.ReturnOp([inner[members[-1].results[0]]], loc=members[-1].location)


def _clone(op: Op, inner: dict[ir.Value, ir.Value]) -> None:
    """Copies `op` to the insertion point; an operand that is no other's result comes along."""
    for value in op.operands:
        if value not in inner:
            _clone(value.owner, inner)
    copy = op.operation.clone()
    for i, value in enumerate(op.operands):
        copy.operands[i] = inner[value]
    inner[op.results[0]] = copy.results[0]


def _keep_constants_as_parameters(block: ir.Block, parameters: Parameters) -> None:
    """From here on every known tensor is a byte range: what is left of the constants moves to the archive."""
    for op in list(ipu_ops(block)):
        if isinstance(op, Constant):
            _replace_constant(op, parameters)


def _replace_constant(op: Constant, parameters: Parameters) -> None:
    if not list(op.results[0].uses):
        op.operation.erase()
        return
    key = parameters.unique("constant")
    parameters.add(key, op.value)
    with ir.InsertionPoint(op.operation):
        parameter = Parameter.create(key=key, results=[Tensor.of(op.value)], location=op.location)
    op.results[0].replace_all_uses_with(parameter.results[0])
    op.operation.erase()
