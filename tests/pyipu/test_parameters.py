"""Weights: lazy, ordered, and the same after a trip through a file."""

import gc
import mmap
import weakref

import iree.runtime
import ml_dtypes
import numpy as np
import pytest

from pyipu.arrays import ALIGNMENT, LARGE_PAGE, address, empty
from pyipu.errors import Error
from pyipu.parameters import Parameters

DTYPES = [
    np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, np.float16, np.float32, np.float64,
    ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn,
]  # fmt: skip


def example() -> Parameters:
    parameters = Parameters()
    parameters.add("b", np.arange(6, dtype=np.float32).reshape(2, 3))
    parameters.add("a", np.array(7, dtype=np.int64))
    return parameters


def fails_if_called() -> np.ndarray:
    raise AssertionError("computed too early")


def test_a_derived_value_is_computed_once_and_only_when_it_is_needed():
    calls = []
    parameters = Parameters()
    parameters.derive("w", (2,), np.float32, lambda: calls.append(1) or np.ones(2, np.float32))
    assert (parameters.description("w").shape, parameters.size, "w" in parameters, calls) == ((2,), 8, True, [])
    assert parameters["w"] is parameters["w"]
    assert calls == [1]


def test_a_declared_value_cannot_be_used():
    parameters = Parameters()
    parameters.declare("conv/weight", (3, 4), "bfloat16")
    assert parameters.size == 24
    with pytest.raises(Error, match="'conv/weight' has no value"):
        parameters["conv/weight"]


@pytest.mark.parametrize("value", [np.ones(3, np.float32), np.ones(2, np.float64)])
def test_a_derived_value_must_be_what_was_announced(value):
    parameters = Parameters()
    parameters.derive("w", (2,), np.float32, lambda: value)
    with pytest.raises(Error, match=r"announced as w: float32\[2\], but computed as w: float"):
        parameters["w"]


def test_a_name_can_be_used_once():
    parameters = example()
    with pytest.raises(Error, match="two parameters named 'a'"):
        parameters.declare("a", (), np.float32)


def test_keep_drops_the_rest_and_keeps_the_order():
    parameters = example()
    parameters.derive("c", (1,), np.float32, fails_if_called)
    parameters.keep(["a", "b"])
    assert list(parameters) == ["b", "a"]
    with pytest.raises(KeyError):
        parameters.keep(["c"])


def test_a_derived_value_may_need_dropped_ones_which_are_freed_afterwards():
    parameters = example()
    source = weakref.ref(parameters["b"])
    parameters.derive("twice", (2, 3), np.float32, lambda: parameters["b"] * 2)
    parameters.derive("packed", (3, 2), np.float32, lambda: parameters["twice"].T)
    parameters.keep(["packed"])
    assert (list(parameters), parameters.size, "b" in parameters) == (["packed"], 24, False)
    assert parameters.unique("b") == "b_1"
    parameters.index()
    np.testing.assert_array_equal(parameters["packed"], example()["b"].T * 2)
    assert source() is None
    with pytest.raises(KeyError):
        parameters["b"]


def test_a_unique_name_is_the_wanted_one_or_has_a_number():
    parameters = example()
    assert parameters.unique("c") == "c"
    assert parameters.unique("a") == "a_1"
    parameters.add("a_1", np.zeros(1, np.float32))
    assert parameters.unique("a") == "a_2"


def test_only_a_declared_parameter_has_no_value():
    parameters = example()
    parameters.declare("declared", (1,), np.float32)
    parameters.derive("derived", (1,), np.float32, fails_if_called)
    assert {name for name in parameters if not parameters.has_value(name)} == {"declared"}


@pytest.mark.parametrize("change", [("b", (2, 3), 1.0), ("c", (2, 3), 0.0), ("b", (3, 2), 0.0)])
def test_the_content_hash_covers_names_shapes_and_values(change):
    def of(name: str, shape: tuple[int, ...], offset: float) -> str:
        parameters = Parameters()
        parameters.add(name, np.arange(6, dtype=np.float32).reshape(shape) + np.float32(offset))
        return parameters.content_hash()

    assert of("b", (2, 3), 0.0) == of("b", (2, 3), 0.0)
    assert of("b", (2, 3), 0.0) != of(*change)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(2, 3), (), (0, 3)], ids=str)
