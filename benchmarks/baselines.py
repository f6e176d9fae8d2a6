"""What pyipu is measured against: ONNX Runtime and plain IREE, and how memory is measured for all alike."""

import hashlib
import json
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import iree.runtime as iree_runtime
import numpy as np
import onnx
import onnxruntime
from iree.compiler import version as iree_version

from examples.zoo import Shapes, cache_folder, publish

Arrays = dict[str, np.ndarray]

# IREE's importer refuses some operators of older opsets, batch normalisation before opset 15 among them.
OPSET = 17
COMPILE_OPTIONS = (
    "--iree-opt-level=O3",
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
)

# What an event of the queue does to the bytes that are allocated.
SIGNS = {"queue_alloca": 1, "queue_dealloca": -1}


class BaselineError(RuntimeError):
    """A tool that a baseline needs has failed; the message names it and gives the first lines of what it said."""


@dataclass(frozen=True)
class MemoryUse:
    """Device memory, in bytes, that one call asked the queue for; neither inputs nor weights count.

    `peak` is the most that was allocated at one moment. `arena` is the most of what the program gives back itself,
    `outputs` the sum of what it does not: its results, which live on with the caller.
    """

    peak: int
    arena: int
    outputs: int


class OnnxRuntimeSession:
    """A model in ONNX Runtime on the CPU; call it with arrays by name."""

    def __init__(self, model: onnx.ModelProto, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))


def onnxruntime_outputs(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], threads: int = 2) -> Arrays:
    """Outputs of `model` by name, as ONNX Runtime computes them."""
    return OnnxRuntimeSession(model, threads)(inputs)


@dataclass(frozen=True)
class PlainIree:
    """An ONNX model compiled by IREE alone: its module, its weights, and the seconds that it took."""

    module: Path
    parameters: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    import_seconds: float
    compile_seconds: float

    @classmethod
    def compile(cls, model: onnx.ModelProto, shapes: Shapes | None = None) -> "PlainIree":
        """Compile `model` with its open dimensions fixed by `shapes`, or take what the cache has.

        Raises:
            BaselineError: IREE cannot import or compile the model.
        """
        fixed = fix_shapes(model, shapes or {})
        folder = cache_folder() / f"plain-iree-{_key(fixed)}"
        if not folder.exists():
            _compile_into(fixed, folder)
        seconds = json.loads((folder / "seconds.json").read_text())
        inputs = tuple(value.name for value in fixed.graph.input)
        outputs = tuple(value.name for value in fixed.graph.output)
        return cls(folder / "main.vmfb", folder / "main.irpa", inputs, outputs, **seconds)

    def session(self, threads: int = 2) -> "IreeSession":
        return IreeSession(self.module, self.parameters, self.inputs, self.outputs, threads=threads)


class IreeSession:
    """A `.vmfb` with its `.irpa` weights, on IREE's multi-threaded CPU device; call it with arrays by name."""

    def __init__(
        self,
        module: Path,
        parameters: Path | None,
        inputs: Iterable[str],
        outputs: Iterable[str],
        function: str = "main",
        scope: str = "model",
        threads: int = 2,
    ) -> None:
        iree_runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        device = iree_runtime.get_driver("local-task").create_default_device()
        config = iree_runtime.Config(device=device)
        modules = [iree_runtime.VmModule.mmap(config.vm_instance, str(module))]
        if parameters is not None:
            modules.insert(0, _parameters_module(config.vm_instance, parameters, scope))
        context = iree_runtime.SystemContext(vm_modules=modules, config=config)
        self._function = context.modules[modules[-1].name][function]
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        results = self._function(*(inputs[name] for name in self._inputs))
        results = results if isinstance(results, tuple) else (results,)
        # A copy, because to_host() maps device memory, and a map that outlives the session crashes the process.
        return {name: result.to_host().copy() for name, result in zip(self._outputs, results, strict=True)}


def plain_iree_seconds(model: onnx.ModelProto, shapes: Shapes | None = None) -> float:
    """Seconds that IREE takes to import and compile `model` now, whatever the cache has.

    Raises:
        BaselineError: IREE cannot import or compile the model.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "module"
        _compile_into(fix_shapes(model, shapes or {}), folder)
        return sum(json.loads((folder / "seconds.json").read_text()).values())


def fix_shapes(model: onnx.ModelProto, shapes: Shapes) -> onnx.ModelProto:
    """A copy of `model` for IREE: its inputs have the given shapes, weights are constants, the function is `main`."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    graph = fixed.graph
    graph.name = "main"
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    if shapes:
        _forget_shapes(graph)
    return fixed


def _forget_shapes(graph: onnx.GraphProto) -> None:
    """Open all shapes but those of the inputs, so that shape inference sets them anew."""
    del graph.value_info[:]
    for dim in (dim for value in graph.output for dim in value.type.tensor_type.shape.dim):
        dim.Clear()


