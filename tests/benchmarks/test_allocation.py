"""MiniMalloc's problems: their files are read right, solved within the time, and judged by the mean."""

import sys
from pathlib import Path

import pytest

from benchmarks import allocation as benchmark
from benchmarks.allocation import files, read_problem, solve
from pyipu.passes.planning.allocation import Interval

PROBLEM = "id,lower,upper,size\na,0,2,100\nb,1,3,50\nc,2,4,100\n"


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    path = tmp_path / "small.150.csv"
    path.write_text(PROBLEM)
    return path


def test_columns_are_found_by_name(tmp_path: Path, problem: Path) -> None:
    assert read_problem(problem) == [Interval("a", 0, 2, 100), Interval("b", 1, 3, 50), Interval("c", 2, 4, 100)]
    swapped = tmp_path / "swapped.csv"
    swapped.write_text("size,id,upper,lower\n7,x,5,3\n")
    assert read_problem(swapped) == [Interval("x", 3, 5, 7)]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text("id,lower,size\na,0,1\n")
    with pytest.raises(ValueError, match=r"broken\.csv has no column upper"):
        read_problem(path)


def test_a_problem_is_solved_and_a_folder_holds_several(problem: Path) -> None:
    assert files([problem.parent]) == files([problem]) == [problem]
    solved = solve(problem, 1.0, 1)
    assert (solved.name, solved.count, solved.allocation.peak, solved.quality) == ("small.150", 3, 150, 1.0)


def test_the_status_is_the_verdict_on_the_mean(
    problem: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["allocation", str(problem), "--markdown"])
    assert benchmark.main() == 0
    assert "| small.150 | 3 | 150 | 150 | 1.0000 |" in capsys.readouterr().out
    monkeypatch.setattr(benchmark, "ENOUGH", 1.1)
    assert benchmark.main() == 1
