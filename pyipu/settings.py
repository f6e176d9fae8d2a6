"""The environment variables that pyipu reads, all of them; docs/settings.md lists them."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """PYIPU_CACHE: where downloaded and compiled things are kept; ~/.cache/pyipu (as XDG has it) by default."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PYIPU_CACHE") or Path(base) / "pyipu")


def dump_folder() -> Path | None:
    """PYIPU_DUMP: a folder that receives the IR after the import and after every pass; nothing is written without."""
    folder = os.environ.get("PYIPU_DUMP")
    return Path(folder) if folder else None


def poison() -> bool:
    """PYIPU_POISON=1: every call fills its arena with NaN first, so that reading unwritten bytes shows."""
    return os.environ.get("PYIPU_POISON", "0") not in ("", "0")
