"""From an ONNX model to an executable: import, the target's stages, emission, IREE."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from iree.compiler import ir

import pyipu.dialect
from pyipu import settings
from pyipu.budget import Budget, Search, best_within, parse_budget
from pyipu.cache import digest, sources
from pyipu.certificate import memory_plan
from pyipu.compiled import Compiled, kept, once
from pyipu.dialect.interpolation import POINTS
from pyipu.dialect.program import Execute, Parameter
from pyipu.dialect.tiles import Tiles
from pyipu.effort import is_tiny
from pyipu.engine import Executable
from pyipu.errors import Error
from pyipu.graphs import Graph, Planned, graphs_of
from pyipu.importer import Imported, import_model
from pyipu.importer.model import Model, ModelSource, read
from pyipu.learned import Knowledge, tune_path
from pyipu.observers import Observer, Observers, dumper
from pyipu.parameters import Parameters
from pyipu.passes.allocate import steps
from pyipu.passes.functions import main_function
from pyipu.passes.manager import Pipeline
from pyipu.passes.session import Remark, Session
from pyipu.passes.verifier import all_ops
from pyipu.plan import Plan
from pyipu.progress import progress
from pyipu.recipes import Recipes
from pyipu.runtime import thread_count
from pyipu.targets import get
from pyipu.targets.codegen import compile_stream, device_attribute
from pyipu.targets.stream import emit_module
from pyipu.targets.target import STORAGE_FREE, Target, with_precision
from pyipu.targets.tiles import Tiling
from pyipu.tuning import Tuner, check_tunable

ROUNDED = ("bf16",)
"""What weights are rounded to so coarsely that biases make up for it."""

LARGEST_TILES = 4
"""Of fast convolutions, in pixels along each side."""


def compile(
    model: ModelSource,
    target: str | Target = "cpu",
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    threads: int | None = None,
    memory_budget: Budget | None = None,
    allow_over_budget: bool = False,
    storage: str | None = None,
    precision: str | None = None,
    winograd: int = LARGEST_TILES,
    tune: float | None = None,
    tune_file: str | os.PathLike[str] | None = None,
    cache: bool = True,
) -> Executable:
    """Compiles an ONNX model.

    Args:
        model: a path, the bytes of a file, or an `onnx.ModelProto`.
        target: `"cpu"`, `"vulkan"`, `"cuda"`, `"null"`, or one of `pyipu.targets` with options of its own.
        shapes: the shape of each input whose dimensions the model leaves open, as in `{"x": (1, 3, 640, 640)}`.
        threads: how many the executable uses on a CPU, and shares out the work for; by default as many as there are
            processors that this process may use, or one, the caller's own, for a tiny model, which is done before
            another one is awake. Another number when it is loaded gives the same results, but perhaps less balanced
            work, so give the number of the machine that it will run on.
        memory_budget: what the arena may take, in bytes or as a text such as `"2MB"`; the fastest plan that fits is
            taken. `"min"` gives the smallest arena there is. A smaller budget never gives a larger arena.
        allow_over_budget: take the smallest arena there is where nothing fits the budget, instead of failing.
        storage: what lies in memory between vertices, which compute in fp32: `"f16"` or `"bf16"` keep weights and
            activations in 16 bits, `"int8"` the weights in 8 with a scale for each output channel; by default all is as
            in the model.
        precision: what products are multiplied in: `"bf16"` keeps weights and activations in 16 bits, and sums up
            convolutions and matrix products in fp32 with the instructions of processors that have AVX512-BF16; by
            default it is as in the model.
        winograd: the largest tiles of fast 3 x 3 convolutions, in pixels along each side, on targets that have them: 4,
            or 2 for smaller errors, or 0 for none. They yield to a memory budget, and to `storage` and `precision`.
        tune: search better tiles for the codelets, for about so many seconds; what is found, and makes the whole model
            faster, is kept in the tune file, and used by later compilations with as many threads.
        tune_file: what was found out; by default `tune.json` in the cache folder. It may come from another machine, and
            says something where code for the same processor is made.
        cache: take plan and machine code from the cache folder (see docs/settings.md) if the model, or an equal graph,
            was compiled before; weights are always read from the model.

    Raises:
        pyipu.InputError: `threads` is not positive.
        pyipu.MemoryBudgetError: nothing fits the budget; names the smallest budget that something does.
        pyipu.TuningError: code for the target cannot be timed on this machine, or the tune file is damaged.
        pyipu.Error: the model is broken, needs what pyipu does not have, or does not fit `shapes` or the target;
            see `pyipu.errors` for the kinds.
    """
    chosen = get(target) if isinstance(target, str) else target
    options = {
        "shapes": shapes,
        "storage": storage,
        "precision": precision,
        "winograd": winograd,
        "memory_budget": memory_budget,
        "threads": thread_count(threads),
    }
    with progress("compiling") as bar:
        bar.stage("import")
        tuning = _Tuning(tune, tune_path(tune_file, cache, tune), thread_count(threads))
        request = _Request(read(model), chosen, options, allow_over_budget, cache, tuning, bar.stage)
        compiled, parameters = request.again() or request.anew()
    plan = compiled.plan if threads is None else replace(compiled.plan, threads=threads)
    return Executable(compiled.code, parameters, plan, chosen)


@dataclass(frozen=True)
class _Tuning:
    seconds: float | None
    path: Path | None
    threads: int

    def knowledge(self, device: str) -> Knowledge:
        return Knowledge.read(self.path, device, self.threads)


@dataclass(frozen=True)
class _Request:
    """What `compile` was asked for; `options` are those of `prepare`."""

    model: Model
    target: Target
    options: Mapping[str, Any]
    allow_over_budget: bool
    cache: bool
    tuning: _Tuning
    say: Callable[[str], None]

    def again(self) -> tuple[Compiled, Parameters] | None:
        """What was kept for exactly this model, without any passes; None if nothing was, or tiles are searched."""
        recipe = self._recipes.find() if self._keeps and self.tuning.seconds is None else None
        if recipe is None or recipe.device != device_attribute(self.target):
            return None
        tilings = self.tuning.knowledge(recipe.device).tilings
        compiled = kept(digest(recipe.program, tilings))
        if compiled is None:
            return None
        parameters = recipe.parameters(self.model)
        parameters.keep(compiled.parameters)
        return compiled, parameters

    def anew(self) -> tuple[Compiled, Parameters]:
        """By running the passes, and what follows them unless an equal graph was compiled before."""
        prepared = prepare(self.model, self.target, **self.options, observe=lambda name, module: self.say(name))
        key = prepared.key(self.allow_over_budget) if self._keeps else None
        known = self.tuning.knowledge(prepared.device)
        compilation = _Compilation(prepared, known, self.allow_over_budget, self.cache, self.say)
        if self.tuning.seconds is not None:
            compilation = compilation.tuned(self.tuning.seconds)
        compiled = once(digest(key, compilation.known.tilings), compilation.make) if key else compilation.make()
        prepared.parameters.keep(compiled.parameters)
        # What tuned it has run it, and forgot meanwhile what its weights are computed from.
        if key and self.tuning.seconds is None:
            self._recipes.keep(key, prepared.device, prepared.parameters)
        return compiled, prepared.parameters

    @property
    def _keeps(self) -> bool:
        """What is dumped comes from the passes, so they have to run."""
        return self.cache and settings.dump_folder() is None

    @property
    def _recipes(self) -> Recipes:
        decisive = {**self.options, "target": self.target, "allow_over_budget": self.allow_over_budget}
        return Recipes(self.model, decisive)


@dataclass(frozen=True)
class _Compilation:
    """What is left to do for a prepared model that is not in the cache."""

    prepared: Prepared
    known: Knowledge
    allow_over_budget: bool
    cache: bool
    say: Callable[[str], None]
    done: Compiled | None = None

    def make(self) -> Compiled:
        """With the tiles that are known."""
        return self.done or self._compiled(self._lowered())

    def tuned(self, seconds: float) -> _Compilation:
        """With more tiles, which are searched now."""
        prepared, target, known = self.prepared, self.prepared.target, self.known
        check_tunable(target, prepared.device, seconds)
        lowered = self._lowered()
        first = self._compiled(lowered)

        def code(tilings: Mapping[str, Tiling]) -> bytes:
            return compile_stream(prepared.emitted(lowered.module, tilings), target, cache=self.cache)

        executable = Executable(first.code, prepared.parameters, first.plan, target, known.threads)
        tuner = Tuner(lowered.module, prepared.device, executable, known.findings, code, seconds, self.say)
        better = known.learn(tuner.run())
        return replace(self, known=better, done=first.having(code(better.tilings)))

    def _lowered(self) -> Lowered:
        return self.prepared.lowered(self.allow_over_budget, self.known.tilings)

    def _compiled(self, lowered: Lowered) -> Compiled:
        """The plan is read off the program while IREE, in a process of its own, generates code."""
        self.say("generate code")
        target = self.prepared.target
        with ThreadPoolExecutor(max_workers=1) as background:
            compiling = background.submit(compile_stream, lowered.stream, target, cache=self.cache)
            plan = lowered.plan(target, 1 if is_tiny(lowered.module) else None, b"")
            return Compiled(b"", plan, tuple(lowered.parameters)).having(compiling.result())


@dataclass(frozen=True)
class Lowered:
    """A model on its way to IREE: the placed program, what it was made from, and the text to compile."""

    module: ir.Module
    imported: Imported
    parameters: Parameters
    remarks: Sequence[Remark]
    stream: str
    storage: str | None = None
    precision: str | None = None
    milliseconds: Sequence[tuple[str, float]] = field(default=())
    """Time per pass."""

    def plan(self, target: Target, threads: int | None, code: bytes) -> Plan:
        """What plan.json says, once `code` is the compiled module."""
        return Plan(
            target=target.name,
            function="main",
            inputs=self.imported.inputs,
            outputs=self.imported.outputs,
            memory=memory_plan(self.module, self.parameters, len(code)),
            threads=threads,
            options=tuple((option.name, option.value) for option in target.options),
            storage=self.storage,
            precision=self.precision,
        )


def lower(
    model: ModelSource,
    target: Target,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    threads: int | None = None,
    memory_budget: Budget | None = None,
    allow_over_budget: bool = False,
    storage: str | None = None,
    precision: str | None = None,
    winograd: int = LARGEST_TILES,
    observe: Observer | None = None,
) -> Lowered:
    """Runs everything but IREE's code generator; `observe(pass, module)` is called after the import and each pass.

    With a budget the stages that plan memory run several times, each time on a copy of the module; and once more if no
    fast convolutions fit.
    """
    prepared = prepare(
        model,
        target,
        shapes=shapes,
        threads=threads,
        storage=storage,
        precision=precision,
        winograd=winograd,
        memory_budget=memory_budget,
        observe=observe,
    )
    return prepared.lowered(allow_over_budget)


def prepare(
    model: ModelSource | Model,
    target: Target,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    threads: int | None = None,
    storage: str | None = None,
    precision: str | None = None,
    winograd: int = LARGEST_TILES,
    memory_budget: Budget | None = None,
    observe: Observer | None = None,
) -> Prepared:
    """Runs the import, and the stages before the first that asks for a peak; arguments are those of `lower`."""
    stages = with_precision(target.stages, precision, storage)
    session, pipelines = Session(), [Pipeline.parse(stage.pipeline) for stage in stages]
    if storage is not None:
        pipelines = [pipeline.having(free=STORAGE_FREE) for pipeline in pipelines]
    if storage is not None or precision is not None:
        pipelines = [pipeline.having(scales=False) for pipeline in pipelines]
    rounded = precision or storage
    if rounded in ROUNDED:
        pipelines = [pipeline.having(rounded=rounded) for pipeline in pipelines]
    tiles = 0 if storage or precision else _checked(winograd)
    budget = None if memory_budget is None else parse_budget(memory_budget)
    see = Observers([one for one in (dumper(), observe) if one])
    with ThreadPoolExecutor(max_workers=1) as background:
        device = background.submit(device_attribute, target)  # a process of its own, so it costs nothing to ask early
        imported = import_model(model, pyipu.dialect.context(), session.parameters, shapes)
        see("import", imported.module)
        if precision is not None:
            target.check_precision(precision, device.result())
        graphs = graphs_of(imported.module, pipelines, tiles, budget, session, see)
        shared = target.tiles_on(device.result(), thread_count(threads))
        own = session.parameters
        return Prepared(imported, target, storage, precision, budget, device.result(), shared, graphs, own)


@dataclass(frozen=True)
class Prepared:
    """A model in the form in which its memory is planned: what follows does not depend on the values of weights."""

    imported: Imported
    target: Target
    storage: str | None
    precision: str | None
    budget: Budget | None
    """Bytes, or "min"."""
    device: str
    """IREE's attribute for the target's device."""
    tiles: Tiles
    """How codelets are tiled."""
    graphs: Sequence[Graph]
    """Ways to compute it; the first that fits the budget is taken."""
    parameters: Parameters

    def key(self, allow_over_budget: bool) -> str:
        """Names all that plan and code depend on; locations count, because buffers are called by them."""
        graphs = [part for graph in self.graphs for part in (graph.text, *graph.pipelines)]
        tensors = [*self.imported.inputs, None, *self.imported.outputs]
        options = (self.target, self.storage, self.precision, self.budget, allow_over_budget, settings.poison())
        tiles = replace(self.tiles, features=frozenset())  # these follow from the device, and have no order
        return digest(sources(), self.device, tiles, *tensors, *options, *graphs)

    def lowered(self, allow_over_budget: bool = False, tilings: Mapping[str, Tiling] | None = None) -> Lowered:
        """Plans the memory and emits the program, in tiles that are known; the modules are others afterwards."""
        planned, parameters = self._planned(allow_over_budget), self.parameters
        parameters.keep(dict.fromkeys(op.key for op in all_ops(planned.module) if isinstance(op, Parameter)))
        stream = self.emitted(planned.module, tilings)
        return Lowered(
            planned.module,
            self.imported,
            parameters,
            planned.remarks,
            stream,
            self.storage,
            self.precision,
            planned.milliseconds,
        )

    def emitted(self, module: ir.Module, tilings: Mapping[str, Tiling] | None = None) -> str:
        """The text for IREE of a planned module; `tilings` are those of some codelets, by their keys."""
        names, target = [tensor.name for tensor in self.imported.inputs], self.target
        with module.context:
            poison, together = settings.poison(), target.codelets_together
            return emit_module(module, self.device, names, poison, self.tiles, together, tilings)

    def _planned(self, allow_over_budget: bool) -> Planned:
        if self.budget is None:
            return self.graphs[0].plan().finished()
        searches = (Search(graph.attempts()) for graph in self.graphs)
        return best_within(searches, self.budget, allow_over_budget).finished()


def _checked(winograd: int) -> int:
    if winograd not in (0, *POINTS):
        raise Error(f"winograd={winograd!r} is no size of tiles; choose one of 0, {', '.join(map(str, POINTS))}")
    return winograd


def vertices(module: ir.Module) -> list[Execute]:
    """The placed vertices in the order of execution."""
    return [op for op in steps(main_function(module)) if isinstance(op, Execute)]
