"""Running, saving and loading a compiled model; the models here are hand-written `stream` modules."""

import dataclasses
import gc
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import iree.runtime
import ml_dtypes
import numpy as np
import pytest

import pyipu
from pyipu import runtime, targets
from pyipu.engine import Executable, load
from pyipu.errors import Error, ExecutionError, InputError, OutputError, TargetError
from pyipu.parameters import Parameters
from pyipu.plan import TensorDescription
from tests.stream_modules import affine, affine_plan, affine_scale, echo

CPU = targets.get("cpu")
X = np.arange(6, dtype=np.float32).reshape(2, 3)
SHIFT = np.full((2, 3), 100, dtype=np.float32)
Y = X * affine_scale() + SHIFT
ELEMENTS = {
    "i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "ui8": np.uint8,
    "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
    "f32": np.float32, "f64": np.float64,
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Executable:
    return affine(CPU)


@pytest.fixture
def saved(model, tmp_path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module")
def vulkan() -> targets.Target:
    try:
        runtime.open_device("vulkan", 1)
    except TargetError as problem:
        pytest.skip(str(problem))
    return targets.get("vulkan")


def assert_is_affine(results) -> None:
    np.testing.assert_array_equal(results[0], Y)
    np.testing.assert_array_equal(results[1], X)


def test_inputs_may_be_given_by_position_and_by_name(model):
    assert_is_affine(model(X, SHIFT))
    assert_is_affine(model(X, shift=SHIFT))
    assert_is_affine(model(shift=SHIFT, x=X))


def test_run_takes_and_gives_names(model):
    results = model.run({"shift": SHIFT, "x": X})
    assert list(results) == ["y", "copy"]
    assert_is_affine(list(results.values()))


def test_results_belong_to_the_caller():
    model = affine(CPU)
    first = model(X, SHIFT)
    first[0][0, 0] += 1
    assert_is_affine(model(X, SHIFT))
    expected = [result.copy() for result in first]
    del model
    gc.collect()
    affine(CPU)(SHIFT, SHIFT)
    np.testing.assert_array_equal(first, expected)


def test_an_input_may_be_strided_or_read_only_and_is_not_changed(model):
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    strided.flags.writeable = False
    assert not strided.flags.c_contiguous
    assert_is_affine(model(strided, SHIFT))
    np.testing.assert_array_equal(strided, X)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"has 2 inputs, got 0; expected x: float32\[2, 3\]; shift: float32\[2, 3\]"),
        ((X,), {}, "has 2 inputs, got 1"),
        ((X, SHIFT, X), {}, "has 2 inputs, got 3"),
        ((X,), {"bias": SHIFT}, r"has no input 'bias'; expected x: float32\[2, 3\]; shift"),
        ((X,), {"x": X}, "'x' is given by position and by name; give it once"),
        ((), {"x": X}, "'shift' is missing; expected x"),
        ((X.astype(np.float64), SHIFT), {}, r"'x' must be float32, got float64; convert it, .*dtype='float32'"),
        ((X, 3.0), {}, "'shift' must be float32, got float64"),
        ((X.tolist(), SHIFT), {}, "'x' must be float32, got float64"),
        ((X.astype(">f4"), SHIFT), {}, "'x' must be float32, got float32"),
        ((X[None], SHIFT), {}, r"'x' must have shape \(2, 3\), got \(1, 2, 3\); reshape it"),
        ((X.T, SHIFT), {}, r"'x' must have shape \(2, 3\), got \(3, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(model, args, kwargs, message):
    with pytest.raises(InputError, match=message):
        model(*args, **kwargs)


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_element_type_goes_in_and_comes_out(element):
    values = (np.arange(8) % 5).reshape(2, 4).astype(ELEMENTS[element])
    result = echo(CPU, TensorDescription("x", values.shape, values.dtype), element)(values)
    assert result.dtype == values.dtype
    np.testing.assert_array_equal(result, values)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3)])
def test_every_shape_goes_in_and_comes_out(shape):
    values = np.full(shape, 7, np.float32)
    result = echo(CPU, TensorDescription("x", shape, values.dtype), "f32")(values)
    assert result.shape == shape
    np.testing.assert_array_equal(result, values)


