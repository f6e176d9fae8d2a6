"""How a call passes arrays in and out, and calls from several threads; the models here are hand-written modules."""

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import iree.runtime
import numpy as np
import pytest

import pyipu
from pyipu import runtime
from pyipu.engine import Executable
from pyipu.errors import InputError, OutputError
from pyipu.plan import TensorDescription
from tests.pyipu.engine_models import CPU, ELEMENTS, SHIFT, X, Y, assert_is_affine
from tests.stream_modules import affine, affine_scale, echo

pytestmark = pytest.mark.xdist_group("call")


@pytest.fixture(scope="module")
def model() -> Executable:
    return affine(CPU)


def aligned(values: np.ndarray) -> np.ndarray:
    copy = pyipu.empty(values.shape, values.dtype)
    copy[...] = values
    return copy


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("shape", [(), (2, 4), (0, 3)])
def test_an_aligned_array_goes_in_and_stays_the_callers(element, shape):
    values = aligned((np.arange(math.prod(shape)) % 5).reshape(shape).astype(ELEMENTS[element]))
    expected = values.copy()
    result = echo(CPU, TensorDescription("x", shape, values.dtype), element)(values)
    assert not np.may_share_memory(result, values)
    values[...] = 1
    np.testing.assert_array_equal(result, expected)


@pytest.fixture
def allocated(monkeypatch) -> list[int]:
    """Bytes of every input that is copied."""
    sizes: list[int] = []
    copy = iree.runtime.HalAllocator.allocate_buffer_copy

    def recorded(allocator, memory_type, usage, device, array, element_type):
        sizes.append(array.nbytes)
        return copy(allocator, memory_type, usage, device, array, element_type)

    monkeypatch.setattr(iree.runtime.HalAllocator, "allocate_buffer_copy", recorded)
    return sizes


def test_an_input_is_copied_only_if_it_cannot_be_read_in_place(model, allocated):
    x, shift = aligned(X), aligned(SHIFT)
    assert_is_affine(model(x, shift))
    assert allocated == []
    off = pyipu.empty((7,))[1:].reshape(2, 3)
    off[...] = X
    shift.flags.writeable = False
    assert_is_affine(model(off, shift))
    assert allocated == [24, 24]


def test_an_output_is_an_input_that_needs_no_copy(model, allocated):
    y, copy = model(aligned(X), aligned(SHIFT))
    np.testing.assert_array_equal(model(y, copy)[0], Y * affine_scale() + X)
    assert allocated == []


def test_an_input_in_place_is_let_go_after_the_call(model):
    x = aligned(X)
    before = sys.getrefcount(x)
    assert_is_affine(model(x, SHIFT))
    assert sys.getrefcount(x) == before


def test_results_are_written_into_the_callers_arrays(model):
    outputs = [np.full((2, 3), np.nan, np.float32) for _ in range(2)]
    for shift in (SHIFT, 2 * SHIFT):
        assert model.run_into(outputs, X, shift=shift) is None
        np.testing.assert_array_equal(outputs[0], X * affine_scale() + shift)
        np.testing.assert_array_equal(outputs[1], X)


def test_the_only_output_may_be_an_input():
    values = np.arange(8, dtype=np.int32)
    expected = values.copy()
    echo(CPU, TensorDescription("x", (8,), values.dtype), "i32").run_into(values, values)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.empty((2, 3), "f4"), r"has 2 outputs, got 1 to write into; expected y: float32\[2, 3\]; copy"),
        ([np.empty((2, 3), "f4")] * 3, "has 2 outputs, got 3"),
        ([np.empty((2, 3)), np.empty((2, 3), "f4")], r"'y' must be an array float32\[2, 3\], got float64\[2, 3\]"),
        ([np.empty((2, 3), "f4"), np.empty((3, 2), "f4")], r"'copy' must be .*, got float32\[3, 2\]; make it with"),
        ([np.empty((2, 3), "f4"), [0.0]], "'copy' must be an array .*, got list"),
        ([np.empty((3, 2), "f4").T, np.empty((2, 3), "f4")], "'y' must be C-contiguous and writeable"),
        ([np.broadcast_to(np.float32(0), (2, 3)), np.empty((2, 3), "f4")], "'y' must be C-contiguous and writeable"),
    ],
)
def test_arrays_that_cannot_take_the_results_are_refused(model, outputs, message):
    with pytest.raises(OutputError, match=message):
        model.run_into(outputs, X, SHIFT)


def test_arrays_are_written_only_by_a_call_that_succeeds(model):
    outputs = [np.full((2, 3), 7, np.float32) for _ in range(2)]
    with pytest.raises(InputError):
        model.run_into(outputs, X)
    np.testing.assert_array_equal(outputs, 7)


def test_threads_that_start_together_each_get_their_own_results():
    models = [affine(CPU, threads) for threads in (1, 1, 2)]
    start = threading.Barrier(12)

    def call(number: int) -> None:
        start.wait()
        for step in range(50):
            x = aligned(np.full((2, 3), 100 * number + step, np.float32))
            y, copy = models[number % 3](x, SHIFT)
            np.testing.assert_array_equal(y, x * affine_scale() + SHIFT)
            np.testing.assert_array_equal(copy, x)

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(call, range(12))) == [None] * 12


@pytest.mark.parametrize(("threads", "side_by_side"), [(1, 4), (2, 2), (3, 1), (9, 1)])
def test_as_many_calls_run_at_once_as_the_processors_suffice_for(monkeypatch, threads, side_by_side):
    monkeypatch.setattr(runtime, "available_threads", lambda: 4)
    monkeypatch.setattr(runtime, "open_device", lambda driver, count: object())
    devices = runtime.Devices("local-task", threads)
    together, busy = threading.Barrier(side_by_side), set()

    def call(_: int) -> None:
        with devices.borrow() as device:
            assert device not in busy
            busy.add(device)
            together.wait(timeout=10)
            busy.remove(device)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert len(devices._idle) == side_by_side


def test_a_device_that_failed_is_used_again():
    devices = runtime.Devices("local-task", runtime.available_threads())
    with pytest.raises(KeyError), devices.borrow() as first:
        raise KeyError
    with devices.borrow() as second:
        assert second is first


def test_calls_from_several_threads_do_not_mix(model):
    inputs = [np.full((2, 3), value, np.float32) for value in range(200)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda x: model(x, SHIFT), inputs))
    for x, (y, copy) in zip(inputs, results, strict=True):
        np.testing.assert_array_equal(y, x * affine_scale() + SHIFT)
        np.testing.assert_array_equal(copy, x)
