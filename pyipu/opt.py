"""`pyipu-opt`: runs passes on `ipu` IR in text form, as mlir-opt does for MLIR's own dialects.

Exit status: 0 all is well, 1 the IR or a pass failed or diagnostics are not as expected, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from iree.compiler import ir

from pyipu import dialect
from pyipu.diagnostics import Diagnostic, collect, mismatches
from pyipu.dialect.definition import complete
from pyipu.dialect.program import Parameter
from pyipu.dialect.types import tensor_of
from pyipu.errors import Error, PipelineError, VerificationError
from pyipu.passes import PASSES
from pyipu.passes.base import Pass
from pyipu.passes.manager import PassManager, Pipeline, timing_report
from pyipu.passes.session import Remark, Session
from pyipu.passes.verifier import all_ops, diagnose

_PLACE = re.compile(r":(\d+):(\d+)$")
_SEPARATOR = re.compile(r"^// -----\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What one module became: its text, None when it failed, and everything that was reported about it."""

    text: str | None
    diagnostics: list[Diagnostic]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the tool on the command line `arguments`, without the program's name; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list_passes:
        sys.stdout.write(_passes_text())
        return 0
    try:
        source, pipeline = _read(options.input), Pipeline.parse(options.pass_pipeline)
        succeeded = _process(source, pipeline, options)
    except OSError as error:
        parser.error(f"cannot open {error.filename}: {error.strerror}")
    except PipelineError as error:
        parser.error(str(error))
    return 0 if succeeded else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "pyipu-opt", usage="%(prog)s [options] [file]", description="Runs passes on IR of the ipu dialect."
    )
    add = parser.add_argument
    add("input", nargs="?", default="-", help="the file with the IR; standard input when it is '-' or left out")
    add("-o", "--output", default="-", metavar="FILE", help="where the IR goes; standard output by default")
    add("--pass-pipeline", default="", metavar="PASSES", help="such as 'ipu-layout,ipu-allocate{time-limit=1},cse'")
    add("--split-input-file", action="store_true", help="the parts between lines '// -----' are modules of their own")
    add("--verify-diagnostics", action="store_true", help="check reports against comments 'expected-error {{…}}'")
    add("--remarks", action="store_true", help="report what passes decided or refused, and why")
    add("--print-ir-after-all", action="store_true", help="print the IR after each pass to standard error")
    add("--time-passes", action="store_true", help="print the milliseconds of each pass to standard error")
    add("--mlir-print-debuginfo", action="store_true", help="print the location of each operation")
    add("--list-passes", action="store_true", help="list pyipu's passes and their options")
    return parser


def _read(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8", errors="replace")


def _process(source: str, pipeline: Pipeline, options: argparse.Namespace) -> bool:
    """Rewrites every module of `source`, and writes IR and reports; false when something is not as it should be."""
    parts = _split(source) if options.split_input_file else [source]
    outcomes = [rewrite(part, pipeline, options) for part in parts]
    _write(options.output, "// -----\n".join(outcome.text or "" for outcome in outcomes))
    judge = _mismatches if options.verify_diagnostics else _reported
    reports = [one for part, outcome in zip(parts, outcomes, strict=True) for one in judge(part, outcome)]
    name = "<stdin>" if options.input == "-" else options.input
    sys.stderr.writelines(f"{report.text(name)}\n" for report in reports)
    return not any(report.severity == "error" for report in reports)


def _split(source: str) -> list[str]:
    """The modules, each behind so many empty lines that its line numbers are those of the whole file."""
    starts = [0, *(match.end() for match in _SEPARATOR.finditer(source))]
    ends = [*(match.start() for match in _SEPARATOR.finditer(source)), len(source)]
    pieces = zip(starts, ends, strict=True)
    return ["\n" * source.count("\n", 0, start) + source[start:end] for start, end in pieces]


def _write(name: str, text: str) -> None:
    if name == "-":
        sys.stdout.write(text)
    else:
        Path(name).write_text(text, encoding="utf-8")


def _reported(text: str, outcome: Outcome) -> list[Diagnostic]:
    return outcome.diagnostics


def _mismatches(text: str, outcome: Outcome) -> list[Diagnostic]:
    try:
        return mismatches(text, outcome.diagnostics)
    except Error as error:
        return [Diagnostic("error", None, str(error))]


def rewrite(text: str, pipeline: Pipeline, options: argparse.Namespace) -> Outcome:
    """Parses one module, checks it, and runs the pipeline on it."""
    context = dialect.context()
    diagnostics = collect(context)
    with context, ir.Location.unknown():
        try:
            result = _run(ir.Module.parse(text), pipeline, options, diagnostics)
        except ir.MLIRError as error:
            diagnostics.extend([] if diagnostics else [Diagnostic("error", None, str(error))])
            result = None
    return Outcome(result, diagnostics)


def _run(
    module: ir.Module, pipeline: Pipeline, options: argparse.Namespace, diagnostics: list[Diagnostic]
) -> str | None:
    """The module's text after the pipeline; None, and one diagnostic more, when it or a pass is broken."""
    for op in (op for op in all_ops(module) if isinstance(op, dialect.Op)):
        complete(op)
    if not diagnose(module):
        return None
    session = Session()
    _declare_parameters(module, session)
    manager = PassManager(pipeline, print_after=sys.stderr if options.print_ir_after_all else None)
    try:
        manager.run(module, session)
    except Error as error:
        diagnostics.extend(_diagnosed(error, module))
        return None
    finally:
        _report(manager, session, options, diagnostics)
    return f"{module.operation.get_asm(enable_debug_info=options.mlir_print_debuginfo).rstrip()}\n"


def _diagnosed(error: Error, module: ir.Module) -> list[Diagnostic]:
    """The error, unless it is the pass manager's check: `diagnose` reports that again, and where it belongs."""
    if isinstance(error, VerificationError) and not diagnose(module):
        return []
    return [Diagnostic("error", None, str(error))]


def _declare_parameters(module: ir.Module, session: Session) -> None:
    """Text has no elements for parameters, but their shapes and element types."""
    for op in all_ops(module):
        if isinstance(op, Parameter) and op.key not in session.parameters:
            tensor = tensor_of(op.result)
            session.parameters.declare(op.key, tensor.shape, tensor.numpy_dtype)


def _report(manager: PassManager, session: Session, options: argparse.Namespace, diagnostics: list[Diagnostic]) -> None:
    if options.remarks:
        diagnostics.extend(_remark(remark) for remark in session.remarks)
    if options.time_passes:
        timing_report(manager.milliseconds, sys.stderr)


def _remark(remark: Remark) -> Diagnostic:
    place = _PLACE.search(remark.where)
    line, column = (int(place[1]), int(place[2])) if place else (None, None)
    return Diagnostic("remark", line, f"{remark.source}: {remark.message}", column)


def _passes_text() -> str:
    """Each pass: its name, what it does, and its options with their defaults."""
    return "\n".join(line for one in PASSES.values() for line in _pass_lines(one)) + "\n"


def _pass_lines(one: type[Pass]) -> Iterator[str]:
    description = (inspect.getdoc(one) or "").partition("\n")[0]
    yield f"{one.NAME}: {description}"
    for field in fields(one):
        yield f"    {field.name.replace('_', '-')}={str(field.default).lower()}"


if __name__ == "__main__":
    sys.exit(main())
