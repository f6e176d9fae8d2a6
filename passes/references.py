"""What references of a placed program are: parts of buffers, in elements and in bytes, and how vertices use them."""

from __future__ import annotations

from iree.compiler import ir

from pyipu.dialect.program import Allocate, Border, Execute, View
from pyipu.dialect.types import tensor_of
from pyipu.passes.planning.border import border_runs
from pyipu.passes.planning.region import Region

FEW_RUNS, MOST_RUNS = 64, 1024
"""A border in at most the first number of pieces is always written so, in more than the second only if it has to be."""
RUN_BYTES = 4096
"""Bytes that are filled in the time that one more command takes."""


def base_of(reference: ir.Value) -> ir.Value:
    """The buffer, argument or parameter that a reference shows a part of, or is."""
    return reference.owner.operands[0] if isinstance(reference.owner, View) else reference


def region_of(reference: ir.Value) -> Region:
    """Where the tensor of a view lies in its buffer, in elements; of anything else it is all."""
    view, tensor = reference.owner, tensor_of(reference)
    if not isinstance(view, View):
        return Region.all_of(tensor.shape)
    return Region(view.start // tensor.numpy_dtype.itemsize, view.whole, view.offsets, tensor.shape, view.strides)


def bound_bytes(reference: ir.Value) -> tuple[int, int]:
    """Byte offset in the arena, or else in its base, and length, of the whole tensor that a reference is a part of."""
    owner = reference.owner
    if not isinstance(owner, View):
        return 0, tensor_of(reference).bytes
    base = owner.operands[0].owner
    offset = (base.offset or 0) if isinstance(base, Allocate) else 0
    return offset + owner.start, tensor_of(reference).with_shape(owner.whole).bytes


def distance(reference: ir.Value) -> int | None:
    """Bytes from where its whole tensor begins to a reference; None when it is not one piece of memory."""
    elements = region_of(reference).distance
    return None if elements is None else elements * tensor_of(reference).numpy_dtype.itemsize


def accesses(op: Execute) -> dict[ir.Value, str]:
    """The distinct references of a placed vertex: `readonly`, `writeonly` or `readwrite`."""
    values, writes = list(op.operands), op.writes
    read, written = set(values[:-writes]), set(values[-writes:])
    return {
        value: "readonly" if value not in written else "readwrite" if value in read else "writeonly"
        for value in dict.fromkeys(values)
    }


def border_bytes(op: Border) -> list[tuple[int, int]]:
    """What a border writes: byte offsets as in `bound_bytes`, and lengths.

    A border in many pieces is written by filling all of a tensor that lies in one piece: each costs a command.
    """
    padded, inside = op.operands
    region, itemsize = region_of(padded), tensor_of(padded).numpy_dtype.itemsize
    begin = bound_bytes(padded)[0] - padded.owner.start
    runs = border_runs(region, region_of(inside))
    costs_less = len(runs) > FEW_RUNS and tensor_of(padded).bytes <= len(runs) * RUN_BYTES
    if (costs_less or len(runs) > MOST_RUNS) and region.distance is not None:
        return [(begin + (region.start + region.distance) * itemsize, tensor_of(padded).bytes)]
    return [(begin + run.offset * itemsize, run.length * itemsize) for run in runs]
