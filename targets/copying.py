"""Vertices that move one range of bytes to another place: a command does that, which needs no code of its own."""

from __future__ import annotations

from collections.abc import Mapping

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.program import Execute, View
from pyipu.dialect.types import tensor_of
from pyipu.passes.functions import returned_value
from pyipu.passes.planning.region import Region


def region_of(reference: ir.Value) -> Region:
    """Where the tensor of a view lies in its buffer, in elements; of anything else it is all."""
    view, tensor = reference.owner, tensor_of(reference)
    if not isinstance(view, View):
        return Region.all_of(tensor.shape)
    return Region(view.start // tensor.numpy_dtype.itemsize, view.whole, view.offsets, tensor.shape, view.strides)


def distance(reference: ir.Value) -> int | None:
    """Bytes from where its whole tensor begins to a reference; None when it is not one piece of memory."""
    elements = region_of(reference).distance
    return None if elements is None else elements * tensor_of(reference).numpy_dtype.itemsize


def moves(op: Execute, bodies: Mapping[str, func.FuncOp]) -> bool:
    """Whether a placed vertex does nothing but move one piece of memory; `bodies` are the codelets by name."""
    is_copy = len(op.operands) == 2 and isinstance(returned_value(bodies[op.codelet]), ir.BlockArgument)
    return is_copy and all(distance(value) is not None for value in op.operands)
