"""Vertices that differ in nothing but offsets run in one executable, and each at its own place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import targets
from pyipu.compiler import lower, vertices
from pyipu.errors import TargetError
from tests.availability import skip_unless_ci

Arrays = list[np.ndarray]

EXPONENTIALS = 1e-6
"""IREE computes exp in fp32 with a polynomial, and divides by sums of it: some units in the last place."""


@dataclass(frozen=True)
class Network:
    """A network with one input, what it computes, and how many arguments each executable gets."""

    text: str
    shape: tuple[int, ...]
    expected: Callable[[np.ndarray], Arrays]
    arguments: tuple[int, ...]

    def model(self) -> bytes:
        header = '<ir_version: 8, opset_import: ["": 18]> main'
        return onnx.parser.parse_model(f"{header} {self.text}").SerializeToString()


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


NETWORKS = {
    "rows of the input, in the middle of its dimensions": Network(
        """(float[1, 3, 8, 6] x) => (float[1, 2, 6, 3] a, float[1, 2, 6, 3] b, float[1, 2, 6, 3] c) {
            n = Constant<value_ints=[1, 2, 2, 2, 1]>()
            first, d, e, f, last = Split<axis=2>(x, n)
            a = Transpose<perm=[0, 2, 3, 1]>(d)
            b = Transpose<perm=[0, 2, 3, 1]>(e)
            c = Transpose<perm=[0, 2, 3, 1]>(f) }""",
        (1, 3, 8, 6),
        lambda x: [np.transpose(x[:, :, i : i + 2], (0, 2, 3, 1)) for i in (1, 3, 5)],
        (1,),
    ),
    "rows of 24 bytes": Network(
        """(float[40, 6] x) => (float[3, 6] a, float[3, 6] b, float[3, 6] c) {
            n = Constant<value_ints=[3, 7, 3, 24, 3]>()
            d, between, e, others, f = Split<axis=0>(x, n)
            a = Softmax<axis=1>(d)
            b = Softmax<axis=1>(e)
            c = Softmax<axis=1>(f) }""",
        (40, 6),
        lambda x: [softmax(x[i : i + 3], 1) for i in (0, 10, 37)],
        (1,),
    ),
    "channels in and out": Network(
        """(float[5, 96] x) => (float[5, 96] y) {
            a, b, c = Split<axis=1, num_outputs=3>(x)
            d = Softmax<axis=0>(a)
            e = Softmax<axis=0>(b)
            f = Softmax<axis=0>(c)
            y = Concat<axis=1>(f, d, e) }""",
        (5, 96),
        lambda x: [softmax(np.roll(x, 32, 1), 0)],
        (2,),
    ),
    "truth values": Network(
        """(float[4, 20] x) => (bool[2, 20] a, bool[2, 20] b) {
            z = Constant<value_float=0.0>()
            g = Less(x, z)
            n = Constant<value_ints=[1, 2, 1]>()
            first, d, last = Split<axis=0>(g, n)
            e, f = Split<axis=0, num_outputs=2>(g)
            a = Not(d)
            b = Not(e) }""",
        (4, 20),
        lambda x: [x[1:3] >= 0, x[:2] >= 0],
        (0, 1),
    ),
}


def sample(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_one_executable_is_told_the_offsets(network: Network) -> None:
    lowered = lower(network.model(), targets.get("cpu"))
    functions = re.findall(r"func\.func @.*", lowered.stream)
    assert tuple(len(re.findall(r"%passed\d: i32", head)) for head in functions) == network.arguments
    assert len(vertices(lowered.module)) > len(functions)


@pytest.mark.parametrize("target", ["cpu", "vulkan"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_each_vertex_runs_at_its_own_place(network: Network, target: str) -> None:
    x = sample(network.shape)
    try:
        found = pyipu.compile(network.model(), target)(x)
    except TargetError as problem:
        skip_unless_ci(problem)
    for here, there in zip(found if isinstance(found, tuple) else [found], network.expected(x), strict=True):
        np.testing.assert_allclose(here, there, rtol=EXPONENTIALS)


THREE_CODELETS = Network(
    """(float[6, 8] x) => (float[6, 8] a, float[6, 8] b, float[8, 6] c) {
        a = Softmax<axis=0>(x)
        b = Softmax<axis=1>(x)
        c = Transpose<perm=[1, 0]>(x) }""",
    (6, 8),
    lambda x: [softmax(x, 0), softmax(x, 1), x.T],
    (0, 0, 0),
)


@pytest.mark.parametrize(("together", "executables"), [(None, 3), (1, 3), (2, 2), (32, 1)])
def test_codelets_share_few_executables(together: int | None, executables: int) -> None:
    target = replace(targets.get("cpu"), codelets_together=together)
    x = sample(THREE_CODELETS.shape)
    assert lower(THREE_CODELETS.model(), target).stream.count("stream.executable private") == executables
    found = pyipu.compile(THREE_CODELETS.model(), target)(x)
    for here, there in zip(found, THREE_CODELETS.expected(x), strict=True):
        np.testing.assert_allclose(here, there, rtol=EXPONENTIALS)
