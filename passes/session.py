"""What passes of one compilation share besides the IR."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyipu.parameters import Parameters
from pyipu.passes.planning.streaming import Planners

_LOCATION = re.compile(r'loc\("([^"]*)"(:\d+:\d+)?')


@dataclass(frozen=True)
class Remark:
    """Something that a pass decided or refused, and why."""

    source: str
    """The pass."""
    where: str
    """The location in the model, usually a node name."""
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.where}: {self.message}"


@dataclass
class Session:
    """The weights, what passes had to say, and what planning strips for one peak found out for the next one."""

    parameters: Parameters = field(default_factory=Parameters)
    remarks: list[Remark] = field(default_factory=list)
    planners: Planners = field(default_factory=Planners)

    def remark(self, source: str, where: object, message: str) -> None:
        """Records a decision; `where` is an MLIR location or a name."""
        self.remarks.append(Remark(source, place(where), message))


def place(where: object) -> str:
    """What an MLIR location names: the node's name; `file:line:column` for IR that was read from text."""
    location = _LOCATION.match(str(where))
    return f"{location[1]}{location[2] or ''}" if location else str(where)
