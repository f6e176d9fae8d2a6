"""Environment variables: their values, and that docs/settings.md lists those that are read."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from pyipu import settings
from pyipu.errors import Error

_DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def test_document_lists_what_is_read() -> None:
    read = set(re.findall(r'"(PYIPU_\w+)"', inspect.getsource(settings)))
    assert read == set(re.findall(r"`(PYIPU_\w+)`", _DOCUMENT.read_text()))


def test_dump_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYIPU_DUMP", raising=False)
    assert settings.dump_folder() is None
    monkeypatch.setenv("PYIPU_DUMP", str(tmp_path))
    assert settings.dump_folder() == tmp_path


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYIPU_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.cache_folder() == tmp_path / "pyipu"
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path / "elsewhere"))
    assert settings.cache_folder() == tmp_path / "elsewhere"


@pytest.mark.parametrize(("text", "expected"), [("", False), ("0", False), ("1", True)])
def test_poison(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIPU_POISON", text)
    assert settings.poison() is expected


def test_poison_is_0_or_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIPU_POISON", "yes")
    with pytest.raises(Error, match="PYIPU_POISON is 0 or 1, not 'yes'"):
        settings.poison()
