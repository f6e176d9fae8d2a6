"""Records how much memory the graph needs as it is now, so that the plan can show what each step of planning saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import KINDS
from pyipu.dialect.types import tensor_of
from pyipu.errors import PipelineError
from pyipu.passes.base import Pass
from pyipu.passes.functions import main_function
from pyipu.passes.inplace import Graph
from pyipu.passes.planning.stages import Measure, Program, in_place_bytes, reuse_bytes, sum_bytes
from pyipu.passes.session import Session

STAGES: Mapping[str, Measure] = {
    "sum": sum_bytes,
    "reuse": reuse_bytes,
    "in-place": in_place_bytes,
    "schedule": in_place_bytes,
}
"""Each figure with how it is measured, in the order of a plan; `schedule` is what `in-place` is in another order."""


@dataclass(frozen=True)
class Account(Pass):
    """Records the bytes that the graph needs in its order: without sharing, with reuse, and in place."""

    NAME: ClassVar[str] = "ipu-account"

    stages: str = "sum+reuse+in-place"
    """The figures to record: sum, reuse, in-place, or schedule, which stands for in-place in the final order."""
    alignment: int = 64
    """Bytes: every buffer starts at a multiple of it."""
    sums: bool = True
    """A residual may be where a sum of products starts, as for ipu-inplace."""

    def __post_init__(self) -> None:
        unknown = [stage for stage in self.stages.split("+") if stage not in STAGES]
        if unknown:
            raise PipelineError(f"pass {self.NAME} knows the stages {', '.join(STAGES)}, not '{unknown[0]}'")

    def run(self, module: ir.Module, session: Session) -> None:
        program, main = read_program(module, self.sums), main_function(module)
        for stage in self.stages.split("+"):
            main.attributes[_attribute(stage)] = KINDS["int"].encode(STAGES[stage](program, self.alignment))


def read_program(module: ir.Module, sums: bool = True) -> Program:
    """The main function as the planner sees it; raises VerificationError where `Graph.read` does."""
    return program_of(Graph.read(module, sums))


def program_of(graph: Graph) -> Program:
    """A graph that was read, without its IR."""
    sizes = [tensor_of(value).bytes for value in graph.values]
    return Program(graph.tensors, sizes, graph.steps, graph.returned)


def recorded_stages(main: func.FuncOp) -> dict[str, int]:
    """Bytes by stage, as far as they were recorded, in the order of `STAGES`."""
    recorded = [stage for stage in STAGES if _attribute(stage) in main.attributes]
    return {stage: ir.IntegerAttr(main.attributes[_attribute(stage)]).value for stage in recorded}


def _attribute(stage: str) -> str:
    return f"ipu.{stage.replace('-', '_')}_bytes"
