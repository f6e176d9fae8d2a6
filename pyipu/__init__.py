"""pyipu: an ONNX compiler that plans all memory before the run.

exe = pyipu.compile("model.onnx")
y = exe(x)
print(exe.memory.arena_bytes)
"""

from pyipu import versions

versions.check()

from pyipu.arrays import empty  # noqa: E402  (what follows needs the tested version of IREE)
from pyipu.compiler import compile  # noqa: E402
from pyipu.engine import Executable, load  # noqa: E402
from pyipu.errors import Error, MemoryBudgetError  # noqa: E402

__all__ = ["Error", "Executable", "MemoryBudgetError", "compile", "empty", "load"]
