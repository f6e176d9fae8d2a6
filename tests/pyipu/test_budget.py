"""Budgets: how they are written, that they are kept, and that less is never more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import pyipu
from pyipu.budget import Budget, Search, best_within, parse_budget
from pyipu.compiler import lower, prepare

pytestmark = pytest.mark.xdist_group("budget")


@pytest.mark.parametrize(
    ("text", "size"),
    [(4096, 4096), ("4096", 4096), ("2MB", 2_000_000), ("1.5 MiB", 1_572_864), ("512kB", 512_000), ("min", "min")],
)
def test_a_budget_is_a_number_or_a_size(text, size):
    assert parse_budget(text) == size


@pytest.fixture(scope="module")
def wide():
    """In Winograd's form the planes of this convolution take more than its input and its result."""
    random = np.random.default_rng(0)
    weight = numpy_helper.from_array(random.standard_normal((64, 64, 3, 3)).astype(np.float32) * 0.05, "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 64, 24, 24)) for name in "xy"]
    graph = helper.make_graph([node], "one", values[:1], values[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_fast_convolutions_yield_to_a_budget(wide):
    random = np.random.default_rng(1)
    x = {"x": random.standard_normal((1, 64, 24, 24)).astype(np.float32)}
    direct, fast = pyipu.compile(wide, winograd=0), pyipu.compile(wide)
    assert direct.memory.arena_bytes < fast.memory.arena_bytes
    small = pyipu.compile(wide, memory_budget=pyipu.compile(wide, winograd=0, memory_budget="min").memory.arena_bytes)
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
    """A plan; those that cost more have higher numbers."""

    number: int
    expected_bytes: int
    least_bytes: int
    arena_bytes: int


Rows = Sequence[tuple[int, int, int]]
"""For each plan the bytes that are expected, those that the arena needs at least, and those that it takes beyond."""


def search(rows: Rows) -> Search[Made]:
    """One that knows these plans: the first costs no time."""
    plans = [Made(number, expected, least, least + more) for number, (expected, least, more) in enumerate(rows)]

    def attempt(peak: int) -> Made:
        low = [plan for plan in plans if plan.expected_bytes <= peak]
        lowest = min(plan.expected_bytes for plan in plans)
        return plans[0] if peak == 0 else (low or [plan for plan in plans if plan.expected_bytes == lowest])[0]

    return Search(attempt)


def arena(searches: Sequence[Rows], budget: Budget) -> int | None:
    """What a budget gets; None if nothing fits."""
    try:
        return best_within(map(search, searches), budget, allow_over_budget=False).arena_bytes
    except pyipu.MemoryBudgetError as error:
        named = int(str(error).rpartition("=")[2])
        assert isinstance(budget, int)
        assert budget < named == arena(searches, named) == arena(searches, "min")
        return None


rows = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40), st.integers(0, 20)), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, min_size=1, max_size=2))
def test_no_budget_gets_more_than_a_larger_one(searches):
    """Of all pairs of budgets, with the least there is, and with none."""
    free = search(searches[0]).attempt(0).arena_bytes
    found = [arena(searches, "min"), *(arena(searches, budget) for budget in range(1, 80)), free]
    assert arena(searches, free) == free
    arenas = [one for one in found if one is not None]
    assert arenas == sorted(arenas)
    assert found[1 : len(found) - len(arenas) + 1] == [None] * (len(found) - len(arenas))
    assert all(one is None or one <= budget for budget, one in enumerate(found[1:-1], 1))


def test_the_cheapest_plan_that_fits_is_taken():
    plans = [(100, 100, 0), (90, 70, 0), (80, 60, 0), (50, 50, 0)]
    budgets: list[Budget] = [100, 99, 70, 69, 59, "min"]
    assert [arena([plans], budget) for budget in budgets] == [100, 70, 70, 60, 50, 50]


def test_an_arena_is_looked_for_only_where_it_can_win():
    """None is looked for whose bound is above the budget; and of the least, none whose bound is above another arena."""
    plans = search([(100, 100, 0), (90, 70, 9), (80, 60, 5), (70, 66, 0)])
    looked: list[int] = []

    class Looked:
        def __init__(self, made: Made) -> None:
            self.made, self.expected_bytes, self.least_bytes = made, made.expected_bytes, made.least_bytes

        @property
        def arena_bytes(self) -> int:
            looked.append(self.made.number)
            return self.made.arena_bytes

    watched = Search(lambda peak: Looked(plans.attempt(peak)))
    assert best_within([watched], 68, allow_over_budget=False).made.number == 2
    assert set(looked) == {0, 2}
    looked.clear()
    assert best_within([watched], "min", allow_over_budget=False).made.number == 2
    assert set(looked) == {0, 2}


