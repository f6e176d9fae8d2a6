"""What is measured: every network of the zoo, with what it should compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

import pyipu
from benchmarks.baselines import onnxruntime_outputs
from examples import zoo
from pyipu.budget import Budget

Arrays = dict[str, np.ndarray]

RELATIVE, ABSOLUTE = 1e-3, 1e-5
"""Allowed for fp32: a thousandth of each element, plus a hundred-thousandth of the largest magnitude."""

PAGE = tuple(name for name in zoo.names() if name != "zfnet512")
"""The twelve models that other runtimes were measured on."""


@dataclass(frozen=True)
class Case:
    """A network with weights, inputs and expected outputs; `variant` is shipped, seeded or trained."""

    name: str
    variant: str
    shapes: Mapping[str, Sequence[int]]
    load: Callable[[], onnx.ModelProto]
    inputs: Callable[[], Arrays]
    expected: Callable[[onnx.ModelProto, Arrays], Arrays]

    def __str__(self) -> str:
        return f"{self.name}-{self.variant}"


@dataclass(frozen=True)
class Comparison:
    """How far outputs are from what was expected."""

    largest_error: float
    largest_magnitude: float
    agrees: bool

    @property
    def relative_error(self) -> float:
        """The largest error over the largest magnitude."""
        return self.largest_error / self.largest_magnitude


def cases(names: Sequence[str] = ()) -> list[Case]:
    """Nine architectures as shipped, the same with seeded weights, and the trained models; or those of some names."""
    chosen = names or zoo.names()
    shipped = [_shipped(name) for name in chosen if name in zoo.LIGHT]
    return [*shipped, *(_of_zoo(name) for name in chosen)]


def _of_zoo(name: str) -> Case:
    model = zoo.model(name)
    variant = "trained" if name in zoo.WHEELS else "seeded"
    return Case(name, variant, model.shapes, model.load, model.inputs, onnxruntime_outputs)


def _shipped(name: str) -> Case:
    """Against the outputs that are stored beside the model."""
    return Case(
        name,
        "shipped",
        {},
        lambda: zoo.light_model(name),
        lambda: zoo.light_expected(name)[0],
        lambda model, inputs: zoo.light_expected(name)[1],
    )


def compile_case(
    case: Case, target: str = "cpu", threads: int = 2, memory_budget: Budget | None = None
) -> pyipu.Executable:
    """The network through pyipu."""
    shapes = case.shapes or None
    return pyipu.compile(case.load(), target, shapes=shapes, threads=threads, memory_budget=memory_budget)


def compare(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> Comparison:
    """Over all outputs, which have the same names in both."""
    assert found.keys() == expected.keys(), f"outputs {sorted(found)} instead of {sorted(expected)}"
    pairs = [(np.asarray(found[name], np.float64), np.asarray(expected[name], np.float64)) for name in expected]
    magnitude = max(float(np.abs(there).max(initial=0)) for _, there in pairs)
    error = max(float(np.abs(here - there).max(initial=0)) for here, there in pairs)
    agrees = all(
        here.shape == there.shape
        and np.allclose(here, there, rtol=RELATIVE, atol=ABSOLUTE * float(np.abs(there).max(initial=0)))
        for here, there in pairs
    )
    return Comparison(error, magnitude, agrees)
