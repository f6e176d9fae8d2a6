"""The largest error of every network: as shipped against stored outputs, else against ONNX Runtime.

    python -m benchmarks.accuracy [--models resnet50,magika] [--target cpu] [--markdown]

The exit status is 1 when one is outside of the tolerance.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.cases import Case, Comparison, cases, compare, compile_case
from benchmarks.tables import show


def measure(case: Case, target: str) -> Comparison:
    """Compiles, runs and compares one network."""
    model, inputs = case.load(), case.inputs()
    return compare(compile_case(case, target).run(inputs), case.expected(model, inputs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help="names, separated by commas; all by default")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    rows, failures = [], 0
    for case in cases(tuple(filter(None, options.models.split(",")))):
        found = measure(case, options.target)
        failures += not found.agrees
        relative = found.largest_error / found.largest_magnitude
        rows.append(
            (case.name, case.variant, f"{found.largest_error:.1e}", f"{relative:.1e}", "yes" if found.agrees else "NO")
        )
    columns = ("model", "weights", "absolute", "of the largest magnitude", "agrees")
    show("Largest error", columns, rows, options.markdown)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
