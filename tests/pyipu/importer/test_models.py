"""Whole networks against ONNX Runtime, and ONNX's own collection of operator cases."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase

from examples import zoo
from pyipu.errors import Error, UnsupportedError
from tests.availability import skip_unless_ci
from tests.pyipu.importer.running import assert_close, run, run_reference

QUICK = ("squeezenet", "shufflenet", "text_direction", "magika")
"""Few enough multiplications for numpy; tests/models runs all networks through the whole of pyipu."""


@pytest.mark.parametrize("name", QUICK)
def test_network_gives_what_onnx_runtime_gives(name: str) -> None:
    network = zoo.model(name)
    try:
        source = network.load()
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)
    inputs = network.inputs()
    results, expected = run(source, inputs, network.shapes), run_reference(source, inputs)
    for array, reference in zip(results, expected, strict=True):
        assert (array.shape, array.dtype) == (reference.shape, reference.dtype)
        np.testing.assert_allclose(array, reference, rtol=0, atol=network.tolerance * np.abs(reference).max())


# What ONNX's cases expect and pyipu computes otherwise.
DIFFERENT = {
    "test_celu_bfloat16": "rounds to bfloat16 after each step",
    "test_celu_bfloat16_expanded": "rounds to bfloat16 after each step",
    "test_mod_float_edge_cases_fmod_0_float16": "a remainder with infinity is NaN",
    "test_mod_float_edge_cases_fmod_0_float32": "a remainder with infinity is NaN",
    "test_mod_float_edge_cases_fmod_0_float64": "a remainder with infinity is NaN",
    "test_resize_downsample_scales_cubic_align_corners": "aligns whole numbers of elements, as ONNX Runtime does",
    "test_resize_downsample_scales_linear_align_corners": "aligns whole numbers of elements, as ONNX Runtime does",
}
PASSING = 1177
"""So many cases pass with onnx 1.23; a lower number means that something was lost."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_operator_cases_of_onnx() -> None:
    """Each case passes, or needs something that pyipu says it does not have, or is one of `DIFFERENT`."""
    cases = [case for case in collect_testcases(None) if case.model is not None and _has_tensors_only(case)]
    outcomes = {case.name: _outcome(case) for case in cases}
    failed = {name: outcome for name, outcome in outcomes.items() if outcome not in ("passed", "unsupported")}
    assert {name: outcome for name, outcome in failed.items() if name not in DIFFERENT} == {}
    assert Counter(outcomes.values())["passed"] >= PASSING


def _outcome(case: TestCase) -> str:
    """Cases give as inputs what pyipu needs at compile time: then all inputs but the first become known, then all."""
    attempts = (_attempt(case, inputs) for inputs in (None, 1, 0))
    return next((outcome for outcome in attempts if "at compile time" not in outcome), "unsupported")


def _attempt(case: TestCase, inputs: int | None) -> str:
    try:
        _check(case, inputs)
    except UnsupportedError as error:
        return str(error) if "at compile time" in str(error) else "unsupported"
    except (Error, AssertionError) as error:
        return str(error)
    return "passed"


def _check(case: TestCase, inputs: int | None) -> None:
    """Runs a case with all but the first `inputs` inputs stored in the model."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for given, expected in case.data_sets:
        arrays = [_array(value) for value in given]
        known = list(zip(model.graph.input, arrays, strict=True))[len(arrays) if inputs is None else inputs :]
        model.graph.initializer.extend(onnx.numpy_helper.from_array(array, value.name) for value, array in known)
        results = run(model, dict(zip([value.name for value in model.graph.input], arrays, strict=True)))
        assert_close(results, [_array(value) for value in expected], max(case.rtol, 1e-3))


def _has_tensors_only(case: TestCase) -> bool:
    """Other cases are about sequences and optional values."""
    values = [value for given, expected in case.data_sets for value in (*given, *expected)]
    return all(isinstance(value, np.ndarray | np.generic | onnx.TensorProto) for value in values)


def _array(value: np.ndarray | np.generic | onnx.TensorProto) -> np.ndarray:
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)
