"""ONNX Runtime's arena, as it reports it itself.

Its Python interface has no figure for memory, but its arena logs each time that it grows, and by how much.
A process of its own loads the model and calls it a few times; this module is what runs there:

    python -m benchmarks.onnxruntime_arena model.onnx inputs.npz
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from benchmarks.baselines import BaselineError

CALLS = 3
"""The second call brings the block that was planned from the first one's sizes; from then on nothing grows."""

_LOADED = "the model is loaded"
_GROWN = re.compile(r"Extended allocation by (\d+)")
_VERBOSE = 0


def onnxruntime_arena(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> int:
    """Bytes by which calls let the arena grow, with ONNX Runtime's default options; results are in it, weights are not.

    Raises:
        BaselineError: the process fails, or ONNX Runtime logs nothing of an arena.
    """
    with tempfile.TemporaryDirectory() as name:
        file, arrays = Path(name) / "model.onnx", Path(name) / "inputs.npz"
        onnx.save(model, file)
        np.savez(arrays, *(inputs[value.name] for value in model.graph.input if value.name in inputs))
        command = [sys.executable, "-m", "benchmarks.onnxruntime_arena", str(file), str(arrays)]
        root = Path(__file__).parents[1]
        process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    if process.returncode:
        raise BaselineError(f"ONNX Runtime failed: {process.stderr[-1000:].strip()}")
    return parse_log(process.stderr)


def parse_log(log: str) -> int:
    """Bytes that the arena grew by after the model was loaded.

    Raises:
        BaselineError: the log does not say that the arena grew.
    """
    _, _, calling = log.partition(_LOADED)
    grown = [int(size) for size in _GROWN.findall(calling)]
    if not grown:
        raise BaselineError("ONNX Runtime logged no growth of its arena; does this version still log it?")
    return sum(grown)


def _call(file: str, arrays: str) -> None:
    onnxruntime.set_default_logger_severity(_VERBOSE)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    with np.load(arrays) as inputs:
        named = {value.name: inputs[key] for value, key in zip(session.get_inputs(), inputs.files, strict=True)}
    print(_LOADED, file=sys.stderr, flush=True)
    for _ in range(CALLS):
        session.run(None, named)


if __name__ == "__main__":
    _call(*sys.argv[1:])
