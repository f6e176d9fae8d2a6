"""Networks to try pyipu on: nine architectures out of files, four trained models, and some built in code.

    squeezenet = model("squeezenet")
    executable = pyipu.compile(squeezenet.load(), shapes=squeezenet.shapes)

The files come with the `onnx` package and get random weights here, the trained models come in wheels on PyPI, and what
is built in code, with random weights as well, is in `examples.networks`.
"""

import math
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from examples.networks.darts import darts
from examples.networks.efficientnet_b0 import efficientnet_b0
from examples.networks.mobilenet_v2 import mobilenet_v2
from examples.networks.recurrent import gru, lstm
from examples.networks.transformer import WORDS, transformer
from examples.networks.unet import unet, unet_bilinear
from examples.weights import RANGES, normal, uniform

Shapes = dict[str, tuple[int, ...]]
Sample = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

# Name here -> name of the file; all take one 1x3x224x224 image and give 1000 class scores.
LIGHT = {
    "alexnet": "bvlc_alexnet",
    "densenet121": "densenet121",
    "inception_v1": "inception_v1",
    "inception_v2": "inception_v2",
    "resnet50": "resnet50",
    "shufflenet": "shufflenet",
    "squeezenet": "squeezenet",
    "vgg19": "vgg19",
    "zfnet512": "zfnet512",
}

# What the operands of an operator are for, after the first one.
ROLES = {
    "Conv": ("weight", "bias"),
    "Gemm": ("weight", "bias"),
    "BatchNormalization": ("scale", "bias", "bias", "variance"),
    "Mul": ("scale",),
    "Add": ("bias",),
}

# Digits of 3x5 dots, row by row: what the text models read, and do read.
DIGITS = (
    "111101101101111 010110010010111 111001111100111 111001111001111 101101111001001 "
    "111100111001111 111100111101111 111001010010010 111101111101111 111101111001111"
)

# Pieces of several file types, so that magika has something to hesitate about.
SNIPPETS = (b"def ", b"<div>", b"int main() {\n", b"return 0;\n", b"import os\n", b"\x00\x01", b"SELECT ", b"the ")


class ModelUnavailable(RuntimeError):  # noqa: N818 - says what it is about, not that it failed
    """A trained model is not in the cache and cannot be fetched now."""


@dataclass(frozen=True)
class Wheel:
    """A trained model inside a wheel on PyPI."""

    package: str
    version: str
    path: str
    shapes: Shapes
    sample: Sample


@dataclass(frozen=True)
class Built:
    """A network that is built in code: a function from a seed for its weights to the model."""

    build: Callable[[int], onnx.ModelProto]
    sample: Sample


@dataclass(frozen=True)
class ZooModel:
    """A network with everything a test or a benchmark needs.

    `shapes` fixes the dimensions that the file leaves open, {} when it leaves none. `tolerance` is the largest
    difference from another runtime that float32 rounding explains, relative to the reference's largest absolute value.
    """

    name: str
    shapes: Shapes
    tolerance: float
    load: Callable[[], onnx.ModelProto] = field(repr=False, compare=False)
    draw: Callable[[np.random.Generator], dict[str, np.ndarray]] = field(repr=False, compare=False)

    def inputs(self, seed: int = 0) -> dict[str, np.ndarray]:
        """One batch of seeded inputs by name, in the range of values that the network is made for."""
        return self.draw(np.random.default_rng(seed))


def light_model(name: str, seed: int | None = None) -> onnx.ModelProto:
    """One of `LIGHT`: with the constant weights that `onnx` ships, or with seeded random weights as initializers.

    Raises:
        KeyError: no such architecture.
    """
    model = onnx.load(_light_file(f"{LIGHT[name]}.onnx"))
    if seed is not None:
        _seed_weights(model, np.random.default_rng(seed))
    return model


def light_expected(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs and outputs, by name, that belong to `light_model(name)` as shipped.

    The input is a ramp from 0 to 1, as `onnx.backend.test.runner.Runner.generate_dummy_data` makes it; the output is
    stored beside the model.
    """
    graph = light_model(name).graph
    output = onnx.load_tensor(_light_file(f"{LIGHT[name]}_output_0.pb"))
    ramps = {key: _ramp(shape) for key, shape in input_shapes(graph).items()}
    return ramps, {graph.output[0].name: numpy_helper.to_array(output)}


def input_shapes(graph: onnx.GraphProto) -> Shapes:
    """Shapes of the inputs that a caller has to give: those without an initializer. An open dimension is 0."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    return {value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in inputs}


def _light_file(name: str) -> Path:
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}"


