"""Searches better tiles than the target's for the codelets of one program, for some seconds.

In each round the codelets that may gain most are tried in neighbouring tiles, several codelets at once: the program
runs as it is, then with each codelet's first other tiles, then with their second, and so on, and all of that again. In
the end the whole program has to be faster.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import ipu_ops
from pyipu.engine import Executable
from pyipu.errors import CompilationError, TuningError
from pyipu.learned import Finding, Findings, tilings
from pyipu.passes.functions import codelets
from pyipu.passes.planning.blocks import Registers
from pyipu.runtime import THREADED_DRIVER
from pyipu.targets.codegen import compile_stream, device_attribute
from pyipu.targets.executable import Function
from pyipu.targets.program import Program, dispatched, executables_of, function_of
from pyipu.targets.stream import emit_functions, emit_trials
from pyipu.targets.target import Target
from pyipu.targets.tile_search import neighbours
from pyipu.targets.tiles import TiledNest, Tiling, registers_of
from pyipu.trials import COMPARING_SECONDS, Bench, Times, compared, is_faster, median_ratio

ROUNDS = 5
"""How often everything is timed in turn."""

_TRIAL_THREADS = 1
"""What is timed is work: how well threads are balanced depends on what runs side by side in the whole program."""

_CALLS_MILLISECONDS = 50
"""Small programs are called several times in a row, for about so long."""

_LEAST = 0.0005
"""A codelet that may gain less of the program's time is not worth a trial."""

_PRESENT = "present"
_START_SECONDS = 0.5
"""What the tool takes to start."""

_FUNCTION_SECONDS = 0.08
"""What the code of a function takes, until it is known better."""

Say = Callable[[str], None]


def check_tunable(target: Target, device: str, seconds: float) -> None:
    """Whether code for a target can be timed here; `device` is IREE's description of what is compiled for.

    Raises:
        TuningError: it cannot, or not for so many seconds.
    """
    if not seconds > 0:
        raise TuningError(f"tune={seconds!r} is no time: give the seconds that the search may take")
    if target.driver != THREADED_DRIVER:
        raise TuningError(
            f"target {target.name!r} cannot be tuned: only tiles of processors are searched; leave tune= out"
        )
    host = device_attribute(target.with_options(cpu="host", triple=""))
    missing = sorted(_features(device) - _features(host))
    if _triple(device) != _triple(host) or missing:
        chosen = ", ".join(f"{option.name}={option.value!r}" for option in target.options)
        raise TuningError(
            f"code for {chosen} cannot be timed on this processor, which has no "
            f"{', '.join(missing) or _triple(device)}: tune where it runs, and give the file to compile(tune_file=…)"
        )


def _features(device: str) -> set[str]:
    found = re.search(r'cpu_features = "([^"]*)"', device)
    return {one.removeprefix("+") for one in found[1].split(",") if one.startswith("+")} if found else set()


def _triple(device: str) -> str:
    found = re.search(r'target_triple = "([^"-]*)', device)
    return found[1] if found else ""


@dataclass
class _Candidate:
    """A codelet whose tiles are searched: `tried` are those that were timed, `best` the fastest of all."""

    function: Function
    nest: TiledNest
    multiply_adds: int
    """In all of its runs in a call."""
    milliseconds: float = 0.0
    best: TiledNest | None = None
    found: tuple[float, float] = (0.0, 0.0)
    """Milliseconds in the target's tiles and in the fastest ones, of the round in which those were timed."""
    tried: set[TiledNest] = field(default_factory=set)

    @property
    def timed(self) -> bool:
        """Whether anything is known of it."""
        return self.found != (0.0, 0.0)

    def untried(self, registers: Registers, threads: int) -> list[TiledNest]:
        """What is next to the best tiles so far."""
        around = neighbours(self.best or self.nest, registers, threads)
        return [nest for nest in around if nest not in self.tried and nest != self.nest]

    def learn(self, present: Sequence[float], others: Mapping[TiledNest, Sequence[float]]) -> None:
        """From the times of one round."""
        self.tried |= others.keys()
        nest = min(others, key=lambda one: statistics.median(others[one]))
        ratio, known = median_ratio(present, others[nest]), self.found[1] / self.found[0] if self.best else 1.0
        if is_faster(present, others[nest]) and ratio < known:
            self.best, self.found = nest, (statistics.median(present), statistics.median(others[nest]))
        elif self.best is None:
            self.found = statistics.median(present), statistics.median(others[nest])

    @property
    def finding(self) -> Finding:
        return Finding(self.function.name, self.best.tiling if self.best else None, self.found)


