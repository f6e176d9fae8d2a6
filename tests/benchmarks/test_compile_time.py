"""Compilation is timed in processes of its own, with a cache that is empty at first."""

from __future__ import annotations

from benchmarks.compile_time import Seconds, measure


def test_a_second_compilation_is_quicker() -> None:
    found = measure("magika", rounds=1)
    assert 0 < found.read < found.again < found.pyipu
    assert found.iree > 0


def test_limits_are_those_of_each_way() -> None:
    assert Seconds(pyipu=0.8, iree=1.0, again=1.5, read=0.5).is_quick
    assert not Seconds(pyipu=0.81, iree=1.0, again=0.1, read=0.0).is_quick
    assert not Seconds(pyipu=0.5, iree=1.0, again=1.6, read=0.5).is_quick
