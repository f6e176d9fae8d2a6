"""The engines that are compared, each with a model that it has compiled; a worker process opens one by its name.

ONNX Runtime, OpenVINO and plain IREE get the model with all shapes fixed, as pyipu does, and compute in float32.
"pyipu-bf16" multiplies in bfloat16, and what ends in "-int8" gets the network of 8-bit integers that ONNX Runtime's
tools make of it, so that their outputs are not within float32's tolerance.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx

import pyipu
from benchmarks.baselines import Arrays, OnnxRuntimeSession, PlainIree, fix_shapes
from benchmarks.quantized import quantized
from examples.zoo import Shapes

Call = Callable[[Mapping[str, np.ndarray]], Arrays]

TITLES = {
    "pyipu": "pyipu",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "iree": "plain IREE",
    "pyipu-bf16": "pyipu in bf16",
    "pyipu-int8": "pyipu in int8",
    "onnxruntime-int8": "ONNX Runtime in int8",
}
IN_FLOAT32 = tuple(name for name in TITLES if not name.endswith(("-bf16", "-int8")))
PEAK, PEAK_ORDER = "peak", 1024
"""The engine that multiplies two square matrices of that order, whatever the model is."""
MEMORY, MEMORY_BYTES = "memory", 2**28
"""The engine that reads so many bytes, which are more than caches hold, whatever the model is."""


class EngineError(RuntimeError):
    """An engine is not installed, cannot open the model or fails to run it; the message is one sentence."""


@dataclass(frozen=True)
class Workload:
    """A model and what it is run on."""

    model: onnx.ModelProto
    shapes: Shapes
    inputs: Arrays


@dataclass(frozen=True)
class Engine:
    """A model that is ready to run, and the seconds that compiling it took."""

    call: Call
    compile_seconds: float


def open_engine(name: str, workload: Workload, threads: int) -> Engine:
    """The workload's model in one of `TITLES`; `PEAK` needs none.

    Raises:
        EngineError: there is no such engine, or it is not installed.
    """
    if name not in _OPENERS:
        raise EngineError(f"there is no engine {name!r}; choose among {', '.join(TITLES)}")
    return _OPENERS[name](workload, threads)


def _pyipu(workload: Workload, threads: int, precision: str | None = None) -> Engine:
    """Compiled without pyipu's cache."""
    start = time.perf_counter()
    shapes = workload.shapes or None
    executable = pyipu.compile(workload.model, shapes=shapes, threads=threads, precision=precision, cache=False)
    return Engine(executable.run, time.perf_counter() - start)


def _onnxruntime(workload: Workload, threads: int) -> Engine:
    start = time.perf_counter()
    session = OnnxRuntimeSession(fix_shapes(workload.model, workload.shapes), threads)
    return Engine(session, time.perf_counter() - start)


def _openvino(workload: Workload, threads: int) -> Engine:
    """One stream with the lowest latency; float32, because OpenVINO chooses bfloat16 where the processor has it."""
    try:
        import openvino
    except ImportError as problem:
        raise EngineError("openvino is not installed; install pyipu[bench], or choose other --engines") from problem
    start = time.perf_counter()
    model = fix_shapes(workload.model, workload.shapes)
    core = openvino.Core()
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": True,
    }
    compiled = core.compile_model(core.read_model(io.BytesIO(model.SerializeToString())), "CPU", options)
    request, names = compiled.create_infer_request(), [output.name for output in model.graph.output]

    def call(inputs: Mapping[str, np.ndarray]) -> Arrays:
        results = request.infer(inputs, share_inputs=True, share_outputs=True)
        return dict(zip(names, results.values(), strict=True))

    return Engine(call, time.perf_counter() - start)


def _in_int8(opener: Callable[[Workload, int], Engine], workload: Workload, threads: int) -> Engine:
    """The network is quantized before the clock starts."""
    fixed = fix_shapes(workload.model, workload.shapes)
    return opener(Workload(quantized(fixed, workload.inputs), {}, workload.inputs), threads)


def _plain_iree(workload: Workload, threads: int) -> Engine:
    plain = PlainIree.compile(workload.model, workload.shapes)
    return Engine(plain.session(threads), plain.import_seconds + plain.compile_seconds)


def _peak(workload: Workload, threads: int) -> Engine:
    """What the machine can do: a product of two large float32 matrices in numpy's OpenBLAS.

    It has the number of threads that OPENBLAS_NUM_THREADS says.
    """
    left, right, product = (np.ones((PEAK_ORDER, PEAK_ORDER), np.float32) for _ in range(3))
    return Engine(lambda inputs: {"product": np.matmul(left, right, out=product)}, 0.0)


def _memory(workload: Workload, threads: int) -> Engine:
    """What the machine can read: the scalar product of a vector with itself in numpy's OpenBLAS."""
    vector = np.ones(MEMORY_BYTES // 4, np.float32)
    return Engine(lambda inputs: {"product": np.array(np.dot(vector, vector))}, 0.0)


_OPENERS: dict[str, Callable[[Workload, int], Engine]] = {
    "pyipu": _pyipu,
    "pyipu-bf16": partial(_pyipu, precision="bf16"),
    "pyipu-int8": partial(_in_int8, _pyipu),
    "onnxruntime": _onnxruntime,
    "onnxruntime-int8": partial(_in_int8, _onnxruntime),
    "openvino": _openvino,
    "iree": _plain_iree,
    PEAK: _peak,
    MEMORY: _memory,
}
