"""How a thread waits for the ones that compute for it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from iree.runtime import VmContext

from pyipu import runtime
from pyipu.engine import Executable
from pyipu.errors import ExecutionError
from tests.pyipu.engine_models import CPU, SHIFT, X, assert_is_affine
from tests.stream_modules import affine

pytestmark = [
    pytest.mark.xdist_group("call"),
    pytest.mark.skipif(
        not hasattr(os, "SCHED_BATCH"), reason="SCHED_BATCH is a policy of Linux; elsewhere there is nothing to set"
    ),
]


@pytest.fixture(scope="module")
def model() -> Executable:
    return affine(CPU, threads=2)


@pytest.fixture
def waiting(monkeypatch) -> list[int]:
    """The policy of each thread that waits."""
    seen: list[int] = []
    invoke = VmContext.invoke

    def recorded(*arguments):
        seen.append(os.sched_getscheduler(0))
        return invoke(*arguments)

    monkeypatch.setattr(VmContext, "invoke", recorded)
    return seen


def policy_after(call: Callable[[], object], before: int) -> int:
    """The policy of a thread that had another one `before` it made a call."""

    def called() -> int:
        os.sched_setscheduler(0, before, os.sched_param(0))
        call()
        return os.sched_getscheduler(0)

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(called).result()


def test_a_waiting_thread_preempts_no_worker(model, waiting):
    assert policy_after(lambda: assert_is_affine(model(X, SHIFT)), os.SCHED_OTHER) == os.SCHED_OTHER
    assert waiting == [os.SCHED_BATCH]


def test_a_policy_that_was_chosen_stays(model, waiting):
    assert policy_after(lambda: assert_is_affine(model(X, SHIFT)), os.SCHED_IDLE) == os.SCHED_IDLE
    assert waiting == [os.SCHED_IDLE]


def test_a_failed_call_gives_the_policy_back(model, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("the device is lost")

    def failing() -> None:
        with pytest.raises(ExecutionError, match="the device is lost"):
            model(X, SHIFT)

    monkeypatch.setattr(VmContext, "invoke", fail)
    assert policy_after(failing, os.SCHED_OTHER) == os.SCHED_OTHER


def test_a_single_thread_is_the_callers(waiting):
    model = affine(CPU, threads=1)
    assert policy_after(lambda: assert_is_affine(model(X, SHIFT)), os.SCHED_OTHER) == os.SCHED_OTHER
    assert waiting == [os.SCHED_OTHER]
    assert runtime.open_device(runtime.THREADED_DRIVER, threads=1).driver == runtime.SERIAL_DRIVER
