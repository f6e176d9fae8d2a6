"""The baselines: what is measured, and that it is measured right."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import baselines
from benchmarks.baselines import MemoryUse, PlainIree
from tests.benchmarks.perceptron import perceptron

# Of SqueezeNet compiled by IREE 3.13.0: the classes' scores stay with the caller.
RECORDED = """
{"type":"memory_event","event_id":1,"event_type":"pool_reserve","allocation_id":40,"offset":4939456,"length":4032}
{"type":"memory_event","event_id":3,"event_type":"queue_alloca","allocation_id":40,"offset":4939456,"length":4000}
{"type":"memory_event","event_id":4,"event_type":"pool_reserve","allocation_id":41,"offset":4943488,"length":3928576}
{"type":"memory_event","event_id":6,"event_type":"queue_alloca","allocation_id":41,"offset":4943488,"length":3928576}
{"type":"memory_event","event_id":7,"event_type":"queue_dealloca","allocation_id":41,"offset":4943488,"length":3928576}
{"type":"memory_event","event_id":8,"event_type":"pool_release","allocation_id":41,"offset":4943488,"length":3928576}
{"type":"memory_summary","filter":"*","total_events":8,"matched_events":8}
""".strip()


def report(*events: tuple[str, int, int]) -> str:
    rows = [{"event_type": f"queue_{kind}", "allocation_id": name, "length": size} for kind, name, size in events]
    return "\n".join(json.dumps(row) for row in rows)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    return tmp_path


def test_a_recorded_run_of_squeezenet() -> None:
    assert baselines.parse_memory_events(RECORDED) == MemoryUse(peak=3932576, arena=3928576, outputs=4000)


def test_arenas_that_follow_one_another_do_not_add_up() -> None:
    events = report(("alloca", 1, 100), ("dealloca", 1, 100), ("alloca", 2, 70), ("alloca", 3, 8), ("dealloca", 2, 70))
    assert baselines.parse_memory_events(events) == MemoryUse(peak=100, arena=100, outputs=8)


def test_arenas_that_overlap_do_add_up() -> None:
    events = report(("alloca", 1, 100), ("alloca", 2, 70), ("dealloca", 1, 100), ("dealloca", 2, 70))
    assert baselines.parse_memory_events(events) == MemoryUse(peak=170, arena=170, outputs=0)


def test_a_device_without_memory_events_is_an_error() -> None:
    with pytest.raises(baselines.BaselineError, match="no memory events"):
        baselines.parse_memory_events('{"type":"memory_summary","total_events":0}')


def test_plain_iree_agrees_with_onnxruntime_and_its_memory_is_known(cache: Path) -> None:
    model, inputs = perceptron(), {"x": np.random.default_rng(1).standard_normal((4, 64), dtype=np.float32)}
    plain = PlainIree.compile(model, {"x": (4, 64)})
    expected = baselines.onnxruntime_outputs(model, inputs)
    np.testing.assert_allclose(plain.session()(inputs)["y"], expected["y"], rtol=1e-4, atol=1e-4)
    memory = baselines.memory_use(plain.module, inputs.values(), plain.parameters)
    assert memory == MemoryUse(peak=4 * 256 * 4 + 4 * 32 * 4, arena=4 * 256 * 4, outputs=4 * 32 * 4)
    assert baselines.arena_bytes(plain.module, inputs.values(), plain.parameters) == memory.arena


def test_a_model_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = PlainIree.compile(perceptron(), {"x": (1, 64)})
    monkeypatch.delattr(baselines, "_compile_into")
    assert PlainIree.compile(perceptron(), {"x": (1, 64)}) == first
    assert first.compile_seconds > 0
    assert [folder.name for folder in cache.iterdir()] == [first.module.parent.name]


def test_other_shapes_are_another_module(cache: Path) -> None:
    one, two = (PlainIree.compile(perceptron(), {"x": (batch, 64)}) for batch in (1, 2))
    assert one.module != two.module


def test_iree_that_fails_is_one_clear_error(cache: Path) -> None:
    model = perceptron()
    model.graph.node[1].op_type = "Rleu"
    with pytest.raises(baselines.BaselineError, match="iree-import-onnx failed"):
        PlainIree.compile(model, {"x": (1, 64)})
    assert list(cache.iterdir()) == []


def test_fixed_shapes_leave_the_model_itself_alone() -> None:
    model = perceptron()
    fixed = baselines.fix_shapes(model, {"x": (4, 64)})
    assert [dim.dim_value for dim in fixed.graph.input[0].type.tensor_type.shape.dim] == [4, 64]
    assert model == perceptron()
