"""compile(tune=…): what is found is used from then on, and nothing gets slower or wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import compiler, targets, tuning
from pyipu.errors import CompilationError, TuningError
from pyipu.learned import Finding, TuneFile
from pyipu.targets.codegen import device_attribute
from pyipu.targets.executable import Function
from pyipu.targets.program import Program
from pyipu.targets.stream import emit_functions
from pyipu.targets.tile_search import neighbours
from pyipu.targets.tiles import Tiling
from pyipu.trials import compared, is_faster
from pyipu.tuning import Tuner

pytestmark = [pytest.mark.xdist_group("tuning"), pytest.mark.usefixtures("cache_folder")]

CPU = targets.get("cpu")
THREADS = 1


def network(layers: int = 2) -> bytes:
    """Convolutions one behind the other, each with a width of its own."""
    widths = [32 * (2 + layer) for layer in range(layers + 1)]
    lines = [f"x{i + 1} = Conv(x{i}, w{i})" for i in range(layers)]
    graph = onnx.parser.parse_graph(
        f"main (float[1, {widths[0]}, 14, 14] x0) => (float[1, {widths[-1]}, 14, 14] x{layers}) {{ {' '.join(lines)} }}"
    )
    random = np.random.default_rng(0)
    for i in range(layers):
        weights = random.standard_normal((widths[i + 1], widths[i], 1, 1)).astype(np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(weights, f"w{i}"))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


X = np.random.default_rng(1).standard_normal((1, 64, 14, 14)).astype(np.float32)


def functions(model: bytes) -> list[Function]:
    """What the model runs in tiles of the target's."""
    module = compiler.lower(model, CPU).module
    with module.context:
        tiles = CPU.tiles_on(device_attribute(CPU), THREADS)
        return [one for one in emit_functions(module, Program.read(module, []), tiles, None) if one.nest]


def other_tiling(function: Function) -> Tiling:
    """One that the target would not choose."""
    assert function.nest is not None
    return neighbours(function.nest, CPU.tiles.registers, THREADS)[0].tiling


