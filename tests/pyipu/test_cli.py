"""The command line, from an .onnx file to numbers, in process; each failure is one line and exit status 2."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pyipu import cli, compiler

pytestmark = pytest.mark.xdist_group("cli")

_WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) - 5


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """relu(x @ w) for x of shape [n, 4]; the output is called y/z."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["y/z"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])]
    outputs = [helper.make_tensor_value_info("y/z", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(_WEIGHTS, "w")])
    file = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return str(file)


@pytest.fixture(scope="module")
def folder(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model, compiled by the command line."""
    folder = str(tmp_path_factory.mktemp("compiled") / "model")
    assert cli.main(["compile", model, "-o", folder, "--shape", "x=2x4", "--threads", "1"]) == 0
    return folder


def test_compiled_model_runs(folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    assert cli.main(["run", folder, "--input", f"x=@{tmp_path / 'x.npy'}", "--output-dir", str(tmp_path / "out")]) == 0
    saved = np.load(tmp_path / "out" / "y%2Fz.npy")
    np.testing.assert_allclose(saved, np.maximum(x @ _WEIGHTS, 0), rtol=1e-5, atol=1e-5)
    assert "y/z\tfloat32\t2x3\t" in capsys.readouterr().out


def test_onnx_file_runs_without_a_folder(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", model, "--shape", "x=1x4", "--input", "x=1x4xf32=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "# outputs",
        "name\tdtype\tshape\tmin\tmax\tmean\tfirst values",
        "y/z\tfloat32\t1x3\t0\t6\t2.66667\t0 2 6",
    ]


def test_inspect_shows_tensors_and_memory(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", folder]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"# model for cpu", "# arena, as memory is planned step by step", "# memory"} <= set(lines)
    stages = [line.split("\t")[0] for line in lines]
    assert {"sum", "reuse", "in-place", "schedule", "tile", "lower bound", "code"} <= set(stages)
    assert "# buffers in the arena" not in lines
    assert {"input\tx\tfloat32\t2x4\t32", "output\ty/z\tfloat32\t2x3\t24", "weights\t48\t"} <= set(lines)


def test_inspect_shows_buffers_on_demand(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", model, "--shape", "x=2x4", "--buffers"]) == 0
    assert "# buffers in the arena" in capsys.readouterr().out.splitlines()


def test_a_budget_is_kept_on_the_command_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", model, "--json", "--shape", "x=2x4", "--memory-budget", "1MB"]) == 0
    assert json.loads(capsys.readouterr().out)["memory"]["arena_bytes"] <= 1_000_000


def test_a_budget_that_is_no_size_is_one_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", model, "--shape", "x=2x4", "--memory-budget", "two"]) == 2
    assert "memory_budget='two' is no size" in capsys.readouterr().err


def test_the_plan_has_the_storage(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", model, "--json", "--shape", "x=2x4", "--storage", "bf16"]) == 0
    assert json.loads(capsys.readouterr().out)["storage"] == "bf16"


def test_inspect_as_json_is_the_plan(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((Path(folder) / "plan.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{model}", "--shape", "x=2x4", "--tune-file", "no-file"], "there is no tune file no-file"),
        (["run", "{model}", "--shape", "x=2x4", "--tune", "0"], "tune=0.0 is no time"),
        (["run", "{folder}", "--tune", "3"], "is compiled already"),
        (["inspect", "no-such-model"], "no-such-model"),
        (["compile", "{model}", "-o", "{folder}"], "'x' (n, 4)"),
        (["compile", "{model}", "-o", "{model}", "--shape", "x=2x4"], "exists and is no saved model"),
        (["compile", "{model}", "-o", "{folder}", "--shape", "x=2,4"], "a shape is written NAME=1x3x640x640"),
        (["inspect", "{folder}", "--target", "cpu"], "is compiled already"),
        (["inspect", "{folder}", "--storage", "f16"], "is compiled already"),
        (["run", "{folder}"], "expected x: float32[2, 4]"),
        (["run", "{folder}", "--input", "z=2x4xf32"], "the model has no input 'z'"),
        (["run", "{folder}", "--input", "x=2x4xi32"], "must be float32, got int32"),
        (["run", "{folder}", "--input", "x=0.5"], "an input is written NAME=@file.npy or NAME=1x3x4xf32=0.5"),
        (["run", "{folder}", "--input", "x=2x4xi32=0.5"], "0.5 in 'x=2x4xi32=0.5' is no i32"),
        (["run", "{folder}", "--input", "x=2x4xui8=256"], "256 in 'x=2x4xui8=256' is no ui8"),
        (["run", "{folder}", "--input", "x=@missing.npy"], "missing.npy: No such file or directory"),
        (["run", "{folder}", "--input", "x=@{model}"], "is no .npy file"),
        (["run", "{folder}", "--input", "x=2x4xf32", "--threads", "0"], "threads must be 1 or more"),
    ],
)
def test_failure_is_one_line(
    arguments: list[str], message: str, model: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([argument.format(model=model, folder=folder) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("pyipu: error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["compile", "a.onnx"],
        ["compile", "a.onnx", "-o", "b", "--target", "abacus"],
        ["compile", "a.onnx", "-o", "b", "--storage", "f8"],
    ],
)
def test_wrong_usage_has_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2


def test_interrupt_is_quiet(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiler, "compile", interrupted)
    assert cli.main(["inspect", model]) == 130
    assert capsys.readouterr().err == ""


def test_bfloat16_survives_a_npy_file(tmp_path: Path) -> None:
    array = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    np.save(tmp_path / "x.npy", array)
    name, read = cli.parse_input(f"x=@{tmp_path / 'x.npy'}")
    assert (name, read.dtype) == ("x", array.dtype)
    np.testing.assert_array_equal(read, array)
