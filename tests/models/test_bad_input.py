"""What is wrong with a network, its shapes, its target or a call is one sentence of a `pyipu.Error`, whatever it is."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import pyipu
from examples import zoo
from pyipu.errors import InputError, ModelError, ShapeError, TargetError, UnsupportedError
from tests.availability import skip_unless_ci
from tests.pyipu.importer.mutations import damaged_model
from tests.pyipu.importer.test_errors import ANY_MODEL

pytestmark = pytest.mark.xdist_group("bad input")

SEEDS = range(3)


@pytest.fixture(scope="module")
def squeezenet() -> onnx.ModelProto:
    return zoo.model("squeezenet").load()


@pytest.fixture(scope="module")
def executable(squeezenet: onnx.ModelProto) -> pyipu.Executable:
    return pyipu.compile(squeezenet, threads=2)


@pytest.fixture(scope="module")
def text_direction() -> onnx.ModelProto:
    try:
        return zoo.model("text_direction").load()
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)


def damaged(model: onnx.ModelProto, damage: Callable[[onnx.GraphProto], object]) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    damage(copy.graph)
    return copy


def message_of(error: pytest.ExceptionInfo[pyipu.Error]) -> str:
    """The message, which is one line and does not leak how pyipu is built."""
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    assert 20 < len(text) < 1000
    return text


def use_unsupported_operators(graph: onnx.GraphProto) -> None:
    graph.node[1].op_type, graph.node[-2].op_type = "NonZero", "Bernoulli"
    graph.node[1].name, graph.node[-2].name = "early", "late"


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (lambda graph: graph.initializer.pop(), ModelError, "not valid ONNX"),
        (lambda graph: graph.node.pop(3), ModelError, "not valid ONNX"),
        (lambda graph: graph.node.reverse(), ModelError, "sorted"),
        (lambda graph: graph.output.pop(), ModelError, "no outputs"),
        (lambda graph: graph.initializer[0].dims.append(2), ModelError, "initializer|not valid ONNX"),
        (lambda graph: graph.node[0].ClearField("input"), ModelError, "not valid ONNX"),
        (use_unsupported_operators, UnsupportedError, "Bernoulli .* in 'late'; NonZero .* in 'early'"),
    ],
)
def test_a_damaged_network(
    squeezenet: onnx.ModelProto, damage: Callable[[onnx.GraphProto], object], kind: type[pyipu.Error], message: str
) -> None:
    with pytest.raises(kind) as caught:
        pyipu.compile(damaged(squeezenet, damage))
    assert re.search(message, message_of(caught))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_part_of_a_file(squeezenet: onnx.ModelProto, share: float, tmp_path: Path) -> None:
    whole, path = squeezenet.SerializeToString(), tmp_path / "part.onnx"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError) as caught:
        pyipu.compile(path)
    assert str(path) in message_of(caught)


def test_open_dimensions_are_named_with_the_way_to_fix_them(text_direction: onnx.ModelProto) -> None:
    with pytest.raises(ShapeError) as caught:
        pyipu.compile(text_direction)
    assert re.search(r"'x' .*fix them: shapes=\{\"x\": \(.*\)\}", message_of(caught))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"image": (1, 3, 48, 192)}, "'image', which is no input of the model; its inputs are: 'x'"),
        ({"x": (1, 3, 48)}, "3 dimensions for input 'x', which has 4"),
        ({"x": (1, 4, 48, 192)}, "input 'x'|does not fit its inputs"),
        ({"x": (1, 3, -48, 192)}, "whole numbers"),
    ],
)
def test_shapes_that_do_not_fit(
    text_direction: onnx.ModelProto, shapes: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(pyipu.Error) as caught:
        pyipu.compile(text_direction, shapes=shapes)
    assert isinstance(caught.value, ShapeError | ModelError)
    assert re.search(message, message_of(caught))


def test_an_unknown_target_is_answered_with_the_known_ones(squeezenet: onnx.ModelProto) -> None:
    with pytest.raises(TargetError) as caught:
        pyipu.compile(squeezenet, target="abacus")
    assert "cpu, vulkan, cuda, null" in message_of(caught)


@pytest.mark.parametrize("target", ["cpu", "vulkan", "cuda"])
def test_a_device_that_iree_does_not_know(squeezenet: onnx.ModelProto, target: str) -> None:
    option = {"cpu": "cpu", "vulkan": "gpu", "cuda": "arch"}[target]
    chosen = pyipu.targets.get(target).with_options(**{option: "abacus"})
    with pytest.raises(TargetError) as caught:
        pyipu.compile(squeezenet, target=chosen)
    assert "abacus" in message_of(caught)


def test_a_target_without_a_device_does_not_run(squeezenet: onnx.ModelProto) -> None:
    with pytest.raises(TargetError) as caught:
        pyipu.compile(squeezenet, target="null")(np.zeros((1, 3, 224, 224), np.float32))
    assert "compile it for another target" in message_of(caught)


IMAGE = np.zeros((1, 3, 224, 224), np.float32)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "1 input, got 0"),
        ((IMAGE, IMAGE), {}, "1 input, got 2"),
        ((IMAGE[0],), {}, "reshape it"),
        ((IMAGE.transpose(0, 2, 3, 1),), {}, "shape"),
        ((IMAGE.astype(np.float64),), {}, "float32, got float64"),
        ((None,), {}, "float32"),
        (("image",), {}, "float32"),
        (([[1, 2], [3]],), {}, "input 'data_0' is no array"),
        ((), {"image": IMAGE}, "no input 'image'"),
        ((IMAGE,), {"data_0": IMAGE}, "by position and by name"),
    ],
)
def test_a_call_that_does_not_fit(
    executable: pyipu.Executable, args: tuple[object, ...], kwargs: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        executable(*args, **kwargs)  # type: ignore[arg-type]
    assert message in message_of(caught)
    assert np.isfinite(executable(IMAGE)).all(), "a refused call leaves the model as it was"


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_a_model_it_runs_or_says_why(seed: int) -> None:
    """Also behind the importer nothing fails in a way that is not the model's fault."""
    whole, generator = onnx.parser.parse_model(ANY_MODEL), random.Random(seed)
    outcomes = Counter(outcome(damaged_model(whole, generator)) for _ in range(60))
    assert outcomes.keys() <= {"ran", "ModelError", "UnsupportedError", "ShapeError"}
    assert outcomes["ran"] > 0
    assert outcomes["ModelError"] > 0


def outcome(model: onnx.ModelProto) -> str:
    try:
        executable = pyipu.compile(model, shapes={"z": (5,)})
        executable.run({one.name: np.ones(one.shape, one.dtype) for one in executable.inputs})
    except pyipu.Error as error:
        return type(error).__name__
    return "ran"


def test_the_command_line_ends_with_status_2_and_one_line(squeezenet: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "unsupported.onnx"
    onnx.save(damaged(squeezenet, use_unsupported_operators), path)
    command = [sys.executable, "-m", "pyipu.cli", "compile", str(path), "-o", str(tmp_path / "out")]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (2, "")
    assert re.fullmatch(r"pyipu: error: .*Bernoulli.*NonZero.*\n", process.stderr)
    assert not (tmp_path / "out").exists()
