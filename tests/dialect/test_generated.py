"""The files generated from the declarations are up to date, and MLIR's own tool understands `ipu.irdl.mlir`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyipu.dialect import OPS, documentation, irdl

_ROOT = Path(__file__).parents[2]
_IREE_OPT = Path(sys.executable).parent / "iree-opt"


def test_irdl_file_is_up_to_date() -> None:
    assert irdl.FILE.read_text() == irdl.generate(), "run: python -m pyipu.dialect.irdl --write"


def test_documentation_is_up_to_date() -> None:
    file = _ROOT / "docs" / "dialect.md"
    assert file.read_text() == documentation.generate(), f"run: python -m pyipu.dialect.documentation > {file}"


@pytest.mark.parametrize("name", OPS)
def test_documentation_has_every_op_once(name: str) -> None:
    assert documentation.generate().count(f"| `{name}` |") == 1


def _iree_opt(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(_IREE_OPT), f"--irdl-file={irdl.FILE}", "-", "-o", "/dev/null"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def _function(op: str) -> str:
    return f"func.func @f(%x: tensor<2xf32>, %b: !ipu.buffer) {{\n{op}\nreturn\n}}\n"


def test_iree_opt_accepts_what_is_declared() -> None:
    process = _iree_opt(_function('%0 = "ipu.leaky_relu"(%x) {slope = 0.1 : f64} : (tensor<2xf32>) -> tensor<2xf32>'))
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ('"ipu.nothing"() : () -> ()', "ipu.nothing"),
        ('%0 = "ipu.relu"() : () -> tensor<2xf32>', "expects exactly 1 operands"),
        ('%0 = "ipu.leaky_relu"(%x) : (tensor<2xf32>) -> tensor<2xf32>', 'attribute "slope" is expected'),
        ('%0 = "ipu.leaky_relu"(%x) {slope = 1 : i64} : (tensor<2xf32>) -> tensor<2xf32>', "expected base attribute"),
        ('"ipu.relu"(%x) : (tensor<2xf32>) -> ()', "expects exactly 1 results"),
    ],
)
def test_iree_opt_rejects_what_is_not_declared(op: str, message: str) -> None:
    process = _iree_opt(_function(op))
    assert process.returncode != 0
    assert message in process.stderr