@dataclass
class Tuner:
    """The search for one program: `module` is placed, and `executable` is what was made of it with what is known."""

    module: ir.Module
    device: str
    executable: Executable
    known: Findings
    code: Callable[[Mapping[str, Tiling]], bytes]
    """Compiles the program with learned tiles, by key."""
    seconds: float
    say: Say
    began: float = field(default_factory=time.monotonic)
    function_seconds: float = _FUNCTION_SECONDS

    def __post_init__(self) -> None:
        self.registers = registers_of(self.device)
        with self.module.context:
            self.program = Program.read(self.module, [one.name for one in self.executable.inputs])
            self.candidates = self._candidates()
        self.by_name = {one.function.name: one for one in self.candidates}

    def run(self) -> dict[str, Finding]:
        """What was found out, by key, about codelets of which nothing was known.

        Raises:
            TuningError: the program cannot be timed here.
        """
        if not self.candidates:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench.set_up(Path(folder), self.executable.parameters, _TRIAL_THREADS)
            self._search(bench)
        found = {one.function.key: one.finding for one in self.candidates if one.timed}
        kept = self._whole(found)
        return {key: one if key in kept else replace(one, tiling=None) for key, one in found.items()}

    def _candidates(self) -> list[_Candidate]:
        work = _multiply_adds(self.module)
        tiles = self.executable.target.tiles_on(self.device, self.executable.threads)
        plain = emit_functions(self.module, self.program, tiles, None)
        return [_Candidate(one, one.nest, work[one.name]) for one in plain if one.nest and one.key not in self.known]

    @property
    def _left(self) -> float:
        """Seconds until the whole program has to be compiled and timed."""
        last = self.function_seconds * len(self.program.interfaces) + COMPARING_SECONDS
        return self.seconds - self._seconds - last

    @property
    def _seconds(self) -> float:
        """Since the search began."""
        return time.monotonic() - self.began

    def _search(self, bench: Bench) -> None:
        self.say("tune: time of each codelet")
        times = bench.times(bench.put(self.executable.module), self.executable.inputs)["main"]
        for one in self.candidates:
            one.milliseconds = times[one.function.name]
        whole = sum(times.values())
        several = replace(bench, calls=max(1, min(20, round(_CALLS_MILLISECONDS / whole))))
        while chosen := self._chosen(whole, several.calls):
            self._round(several, chosen)

    def _chosen(self, whole: float, calls: int) -> dict[str, list[TiledNest]]:
        """The codelets that may gain most, and what to try: as many as there is time for, in the first round some."""
        left = self._left - ROUNDS * _START_SECONDS
        chosen: dict[str, list[TiledNest]] = {}
        for one in sorted(self.candidates, key=self._estimated_gain, reverse=True):
            untried = one.untried(self.registers, self.executable.threads)
            left -= self.function_seconds * (1 + len(untried)) + _timing_seconds(one.milliseconds * calls)
            first = not chosen and not any(other.timed for other in self.candidates)
            if untried and (left >= 0 or first) and self._estimated_gain(one) > whole * _LEAST:
                chosen[one.function.name] = untried
        return chosen

    def _estimated_gain(self, one: _Candidate) -> float:
        """The milliseconds it would save if it were a tenth faster than the fastest codelet of all."""
        return one.milliseconds - one.multiply_adds / (1.1 * self.speed)

    @property
    def speed(self) -> float:
        """Multiplications in a millisecond, of the fastest codelet; 1 where nothing is multiplied."""
        working = [one for one in self.candidates if one.milliseconds and one.multiply_adds]
        return max((one.multiply_adds / one.milliseconds for one in working), default=1.0)

    def _round(self, bench: Bench, chosen: Mapping[str, list[TiledNest]]) -> None:
        try:
            module = bench.put(self._compiled(chosen))
        except CompilationError:
            self._apart(bench, chosen)
            return
        times = [self._times(bench, module, number) for number in range(ROUNDS)]
        for name, nests in chosen.items():
            trials = {nest: [one[_trial(i)][_variant(name, i)] for one in times] for i, nest in enumerate(nests)}
            self.by_name[name].learn([one[_PRESENT][name] for one in times], trials)

    def _apart(self, bench: Bench, chosen: Mapping[str, list[TiledNest]]) -> None:
        """Some tiles are too much for IREE: those of one codelet are given up, the others are tried again."""
        names = list(chosen)
        if len(names) == 1:
            self.by_name[names[0]].tried.update(chosen[names[0]])
            return
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            self._round(bench, {name: chosen[name] for name in half})

    def _times(self, bench: Bench, module: Path, number: int) -> Times:
        self.say(f"tune: {self._seconds:.0f} of {self.seconds:.0f} s, times {number + 1} of {ROUNDS}")
        return bench.times(module)

    def _compiled(self, chosen: Mapping[str, Sequence[TiledNest]]) -> bytes:
        """These codelets as they are, then in the first other tiles of each, then in their second ones, and so on."""
        plain = {name: self.by_name[name].function for name in chosen}
        trials: dict[str, dict[str, str]] = {_PRESENT: {}}
        functions = list(plain.values())
        for name, i, nest in ((name, i, nest) for name, nests in chosen.items() for i, nest in enumerate(nests)):
            functions.append(plain[name].tiled(nest.tiling, _variant(name, i)))
            trials.setdefault(_trial(i), {})[name] = functions[-1].name
        return self._code(self.program.only(chosen), functions, trials)

    def _code(self, program: Program, functions: Sequence[Function], trials: Mapping[str, Mapping[str, str]]) -> bytes:
        self.say(f"tune: {self._seconds:.0f} of {self.seconds:.0f} s, code of {len(functions)} codelets")
        target, began = self.executable.target, time.monotonic()
        held = executables_of([function.name for function in functions], target.codelets_together)
        with self.module.context:
            text = emit_trials(self.device, replace(program, executables=held), functions, trials)
        code = compile_stream(text, target, cache=False)
        self.function_seconds = (time.monotonic() - began) / len(functions)
        return code

    def _whole(self, found: Findings) -> set[str]:
        """The keys of what makes the whole program faster; if all together do not, the half that gains most may."""
        gains = {key: one.milliseconds[0] - one.milliseconds[1] for key, one in found.items() if one.tiling}
        kept = sorted(gains, key=lambda key: -gains[key])
        while kept and not self._pays({key: found[key] for key in kept}):
            kept = kept[: len(kept) // 2]
        return set(kept)

    def _pays(self, found: Findings) -> bool:
        self.say(f"tune: the whole with {len(found)} codelets in other tiles")
        old, target = self.executable, self.executable.target
        code = self.code(tilings({**self.known, **found}))
        ratios = compared(old, Executable(code, old.parameters, old.plan, target, old.threads))
        return bool(np.quantile(ratios, 0.75) < 1)


def _timing_seconds(milliseconds: float) -> float:
    """Of a codelet whose calls take so long: the tool runs each of about ten trials twice."""
    return ROUNDS * 2 * 10 * milliseconds / 1000


def _trial(number: int) -> str:
    return f"trial_{number}"


def _variant(name: str, number: int) -> str:
    return f"{name}_tiled_{number}"


def _multiply_adds(module: ir.Module) -> dict[str, int]:
    """Of all runs of each function in a call."""
    placed, bodies = dispatched(module), codelets(module)
    runs = Counter(map(function_of, placed))
    return {
        function_of(op): runs[function_of(op)]
        * sum(one.work for one in ipu_ops(bodies[op.codelet].regions[0].blocks[0]))
        for op in placed
    }
