"""Running, saving and loading a compiled model; the models here are hand-written `stream` modules."""

import dataclasses
import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from pyipu import runtime, targets
from pyipu.engine import Executable, load
from pyipu.errors import Error, ExecutionError, InputError, TargetError
from pyipu.parameters import Parameters
from pyipu.plan import TensorDescription
from tests.pyipu.engine_models import CPU, ELEMENTS, SHIFT, X, assert_is_affine
from tests.stream_modules import affine, affine_plan, echo

pytestmark = pytest.mark.xdist_group("engine")


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


def running_threads() -> int:
    """All of the process's, of which Python knows its own only."""
    return psutil.Process().num_threads()


def test_each_executable_has_the_threads_that_it_asked_for():
    def started(threads: int) -> int:
        runtime._host_devices.cache_clear()
        before = running_threads()
        model = affine(CPU, threads)
        assert_is_affine(model(X, SHIFT))
        assert model.threads == threads
        return running_threads() - before

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


def test_a_device_is_closed_with_the_last_executable_that_uses_it(vulkan):
    before = running_threads()
    first, second = affine(vulkan), affine(vulkan)
    assert_is_affine(first(X, SHIFT))
    results = second(X, SHIFT)
    del first
    assert running_threads() > before
    del second
    assert running_threads() == before
    assert_is_affine(results)


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
