"""What was computed before, in files that are named by the hash of all that it depends on."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from importlib import import_module, metadata
from pathlib import Path

from pyipu import settings

_PACKAGES = ("pyipu", "pyipu.dialect", "pyipu.passes", "pyipu.targets")


def digest(*parts: object) -> str:
    """SHA-256, as hexadecimal digits, of some texts and of the version of IREE's compiler."""
    texts = [metadata.version("iree-base-compiler"), *map(str, parts)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


@functools.cache
def sources() -> str:
    """A hash of pyipu's own files: its version stays the same while one works on it."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in source_files())).hexdigest()


def source_files() -> list[Path]:
    """The files of all packages, in one order."""
    folders = [Path(folder) for name in _PACKAGES for folder in import_module(name).__path__]
    return sorted({file.resolve() for folder in folders for file in folder.rglob("*.py")})


def read_kept(folder: str, name: str) -> bytes | None:
    """The content that was kept under this name in a folder of the cache; None when there is none."""
    try:
        return (settings.cache_folder() / folder / name).read_bytes()
    except OSError:
        return None


def keep(folder: str, name: str, content: bytes) -> None:
    """Appears under its name only when it is complete. A cache that cannot be written is no reason to fail."""
    path = settings.cache_folder() / folder / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    except OSError:
        return