def assert_near(found: np.ndarray, expected: np.ndarray) -> None:
    """Other tiles add up the same fp32 products in another order."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def write(path: Path, model: bytes, threads: int = THREADS) -> list[Tiling]:
    """A file that knows other tiles for all that the model runs."""
    found = {one.key: Finding(one.name, other_tiling(one), (2.0, 1.0)) for one in functions(model)}
    TuneFile(path).add(device_attribute(CPU), threads, found)
    return [one.tiling for one in found.values() if one.tiling]


def test_a_file_that_others_made_is_used(cache_folder: Path, emitted: list[str]) -> None:
    model, file = network(), cache_folder / "shipped.json"
    known = write(file, model)
    plain = pyipu.compile(model, threads=THREADS)
    tuned = pyipu.compile(model, threads=THREADS, tune_file=file)
    assert len(known) == 2
    assert [[tiling.attribute in text for tiling in known] for text in emitted[-2:]] == [[False] * 2, [True] * 2]
    assert_near(tuned(X), plain(X))


def test_what_is_known_costs_nothing_the_second_time(cache_folder: Path, emitted: list[str]) -> None:
    model = network()
    write(cache_folder / "tune.json", model)
    emitted.clear()
    for _ in range(2):
        pyipu.compile(model, threads=THREADS)
    assert len(emitted) == 1


def test_what_is_known_for_other_threads_is_not_used(cache_folder: Path, emitted: list[str]) -> None:
    model = network()
    known = write(cache_folder / "tune.json", model, threads=7)
    pyipu.compile(model, threads=THREADS)
    assert known and not any(tiling.attribute in emitted[-1] for tiling in known)


def test_without_cache_the_default_file_is_not_read(cache_folder: Path) -> None:
    (cache_folder / "tune.json").write_text("{")
    pyipu.compile(network(), cache=False)
    with pytest.raises(TuningError, match="is damaged"):
        pyipu.compile(network())


def test_tiles_that_do_not_fit_are_refused(cache_folder: Path) -> None:
    model = network()
    wrong = Tiling((3, 3, 0), (2, 2, 0), (0, 0, 1), "DoubleTilingExpert")
    found = {one.key: Finding(one.name, wrong, (2.0, 1.0)) for one in functions(model)}
    TuneFile(cache_folder / "tune.json").add(device_attribute(CPU), THREADS, found)
    with pytest.raises(TuningError, match=r"tiles 3x3x0 / 2x2x0 / 0x0x1 do not fit the loops of \w+; delete the file"):
        pyipu.compile(model, threads=THREADS)


def tune(monkeypatch: pytest.MonkeyPatch, model: bytes, ratio: Callable[[], float]) -> list[Finding]:
    """A search in which all that is tried is faster, and whole programs take this part of the time."""
    monkeypatch.setattr(tuning, "is_faster", lambda present, other: True)
    monkeypatch.setattr(tuning, "compared", lambda old, new: [ratio()] * 4)
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    pyipu.compile(model, threads=THREADS, tune=0.01, tune_file="tune.json")
    return list(TuneFile(Path("tune.json")).findings(device_attribute(CPU), THREADS).values())


@pytest.mark.parametrize("ratio", [0.9, 1.1])
def test_what_makes_the_whole_slower_is_dropped(
    ratio: float, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cache_folder)
    monkeypatch.setattr(tuning, "median_ratio", lambda present, other: 0.5)
    found = tune(monkeypatch, network(1), lambda: ratio)
    assert [one.tiling is not None for one in found] == [ratio < 1]


def test_of_many_findings_those_that_gain_most_are_tried_alone() -> None:
    gains = {"most": 4.0, "some": 3.0, "little": 2.0}
    found = {key: Finding(key, Tiling((), (), (), ""), (gain, 0.0)) for key, gain in gains.items()}
    found["nothing"] = Finding("nothing", None, (9.0, 0.0))
    tried = []

    class Whole(Tuner):
        def __init__(self) -> None:
            pass

        def _pays(self, findings: dict[str, Finding]) -> bool:
            tried.append(list(findings))
            return len(findings) == 1

    assert Whole()._whole(found) == {"most"}
    assert tried == [["most", "some", "little"], ["most"]]


def test_a_search_finds_what_is_there_and_keeps_results(cache_folder: Path) -> None:
    model, said = network(), cache_folder / "tune.json"
    plain = pyipu.compile(model, threads=THREADS, cache=False)
    tuned = pyipu.compile(model, threads=THREADS, tune=1)
    found = TuneFile(said).findings(device_attribute(CPU), THREADS)
    assert found.keys() <= {one.key for one in functions(model)} and found
    assert_near(tuned(X), plain(X))
    assert all(ratio > 0 for ratio in compared(plain, tuned))


def test_what_is_known_is_not_searched_again(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    write(cache_folder / "tune.json", model)
    before = (cache_folder / "tune.json").read_text()
    monkeypatch.setattr(tuning.Bench, "times", None)
    pyipu.compile(model, threads=THREADS, tune=5)
    assert (cache_folder / "tune.json").read_text() == before


def test_tiles_that_iree_cannot_compile_are_given_up(monkeypatch: pytest.MonkeyPatch, cache_folder: Path) -> None:
    model = network()
    broken = functions(model)[0].name
    code = Tuner._compiled

    def compiled(self: Tuner, chosen: dict[str, list[object]]) -> bytes:
        if broken in chosen:
            raise CompilationError("too large")
        return code(self, chosen)

    monkeypatch.setattr(Tuner, "_compiled", compiled)
    pyipu.compile(model, threads=THREADS, tune=60)
    found = TuneFile(cache_folder / "tune.json").findings(device_attribute(CPU), THREADS)
    assert {one.name for one in found.values()} == {one.name for one in functions(model)} - {broken}


@pytest.mark.parametrize(
    ("present", "other", "faster"),
    [
        ([10, 10, 10.1, 10.2], [9, 9, 9.1, 9.2], True),
        ([10, 10, 10.1, 10.2], [9.9, 9.9, 9.9, 9.9], False),
        ([9, 10, 11, 12], [8, 9, 10, 11], False),
        ([9, 9, 9, 9], [10, 10, 10, 10], False),
    ],
)
def test_faster_is_more_than_noise_and_two_percent(present: list[float], other: list[float], faster: bool) -> None:
    assert is_faster(present, other) == faster


@pytest.mark.parametrize("name", ["null", "vulkan", "cuda"])
def test_only_processors_are_tuned(name: str) -> None:
    with pytest.raises(TuningError, match=f"target '{name}' cannot be tuned: only tiles of processors are searched"):
        pyipu.compile(network(1), name, tune=5)


def test_another_processor_is_not_tuned_here() -> None:
    arm = CPU.with_options(cpu="cortex-a72", triple="aarch64-linux-gnu")
    with pytest.raises(TuningError, match=r"code for cpu='cortex-a72', .* cannot be timed on this processor"):
        pyipu.compile(network(1), arm, tune=5)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_is_positive(seconds: float) -> None:
    with pytest.raises(TuningError, match=rf"tune={seconds} is no time: give the seconds"):
        pyipu.compile(network(1), tune=seconds)
