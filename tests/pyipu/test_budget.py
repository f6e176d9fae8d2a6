"""Budgets: how they are written, that they are kept, and that less is never more."""

from dataclasses import dataclass

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import pyipu
from pyipu.budget import Search, parse_budget

pytestmark = pytest.mark.xdist_group("budget")


@pytest.mark.parametrize(
    ("text", "size"),
    [(4096, 4096), ("4096", 4096), ("2MB", 2_000_000), ("1.5 MiB", 1_572_864), ("512kB", 512_000), ("min", "min")],
)
def test_a_budget_is_a_number_or_a_size(text, size):
    assert parse_budget(text) == size


def test_fast_convolutions_yield_to_a_budget():
    """In Winograd's form the planes of this convolution take more than its input and its result."""
    random = np.random.default_rng(0)
    weight = numpy_helper.from_array(random.standard_normal((64, 64, 3, 3)).astype(np.float32) * 0.05, "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 64, 24, 24)) for name in "xy"]
    graph = helper.make_graph([node], "one", values[:1], values[1:], [weight])
    one = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    x = {"x": random.standard_normal((1, 64, 24, 24)).astype(np.float32)}
    direct, fast = pyipu.compile(one, winograd=0), pyipu.compile(one)
    assert direct.memory.arena_bytes < fast.memory.arena_bytes
    small = pyipu.compile(one, memory_budget=pyipu.compile(one, winograd=0, memory_budget="min").memory.arena_bytes)
    assert small.memory.arena_bytes <= direct.memory.arena_bytes
    np.testing.assert_array_equal(small.run(x)["y"], direct.run(x)["y"])
    assert not np.array_equal(fast.run(x)["y"], direct.run(x)["y"])


def test_a_depthwise_convolution_takes_the_rows_of_its_input():
    """Its result is needed as a whole. It lies beside its whole input, unless it is written on rows that are dead."""
    random = np.random.default_rng(0)
    shapes = {"a": (16, 4, 1, 1), "b": (16, 1, 3, 3)}
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["wide"], name="expand"),
        helper.make_node("Conv", ["wide", "b"], ["deep"], name="depthwise", group=16, pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["deep"], ["y"], name="pool"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 48, 48))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 16, 1, 1))
    one = helper.make_model(
        helper.make_graph(nodes, "one", [x], [y], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    whole, least = pyipu.compile(one), pyipu.compile(one, memory_budget="min")
    result = 48 * 48 * 16 * 4
    assert whole.memory.arena_bytes >= 2 * result
    assert least.memory.arena_bytes < 1.2 * result
    value = {"x": random.standard_normal((1, 4, 48, 48)).astype(np.float32)}
    np.testing.assert_array_equal(least.run(value)["y"], whole.run(value)["y"])


def test_tiles_of_another_size_are_refused(model):
    with pytest.raises(pyipu.Error, match="winograd=3 is no size of tiles; choose one of 0, 2, 4"):
        pyipu.compile(model, winograd=3)


@dataclass(frozen=True)
class Made:
    """A plan for a peak, which stands for what it costs: none for 0."""

    peak: int
    arena_bytes: int
    expected_bytes: int = 1000


@pytest.mark.parametrize(("lowest", "peak"), [(900, 0), (800, 1)])
def test_strips_that_lower_nothing_are_not_taken(lowest, peak):
    arenas = {0: 900, 1: lowest}
    assert Search(lambda peak: Made(peak, arenas.get(peak, 900))).within(-1).peak == peak


@pytest.mark.parametrize("text", ["", "MB", "-1", "2 apples", "1e6x", None])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(pyipu.Error, match="is no size; give bytes"):
        parse_budget(text)


@pytest.fixture(scope="module")
def model():
    """Four residual blocks of 3x3 convolutions over 32x32 pixels, 16 channels."""
    random = np.random.default_rng(0)
    nodes, weights, value = [], [], "x"
    for i in range(4):
        for part in "ab":
            weight = random.standard_normal((16, 16, 3, 3)).astype(np.float32) * 0.1
            weights.append(numpy_helper.from_array(weight, f"w{i}{part}"))
        nodes.append(helper.make_node("Conv", [value, f"w{i}a"], [f"c{i}"], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        nodes.append(helper.make_node("Conv", [f"r{i}", f"w{i}b"], [f"d{i}"], pads=[1] * 4))
        nodes.append(helper.make_node("Add", [f"d{i}", value], [f"y{i}"]))
        value = f"y{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["y"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 16, 32, 32))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 16, 1, 1))
    graph = helper.make_graph(nodes, "blocks", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).standard_normal((1, 16, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def free(model):
    return pyipu.compile(model)


@pytest.fixture(scope="module")
def least(model):
    return pyipu.compile(model, memory_budget="min")


def test_the_least_is_less_and_computes_the_same(free, least, image):
    assert least.memory.arena_bytes < free.memory.arena_bytes
    np.testing.assert_allclose(least(image), free(image), rtol=1e-4, atol=1e-5)


def test_a_budget_is_kept_and_a_smaller_one_never_takes_more(model, free, least, image):
    low, high = least.memory.arena_bytes, free.memory.arena_bytes
    arenas = []
    for budget in (high, (low + high) // 2, low):
        executable = pyipu.compile(model, memory_budget=budget)
        assert executable.memory.arena_bytes <= budget
        np.testing.assert_allclose(executable(image), free(image), rtol=1e-4, atol=1e-5)
        arenas.append(executable.memory.arena_bytes)
    assert arenas == sorted(arenas, reverse=True)


def test_a_budget_that_nothing_fits_names_the_smallest_that_something_does(model, least):
    with pytest.raises(pyipu.MemoryBudgetError, match=f"memory_budget={least.memory.arena_bytes}$"):
        pyipu.compile(model, memory_budget="1KB")


def test_over_budget_the_least_is_taken_if_that_is_allowed(model, least):
    executable = pyipu.compile(model, memory_budget="1KB", allow_over_budget=True)
    assert executable.memory.arena_bytes == least.memory.arena_bytes
