"""plan.json: what is written is what is read, and nothing else is accepted."""

import dataclasses
import json

import numpy as np
import pytest

from pyipu.errors import Error
from pyipu.plan import Buffer, Member, MemoryPlan, Plan, TensorDescription

BUFFERS = (
    Buffer("buffer_0", 4096, 0, 0, 3, (Member("conv", 0), Member("relu", 0, in_place_of="conv"))),
    Buffer("buffer_1", 64, 4096, 1, 2),
)
STAGES = (("sum", 8192), ("reuse", 6000), ("tile", 4096))
PLAN = Plan(
    target="cpu",
    function="main",
    inputs=(TensorDescription("x", (1, 3, 224, 224), np.dtype("float32")),),
    outputs=(TensorDescription("y", (), np.dtype("bfloat16")), TensorDescription("mask", (2, 0), np.dtype("bool"))),
    memory=MemoryPlan(4096, 4000, False, STAGES, 2, 100, 70, BUFFERS, "exact"),
    threads=2,
    options=(("cpu", "znver4"),),
)


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(PLAN.to_json()), **fields})


@pytest.mark.parametrize("plan", [PLAN, dataclasses.replace(PLAN, threads=None, options=(), inputs=())])
def test_json_gives_back_the_plan(plan):
    assert Plan.from_json(plan.to_json()) == plan


def test_json_is_plain():
    fields = json.loads(PLAN.to_json())
    assert fields["outputs"][0] == {"name": "y", "shape": [], "dtype": "bfloat16"}
    assert fields["memory"]["stages"][1] == ["reuse", 6000]
    assert fields["memory"]["buffers"][0]["members"][1] == {"name": "relu", "offset": 0, "in_place_of": "conv"}


@pytest.mark.parametrize(("shape", "dtype", "size"), [((2, 3), "f4", 24), ((), "f8", 8), ((4, 0), "i8", 0)])
def test_the_size_of_a_tensor_is_in_bytes(shape, dtype, size):
    assert TensorDescription("x", shape, np.dtype(dtype)).size == size


def test_a_tensor_reads_like_its_declaration():
    assert str(PLAN.inputs[0]) == "x: float32[1, 3, 224, 224]"


def test_another_version_is_refused():
    with pytest.raises(Error, match=r"format version 99, and this pyipu reads version 3; compile the model again"):
        Plan.from_json(changed(version=99))


def test_a_plan_without_its_stages_is_refused():
    memory = json.loads(PLAN.to_json())["memory"]
    del memory["stages"]
    with pytest.raises(Error, match="the plan is damaged"):
        Plan.from_json(changed(memory=memory))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "not json", changed(memory=None), changed(inputs=[{"name": "x"}]), changed(colour="red"),
     changed(outputs=[{"name": "y", "shape": [1], "dtype": "float33"}])],
)  # fmt: skip
def test_a_damaged_plan_is_refused(text):
    with pytest.raises(Error, match="the plan is damaged"):
        Plan.from_json(text)
