"""The command line: `pyipu compile`, `pyipu run` and `pyipu inspect`.

Exit status: 0 all is well, 2 anything else; the reason is then one line on standard error.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from pyipu import compiler, engine, report, targets
from pyipu.dialect.interpolation import POINTS
from pyipu.dialect.types import NUMPY_DTYPES, Tensor
from pyipu.engine import Executable
from pyipu.errors import Error, InputError
from pyipu.targets.target import PRECISIONS, STORAGES

_SPLAT = re.compile(r"(?P<shape>(?:\d+x)*)(?P<dtype>[a-z]+\d+)(?:=(?P<number>[^=]+))?")
_FOR_COMPILING = ("target", "shape", "storage", "precision", "memory_budget", "winograd", "tune", "tune_file")
"""Options that a model which is compiled already does not take."""

_BFLOAT16_IN_NPY = np.dtype("V2")
"""The .npy format has no name for bfloat16 and keeps two plain bytes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line `arguments`, without the program's name; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        return 130
    except (Error, OSError) as error:
        sys.stderr.write(f"pyipu: error: {_reason(error)}\n")
        return 2
    return 0


def _reason(error: Error | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "pyipu", description="Compiles ONNX models whose memory is planned before they run."
    )
    parser.add_argument("--version", action="version", version=f"pyipu {importlib.metadata.version('pyipu')}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_compile(commands)
    _add_run(commands)
    _add_inspect(commands)
    return parser


def _add_compile(commands: Any) -> None:
    command = commands.add_parser("compile", help="compile an ONNX model to a folder")
    command.add_argument("model", help="the .onnx file")
    command.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the compiled model goes")
    _add_compiler_options(command)
    command.set_defaults(command=_compile)


def _add_run(commands: Any) -> None:
    command = commands.add_parser("run", help="run a model once and show its outputs")
    command.add_argument("model", help="a folder made by 'pyipu compile', or an .onnx file")
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="'x=@file.npy', or an array of one number such as 'x=1x3x224x224xf32=0.5'; once for each input",
    )
    command.add_argument("--output-dir", metavar="FOLDER", help="save the outputs there as .npy files")
    _add_compiler_options(command)
    command.set_defaults(command=_run)


def _add_inspect(commands: Any) -> None:
    command = commands.add_parser("inspect", help="show inputs, outputs and the memory certificate of a model")
    command.add_argument("model", help="a folder made by 'pyipu compile', or an .onnx file")
    shown = command.add_mutually_exclusive_group()
    shown.add_argument("--buffers", action="store_true", help="show every buffer, too, and the values that lie in it")
    shown.add_argument("--json", action="store_true", help="print the whole plan as JSON")
    _add_compiler_options(command)
    command.set_defaults(command=_inspect)


def _add_compiler_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--target", choices=targets.names(), help="what an .onnx file is compiled for; cpu by default")
    command.add_argument("--shape", action="append", default=[], metavar="NAME=1x3x640x640", help="an input's shape")
    command.add_argument("--threads", type=int, metavar="N", help="processor threads; all that there are by default")
    command.add_argument("--memory-budget", metavar="SIZE", help="what the arena may take: '2MB', a number, or 'min'")
    command.add_argument(
        "--allow-over-budget", action="store_true", help="take the smallest arena where nothing fits the budget"
    )
    command.add_argument(
        "--storage", choices=tuple(STORAGES), help="keep weights, and with 16 bits activations, smaller"
    )
    command.add_argument("--precision", choices=tuple(PRECISIONS), help="multiply in fewer bits, and store so")
    command.add_argument(
        "--winograd", type=int, choices=(0, *POINTS), help="the largest tiles of fast convolutions; 4 by default"
    )
    command.add_argument("--tune", type=float, metavar="SECONDS", help="search faster code for about so long")
    command.add_argument("--tune-file", metavar="FILE", help="what was found so; tune.json in the cache by default")


def _compile(options: argparse.Namespace) -> None:
    _compiled(options).save(options.output)


def _run(options: argparse.Namespace) -> None:
    inputs = dict(parse_input(text) for text in options.input)
    outputs = _opened(options).run(inputs)
    report.show_arrays(outputs)
    if options.output_dir is not None:
        _save(outputs, Path(options.output_dir))


def _inspect(options: argparse.Namespace) -> None:
    executable = _opened(options)
    if options.json:
        sys.stdout.write(executable.plan.to_json())
    else:
        report.show_plan(executable.plan, buffers=options.buffers)


def _opened(options: argparse.Namespace) -> Executable:
    """The model of the command line: loaded from a folder, or compiled now."""
    if not Path(options.model).is_dir():
        return _compiled(options)
    if any(getattr(options, name) for name in _FOR_COMPILING):
        raise InputError(f"{options.model} is compiled already; how to compile it can only be said for .onnx files")
    return engine.load(options.model, threads=options.threads)


def _compiled(options: argparse.Namespace) -> Executable:
    shapes = dict(_shape(text) for text in options.shape)
    return compiler.compile(
        options.model,
        options.target or "cpu",
        shapes=shapes,
        threads=options.threads,
        memory_budget=options.memory_budget,
        allow_over_budget=options.allow_over_budget,
        storage=options.storage,
        precision=options.precision,
        winograd=compiler.LARGEST_TILES if options.winograd is None else options.winograd,
        tune=options.tune,
        tune_file=options.tune_file,
    )


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    if not name or not re.fullmatch(r"\d+(x\d+)*", sizes):
        raise InputError(f"a shape is written NAME=1x3x640x640, not {text!r}")
    return name, tuple(int(size) for size in sizes.split("x"))


def parse_input(text: str) -> tuple[str, NDArray[Any]]:
    """One input as the command line has it; raises InputError when it is written wrongly or its file is no array."""
    name, _, value = text.partition("=")
    if value.startswith("@"):
        return name, _read(Path(value[1:]))
    splat = _SPLAT.fullmatch(value)
    if not name or splat is None or splat["dtype"] not in NUMPY_DTYPES:
        raise InputError(f"an input is written NAME=@file.npy or NAME=1x3x4xf32=0.5, not {text!r}")
    shape = tuple(int(size) for size in splat["shape"].split("x")[:-1])
    try:
        return name, np.full(shape, _number(splat["number"] or "0", splat["dtype"]), NUMPY_DTYPES[splat["dtype"]])
    except (ValueError, OverflowError) as problem:
        raise InputError(f"{splat['number']} in {text!r} is no {splat['dtype']}: {problem}") from problem


def _number(text: str, dtype: str) -> int | float:
    """Integers are read as such, because a float would lose their last digits."""
    return float(text) if Tensor((), dtype).is_float else int(text)


def _read(file: Path) -> NDArray[Any]:
    try:
        array = np.load(file, allow_pickle=False)
    except ValueError as problem:
        raise InputError(f"{file} is no .npy file: {problem}") from problem
    return array.view(ml_dtypes.bfloat16) if array.dtype == _BFLOAT16_IN_NPY else array


def _save(outputs: dict[str, NDArray[Any]], folder: Path) -> None:
    """One file for each output; in its name, characters that files cannot have are written as in an URL."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in outputs.items():
        np.save(folder / f"{quote(name, safe='')}.npy", array)


if __name__ == "__main__":
    sys.exit(main())
