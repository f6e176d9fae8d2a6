"""The largest error of every network: as shipped against stored outputs, else against ONNX Runtime.

    python -m benchmarks.accuracy [--models resnet50,magika] [--target cpu] [--storage f16] [--precision bf16]
        [--samples 100] [--markdown]

The exit status is 1 when one is outside of the tolerance. With `--storage` or `--precision` it is the error against
pyipu's own fp32 results, over several inputs; there is no tolerance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import pyipu
from benchmarks.cases import Case, Comparison, cases, compare, compile_case
from benchmarks.tables import show
from examples import zoo
from pyipu.targets.target import PRECISIONS, STORAGES

SAMPLES = 8
"""Inputs of each network for `--storage` and `--precision`, by default."""


def measure(case: Case, target: str) -> Comparison:
    """Compiles, runs and compares one network."""
    model, inputs = case.load(), case.inputs()
    return compare(compile_case(case, target).run(inputs), case.expected(model, inputs))


@dataclass(frozen=True)
class Bits:
    """What is compared with fp32, and over how many inputs."""

    storage: str | None
    precision: str | None
    samples: int = SAMPLES


def measure_bits(name: str, target: str, bits: Bits) -> tuple[str, ...]:
    """A row: errors against fp32, equal first choices, and the parts of the arena and of the weights that are left."""
    model = zoo.model(name)
    shapes = model.shapes or None
    exact = pyipu.compile(model.load(), target, shapes=shapes)
    small = pyipu.compile(model.load(), target, shapes=shapes, storage=bits.storage, precision=bits.precision)
    pairs = [(small.run(inputs), exact.run(inputs)) for inputs in map(model.inputs, range(bits.samples))]
    found = [compare(*pair) for pair in pairs]
    relative = max(one.relative_error for one in found)
    here, there = small.memory, exact.memory
    return (
        name,
        f"{max(one.largest_error for one in found):.1e}",
        f"{relative:.1e}",
        _agreement(pairs),
        f"{here.arena_bytes / there.arena_bytes:.2f}",
        f"{here.parameter_bytes / there.parameter_bytes:.2f}",
    )


def _agreement(pairs: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]]) -> str:
    """How many of the first choices are equal; nothing for what is no list of scores, but an image."""
    scores = [(_scores(a[name]), _scores(b[name])) for a, b in pairs for name in b]
    if any(a.ndim > 3 for a, _ in scores):
        return ""
    equal = np.concatenate([(a.argmax(-1) == b.argmax(-1)).reshape(-1) for a, b in scores])
    return f"{equal.sum()} of {equal.size}"


def _scores(output: np.ndarray) -> np.ndarray:
    """Scores along the last dimension, [N, classes] or [N, time, classes]; those of [N, classes, 1, 1], too."""
    return output[..., 0, 0] if output.shape[2:] == (1, 1) else output


def show_bits(names: Sequence[str], target: str, bits: Bits, markdown: bool) -> None:
    """Prints a row for each network."""
    columns = ("model", "absolute", "of the largest magnitude", "equal first choices", "arena", "weights")
    rows = [measure_bits(name, target, bits) for name in names or zoo.names()]
    show(f"Largest error of {bits.precision or bits.storage} against fp32", columns, rows, markdown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all by default")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--storage", choices=tuple(STORAGES), help="compare this with fp32")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), help="compare this with fp32")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="inputs of each network in such a comparison")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = tuple(filter(None, options.models.split(",")))
    if options.storage or options.precision:
        bits = Bits(options.storage, options.precision, options.samples)
        show_bits(names, options.target, bits, options.markdown)
        return 0
    rows, failures = [], 0
    for case in cases(names):
        found = measure(case, options.target)
        failures += not found.agrees
        rows.append(
            (
                case.name,
                case.variant,
                f"{found.largest_error:.1e}",
                f"{found.relative_error:.1e}",
                "yes" if found.agrees else "NO",
            )
        )
    columns = ("model", "weights", "absolute", "of the largest magnitude", "agrees")
    show("Largest error", columns, rows, options.markdown)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
