"""Lets steps of a placed program run side by side, as far as the bytes that they share allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.attributes import KINDS
from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Allocate, Border, Execute, Parameter
from pyipu.dialect.types import tensor_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import main_function
from pyipu.passes.planning.waves import Access, wave_numbers, written_runs
from pyipu.passes.references import accesses, base_of, border_bytes, bound_bytes, region_of
from pyipu.passes.session import Session

ARENA = 0
"""The resource that all buffers of the arena are in; others have the numbers from one on."""


@dataclass(frozen=True)
class Waves(Pass):
    """Numbers what can run side by side: steps that touch no bytes that another one of them writes.

    A step waits for another one only where their bytes ask for it, so a wave may hold steps that stand far apart. The
    arena stays as it is: who gets bytes that another one had waits for that.
    """

    NAME: ClassVar[str] = "ipu-waves"

    def run(self, module: ir.Module, session: Session) -> None:
        main = main_function(module)
        steps = [op for op in ipu_ops(main.regions[0].blocks[0]) if isinstance(op, Border | Execute)]
        bases = _Bases()
        waves = wave_numbers(bases.border(op) if isinstance(op, Border) else list(bases.vertex(op)) for op in steps)
        for op, wave in zip(steps, waves, strict=True):
            op.attributes["wave"] = KINDS["int"].encode(wave)
        session.remark(self.NAME, main.location, f"{len(steps)} steps run in {len(set(waves))} waves")


class _Bases:
    """What steps access, with a number for each thing that bytes are in."""

    def __init__(self) -> None:
        self.numbers: dict[ir.Value, int] = {}

    def border(self, op: Border) -> list[Access]:
        return written_runs(self._resource(op.operands[0]), border_bytes(op))

    def vertex(self, op: Execute) -> Iterator[Access]:
        """Parameters are left out: nobody writes them."""
        for reference, access in accesses(op).items():
            if not isinstance(base_of(reference).owner, Parameter):
                yield self._access(reference, access != "readonly")

    def _access(self, reference: ir.Value, writes: bool) -> Access:
        region, itemsize = region_of(reference), tensor_of(reference).numpy_dtype.itemsize
        begin = bound_bytes(reference)[0] - region.start * itemsize
        first, end, pitch, run = (number * itemsize for number in region.runs)
        return Access(self._resource(reference), writes, begin + first, begin + end, pitch, run)

    def _resource(self, reference: ir.Value) -> int:
        base = base_of(reference)
        if isinstance(base.owner, Allocate) and base.owner.space == "arena":
            return ARENA
        return self.numbers.setdefault(base, len(self.numbers) + 1)
