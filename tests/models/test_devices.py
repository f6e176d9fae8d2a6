"""Other targets: networks that run on Vulkan, and all of them compiled for CUDA."""

from __future__ import annotations

import os

import pytest

import pyipu
from benchmarks.cases import Case, cases, compare, compile_case
from examples import zoo
from pyipu import runtime
from tests.availability import skip_unless_ci

ON_VULKAN = ("squeezenet", "text_direction", "magika", "inception_v1")


def zoo_case(name: str) -> Case:
    return next(case for case in cases([name]) if case.variant != "shipped")


def open_or_skip(driver: str) -> None:
    """CI has a Vulkan driver, in software; a laptop may have none."""
    try:
        runtime.open_device(driver, 1)
    except pyipu.Error as error:
        if driver == "vulkan" and os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_VULKAN)
def test_a_network_runs_right_on_vulkan(name: str) -> None:
    open_or_skip("vulkan")
    runs_right(name, "vulkan")


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_a_network_compiles_for_cuda(name: str) -> None:
    try:
        assert compile_case(zoo_case(name), "cuda").memory.arena_bytes > 0
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_a_network_runs_right_on_cuda(name: str) -> None:
    open_or_skip("cuda")
    runs_right(name, "cuda")


def runs_right(name: str, target: str) -> None:
    case = zoo_case(name)
    try:
        model, inputs = case.load(), case.inputs()
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)
    found = compare(compile_case(case, target).run(inputs), case.expected(model, inputs))
    assert found.agrees, f"largest error {found.largest_error:.1e}"
