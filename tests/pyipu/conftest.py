"""Fixtures of tests that compile with a cache folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyipu import compiler


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    monkeypatch.delenv("PYIPU_DUMP", raising=False)
    return tmp_path


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were planned and given to IREE, and not found in the cache."""
    texts: list[str] = []
    emit = compiler.emit_module

    def noted(*args: object) -> str:
        texts.append(emit(*args))
        return texts[-1]

    monkeypatch.setattr(compiler, "emit_module", noted)
    return texts
