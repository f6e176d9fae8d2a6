"""What the cache folder keeps: a second compilation plans nothing, and never gives what another model needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import cache, compiler, recipes, runtime
from pyipu.errors import InputError

X = np.arange(8, dtype=np.float32).reshape(2, 4)


def model(weight: float, outputs: int = 64, name: str = "y") -> bytes:
    """A product with a weight that is large enough to stay outside of the IR."""
    graph = onnx.parser.parse_graph(f"main (float[2, 4] x) => (float[2, {outputs}] {name}) {{ {name} = MatMul(x, w) }}")
    values = np.full((4, outputs), weight, np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(values, "w"))
    built = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return built.SerializeToString()


def convolution(weight: float) -> bytes:
    """One that has fast tiles, which a budget may be too small for."""
    graph = onnx.parser.parse_graph(
        "main (float[1, 32, 16, 16] x) => (float[1, 32, 16, 16] y) { y = Conv<pads=[1, 1, 1, 1]>(x, w) }"
    )
    graph.initializer.append(onnx.numpy_helper.from_array(np.full((32, 32, 3, 3), weight, np.float32), "w"))
    built = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return built.SerializeToString()


@pytest.fixture(autouse=True)
def folder(cache_folder: Path) -> Path:
    """Where programs are kept."""
    return cache_folder / "programs"


def test_a_second_compilation_plans_nothing(emitted: list[str]) -> None:
    first, second = pyipu.compile(model(2.0)), pyipu.compile(model(2.0))
    assert len(emitted) == 1
    assert first.plan == second.plan
    np.testing.assert_array_equal(first(X), second(X))


@pytest.mark.parametrize("weight", [2.0, 3.0])
def test_a_second_compilation_for_a_budget_plans_nothing(weight: float, emitted: list[str]) -> None:
    found = [pyipu.compile(convolution(weight), memory_budget="min") for weight in (1.0, weight)]
    assert len(emitted) == 1
    x = np.ones((1, 32, 16, 16), np.float32)
    # All weights are three times as large: equal, but for the last bit of fp32 sums.
    np.testing.assert_allclose(found[1](x), weight * found[0](x), rtol=1e-6)


def test_weights_are_those_of_the_model(emitted: list[str]) -> None:
    first, second = pyipu.compile(model(2.0)), pyipu.compile(model(3.0))
    assert len(emitted) == 1
    np.testing.assert_allclose(second(X), 1.5 * first(X))


def test_threads_are_those_of_the_call(emitted: list[str]) -> None:
    assert [pyipu.compile(model(2.0), threads=threads).threads for threads in (1, 2, 1)] == [1, 2, 1]
    assert len(emitted) == 2


def test_threads_that_share_no_work_are_the_same_program(emitted: list[str]) -> None:
    for threads in (1, 2):
        pyipu.compile(model(2.0), "null", threads=threads)
    assert len(emitted) == 1


def test_work_is_shared_out_for_the_processors_that_there_are(
    emitted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pyipu.compile(convolution(2.0), threads=7)
    monkeypatch.setattr(runtime, "available_threads", lambda: 7)
    pyipu.compile(convolution(2.0))
    assert len(emitted) == 1
    pyipu.compile(convolution(2.0), threads=2)
    assert len(emitted) == 2
    assert emitted[0] != emitted[1]


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused_before_anything_is_done(threads: int, emitted: list[str]) -> None:
    with pytest.raises(InputError, match=f"threads must be 1 or more, got {threads}"):
        pyipu.compile(model(2.0), threads=threads)
    assert not emitted


@pytest.mark.parametrize(
    "other", [{"memory_budget": "1MB"}, {"storage": "f16"}, {"storage": "bf16"}, {"target": "null"}]
)
def test_other_options_are_another_program(other: dict[str, str], emitted: list[str]) -> None:
    pyipu.compile(model(2.0))
    pyipu.compile(model(2.0), **other)
    assert len(emitted) == 2


@pytest.mark.parametrize("other", [model(2.0, outputs=96), model(2.0, name="z")])
def test_another_graph_is_another_program(other: bytes, emitted: list[str]) -> None:
    pyipu.compile(model(2.0))
    found = pyipu.compile(other)
    assert len(emitted) == 2
    assert found.outputs[0].name == ("z" if found(X).shape == (2, 64) else "y")


def test_another_pyipu_starts_anew(emitted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pyipu.compile(model(2.0))
    for module in (compiler, recipes):
        monkeypatch.setattr(module, "sources", lambda: "other files")
    pyipu.compile(model(2.0))
    assert len(emitted) == 2


def test_sources_are_those_of_all_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {file.name for file in cache.source_files()}
    assert {"compiler.py", "registry.py", "allocate.py", "restarts.py", "windows.py", "binding.py"} <= names
    (tmp_path / "other.py").write_text("x = 1\n")
    monkeypatch.setattr(cache, "source_files", lambda: [tmp_path / "other.py"])
    assert cache.sources.__wrapped__() != cache.sources()


def test_without_cache_nothing_is_kept(emitted: list[str], folder: Path) -> None:
    for _ in range(2):
        pyipu.compile(model(2.0), cache=False)
    assert len(emitted) == 2
    assert not folder.exists()


def test_what_is_dumped_was_run(emitted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyipu.compile(model(2.0))
    monkeypatch.setenv("PYIPU_DUMP", str(tmp_path / "dump"))
    pyipu.compile(model(2.0))
    assert len(emitted) == 2
    assert any("ipu-allocate" in file.name for file in (tmp_path / "dump").iterdir())


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b"\0" * len(content)])
def test_a_damaged_file_is_made_anew(damage, emitted: list[str], folder: Path) -> None:
    expected = pyipu.compile(model(2.0))(X)
    (file,) = folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    for _ in range(2):
        np.testing.assert_array_equal(pyipu.compile(model(2.0))(X), expected)
    assert len(emitted) == 2


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path / "file"))
    assert pyipu.compile(model(2.0))(X).shape == (2, 64)
