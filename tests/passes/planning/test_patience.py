"""When a search ends: at its deadline, or once it waited for a gain for too long."""

import time

import pytest

from pyipu.passes.planning.patience import Patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as its only item."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_without_a_gain_it_waits_for_the_least_time(clock: list[float]):
    patience = Patience(deadline=110.0, least=2.0)
    clock[0] = 102.0
    assert not patience.is_over
    clock[0] = 102.1
    assert patience.is_over


def test_after_gains_it_waits_for_as_long_as_they_took(clock: list[float]):
    patience = Patience(deadline=110.0, least=1.0)
    for clock[0] in (100.9, 101.5, 103.0):
        assert not patience.is_over
        patience.gain()
    assert patience.end == 106.0


def test_the_deadline_ends_it_in_any_case(clock: list[float]):
    patience = Patience(deadline=103.0, least=2.0)
    clock[0] = 102.0
    patience.gain()
    assert patience.end == 103.0