@pytest.mark.parametrize(("lowest", "number"), [(900, 0), (800, 1)])
def test_strips_that_lower_nothing_are_not_taken(lowest, number):
    found = best_within([search([(1000, 900, 0), (500, lowest, 0)])], "min", allow_over_budget=False)
    assert found.number == number


def test_of_later_searches_only_what_may_be_smaller_is_made():
    """The direct form of a network whose arena may be ten times that of the fast one is not planned from the top."""
    asked: list[int] = []
    direct = search([(1000, 1000, 0), (90, 90, 0)])

    def attempt(peak: int) -> Made:
        asked.append(peak)
        return direct.attempt(peak)

    assert best_within([search([(100, 100, 0)]), Search(attempt)], "min", allow_over_budget=False).arena_bytes == 90
    assert 0 < max(asked) < 200


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
    # Strips change when a row is computed, and no sum.
    np.testing.assert_array_equal(least(image), free(image))


def test_a_budget_is_kept(model, free, least, image):
    low, high = least.memory.arena_bytes, free.memory.arena_bytes
    executable = pyipu.compile(model, memory_budget=(low + high) // 2)
    assert executable.memory.arena_bytes <= (low + high) // 2
    np.testing.assert_array_equal(executable(image), free(image))


@pytest.fixture(scope="module")
def widening():
    """Two blocks that widen 4 channels to 16, go over 24x24 pixels channel by channel, and narrow them again."""
    random, nodes, weights, value = np.random.default_rng(0), [], [], "x"
    for name, shape, group, stride in (
        ("a", (16, 4, 1, 1), 1, 1),
        ("b", (16, 1, 3, 3), 16, 1),
        ("c", (4, 16, 1, 1), 1, 1),
        ("d", (16, 4, 1, 1), 1, 1),
        ("e", (16, 1, 3, 3), 16, 2),
        ("f", (8, 16, 1, 1), 1, 1),
    ):
        weights.append(numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), f"weight_{name}"))
        options = {"pads": [shape[-1] // 2] * 4, "group": group, "strides": [stride] * 2}
        nodes.append(helper.make_node("Conv", [value, f"weight_{name}"], [name], **options))
        value = name
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["y"]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 24, 24))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 8, 1, 1))
    graph = helper.make_graph(nodes, "widening", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def planned_arena(model, budget: Budget | None) -> int:
    cpu = pyipu.targets.get("cpu")
    return lower(model, cpu, memory_budget=budget).plan(cpu, None, b"").memory.arena_bytes


def test_a_smaller_budget_never_takes_more(widening):
    """Planned anew for each of a dozen budgets, in one order and in another one."""
    low, high = planned_arena(widening, "min"), planned_arena(widening, None)
    budgets = np.linspace(low, high, 12, dtype=int).tolist()
    arenas = {budget: planned_arena(widening, budget) for budget in (*budgets[::2], *budgets[1::2])}
    rising = [arenas[budget] for budget in budgets]
    assert rising == sorted(rising)
    assert (rising[0], rising[-1]) == (low, high)
    assert len(set(rising)) > 3
    assert all(arena <= budget for budget, arena in arenas.items())


def test_a_network_without_fast_convolutions_is_planned_once(widening, wide):
    cpu = pyipu.targets.get("cpu")
    graphs = [prepare(one, cpu, memory_budget="min").graphs for one in (widening, wide)]
    assert [len(one) for one in graphs] == [1, 2]


def test_a_budget_that_nothing_fits_names_the_smallest_that_something_does(model, least):
    with pytest.raises(pyipu.MemoryBudgetError, match=f"memory_budget={least.memory.arena_bytes}$"):
        pyipu.compile(model, memory_budget="1KB")


def test_over_budget_the_least_is_taken_if_that_is_allowed(model, least):
    executable = pyipu.compile(model, memory_budget="1KB", allow_over_budget=True)
    assert executable.memory.arena_bytes == least.memory.arena_bytes
