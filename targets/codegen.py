"""Runs iree-compile on `stream` IR. It is a process of its own, so that its crash is an error and not our end."""

from __future__ import annotations

import functools
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from iree.compiler.tools.binaries import find_tool

from pyipu.cache import digest, keep, read_kept
from pyipu.errors import CompilationError, TargetError
from pyipu.targets.target import Target

_FOLDER = "code"
"""Where compiled modules are, in the cache."""

_UNVERIFIED = "--verify=false"
"""IREE checks its own IR after each of its passes, which takes a quarter to a third of its time."""

_APART = "--iree-hal-link-executables=false"
"""By default IREE puts all executables into one before LLVM gets to see them, which then works on one processor."""

_TRIVIAL = """func.func @exp(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = math.exp %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
"""


def compile_stream(text: str, target: Target, flags: Sequence[str] = (), cache: bool = True) -> bytes:
    """Compiles a module in IREE's `stream` dialect to the bytes of a .vmfb.

    The module names its device with `device_attribute(target)`; `flags` are further ones for iree-compile. With `cache`
    equal text is compiled once: what depends on weights is not in it.

    Raises:
        CompilationError: IREE rejects the module or crashes; the message names the file in which the module is kept.
    """
    flags = [*flags, _APART] if target.codelets_together else flags
    if not cache:
        return _compile(text, target, flags)
    name = f"{digest(text, *flags)}.vmfb"
    kept = read_kept(_FOLDER, name)
    if kept is not None:
        return kept
    code = _compile(text, target, flags)
    keep(_FOLDER, name, code)
    return code


def _compile(text: str, target: Target, flags: Sequence[str]) -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="pyipu-"))
    source, module = folder / "main.mlir", folder / "main.vmfb"
    source.write_text(text)
    arguments = [str(source), "--compile-from=stream", "-o", str(module), *flags]
    if _iree_compile([*arguments, _UNVERIFIED]).returncode != 0 or not module.exists():
        _compile_verified(arguments, source, module, target)
    result = module.read_bytes()
    shutil.rmtree(folder)
    return result


def _compile_verified(arguments: Sequence[str], source: Path, module: Path, target: Target) -> None:
    """Compiles what failed once more, with all of IREE's checks, so that the first broken step says what is wrong."""
    process = _iree_compile(arguments)
    if process.returncode != 0 or not module.exists():
        raise CompilationError(
            f"IREE cannot compile what pyipu emitted for target {target.name!r}: {_reason(process)}; "
            f"the IR is in {source}, please report it as a bug in pyipu"
        )


def device_attribute(target: Target) -> str:
    """The `#hal.device.target<…>` attribute that IREE itself makes for the target's flags.

    Raises:
        TargetError: IREE does not know the value of one of the target's options.
    """
    return _device_attribute(target.name, target.flags)


@functools.cache
def _device_attribute(name: str, flags: tuple[str, ...]) -> str:
    process = _iree_compile(["-", "--compile-to=stream", *flags], _TRIVIAL)
    found = re.search(r"util\.global private @__device_0 = (.*) : !hal\.device", process.stdout)
    # For a processor that it does not know IREE may leave the configuration `{…}` out and go on.
    if process.returncode == 0 and found and "{" in found[1]:
        return found[1]
    reason = "it has no description of this device" if found else _reason(process)
    raise TargetError(f"IREE cannot compile for target {name!r} with {' '.join(flags)}: {reason}")


def _iree_compile(arguments: Sequence[str], text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [find_tool("iree-compile"), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", check=False)


def _reason(process: subprocess.CompletedProcess[str]) -> str:
    error = re.search(r"^.*\berror: .*$", process.stderr, re.MULTILINE)
    if error:
        return error[0].strip()
    if process.returncode < 0:
        return f"iree-compile crashed ({signal.Signals(-process.returncode).name})"
    said = process.stderr.strip().splitlines()
    return said[0] if said else f"iree-compile ended with exit status {process.returncode}"
