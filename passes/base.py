"""The base class of passes: a frozen dataclass whose fields are its options."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Self

from iree.compiler import ir

from pyipu.errors import PipelineError
from pyipu.passes.session import Session


@dataclass(frozen=True)
class Pass:
    """Rewrites a module in place. `NAME` is how a pipeline spells it; the first line of the docstring describes it."""

    NAME: ClassVar[str] = ""

    def run(self, module: ir.Module, session: Session) -> None:
        """Rewrites `module`; verifying, printing and timing are the pass manager's."""
        raise NotImplementedError

    @classmethod
    def from_options(cls, options: dict[str, str]) -> Self:
        """The pass with the options that a pipeline gives as text; raises PipelineError naming a wrong one."""
        known = {field.name.replace("_", "-"): field for field in fields(cls)}
        unknown = sorted(options.keys() - known.keys())
        if unknown:
            raise PipelineError(f"pass {cls.NAME} has no option '{unknown[0]}'; it has: {', '.join(known) or 'none'}")
        return cls(**{known[key].name: _convert(cls, known[key], text) for key, text in options.items()})

    def __str__(self) -> str:
        """The pass as a pipeline spells it: only options that differ from their default."""
        given = [
            (f.name.replace("_", "-"), getattr(self, f.name))
            for f in fields(self)
            if getattr(self, f.name) != f.default
        ]
        options = " ".join(f"{name}={_spell(value)}" for name, value in given)
        return f"{self.NAME}{{{options}}}" if options else self.NAME


def _spell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _convert(cls: type[Pass], field: Any, text: str) -> Any:
    """Options are bool, int, float or str, as their default is."""
    kind = type(field.default) if field.default is not MISSING else str
    if kind is bool and text in ("true", "false"):
        return text == "true"
    try:
        return kind(text) if kind is not bool else int(text) == 1
    except ValueError:
        raise PipelineError(f"option '{field.name}' of pass {cls.NAME} takes {kind.__name__}, not '{text}'") from None
