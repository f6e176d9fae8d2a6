"""Runs the IR cases of tests/lit, so that pytest alone runs every test there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyipu.dialect import OPS

_CASES = Path(__file__).with_name("lit")
_LIT = Path(sys.executable).parent / "lit"


def test_lit_cases(tmp_path: Path) -> None:
    command = [str(_LIT), "-v", "--workers=2", f"--param=output={tmp_path}", str(_CASES)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_a_case(name: str) -> None:
    families = [file for file in (_CASES / "dialect").glob("*.mlir") if not file.name.startswith("invalid_")]
    assert any(f'"{name}"(' in file.read_text() for file in families), "add one to tests/lit/dialect"
