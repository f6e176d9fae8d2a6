"""Who looks on while passes run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iree.compiler import ir

from pyipu import settings

Observer = Callable[[str, ir.Module], None]
"""Called with a pass's name and the module after it."""


@dataclass(frozen=True)
class Observers:
    """Passes on what it is called with."""

    all: Sequence[Observer]

    def __call__(self, name: str, module: ir.Module) -> None:
        for one in self.all:
            one(name, module)


def dumper() -> Observer | None:
    """Writes the IR after each pass into the folder that the settings name, numbered in order."""
    folder = settings.dump_folder()
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    number = itertools.count()

    def write(name: str, module: ir.Module) -> None:
        title = re.sub(r"\W+", "-", name).strip("-")
        (folder / f"{next(number):02}-{title}.mlir").write_text(f"{module}\n")

    return write