def aligned(values: np.ndarray) -> np.ndarray:
    copy = pyipu.empty(values.shape, values.dtype)
    copy[...] = values
    return copy


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("shape", [(), (2, 4), (0, 3)])
def test_an_aligned_array_goes_in_and_stays_the_callers(element, shape):
    values = aligned((np.arange(math.prod(shape)) % 5).reshape(shape).astype(ELEMENTS[element]))
    expected = values.copy()
    result = echo(CPU, TensorDescription("x", shape, values.dtype), element)(values)
    assert not np.may_share_memory(result, values)
    values[...] = 1
    np.testing.assert_array_equal(result, expected)


@pytest.fixture
def allocated(monkeypatch) -> list[int]:
    """Bytes of every input that is copied."""
    sizes: list[int] = []
    copy = iree.runtime.HalAllocator.allocate_buffer_copy

    def recorded(allocator, memory_type, usage, device, array, element_type):
        sizes.append(array.nbytes)
        return copy(allocator, memory_type, usage, device, array, element_type)

    monkeypatch.setattr(iree.runtime.HalAllocator, "allocate_buffer_copy", recorded)
    return sizes


def test_an_input_is_copied_only_if_it_cannot_be_read_in_place(model, allocated):
    x, shift = aligned(X), aligned(SHIFT)
    assert_is_affine(model(x, shift))
    assert allocated == []
    off = pyipu.empty((7,))[1:].reshape(2, 3)
    off[...] = X
    shift.flags.writeable = False
    assert_is_affine(model(off, shift))
    assert allocated == [24, 24]


def test_an_output_is_an_input_that_needs_no_copy(model, allocated):
    y, copy = model(aligned(X), aligned(SHIFT))
    np.testing.assert_array_equal(model(y, copy)[0], Y * affine_scale() + X)
    assert allocated == []


def test_an_input_in_place_is_let_go_after_the_call(model):
    x = aligned(X)
    before = sys.getrefcount(x)
    assert_is_affine(model(x, SHIFT))
    assert sys.getrefcount(x) == before


def test_results_are_written_into_the_callers_arrays(model):
    outputs = [np.full((2, 3), np.nan, np.float32) for _ in range(2)]
    for shift in (SHIFT, 2 * SHIFT):
        assert model.run_into(outputs, X, shift=shift) is None
        np.testing.assert_array_equal(outputs[0], X * affine_scale() + shift)
        np.testing.assert_array_equal(outputs[1], X)


def test_the_only_output_may_be_an_input():
    values = np.arange(8, dtype=np.int32)
    expected = values.copy()
    echo(CPU, TensorDescription("x", (8,), values.dtype), "i32").run_into(values, values)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.empty((2, 3), "f4"), r"has 2 outputs, got 1 to write into; expected y: float32\[2, 3\]; copy"),
        ([np.empty((2, 3), "f4")] * 3, "has 2 outputs, got 3"),
        ([np.empty((2, 3)), np.empty((2, 3), "f4")], r"'y' must be an array float32\[2, 3\], got float64\[2, 3\]"),
        ([np.empty((2, 3), "f4"), np.empty((3, 2), "f4")], r"'copy' must be .*, got float32\[3, 2\]; make it with"),
        ([np.empty((2, 3), "f4"), [0.0]], "'copy' must be an array .*, got list"),
        ([np.empty((3, 2), "f4").T, np.empty((2, 3), "f4")], "'y' must be C-contiguous and writeable"),
        ([np.broadcast_to(np.float32(0), (2, 3)), np.empty((2, 3), "f4")], "'y' must be C-contiguous and writeable"),
    ],
)
def test_arrays_that_cannot_take_the_results_are_refused(model, outputs, message):
    with pytest.raises(OutputError, match=message):
        model.run_into(outputs, X, SHIFT)


def test_arrays_are_written_only_by_a_call_that_succeeds(model):
    outputs = [np.full((2, 3), 7, np.float32) for _ in range(2)]
    with pytest.raises(InputError):
        model.run_into(outputs, X)
    np.testing.assert_array_equal(outputs, 7)


def test_threads_that_start_together_each_get_their_own_results():
    models = [affine(CPU, threads) for threads in (1, 1, 2)]
    start = threading.Barrier(12)

    def call(number: int) -> None:
        start.wait()
        for step in range(50):
            x = aligned(np.full((2, 3), 100 * number + step, np.float32))
            y, copy = models[number % 3](x, SHIFT)
            np.testing.assert_array_equal(y, x * affine_scale() + SHIFT)
            np.testing.assert_array_equal(copy, x)

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(call, range(12))) == [None] * 12


