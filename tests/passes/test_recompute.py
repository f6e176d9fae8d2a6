"""A small network that keeps an upsampled image for later: less memory, the same numbers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx

import pyipu
from examples.networks.builder import NetworkBuilder
from pyipu import targets
from pyipu.compiler import lower
from pyipu.targets.target import Stage, Target


def network() -> onnx.ModelProto:
    """An image is enlarged, reduced to one weight for each channel, and weighted with these."""
    network = NetworkBuilder("skip", seed=0)
    x = network.relu(network.conv(network.input("image", (1, 16, 32, 32), 16), 16, 3))
    scales = network.constant(np.array([1, 1, 2, 2], np.float32))
    steps = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    larger = network.node("Resize", x.name, "", scales, width=x.width, **steps)
    y = network.pool("MaxPool", network.relu(network.conv(larger, 16, 3)), 2, 2)
    y = network.relu(network.conv(network.relu(network.conv(y, 96, 3)), 96, 3))
    weights = network.conv(network.global_average_pool(y), 16, 1)
    return network.model(network.conv(network.multiply(larger, weights), 8, 1))


def without_recompute(target: Target) -> Target:
    stages = (Stage(one.name, re.sub(r",ipu-recompute\{[^}]*\}", "", one.pipeline)) for one in target.stages)
    return replace(target, stages=tuple(stages))


def test_an_upsampled_image_is_made_again_instead_of_kept():
    both = without_recompute(targets.CPU), targets.CPU
    kept, again = (pyipu.compile(network(), one, threads=2, winograd=0) for one in both)
    assert again.memory.arena_bytes < 0.85 * kept.memory.arena_bytes
    assert again.memory.proved_optimal
    image = np.random.default_rng(0).standard_normal((1, 16, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(again(image), kept(image))


def test_the_remark_names_the_node_and_both_peaks():
    remarks = [one for one in lower(network(), targets.CPU, winograd=0).remarks if one.source == "ipu-recompute"]
    assert [one.where for one in remarks if one.message.startswith("computed again")] == ["Resize_2"]
    assert re.search(r"the peak falls from 1099264 to 902656 bytes$", remarks[0].message)
