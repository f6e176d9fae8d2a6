"""The model zoo: seeded weights, stored outputs, inputs, networks built in code, and trained models out of wheels."""

import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest

from examples import zoo
from tests.availability import skip_unless_ci

BIG = {"alexnet", "vgg19", "zfnet512"}
"""More than 200 MB of weights each; tests/models compiles and runs them."""
BUILT_SHAPES = {
    "unet": (1, 3, 256, 256),
    "unet_bilinear": (1, 3, 256, 256),
    "darts": (1, 3, 32, 32),
    "transformer": (1, 128),
    "lstm": (100, 1, 256),
    "gru": (100, 1, 256),
}
LIGHT = [name for name in zoo.LIGHT if name not in BIG]


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The first output of `model`."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def trained(name: str) -> onnx.ModelProto:
    try:
        return zoo.model(name).load()
    except zoo.ModelUnavailable as reason:
        skip_unless_ci(reason)


@pytest.mark.parametrize("name", LIGHT)
def test_a_seed_decides_every_weight(name: str) -> None:
    first, again, other = (zoo.light_model(name, seed) for seed in (1, 1, 2))
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)
    floats = [tensor.data_type == onnx.TensorProto.FLOAT for tensor in first.graph.initializer]
    pairs = zip(first.graph.initializer, other.graph.initializer, strict=True)
    assert [one.raw_data != two.raw_data for one, two in pairs] == floats


@pytest.mark.parametrize("name", LIGHT)
def test_seeded_weights_are_constants_of_a_valid_model(name: str) -> None:
    model = zoo.light_model(name, seed=0)
    onnx.checker.check_model(model, full_check=True)
    assert [tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in model.graph.input] == [
        (1, 3, 224, 224)
    ]
    assert "ConstantOfShape" not in {node.op_type for node in model.graph.node}


def test_seeding_keeps_the_network_itself() -> None:
    shipped, seeded = zoo.light_model("resnet50"), zoo.light_model("resnet50", seed=0)
    kept = [node for node in shipped.graph.node if node.op_type != "ConstantOfShape"]
    assert list(seeded.graph.node) == kept
    assert seeded.graph.output == shipped.graph.output


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "resnet50", "inception_v1", "inception_v2"])
def test_seeded_outputs_are_no_degenerate_softmax(name: str) -> None:
    network = zoo.model(name)
    model = network.load()
    outputs = [run(model, network.inputs(seed)).ravel() for seed in (0, 1)]
    assert all(np.isfinite(output).all() and 0.002 < output.max() < 0.9 for output in outputs)
    assert np.abs(outputs[0] - outputs[1]).max() > 0.02 * outputs[0].max()


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "inception_v1"])
def test_shipped_weights_give_the_stored_output(name: str) -> None:
    inputs, outputs = zoo.light_expected(name)
    (expected,) = outputs.values()
    np.testing.assert_allclose(run(zoo.light_model(name), inputs), expected, rtol=1e-3)


def test_all_models_are_listed_without_loading_any(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    assert [model.name for model in zoo.models()] == [*zoo.LIGHT, *zoo.WHEELS]
    assert len(zoo.models()) == 13
    assert zoo.names("light", "built") == [*zoo.LIGHT, *zoo.BUILT]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", zoo.names(*zoo.GROUPS))
def test_inputs_are_seeded(name: str) -> None:
    model = zoo.model(name)
    first, again, other = (model.inputs(seed) for seed in (3, 3, 4))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert (array != other[name]).any()
        assert array.shape == model.shapes.get(name, BUILT_SHAPES.get(model.name, (1, 3, 224, 224)))


@pytest.mark.parametrize("name", zoo.names("built"))
def test_a_built_network_is_valid_and_decided_by_its_seed(name: str) -> None:
    first, again, other = (zoo.model(name, seed).load() for seed in (1, 1, 2))
    onnx.checker.check_model(first, full_check=True)
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)
    assert list(first.graph.node) == list(other.graph.node)
    assert first.graph.initializer != other.graph.initializer


@pytest.mark.parametrize("name", zoo.names("built"))
def test_a_built_network_keeps_the_range_of_its_values(name: str) -> None:
    network = zoo.model(name)
    model = network.load()
    outputs = [run(model, network.inputs(seed)) for seed in (0, 1)]
    assert all(0.05 < output.std() < 10 for output in outputs)
    assert np.abs(outputs[0] - outputs[1]).max() > 0.02 * np.abs(outputs[0]).max()


def parameters(name: str) -> int:
    """How many learned numbers a network has: its weights and biases, and four numbers for a batch norm's channel."""
    floats = [tensor for tensor in zoo.model(name).load().graph.initializer if tensor.data_type == 1 and tensor.dims]
    return sum(int(np.prod(tensor.dims)) for tensor in floats)


@pytest.mark.parametrize(("name", "published"), [("mobilenet_v2", 3_504_872), ("efficientnet_b0", 5_288_548)])
def test_a_built_network_has_as_many_parameters_as_published(name: str, published: int) -> None:
    """Torchvision's counts, in which means and variances of batch norms are no parameters."""
    nodes = zoo.model(name).load().graph
    dims = {tensor.name: tensor.dims for tensor in nodes.initializer}
    statistics = sum(2 * dims[node.input[1]][0] for node in nodes.node if node.op_type == "BatchNormalization")
    assert parameters(name) - statistics == published


def test_recognition_reads_the_digits_of_its_input() -> None:
    model = trained("text_recognition")
    network = zoo.model("text_recognition")
    characters = next(entry.value for entry in model.metadata_props if entry.key == "character").splitlines()
    best = run(model, network.inputs(seed=5)).argmax(-1)[0]
    # Connectionist temporal classification: class 0 separates, repeats are one character.
    read = [characters[now - 1] for now, before in zip(best, [0, *best], strict=False) if now not in (0, before)]
    assert "".join(read) == "".join(map(str, np.random.default_rng(5).integers(0, 10, 13)))


def test_magika_takes_bytes() -> None:
    model = trained("magika")
    scores = run(model, zoo.model("magika").inputs())
    assert scores.shape == (1, 214)
    assert scores.sum() == pytest.approx(1, abs=1e-4)


def test_a_model_that_cannot_be_fetched_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(zoo.ModelUnavailable, match=r"magika==1\.0\.3 cannot be fetched, check the network"):
        zoo.model("magika").load()
    assert list(tmp_path.iterdir()) == []


def test_only_the_models_of_a_wheel_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def download(wheel: zoo.Wheel, folder: Path) -> Path:
        with zipfile.ZipFile(folder / "some.whl", "w") as archive:
            archive.writestr(wheel.path, b"a model")
            archive.writestr("package/code.py", b"code")
        return folder / "some.whl"

    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    monkeypatch.setattr(zoo, "_download", download)
    assert zoo.wheel_file("magika").read_bytes() == b"a model"
    monkeypatch.delattr(zoo, "_download")  # the second time nothing is fetched
    assert zoo.wheel_file("magika").read_bytes() == b"a model"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model.onnx"]
