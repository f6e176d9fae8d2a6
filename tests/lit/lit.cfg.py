"""lit's configuration: the tools are those beside the Python that runs lit, wherever it was started."""

# ruff: noqa: F821  (lit defines `config` and `lit_config`)
import sys
import tempfile
from pathlib import Path

import lit.formats

_HERE = Path(__file__).parent
_TOOLS = Path(sys.executable).parent

config.name = "pyipu"
config.suffixes = [".mlir"]
config.test_format = lit.formats.ShTest(execute_external=False)
config.test_source_root = str(_HERE)
config.test_exec_root = lit_config.params.get("output") or tempfile.mkdtemp(prefix="pyipu-lit-")
config.environment["PATH"] = f"{_TOOLS}:{config.environment['PATH']}"
config.substitutions.append(("%irdl", str(_HERE.parents[1] / "dialect" / "ipu.irdl.mlir")))