def _key(model: onnx.ModelProto) -> str:
    """A name for the result of compiling `model`; the compiler, its options and the processor are part of it."""
    facts = (iree_version.VERSION, onnx.__version__, OPSET, COMPILE_OPTIONS, run_tool("iree-cpuinfo"))
    content = model.SerializeToString(deterministic=True)
    return hashlib.sha256(content + repr(facts).encode()).hexdigest()[:20]


def _compile_into(model: onnx.ModelProto, folder: Path) -> None:
    """Import and compile `model` into `folder`, which never exists half filled."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        staged = Path(scratch) / "module"
        staged.mkdir()
        onnx.save(model, staged / "main.onnx")
        seconds = {"import_seconds": _import(staged), "compile_seconds": _compile(staged)}
        (staged / "seconds.json").write_text(json.dumps(seconds))
        (staged / "main.onnx").unlink()
        publish(staged, folder)


def _import(folder: Path) -> float:
    """Turn main.onnx into main.mlir and main.irpa; gives the seconds it took."""
    start = time.perf_counter()
    weights = ("--externalize-params", "--save-params-to", str(folder / "main.irpa"))
    source, module = str(folder / "main.onnx"), str(folder / "main.mlir")
    run_tool("iree-import-onnx", source, "-o", module, "--opset-version", str(OPSET), *weights)
    return time.perf_counter() - start


def _compile(folder: Path) -> float:
    """Turn main.mlir into main.vmfb; gives the seconds it took."""
    start = time.perf_counter()
    run_tool("iree-compile", str(folder / "main.mlir"), "-o", str(folder / "main.vmfb"), *COMPILE_OPTIONS)
    return time.perf_counter() - start


def _parameters_module(instance: iree_runtime.VmInstance, parameters: Path, scope: str) -> iree_runtime.VmModule:
    index = iree_runtime.ParameterIndex()
    index.load(str(parameters))
    return iree_runtime.create_io_parameters_module(instance, index.create_provider(scope=scope))


def memory_use(
    module: Path,
    inputs: Iterable[np.ndarray],
    parameters: Path | None = None,
    function: str = "main",
    scope: str = "model",
    device: str = "local-task",
) -> MemoryUse:
    """Run `function` once with `iree-run-module` and see what its queue allocates and releases.

    For a program with one arena, `--print_device_statistics` says the same: its `alloca` payload is arena and outputs,
    its `dealloca` payload the arena. But these are sums over the run, so arenas that follow one another add up.

    Raises:
        BaselineError: the module does not run, or the device records no memory events.
    """
    with tempfile.TemporaryDirectory() as scratch:
        profile = Path(scratch) / "memory.ireeprof"
        options = [f"--module={module}", f"--function={function}", f"--device={device}"]
        options += [f"--parameters={scope}={parameters}"] if parameters is not None else []
        options += [f"--input=@{path}" for path in _save(inputs, Path(scratch))]
        options += ["--device_profiling_mode=memory-events", f"--device_profiling_output={profile}"]
        run_tool("iree-run-module", *options, "--output=+/dev/null")
        return parse_memory_events(run_tool("iree-profile", "memory", "--format=jsonl", str(profile)))


def arena_bytes(
    module: Path, inputs: Iterable[np.ndarray], parameters: Path | None = None, device: str = "local-task"
) -> int:
    """`MemoryUse.arena` of a module's `main`, bytes."""
    return memory_use(module, inputs, parameters, device=device).arena


def _save(arrays: Iterable[np.ndarray], folder: Path) -> list[Path]:
    paths = []
    for index, array in enumerate(arrays):
        paths.append(folder / f"{index}.npy")
        np.save(paths[-1], array)
    return paths


def parse_memory_events(report: str) -> MemoryUse:
    """Memory use out of the rows of `iree-profile memory --format=jsonl`.

    The events `queue_alloca` and `queue_dealloca` are the `stream.resource.alloca` and `dealloca` of the program, in
    order of time; their `length` is the size in bytes that the program asked for, before the runtime rounds it up.

    Raises:
        BaselineError: the report has no allocation, so the device does not record them.
    """
    rows = [json.loads(line) for line in report.splitlines()]
    events = [row for row in rows if row.get("event_type") in SIGNS]
    if not events:
        raise BaselineError("the profile has no memory events of the queue, measure on local-task")
    changes = [(row["allocation_id"], SIGNS[row["event_type"]] * row["length"]) for row in events]
    released = {allocation for allocation, change in changes if change < 0}
    everything = [change for _, change in changes]
    transient = [change for allocation, change in changes if allocation in released]
    return MemoryUse(peak=_peak(everything), arena=_peak(transient), outputs=sum(everything))


def _peak(changes: Iterable[int]) -> int:
    return max(accumulate(changes, initial=0))


def run_tool(name: str, *arguments: str) -> str:
    """Standard output of a command-line tool of this Python environment."""
    command = [str(Path(sysconfig.get_path("scripts")) / name), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BaselineError(f"{name} failed with code {result.returncode}: {result.stderr[:1000].strip()}")
    return result.stdout
