"""What the cache folder keeps of one model: compiled again it runs no pass, and has the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import Executable, compiler, recipes

X = np.random.default_rng(0).standard_normal((1, 32, 16, 16)).astype(np.float32)
OTHER_OPTIONS = [
    {"memory_budget": "min"},
    {"winograd": 0},
    {"target": pyipu.targets.get("cpu").with_options(cpu="znver3")},
]


def tensor(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def network(weight: np.ndarray, bias: float = 0.5, extra: str = "") -> onnx.ModelProto:
    """A fast convolution, whose weights are transformed, and an offset that stands in the IR."""
    graph = onnx.parser.parse_graph(
        "main (float[1, 32, 16, 16] x) => (float[1, 32, 16, 16] y) {"
        f" c = Conv<pads=[1, 1, 1, 1]>(x, w) {extra or 'y = Add(c, b)'} }}"
    )
    graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.float32(bias), "b"))
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)


def with_constant_node(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with its first weight as a node's attribute."""
    weight = model.graph.initializer[0]
    node = onnx.helper.make_node("Constant", [], [weight.name], value=weight)
    model.graph.node.insert(0, node)
    del model.graph.initializer[0]
    return model


WEIGHT = tensor(32, 32, 3, 3)


@pytest.fixture(autouse=True)
def folder(cache_folder: Path) -> Path:
    """Where recipes are kept."""
    return cache_folder / "recipes"


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The models through whose graphs passes ran."""
    models: list[object] = []
    prepare = compiler.prepare

    def noted(model: object, *arguments: Any, **options: Any) -> object:
        models.append(model)
        return prepare(model, *arguments, **options)

    monkeypatch.setattr(compiler, "prepare", noted)
    return models


def weights(executable: Executable, folder: Path) -> bytes:
    executable.save(folder)
    return (folder / "weights.irpa").read_bytes()


@pytest.mark.parametrize("change", [lambda model: model, with_constant_node], ids=["initializer", "constant"])
def test_the_same_model_runs_no_pass_again(change: Any, imported: list[object], tmp_path: Path) -> None:
    first, second = (pyipu.compile(change(network(WEIGHT))) for _ in range(2))
    assert len(imported) == 1
    np.testing.assert_array_equal(first(X), second(X))
    assert first.plan == second.plan
    assert weights(first, tmp_path / "first") == weights(second, tmp_path / "second")


def test_a_file_is_known_by_its_content(imported: list[object], tmp_path: Path) -> None:
    content = network(WEIGHT).SerializeToString(deterministic=True)
    for name in ("one.onnx", "two.onnx"):
        (tmp_path / name).write_bytes(content)
    found = [pyipu.compile(model) for model in (tmp_path / "one.onnx", str(tmp_path / "two.onnx"), content)]
    assert len(imported) == 1
    np.testing.assert_array_equal(found[0](X), found[2](X))


@pytest.mark.parametrize("other", [network(2 * WEIGHT), network(WEIGHT, bias=1.5)], ids=["large", "small"])
def test_another_weight_is_another_model(other: onnx.ModelProto, imported: list[object]) -> None:
    pyipu.compile(network(WEIGHT))
    found = pyipu.compile(other)
    assert len(imported) == 2
    np.testing.assert_array_equal(found(X), pyipu.compile(other, cache=False)(X))


def test_a_weight_in_another_file_counts(imported: list[object], tmp_path: Path) -> None:
    results = []
    for factor in (1, 1, 2):
        model = network(factor * WEIGHT, bias=0.0)
        onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="weights", size_threshold=1000)
        results.append(pyipu.compile(tmp_path / "m.onnx")(X))
        (tmp_path / "weights").unlink()
    assert len(imported) == 2
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[2], 2 * results[0])


@pytest.mark.parametrize("other", OTHER_OPTIONS, ids=["budget", "winograd", "processor"])
def test_other_options_are_another_recipe(other: dict[str, Any], imported: list[object]) -> None:
    for options in ({}, other, other):
        pyipu.compile(network(WEIGHT), **options)
    assert len(imported) == 2


def test_a_recipe_for_another_device_is_none(imported: list[object], folder: Path) -> None:
    pyipu.compile(network(WEIGHT))
    (recipe,) = folder.iterdir()
    recipe.write_text(json.dumps({**json.loads(recipe.read_text()), "device": "another one"}))
    pyipu.compile(network(WEIGHT))
    assert len(imported) == 2


def test_what_the_recipe_is_for_may_be_gone(emitted: list[str], cache_folder: Path) -> None:
    pyipu.compile(network(WEIGHT))
    (program,) = (cache_folder / "programs").iterdir()
    program.unlink()
    pyipu.compile(network(WEIGHT))
    assert len(emitted) == 2


@pytest.mark.parametrize("content", [b"", b"{}", b"\0\xff", b'{"weights": 1}'])
def test_a_damaged_recipe_is_made_anew(content: bytes, imported: list[object], folder: Path) -> None:
    pyipu.compile(network(WEIGHT))
    (recipe,) = folder.iterdir()
    recipe.write_bytes(content)
    for _ in range(2):
        pyipu.compile(network(WEIGHT))
    assert len(imported) == 2


@pytest.mark.parametrize("storage", ["f16", "int8"])
def test_weights_in_fewer_bits_need_the_passes(storage: str, imported: list[object], folder: Path) -> None:
    results = [pyipu.compile(network(WEIGHT), storage=storage)(X) for _ in range(2)]
    assert len(imported) == 2
    assert not folder.exists()
    np.testing.assert_array_equal(*results)


def test_large_tensors_that_the_model_does_not_hold_need_the_passes(
    imported: list[object], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here they are a range of numbers, which is computed on import."""
    extra = "n = Constant<value_int=16>() o = Constant<value_int=1>() z = Constant<value_int=0>() "
    extra += "r = Range(z, n, o) f = Cast<to=1>(r) t = Add(c, b) y = Mul(t, f)"
    monkeypatch.setattr(recipes, "_MOST_IN_TEXT", 32)
    for _ in range(2):
        pyipu.compile(network(WEIGHT, extra=extra))
    assert len(imported) == 2
    assert not folder.exists()


def test_keys_come_behind_what_they_need() -> None:
    needs = {"a": [], "b": ["a", "c"], "c": ["d"], "d": ["a"], "e": ["b"]}
    found = recipes._in_order(["b", "e"], needs.__getitem__)
    assert found == ["a", "d", "c", "b", "e"]