def _ramp(shape: tuple[int, ...]) -> np.ndarray:
    count = math.prod(shape)
    return (np.arange(count).reshape(shape) / count).astype(np.float32)


def _seed_weights(model: onnx.ModelProto, generator: np.random.Generator) -> None:
    """Give every weight of `model` random values, in place, and leave no weight that a caller could override."""
    graph = model.graph
    roles = _weight_roles(graph)
    shapes = {name: shape for name, shape in _fillable_shapes(graph) if name in roles}
    _drop_fills(graph, shapes)
    for name, shape in shapes.items():
        graph.initializer.append(numpy_helper.from_array(_draw_weight(roles[name], shape, generator), name))
    model.ir_version = 8  # from version 4 on, an initializer that is no graph input is a constant


def _fillable_shapes(graph: onnx.GraphProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every float tensor that the file stores, or makes by a ConstantOfShape node."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            yield node.output[0], tuple(numpy_helper.to_array(stored[node.input[0]]).tolist())
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            yield tensor.name, tuple(tensor.dims)


def _weight_roles(graph: onnx.GraphProto) -> dict[str, str]:
    """What each tensor is for: one of `ROLES`, seen through the nodes that only reshape it."""
    roles: dict[str, str] = {}
    summed = {name for node in graph.node if node.op_type == "Sum" for name in node.input}
    signed = {node.output[0] for node in graph.node if node.op_type == "BatchNormalization"}
    for node in reversed(graph.node):
        if node.op_type in ("Unsqueeze", "Reshape") and node.output[0] in roles:
            roles[node.input[0]] = roles[node.output[0]]
        roles.update(zip(node.input[1:], ROLES.get(node.op_type, ()), strict=False))
        if node.op_type == "BatchNormalization" and node.output[0] in summed:
            roles[node.input[1]] = "branch scale"
        if node.op_type == "Conv" and node.input[0] in signed:
            roles[node.input[1]] = "linear weight"
    return roles


def _drop_fills(graph: onnx.GraphProto, filled: Shapes) -> None:
    """Remove the nodes and initializers that made the tensors named in `filled`, and what nothing reads afterwards."""
    nodes = [node for node in graph.node if node.output[0] not in filled]
    read = {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in read and tensor.name not in filled]
    required = input_shapes(graph)
    inputs = [value for value in graph.input if value.name in required]
    for items, kept in ((graph.node, nodes), (graph.initializer, tensors), (graph.input, inputs)):
        del items[:]
        items.extend(kept)


def _draw_weight(role: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Random values that keep activations in range through any depth."""
    if role in RANGES:
        return uniform(generator, role, shape)
    outputs = next(size for size in shape if size > 1)  # Caffe's classifiers are [1, 1, outputs, inputs]
    return normal(generator, role, shape, math.prod(shape) // outputs)


def image(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A normalised image, float32 [N, C, H, W]: 32x32 patches of one random colour each, under some noise.

    Plain noise would not do: every such image has the same mean, so pooling networks would give nearly equal outputs.
    """
    batch, channels, height, width = shape
    patches = generator.standard_normal((batch, channels, height // 32, width // 32), dtype=np.float32)
    return np.kron(patches, np.ones((32, 32), np.float32)) + 0.1 * generator.standard_normal(shape, dtype=np.float32)


def digits_image(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Lines of random digits of 24x48 pixels, dark (-1) on light (1) with a little noise, float32 [1, C, H, W]."""
    _, channels, height, width = shape
    cells = np.zeros((10, 8, 4))
    cells[:, 1:6, :3] = np.array([[int(dot) for dot in digit] for digit in DIGITS.split()]).reshape(10, 5, 3)
    lines = cells[generator.integers(0, 10, (height // 48, width // 24))].swapaxes(1, 2)
    ink = np.kron(lines.reshape(height // 48 * 8, width // 24 * 4), np.ones((6, 6)))
    ink = np.pad(ink, ((0, height - ink.shape[0]), (0, width - ink.shape[1])))
    noise = 0.05 * generator.standard_normal((1, channels, height, width))
    return np.clip(1 - 2 * ink + noise, -1, 1).astype(np.float32)


def file_bytes(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Bytes of a file of mixed content, int32 [1, N], values 0 to 255 (256 would be padding)."""
    pieces = [SNIPPETS[index] for index in generator.integers(0, len(SNIPPETS), math.prod(shape))]
    content = b"".join(pieces)[: math.prod(shape)]
    return np.frombuffer(content, np.uint8).astype(np.int32).reshape(shape)


def words(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of words, int64."""
    return generator.integers(0, WORDS, shape)


def signal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normally distributed float32 values."""
    return generator.standard_normal(shape, dtype=np.float32)


BUILT = {
    "mobilenet_v2": Built(mobilenet_v2, image),
    "unet": Built(unet, image),
    "unet_bilinear": Built(unet_bilinear, image),
    "darts": Built(darts, image),
    "transformer": Built(transformer, words),
    "efficientnet_b0": Built(efficientnet_b0, image),
    "lstm": Built(lstm, signal),
    "gru": Built(gru, signal),
}

WHEELS = {
    "text_detection": Wheel(
        "rapidocr-onnxruntime",
        "1.4.4",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        {"x": (1, 3, 640, 640)},
        digits_image,
    ),
    "text_recognition": Wheel(
        "rapidocr-onnxruntime",
        "1.4.4",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        {"x": (1, 3, 48, 320)},
        digits_image,
    ),
    "text_direction": Wheel(
        "rapidocr-onnxruntime",
        "1.4.4",
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        {"x": (1, 3, 48, 192)},
        digits_image,
    ),
    "magika": Wheel("magika", "1.0.3", "magika/models/standard_v3_3/model.onnx", {"bytes": (1, 2048)}, file_bytes),
}


def cache_folder() -> Path:
    """Where models and compiled baselines are kept: $PYIPU_CACHE, else pyipu/models in the user's cache folder."""
    if "PYIPU_CACHE" in os.environ:
        return Path(os.environ["PYIPU_CACHE"])
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pyipu" / "models"


def wheel_file(name: str) -> Path:
    """The ONNX file of a trained model, one of `WHEELS`; its wheel is fetched from PyPI when it is not in the cache.

    Raises:
        KeyError: no such model.
        ModelUnavailable: the wheel cannot be fetched.
    """
    wheel = WHEELS[name]
    folder = cache_folder() / f"{wheel.package}-{wheel.version}"
    if not folder.exists():
        _install(wheel, folder)
    return folder / wheel.path


def _install(wheel: Wheel, folder: Path) -> None:
    """Fetch a wheel and put its models into `folder`, which never exists half filled."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        archive = _download(wheel, Path(scratch))
        staged = Path(scratch) / "models"
        with zipfile.ZipFile(archive) as content:
            content.extractall(staged, [name for name in content.namelist() if name.endswith(".onnx")])
        publish(staged, folder)


def publish(staged: Path, folder: Path) -> None:
    """Move a finished folder to its place in the cache."""
    try:
        staged.rename(folder)
    except OSError:
        if not folder.exists():  # otherwise another process was faster, and its copy is as good
            raise


def _download(wheel: Wheel, folder: Path) -> Path:
    """Fetch the wheel into `folder`; of one platform, since all platforms' wheels hold the same models."""
    release = f"{wheel.package}=={wheel.version}"
    options = ["--no-deps", "--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(folder), release]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ModelUnavailable(f"{release} cannot be fetched, check the network connection: {reason}")
    return next(folder.glob("*.whl"))


GROUPS = {"light": tuple(LIGHT), "trained": tuple(WHEELS), "built": tuple(BUILT)}


def names(*groups: str) -> list[str]:
    """The names of the models of some of `GROUPS`; without any, of nine architectures and four trained models.

    Raises:
        KeyError: no such group.
    """
    return [name for group in groups or ("light", "trained") for name in GROUPS[group]]


def model(name: str, seed: int = 0) -> ZooModel:
    """One model by name; `seed` draws the weights of those that are not trained.

    Raises:
        KeyError: no such model.
    """
    if name in LIGHT:
        return _light(name, seed)
    return _built(name, BUILT[name], seed) if name in BUILT else _trained(name, WHEELS[name])


def models(seed: int = 0) -> list[ZooModel]:
    """All that `names()` lists; nothing is loaded or fetched before `load()` is called."""
    return [model(name, seed) for name in names()]


def _light(name: str, seed: int) -> ZooModel:
    def draw(generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {key: image(generator, shape) for key, shape in input_shapes(light_model(name).graph).items()}

    return ZooModel(name, {}, 1e-3, partial(light_model, name, seed), draw)


def _built(name: str, built: Built, seed: int) -> ZooModel:
    load = partial(built.build, seed)

    def draw(generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {key: built.sample(generator, shape) for key, shape in input_shapes(load().graph).items()}

    return ZooModel(name, {}, 1e-3, load, draw)


def _trained(name: str, wheel: Wheel) -> ZooModel:
    def draw(generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {key: wheel.sample(generator, shape) for key, shape in wheel.shapes.items()}

    return ZooModel(name, wheel.shapes, 1e-3, lambda: onnx.load(wheel_file(name)), draw)
