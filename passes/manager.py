"""Pipelines: parsing and printing them, and running them in MLIR's PassManager with checks, dumps and timing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from iree.compiler import ir, passmanager

from pyipu.errors import PipelineError
from pyipu.passes.base import Pass
from pyipu.passes.session import Session
from pyipu.passes.verifier import verify


@dataclass(frozen=True)
class MlirPass:
    """A pass, or a nest of them, that MLIR or IREE has; its text is theirs."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Pipeline:
    """A sequence of passes; its text form is MLIR's: `ipu-layout,ipu-allocate{time-limit=1},cse`."""

    passes: tuple[Pass | MlirPass, ...]

    @staticmethod
    def parse(text: str) -> Pipeline:
        """Raises PipelineError for an unknown pass or option, or unbalanced brackets."""
        inner = text.strip()
        if inner.startswith("builtin.module(") and inner.endswith(")"):
            inner = inner[len("builtin.module(") : -1]
        return Pipeline(tuple(_parse_pass(part) for part in _split(inner)))

    def __str__(self) -> str:
        return ",".join(str(one) for one in self.passes)

    def takes(self, option: str) -> bool:
        """Whether one of the passes has this option."""
        return any(hasattr(one, option) for one in self.passes)

    def having(self, **options: object) -> Pipeline:
        """The same passes with these options, where they have them."""
        return Pipeline(tuple(_having(one, options) for one in self.passes))

    def until(self, name: str) -> Pipeline:
        """The passes in front of the last one with that name; none if there is no such pass."""
        return Pipeline(self.passes[: max([0, *self._places(name)])])

    def until_behind(self, name: str) -> Pipeline:
        """The passes up to the last one with that name; none if there is no such pass."""
        return Pipeline(self.passes[: max([0, *(place + 1 for place in self._places(name))])])

    def _places(self, name: str) -> list[int]:
        return [i for i, one in enumerate(self.passes) if isinstance(one, Pass) and name == one.NAME]


def joined(pipelines: Sequence[Pipeline]) -> Pipeline:
    """The passes of all of them, one after the other."""
    return Pipeline(tuple(one for pipeline in pipelines for one in pipeline.passes))


def _having(one: Pass | MlirPass, options: dict[str, Any]) -> Pass | MlirPass:
    return replace(one, **{name: value for name, value in options.items() if hasattr(one, name)})


def _split(text: str) -> list[str]:
    """The parts between commas that stand outside of all brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "({<[") - (character in ")}>]")
        if depth < 0:
            break
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    if depth != 0:
        raise PipelineError(f"the brackets of the pass pipeline '{text}' do not match")
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def _parse_pass(text: str) -> Pass | MlirPass:
    name, _, options = text.partition("{")
    if name.startswith("ipu-"):
        return _find(name.strip()).from_options(_options(text, options.removesuffix("}")))
    try:
        with ir.Context(load_on_create_dialects=[]):
            passmanager.PassManager.parse(f"builtin.module({text})")
    except (ValueError, ir.MLIRError) as error:
        raise PipelineError(f"there is no pass '{text}': {str(error).strip().splitlines()[0]}") from None
    return MlirPass(text)


def _find(name: str) -> type[Pass]:
    from pyipu.passes import PASSES

    if name not in PASSES:
        raise PipelineError(f"there is no pass '{name}'; pyipu has: {', '.join(PASSES)}")
    return PASSES[name]


def _options(text: str, inner: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in inner.split()]
    if any(not equals for _, equals, _ in pairs):
        raise PipelineError(f"options are written name=value, not as in '{text}'")
    return {key: value for key, _, value in pairs}


@dataclass
class PassManager:
    """Runs a pipeline: verifies before and after each pass, and prints and times on demand.

    `observe(text, module)` is called after every pass with its name as the pipeline spells it.
    """

    pipeline: Pipeline
    print_after: TextIO | None = None
    observe: Callable[[str, ir.Module], None] | None = None
    milliseconds: list[tuple[str, float]] = field(default_factory=list)
    _failure: Exception | None = None

    def run(self, module: ir.Module, session: Session) -> None:
        """Rewrites `module`; raises VerificationError when a pass leaves it broken, and whatever a pass raises."""
        verify(module)
        with module.context, ir.Location.unknown():
            manager = passmanager.PassManager("builtin.module", module.context)
            for one in self.pipeline.passes:
                self._add(manager, one, module, session)
            self._run(manager, module)

    def _run(self, manager: passmanager.PassManager, module: ir.Module) -> None:
        """A pass's exception goes around MLIR and not through it: C++ frames do not unwind safely."""
        try:
            manager.run(module.operation)
        except (ir.MLIRError, RuntimeError):
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def _guarded(self, function: Callable[[], object]) -> Callable[..., None]:
        """`function` as MLIR calls a pass; what it raises makes the pipeline stop."""

        def call(_: object, running: passmanager.ExternalPass) -> None:
            try:
                function()
            except Exception as error:  # raised again by `_run`
                self._failure = error
                running.signal_pass_failure()

        return call

    def _add(self, manager: passmanager.PassManager, one: Pass | MlirPass, module: ir.Module, session: Session) -> None:
        clock = _Clock()
        manager.add(self._guarded(clock.start), "ipu-instrument-before")
        if isinstance(one, Pass):
            manager.add(self._guarded(lambda: one.run(module, session)), one.NAME)
        else:
            manager.add(one.text)
        finish = self._guarded(lambda: self._finish(str(one), clock.milliseconds(), module))
        manager.add(finish, "ipu-instrument-after")

    def _finish(self, name: str, milliseconds: float, module: ir.Module) -> None:
        self.milliseconds.append((name, milliseconds))
        if self.print_after is not None:
            self.print_after.write(f"// -----// IR after {name} //----- //\n{module}\n")
        if self.observe is not None:
            self.observe(name, module)
        verify(module)


class _Clock:
    def start(self) -> None:
        self._began = time.perf_counter()

    def milliseconds(self) -> float:
        return (time.perf_counter() - self._began) * 1e3


def timing_report(milliseconds: Sequence[tuple[str, float]], file: TextIO = sys.stderr) -> None:
    """Writes one line per pass: milliseconds, share of the whole, name."""
    total = sum(spent for _, spent in milliseconds) or 1.0
    for name, spent in milliseconds:
        file.write(f"{spent:10.2f} ms {100 * spent / total:5.1f} %  {name}\n")
    file.write(f"{sum(spent for _, spent in milliseconds):10.2f} ms         total\n")
