"""The environment variables that pyipu reads, all of them; docs/settings.md lists them."""

from __future__ import annotations

import os
from pathlib import Path

from pyipu.errors import Error


def cache_folder() -> Path:
    """PYIPU_CACHE: where downloaded and compiled things are kept; ~/.cache/pyipu (as XDG has it) by default."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PYIPU_CACHE") or Path(base) / "pyipu")


def dump_folder() -> Path | None:
    """PYIPU_DUMP: a folder that receives the IR after the import and after every pass; nothing is written without."""
    folder = os.environ.get("PYIPU_DUMP")
    return Path(folder) if folder else None


def poison() -> bool:
    """PYIPU_POISON=1: every call fills its arena with NaN first, so that reading unwritten bytes shows.

    Raises:
        Error: it is neither 0 nor 1.
    """
    text = os.environ.get("PYIPU_POISON") or "0"
    if text not in ("0", "1"):
        raise Error(f"the environment variable PYIPU_POISON is 0 or 1, not {text!r}")
    return text == "1"
