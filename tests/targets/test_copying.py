"""One piece of memory is copied by a command; what lies in several pieces is copied by code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import targets
from pyipu.compiler import lower
from pyipu.errors import TargetError
from tests.availability import skip_unless_ci


@dataclass(frozen=True)
class Joined:
    """The input twice, along an axis: how often commands copy, and how often code does."""

    element: str
    axis: int
    commands: int
    dispatches: int

    def model(self) -> bytes:
        shape = [3, 4, 6]
        shape[self.axis] *= 2
        text = f"({self.element}[3, 4, 6] x) => ({self.element}{shape} y) {{ y = Concat<axis={self.axis}>(x, x) }}"
        header = '<ir_version: 8, opset_import: ["": 18]> main'
        return onnx.parser.parse_model(f"{header} {text}").SerializeToString()

    def sample(self) -> np.ndarray:
        numbers = np.random.default_rng(0).standard_normal((3, 4, 6))
        return numbers > 0 if self.element == "bool" else numbers.astype({"float": "f4", "int8": "i1"}[self.element])


CASES = [
    Joined("float", 0, commands=2, dispatches=0),
    Joined("int8", 0, commands=2, dispatches=0),
    Joined("bool", 0, commands=2, dispatches=0),
    Joined("float", 1, commands=0, dispatches=2),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_piece_needs_no_code(case: Joined) -> None:
    text = lower(case.model(), targets.get("cpu")).stream
    assert text.count("stream.cmd.copy") == case.commands
    assert text.count("stream.cmd.dispatch") == case.dispatches


@pytest.mark.parametrize("target", ["cpu", "vulkan"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_copy_arrives(case: Joined, target: str) -> None:
    x = case.sample()
    try:
        found = pyipu.compile(case.model(), target)(x)
    except TargetError as problem:
        skip_unless_ci(problem)
    np.testing.assert_array_equal(found, np.concatenate([x, x], case.axis))
