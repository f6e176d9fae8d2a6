"""What tuning gains is measured against the same model without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import tune
from benchmarks.turns import Timing
from tests.benchmarks.perceptron import workload

FAST, SLOW = Timing(1.0, 0.9, 1.1, 0.8), Timing(2.0, 1.9, 2.1, 1.8)


def test_both_programs_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    found = tune.measure(workload(), 0.1, tmp_path / "tune.json", rounds=1, calls=2, threads=1)
    assert found.agrees and 0 <= found.better <= found.searched
    assert min(found.plain.min_ms, found.tuned.min_ms, found.seconds) > 0


def test_the_table_has_ratios_and_their_mean() -> None:
    better = tune.Tuned(SLOW, FAST, 30.2, 9, 4, True)
    columns, rows = tune.table({"a": better, "b": replace(better, plain=FAST, tuned=SLOW)})
    assert all(len(row) == len(columns) for row in rows)
    assert rows[0] == ["a", "2.00 (1.90-2.10)", "1.00 (0.90-1.10)", "0.500", "30", "9", "4", "yes"]
    assert [row[3] for row in rows] == ["0.500", "2.000", "1.000"]


def test_slower_or_other_results_are_not_fine() -> None:
    better = tune.Tuned(SLOW, FAST, 30.2, 9, 4, True)
    others = replace(better, agrees=False), replace(better, plain=FAST, tuned=SLOW)
    assert better.is_fine and not any(one.is_fine for one in others)
