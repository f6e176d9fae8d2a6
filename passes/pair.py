"""Sums up products of bf16 in pairs where codelets allow it: weights get the order that such instructions read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.elementwise import Cast, Elementwise
from pyipu.dialect.linear import PackedMatMul
from pyipu.dialect.pairs import PairedConv, paired
from pyipu.dialect.program import Constant, Parameter, Vertex
from pyipu.dialect.types import NUMPY_DTYPES, Tensor, mlir_type, tensor_of
from pyipu.dialect.windows import Conv
from pyipu.parameters import Array, Parameters
from pyipu.passes.base import Pass
from pyipu.passes.functions import erase_unread_parameters, is_extension, main_function
from pyipu.passes.planning.blocks import channel_block
from pyipu.passes.retyping import own_codelet, sign_anew
from pyipu.passes.session import Session

TYPES = ("f32", "bf16")
"""What the operands of a codelet of pairs may be stored as."""


@dataclass(frozen=True)
class Pair(Pass):
    """Convolutions and products of bf16 with known weights become sums over pairs of channels, in f32.

    It follows `ipu-storage{type=bf16}`. A vertex stays as it is where channels are no pairs or filters no vectors,
    where the input is not bf16, and where more follows than what is element-wise.
    """

    NAME: ClassVar[str] = "ipu-pair"

    block: int = 32
    """The most filters that are computed together."""

    def run(self, module: ir.Module, session: Session) -> None:
        block = main_function(module).regions[0].blocks[0]
        weights: dict[tuple[str, int], ir.Value] = {}
        for vertex in [op for op in ipu_ops(block) if isinstance(op, Vertex)]:
            self._visit(vertex, own_codelet(module, vertex), weights, session)
        erase_unread_parameters(block)

    def _visit(
        self, vertex: Vertex, codelet: func.FuncOp, weights: dict[tuple[str, int], ir.Value], session: Session
    ) -> None:
        total = _total(codelet)
        if total is None:
            return
        columns = self._columns(total)
        refusal = _refusal(vertex, codelet, total, columns)
        if refusal:
            session.remark(self.NAME, vertex.location, f"no pairs: {refusal}")
            return
        known = vertex.operands[total.operands[1].owner.operands[0].arg_number].owner
        if (known.key, columns) not in weights:
            weights[known.key, columns] = _in_pairs(known, total, columns, session.parameters)
        _rewrite(vertex, codelet, total, weights[known.key, columns])

    def _columns(self, total: Op) -> int:
        repeating = [size for size in tensor_of(total.results[0]).shape[:-1] if size != 1]
        return channel_block(_filters(total), repeating[-1] if repeating else 1, self.block)


def _total(codelet: func.FuncOp) -> Op | None:
    """The sum of products that a codelet starts with."""
    ops = [op for op in ipu_ops(codelet.regions[0].blocks[0]) if not is_extension(op) and not isinstance(op, Constant)]
    return ops[0] if ops and isinstance(ops[0], Conv | PackedMatMul) else None


def _refusal(vertex: Vertex, codelet: func.FuncOp, total: Op, columns: int) -> str | None:
    """Why a sum cannot run in pairs."""
    extended = [value.owner for value in total.operands]
    narrow = [op.operands[0] for op in extended if isinstance(op, Cast) and is_extension(op)]
    if [tensor_of(value).dtype for value in narrow] != ["bf16", "bf16"]:
        return "an operand is not stored in bf16"
    if not isinstance(vertex.operands[narrow[1].arg_number].owner, Parameter) or len(list(narrow[1].uses)) > 1:
        return "the weights are not known"
    if _channels(total) % 2:
        return f"{_channels(total)} channels of a group are no pairs"
    if not columns:
        return f"{_filters(total)} filters of a group fill no vectors"
    return None if _is_epilogue(codelet, total) else "what follows is not element-wise"


def _groups(total: Op) -> int:
    return total.groups if isinstance(total, Conv) else tensor_of(total.operands[1]).shape[0]


def _channels(total: Op) -> int:
    """Of one group."""
    return tensor_of(total.operands[1]).shape[-2]


def _filters(total: Op) -> int:
    """Of one group."""
    return tensor_of(total.results[0]).shape[-1] // _groups(total)


def _is_epilogue(codelet: func.FuncOp, total: Op) -> bool:
    """All that follows works on the sums element by element, on tensors that vectors can read."""
    body = codelet.regions[0].blocks[0]
    shape, dtypes = tensor_of(total.results[0]).shape, {tensor_of(a).dtype for a in body.arguments}
    rest = [op for op in ipu_ops(body) if op != total and not is_extension(op) and not isinstance(op, Constant)]
    fits = all(isinstance(op, Elementwise) and tensor_of(op.results[0]).shape == shape for op in rest)
    return fits and dtypes <= set(TYPES)


def _in_pairs(known: Parameter, total: Op, columns: int, parameters: Parameters) -> ir.Value:
    """Derives the weights in blocks of `columns` filters and pairs of channels."""
    *window, channels, _ = _matrix(total)
    filters = tensor_of(total.results[0]).shape[-1]
    tensor = Tensor((filters // columns, *window, channels // 2, columns, 2), "bf16")
    key = parameters.unique(f"{known.key}.pairs")
    convert = partial(_converted, parameters, known.key, isinstance(total, PackedMatMul), columns)
    parameters.derive(key, tensor.shape, NUMPY_DTYPES["bf16"], convert)
    with ir.InsertionPoint.after(known.operation), known.location:
        return Parameter.create(key=key, results=[tensor]).result


def _matrix(total: Op) -> tuple[int, ...]:
    """The shape of the weights as [window…, C, G * F]."""
    shape = tensor_of(total.operands[1]).shape
    return shape if isinstance(total, Conv) else (shape[2], shape[0] * shape[1] * shape[3])


def _converted(parameters: Parameters, key: str, packed: bool, columns: int) -> Array:
    weights = parameters[key]
    if packed:
        weights = weights.transpose(2, 0, 1, 3).reshape(weights.shape[2], -1)
    return paired(weights, columns)


def _rewrite(vertex: Vertex, codelet: func.FuncOp, total: Op, weights: ir.Value) -> None:
    """Replaces the sum in the codelet, and the weights of the vertex."""
    casts = [value.owner for value in total.operands]
    input, argument = (op.operands[0] for op in casts)
    vertex.operands[argument.arg_number] = weights
    argument.set_type(mlir_type(tensor_of(weights)))
    steps = {name: total.values.get(name, ()) for name in ("strides", "dilations")}
    with ir.InsertionPoint(total.operation):
        sums = PairedConv.create(input, argument, groups=_groups(total), location=total.location, **steps).result
    total.results[0].replace_all_uses_with(sums)
    for op in (total, *dict.fromkeys(casts)):
        if not list(op.results[0].uses):
            op.operation.erase()
    sign_anew(codelet)