def test_a_file_gives_back_what_was_written(tmp_path, dtype, shape):
    values = (np.random.default_rng(0).normal(size=shape) * 4).astype(dtype)
    parameters = Parameters()
    parameters.add("first", np.zeros(1, np.float32))
    parameters.add("w", values)
    parameters.write(tmp_path / "weights.irpa")
    read = Parameters.read(tmp_path / "weights.irpa")
    assert list(read) == ["first", "w"]
    assert read["w"].dtype == np.dtype(dtype) and read["w"].shape == shape
    assert read["w"].tobytes() == values.tobytes()
    assert read.content_hash() == parameters.content_hash()


def test_a_strided_value_is_written_in_row_major_order(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4).T
    parameters = Parameters()
    parameters.add("w", values)
    parameters.write(tmp_path / "weights.irpa")
    np.testing.assert_array_equal(Parameters.read(tmp_path / "weights.irpa")["w"], values)


def test_values_that_were_read_stay_in_the_file(tmp_path):
    example().write(tmp_path / "weights.irpa")
    values = Parameters.read(tmp_path / "weights.irpa")["b"]
    gc.collect()
    assert not values.flags.owndata and not values.flags.writeable
    np.testing.assert_array_equal(values, example()["b"])


def test_iree_reads_the_file(tmp_path):
    example().write(tmp_path / "weights.irpa")
    index = iree.runtime.ParameterIndex()
    index.load(str(tmp_path / "weights.irpa"))
    values = {name: iree.runtime.parameter_index_entry_as_numpy_ndarray(entry) for name, entry in index.items()}
    np.testing.assert_array_equal(values["b"], example()["b"])
    np.testing.assert_array_equal(values["a"], example()["a"])


def test_the_index_refers_to_aligned_memory():
    memory = np.zeros(64, np.uint8)
    parameters = Parameters()
    parameters.add("w", memory[1:41].view(np.float32))
    assert len(parameters.index()) == 1
    assert parameters["w"].ctypes.data % ALIGNMENT == 0
    aligned = parameters["w"]
    parameters.index()
    assert parameters["w"] is aligned


def large() -> Parameters:
    parameters = Parameters()
    parameters.add("a", np.arange(1_000_001, dtype=np.float32))
    parameters.derive("b", (2, 3), np.int64, lambda: np.arange(6).reshape(2, 3))
    parameters.add("c", np.arange(500_000, dtype=np.float32)[::-1])
    return parameters


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="the system has no large pages")
def test_what_is_served_lies_side_by_side_in_large_pages():
    parameters = large()
    parameters.provider()
    starts = [address(parameters[name]) for name in "abc"]
    assert starts[0] % LARGE_PAGE == 0
    assert [start - starts[0] for start in starts] == [0, 4_000_064, 4_000_128]
    for name in "abc":
        np.testing.assert_array_equal(parameters[name], large()[name])
    moved = parameters["a"]
    parameters.provider()
    assert parameters["a"] is moved


def test_small_weights_stay_where_they_are():
    parameters, value = Parameters(), empty((2, 3))
    parameters.add("a", value)
    parameters.provider()
    assert parameters["a"] is value


def test_weights_stay_where_they_are_without_large_pages(monkeypatch):
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    parameters, value = Parameters(), empty((2 * LARGE_PAGE,))
    parameters.add("a", value)
    parameters.provider()
    assert parameters["a"] is value


def test_no_parameters_are_parameters_too(tmp_path):
    Parameters().write(tmp_path / "weights.irpa")
    assert len(Parameters.read(tmp_path / "weights.irpa")) == 0
    assert Parameters().provider() is not None


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "weights.irpa"
    example().write(file)
    before = file.read_bytes()
    broken = example()
    broken.declare("missing", (2,), np.float32)
    with pytest.raises(Error, match="'missing' has no value"):
        broken.write(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"no archive" * 100, lambda data: data[: len(data) // 2]])
def test_a_damaged_file_is_named(tmp_path, damage):
    file = tmp_path / "weights.irpa"
    parameters = Parameters()
    parameters.add("w", np.ones(100_000, np.float32))
    parameters.write(file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(Error, match=r"weights.irpa cannot be read: .+"):
        Parameters.read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(Error, match=r"nowhere.irpa cannot be read: .*NOT_FOUND"):
        Parameters.read(tmp_path / "nowhere.irpa")


def test_an_archive_without_shapes_is_refused(tmp_path):
    iree.runtime.save_archive_file({"w": np.ones(4, np.float32)}, tmp_path / "foreign.irpa")
    with pytest.raises(Error, match="entry 'w' has no shape and dtype"):
        Parameters.read(tmp_path / "foreign.irpa")