@pytest.mark.parametrize(("threads", "side_by_side"), [(1, 4), (2, 2), (3, 1), (9, 1)])
def test_as_many_calls_run_at_once_as_the_processors_suffice_for(monkeypatch, threads, side_by_side):
    monkeypatch.setattr(runtime, "available_threads", lambda: 4)
    monkeypatch.setattr(runtime, "open_device", lambda driver, count: object())
    devices = runtime.Devices("local-task", threads)
    together, busy = threading.Barrier(side_by_side), set()

    def call(_: int) -> None:
        with devices.borrow() as device:
            assert device not in busy
            busy.add(device)
            together.wait(timeout=10)
            busy.remove(device)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert len(devices._idle) == side_by_side


def test_a_device_that_failed_is_used_again():
    devices = runtime.Devices("local-task", runtime.available_threads())
    with pytest.raises(KeyError), devices.borrow() as first:
        raise KeyError
    with devices.borrow() as second:
        assert second is first


def test_calls_from_several_threads_do_not_mix(model):
    inputs = [np.full((2, 3), value, np.float32) for value in range(200)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda x: model(x, SHIFT), inputs))
    for x, (y, copy) in zip(inputs, results, strict=True):
        np.testing.assert_array_equal(y, x * affine_scale() + SHIFT)
        np.testing.assert_array_equal(copy, x)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not list a process's threads")
def test_each_executable_has_the_threads_that_it_asked_for():
    def started(threads: int) -> int:
        runtime._devices.cache_clear()
        before = len(list(Path("/proc/self/task").iterdir()))
        model = affine(CPU, threads)
        assert_is_affine(model(X, SHIFT))
        assert model.threads == threads
        return len(list(Path("/proc/self/task").iterdir())) - before

    assert started(7) - started(3) == 4


def test_threads_default_to_the_plan_and_then_to_the_machine(model):
    assert model.threads == runtime.available_threads() >= 1
    tuned = dataclasses.replace(affine_plan(CPU), threads=3)
    assert Executable(model._module, model.parameters, tuned, CPU).threads == 3
    assert Executable(model._module, model.parameters, tuned, CPU, threads=1).threads == 1
    with pytest.raises(InputError, match="threads must be 1 or more, got 0"):
        affine(CPU, threads=0)


def test_a_missing_weight_is_named(model):
    parameters = Parameters()
    parameters.declare("scale", (2, 3), np.float32)
    with pytest.raises(Error, match="'scale' has no value"):
        Executable(model._module, parameters, model.plan, CPU)(X, SHIFT)


def test_weights_of_another_model_are_refused(model):
    with pytest.raises(ExecutionError, match=r"cannot load the model: .*scale"):
        Executable(model._module, Parameters(), model.plan, CPU)(X, SHIFT)


def test_a_module_without_the_function_is_refused(model):
    plan = dataclasses.replace(model.plan, function="other")
    with pytest.raises(Error, match="no function 'other'"):
        Executable(model._module, model.parameters, plan, CPU)(X, SHIFT)


def test_it_describes_itself(model):
    assert repr(model).startswith("<pyipu.Executable for cpu: (x: float32[2, 3], shift: float32[2, 3]) -> (y: ")
    assert model.memory == affine_plan(CPU).memory


def test_a_loaded_model_is_the_saved_one(model, saved):
    loaded = load(saved, threads=1)
    assert_is_affine(loaded(X, SHIFT))
    assert (loaded.plan, loaded.target, loaded.threads) == (model.plan, CPU, 1)
    assert sorted(file.name for file in saved.iterdir()) == ["module.vmfb", "plan.json", "weights.irpa"]
    assert list(saved.parent.iterdir()) == [saved]


def test_the_options_of_the_target_are_kept(model, tmp_path):
    plan = dataclasses.replace(model.plan, options=(("cpu", "znver4"),))
    Executable(model._module, model.parameters, plan, CPU).save(tmp_path / "model")
    assert load(tmp_path / "model").target == CPU.with_options(cpu="znver4")


def test_loaded_weights_stay_in_their_file(saved):
    loaded = load(saved)
    before = loaded.parameters["scale"]
    loaded(X, SHIFT)
    assert not before.flags.owndata and loaded.parameters["scale"] is before


def test_saving_replaces_a_saved_model_and_fills_an_empty_folder(model, saved, tmp_path):
    load(saved).save(saved)
    assert_is_affine(load(saved)(X, SHIFT))
    (tmp_path / "empty").mkdir()
    model.save(tmp_path / "empty")
    assert_is_affine(load(tmp_path / "empty")(X, SHIFT))
    model.save(tmp_path / "deep" / "er")
    assert_is_affine(load(tmp_path / "deep" / "er")(X, SHIFT))


