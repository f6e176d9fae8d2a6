"""The tune file: what was found comes back on the same device with as many threads, and damage is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pyipu.errors import TuningError
from pyipu.learned import Finding, Knowledge, TuneFile, tune_path
from pyipu.targets.tiles import Tiling

TILING = Tiling((1, 14, 0), (1, 7, 0), (0, 0, 4), "DoubleTilingExpert")
FASTER, NOTHING = Finding("conv_1", TILING, (2.0, 1.5)), Finding("conv_2", None, (1.0, 1.0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "tune.json"


def test_what_was_found_comes_back(path: Path) -> None:
    TuneFile(path).add("zen", 2, {"a": FASTER, "b": NOTHING})
    assert TuneFile(path).findings("zen", 2) == {"a": FASTER, "b": NOTHING}
    assert Knowledge.read(path, "zen", 2).tilings == {"a": TILING}
    assert [file.name for file in path.parent.iterdir()] == ["tune.json"]


@pytest.mark.parametrize(("device", "threads"), [("zen", 4), ("neoverse", 2)])
def test_other_processors_and_threads_are_not_matched(path: Path, device: str, threads: int) -> None:
    TuneFile(path).add("zen", 2, {"a": FASTER})
    assert Knowledge.read(path, device, threads).findings == {}


def test_findings_add_up(path: Path) -> None:
    known = Knowledge.read(path, "zen", 2).learn({"a": FASTER}).learn({"b": NOTHING})
    other = replace(FASTER, milliseconds=(3.0, 1.0))
    Knowledge.read(path, "zen", 4).learn({"a": other})
    assert known.findings == Knowledge.read(path, "zen", 2).findings == {"a": FASTER, "b": NOTHING}
    assert Knowledge.read(path, "zen", 4).findings == {"a": other}


def test_without_a_file_findings_are_for_now() -> None:
    known = Knowledge.read(None, "zen", 2).learn({"a": FASTER})
    assert known.tilings == {"a": TILING}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"format": 2, "processors": []}', "its format is 2 and not 1"),
        ('{"format": 1, "processors": [{"device": "zen"}]}', "KeyError: 'threads'"),
        ('{"format": 1, "processors": [{"device": "zen", "threads": 2, "codelets": {"a": {}}}]}', "TypeError"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "tune.json"
    file.write_text(text)
    with pytest.raises(TuningError, match=rf"the tune file {file} is damaged \(.*{reason}.*\); delete it"):
        Knowledge.read(file, "zen", 2)


def test_sizes_that_are_no_numbers_are_damage(path: Path) -> None:
    TuneFile(path).add("zen", 2, {"a": FASTER})
    content = json.loads(path.read_text())
    content["processors"][0]["codelets"]["a"]["tiling"]["parallel"] = ["seven"]
    path.write_text(json.dumps(content))
    with pytest.raises(TuningError, match="is damaged"):
        TuneFile(path).findings("zen", 2)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TuningError, match=r"tune\.json cannot be"):
        TuneFile(tmp_path / "file" / "tune.json").add("zen", 2, {})


def test_the_default_file_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    assert tune_path(None, True, None) == tmp_path / "tune.json"
    assert tune_path(None, False, None) is None


def test_a_file_that_is_not_there_is_refused_unless_it_will_be_made(tmp_path: Path) -> None:
    file = tmp_path / "shipped.json"
    with pytest.raises(TuningError, match=rf"there is no tune file {file}: give another one, or tune=30 to make it"):
        tune_path(file, True, None)
    assert tune_path(str(file), False, 30) == file
