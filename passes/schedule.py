"""The steps of the main function in the order that needs least memory; how the order was found stands on the function.

What lies inside of another buffer, and what may be updated in place, is taken into account: `planning/sharing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from iree.compiler import ir

from pyipu.dialect.attributes import KINDS
from pyipu.dialect.definition import Op
from pyipu.passes.account import program_of
from pyipu.passes.base import Pass
from pyipu.passes.functions import main_function
from pyipu.passes.inplace import Graph
from pyipu.passes.planning.scheduling import Schedule, schedule
from pyipu.passes.planning.sharing import task_graph
from pyipu.passes.session import Session


@dataclass(frozen=True)
class ScheduleSteps(Pass):
    """Orders vertices and movement such that the least memory is alive at once."""

    NAME: ClassVar[str] = "ipu-schedule"

    tries: int = 100_000
    """How often searches may look up what a step would need; some 0.2 seconds on today's processors."""
    alignment: int = 64
    """Bytes: every buffer takes a multiple of it."""
    sums: bool = True
    """As in ipu-inplace: a residual may be where a sum of products starts."""

    def run(self, module: ir.Module, session: Session) -> None:
        graph, main = Graph.read(module, self.sums), main_function(module)
        found = schedule(task_graph(program_of(graph), self.alignment), self.tries)
        _move(graph.ops, found.order)
        main.attributes["ipu.schedule"] = KINDS["str"].encode(_kind(found))
        main.attributes["ipu.schedule_peak_bytes"] = KINDS["int"].encode(found.peak)
        session.remark(self.NAME, main.location, _summary(found))


def _move(ops: Sequence[Op], order: Sequence[int]) -> None:
    """Brings the ops into another order; what is no step, such as parameters, then stands in front of them."""
    if list(order) == list(range(len(ops))):
        return
    block = ops[0].operation.block
    end = block.operations[len(block.operations) - 1]
    for number in order:
        ops[number].operation.move_before(end)


def _kind(found: Schedule) -> str:
    return "exact" if found.exact else "heuristic"


def _summary(found: Schedule) -> str:
    bound = "" if found.exact else f", at least {found.lower_bound} in any order"
    return f"order: {_kind(found)}, peak {found.peak} bytes, {found.given_peak} as given{bound}"