@pytest.mark.parametrize("extra", ["notes.txt", "module.vmfb"])
def test_saving_never_replaces_what_is_no_model(model, tmp_path, extra):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / extra).write_text("precious")
    for path in (tmp_path / "folder", tmp_path / "folder" / extra):
        with pytest.raises(Error, match="exists and is no saved model; choose another name"):
            model.save(path)
    assert (tmp_path / "folder" / extra).read_text() == "precious"


def test_a_model_with_a_file_of_the_users_is_not_replaced(model, saved):
    (saved / "notes.txt").write_text("precious")
    with pytest.raises(Error, match="is no saved model"):
        model.save(saved)


def test_a_failed_save_leaves_everything_as_it_was(model, saved):
    parameters = Parameters()
    parameters.declare("scale", (2, 3), np.float32)
    broken = Executable(model._module, parameters, model.plan, CPU)
    for folder in (saved, saved.with_name("new")):
        with pytest.raises(Error, match="'scale' has no value"):
            broken.save(folder)
    assert list(saved.parent.iterdir()) == [saved]
    assert_is_affine(load(saved)(X, SHIFT))


@pytest.mark.parametrize("file", ["module.vmfb", "plan.json", "weights.irpa"])
def test_a_missing_or_damaged_file_is_named(saved, file):
    (saved / file).write_bytes((saved / file).read_bytes()[:40])
    with pytest.raises(Error, match=r"model cannot be loaded: .*(module|plan|weights\.irpa) .*"):
        load(saved)
    (saved / file).unlink()
    with pytest.raises(Error, match=rf"model is no saved model: {file} is missing"):
        load(saved)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(Error, match=r"there is no folder .*nowhere"):
        load(tmp_path / "nowhere")


def test_a_target_without_a_device_can_be_saved_but_not_run(tmp_path):
    model = affine(targets.get("null"))
    model.save(tmp_path / "model")
    with pytest.raises(TargetError, match="target 'null' cannot run a model; compile it for another target"):
        load(tmp_path / "model")(X, SHIFT)


def test_a_device_that_is_not_here_is_one_sentence():
    with pytest.raises(TargetError, match=r"^no device can be opened for driver 'abacus' \(.*\); install [^.]*$"):
        runtime.open_device("abacus", 1)


def test_stock_iree_runs_a_saved_model_in_the_planned_arena(model, saved):
    tool = shutil.which("iree-run-module", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert tool is not None
    (saved.parent / "inputs").mkdir()
    np.save(saved.parent / "inputs" / "x.npy", X)
    np.save(saved.parent / "inputs" / "shift.npy", SHIFT)
    command = [
        tool, f"--module={saved}/module.vmfb", f"--parameters=model={saved}/weights.irpa", "--function=main",
        f"--input=@{saved.parent}/inputs/x.npy", f"--input=@{saved.parent}/inputs/shift.npy", "--device=local-task",
        "--task_topology_group_count=1", "--print_device_statistics",
    ]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2x3xf32=[100 102 106][112 120 130]" in output.stdout
    freed = re.search(r"dealloca .*payload=(\d+)B", output.stdout + output.stderr)
    assert freed is not None and int(freed[1]) == model.memory.arena_bytes


def test_vulkan_runs_and_loads(vulkan, tmp_path):
    model = affine(vulkan)
    assert_is_affine(model(X, SHIFT))
    model.save(tmp_path / "model")
    assert_is_affine(load(tmp_path / "model")(X, SHIFT))


def test_vulkan_gives_back_large_and_odd_results(vulkan):
    values = np.random.default_rng(0).integers(0, 2, 100_003).astype(np.bool_)
    result = echo(vulkan, TensorDescription("x", values.shape, values.dtype), "i1")(values)
    np.testing.assert_array_equal(result, values)


@pytest.mark.parametrize("name", ["cpu", "vulkan"])
def test_a_process_that_still_holds_a_model_and_results_ends_well(name, tmp_path, request):
    target = CPU if name == "cpu" else request.getfixturevalue("vulkan")
    affine(target).save(tmp_path / "model")
    script = (
        "import sys, numpy, pyipu.engine; model = pyipu.engine.load(sys.argv[1]); "
        "x = numpy.ones((2, 3), 'f'); results = model(x, x); print(results[0].sum())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "27.0"), ended.stderr
