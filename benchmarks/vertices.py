"""Where a model's time goes: milliseconds, GFLOP/s and the share of the peak of each convolution and matrix product.

A row is a product of the model, with all that runs for it: its strips, the transforms of Winograd's form, the products
that it was split into, and copies of what it computes. Products for which the same runs are one row. Operations are
counted by the definition, as the graph has it before weights are packed: Winograd's form needs fewer, so that it may
be above the peak.

Times are IREE's own: iree-benchmark-module calls the saved model over and over and records when each dispatch starts
and ends. So everything is as warm as within a call: activations come from the processor's caches, as far as these have
them, and weights from memory, unless all of the model's fit the caches. The bound is the longer one of the two times
that the operations take at the peak and the weights at the measured bandwidth of the memory.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from iree.compiler import ir

from benchmarks.arithmetic import flop
from benchmarks.dispatches import Dispatch, milliseconds, recorded, shares
from benchmarks.engines import Workload
from benchmarks.peak import gflops
from benchmarks.saved import save_with_inputs
from pyipu import targets
from pyipu.compiler import lower
from pyipu.dialect.definition import Op
from pyipu.dialect.program import Execute, Parameter
from pyipu.engine import Executable
from pyipu.parameters import Parameters
from pyipu.passes.references import base_of
from pyipu.passes.verifier import all_ops
from pyipu.targets.codegen import compile_stream
from pyipu.targets.program import dispatched

CALLS = 40


@dataclass(frozen=True)
class VertexTime:
    """Products of the model for which the same runs: what all of them take in one call.

    `milliseconds` are of the wall clock, `flop` floating-point operations, `weights` bytes.
    """

    products: tuple[str, ...]
    runs: int
    milliseconds: float
    flop: int = 0
    weights: int = 0

    @property
    def gflops(self) -> float:
        """10^9 floating-point operations per second."""
        return gflops(self.flop, self.milliseconds) if self.flop and self.milliseconds else 0.0

    def bound(self, peak: float, bandwidth: float) -> float:
        """Milliseconds that it takes at least, at `peak` GFLOP/s and with `bandwidth` GB/s."""
        return max(self.flop / peak, self.weights / bandwidth) / 1e6


@dataclass
class Definitions:
    """Observes a compilation: the floating-point operations of each place in the model, before weights are packed."""

    flop: Counter[str] = field(default_factory=Counter)
    complete: bool = False

    def __call__(self, name: str, module: ir.Module) -> None:
        self.complete = self.complete or name.startswith("ipu-pack")
        if self.complete:
            return
        self.flop.clear()
        for op in (op for op in all_ops(module) if isinstance(op, Op)):
            self.flop[place(op.location)] += flop([op])


def place(location: ir.Location) -> str:
    """The ONNX node that a location names."""
    text = str(location)
    found = re.search(r'loc\("(.*?)"', text)
    return found[1] if found else text


def measure(workload: Workload, threads: int, calls: int = CALLS) -> list[VertexTime]:
    """Every product of the model on the CPU, the slowest first, then what else runs, and the time in between."""
    target, definitions = targets.get("cpu"), Definitions()
    lowered = lower(workload.model, target, shapes=workload.shapes or None, observe=definitions)
    code = compile_stream(lowered.stream, target)
    executable = Executable(code, lowered.parameters, lowered.plan(target, threads, code), target, threads)
    placed = dispatched(lowered.module)
    with tempfile.TemporaryDirectory() as folder:
        found = recorded(save_with_inputs(executable, workload.inputs, Path(folder)), calls)
    names = [op.executable or op.codelet for op in placed]
    times = np.median([in_order(names, call) for call in found], axis=0)
    between = float(np.median([milliseconds(call) - sum(shares(call)) for call in found]))
    rows = _rows(placed, times.tolist(), definitions.flop, lowered.parameters)
    return [*rows, VertexTime(("between dispatches",), 0, between)]


def in_order(names: Sequence[str], call: Sequence[Dispatch]) -> list[float]:
    """Milliseconds of each vertex of a program; `names` are those of the functions that they run.

    Raises:
        ValueError: IREE ran a function more or less often than the program has it.
    """
    times: defaultdict[str, list[float]] = defaultdict(list)
    for one, share in zip(call, shares(call), strict=True):
        times[one.function].append(share)
    counts = Counter(names)
    wrong = sorted(name for name in counts | times.keys() if len(times[name]) != counts[name])
    if wrong:
        raise ValueError(f"IREE did not run {', '.join(wrong)} as often as the program does; report this")
    following = {name: iter(found) for name, found in times.items()}
    return [next(following[name]) for name in names]


@dataclass(frozen=True)
class _Product:
    """What runs for one place in the model: the numbers of its vertices, and their functions."""

    name: str
    steps: tuple[int, ...]
    functions: tuple[str, ...]
    flop: int
    weights: int


def _rows(
    placed: Sequence[Execute], times: Sequence[float], work: Counter[str], parameters: Parameters
) -> list[VertexTime]:
    """One row for all products that run the same functions on as many weights, and one for the rest."""
    alike: defaultdict[object, list[_Product]] = defaultdict(list)
    for one in _products(placed, work, parameters):
        alike[one.functions, one.flop, one.weights].append(one)
    rows = [_row(products, times) for products in alike.values()]
    rest = [time for op, time in zip(placed, times, strict=True) if not work[place(op.location)]]
    return [*sorted(rows, key=lambda row: -row.milliseconds), VertexTime(("all others",), len(rest), sum(rest))]


def _products(placed: Sequence[Execute], work: Counter[str], parameters: Parameters) -> Iterator[_Product]:
    steps: defaultdict[str, list[int]] = defaultdict(list)
    for number, op in enumerate(placed):
        steps[place(op.location)].append(number)
    for name in (name for name in steps if work[name]):
        ops = [placed[i] for i in steps[name]]
        functions = tuple(sorted(op.executable or op.codelet for op in ops))
        yield _Product(name, tuple(steps[name]), functions, work[name], _weights(ops, parameters))


def _row(products: Sequence[_Product], times: Sequence[float]) -> VertexTime:
    steps = [i for one in products for i in one.steps]
    names = tuple(one.name for one in products)
    every = sum(one.flop for one in products), sum(one.weights for one in products)
    return VertexTime(names, len(steps), sum(times[i] for i in steps), *every)


def _weights(ops: Iterable[Execute], parameters: Parameters) -> int:
    """Bytes of the known tensors that they read, each counted once."""
    owners = [base_of(reference).owner for op in ops for reference in op.operands]
    keys = {owner.key for owner in owners if isinstance(owner, Parameter)}
    return sum(parameters.description(key).size for key in keys)


def table(found: Sequence[VertexTime], peak: float, bandwidth: float) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: products, how many a row is of, and all together. `peak` is in GFLOP/s, `bandwidth` in GB/s."""
    every = tuple(name for one in found if one.flop for name in one.products)
    whole = VertexTime(("all", *every[1:]), *map(sum, zip(*map(_figures, found), strict=True)))
    columns = ["vertex", "products", "runs", "ms", "GFLOP/s", "of peak", "weights, MB", "of bound"]
    return columns, [_cells(one, peak, bandwidth) for one in (*found, whole)]


def _figures(one: VertexTime) -> tuple[int, float, int, int]:
    return one.runs, one.milliseconds, one.flop, one.weights


def _cells(one: VertexTime, peak: float, bandwidth: float) -> list[str]:
    count = str(len(one.products)) if one.flop else ""
    cells = [one.products[0], count, str(one.runs), f"{one.milliseconds:.3f}"]
    if not one.flop:
        return [*cells, "", "", "", ""]
    of_bound = one.bound(peak, bandwidth) / one.milliseconds
    return [*cells, f"{one.gflops:.1f}", f"{one.gflops / peak:.0%}", f"{one.weights / 1e6:.2f}", f"{of_bound:.0%}"]
