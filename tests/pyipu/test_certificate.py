"""The memory certificate says what lies where: its figures and members, read off small placed programs."""

from __future__ import annotations

import pytest
from iree.compiler import ir

import pyipu.dialect
from pyipu.certificate import memory_plan
from pyipu.dialect.definition import Op, complete
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops
from pyipu.plan import Buffer, Member, MemoryPlan
from tests.passes.graphs import run

_SQUARE, _TALL = "tensor<1x4x4xf32>", "tensor<1x8x4xf32>"


def certificate(text: str, recorded: str = "ipu-account") -> MemoryPlan:
    with pyipu.dialect.context(), ir.Location.unknown():
        module, session = ir.Module.parse(text), Session()
        for op in (op for op in all_ops(module) if isinstance(op, Op)):
            complete(op)
        run(module, session, ",".join(filter(None, ["ipu-fuse", recorded, "ipu-inplace,ipu-allocate"])))
        return memory_plan(module, session.parameters, code_bytes=7)


def softmax(result: str, source: str, name: str, type_: str = _SQUARE) -> str:
    return f'{result} = "ipu.softmax"({source}) {{axis = 1 : i64}} : ({type_}) -> {type_} loc("{name}")'


IN_PLACE = f"""
func.func @main(%x: {_SQUARE}) -> {_SQUARE} {{
  {softmax("%0", "%x", "first")}
  %1 = "ipu.relu"(%0) : ({_SQUARE}) -> {_SQUARE} loc("second")
  {softmax("%2", "%1", "third")}
  return %2 : {_SQUARE}
}}
"""

CONCAT = f"""
func.func @main(%x: {_SQUARE}) -> {_TALL} {{
  {softmax("%0", "%x", "top")}
  {softmax("%1", "%x", "bottom")}
  %2 = "ipu.concat"(%0, %1) {{axis = 1 : i64}} : ({_SQUARE}, {_SQUARE}) -> {_TALL} loc("both")
  {softmax("%3", "%2", "last", _TALL)}
  return %3 : {_TALL}
}}
"""

_SUM = f"{{axes = array<i64: 1>, keep = true}} : ({_SQUARE}) -> tensor<1x1x4xf32>"
_ADD = "(tensor<1x1x4xf32>, tensor<1x1x4xf32>) -> tensor<1x1x4xf32>"

BRANCHES = f"""
func.func @main(%x: {_SQUARE}) -> tensor<1x1x4xf32> {{
  {softmax("%0", "%x", "one")}
  {softmax("%1", "%x", "two")}
  {softmax("%2", "%x", "three")}
  %3 = "ipu.reduce_sum"(%0) {_SUM}
  %4 = "ipu.reduce_sum"(%1) {_SUM}
  %5 = "ipu.reduce_sum"(%2) {_SUM}
  %6 = "ipu.add"(%3, %4) : {_ADD}
  %7 = "ipu.add"(%6, %5) : {_ADD}
  return %7 : tensor<1x1x4xf32>
}}
"""

PADDED_COPY = f"""
func.func @main(%x: {_SQUARE}) -> {_TALL} {{
  %0 = "ipu.pad"(%x) {{low = array<i64: 0, 3, 0>, high = array<i64: 0, 1, 0>, interior = array<i64: 0, 0, 0>,
                       value = 0.0 : f64}} : ({_SQUARE}) -> {_TALL} loc("padded")
  {softmax("%1", "%0", "last", _TALL)}
  return %1 : {_TALL}
}}
"""


def test_a_value_in_place_of_another_shares_its_bytes():
    plan = certificate(IN_PLACE)
    members = (Member("first", 0), Member("second", 0, in_place_of="first"))
    assert plan.buffers == (Buffer("buffer_0", 64, 0, 0, 3, members),)


def test_a_concatenation_lies_where_its_parts_do():
    (buffer,) = certificate(CONCAT).buffers
    assert set(buffer.members) == {Member("top", 0), Member("bottom", 64), Member("both", 0)}
    assert (buffer.size, buffer.start, buffer.end) == (128, 0, 3)


def test_a_padding_is_named_by_its_node():
    (buffer,) = certificate(PADDED_COPY).buffers
    assert set(buffer.members) == {Member("padded", 0), Member("padded", 48)}


def test_the_figures_are_in_the_order_of_planning():
    plan = certificate(IN_PLACE, "ipu-account,ipu-account{stages=schedule}")
    assert plan.stages == (("sum", 128), ("reuse", 128), ("in-place", 64), ("schedule", 64), ("tile", 64))
    assert (plan.arena_bytes, plan.lower_bound, plan.proved_optimal) == (64, 64, True)
    assert (plan.result_bytes, plan.parameter_bytes, plan.code_bytes) == (64, 0, 7)


def test_the_certificate_says_how_the_order_was_chosen():
    assert certificate(IN_PLACE).order == "given"
    assert certificate(IN_PLACE, "ipu-schedule").order == "exact"


def test_an_order_without_a_proof_is_called_heuristic():
    assert certificate(BRANCHES, "ipu-schedule").order == "exact"
    assert certificate(BRANCHES, "ipu-schedule{tries=0}").order == "heuristic"


@pytest.mark.parametrize(("recorded", "stages"), [("", ["tile"]), ("ipu-account{stages=sum}", ["sum", "tile"])])
def test_a_stage_that_nobody_recorded_is_left_out(recorded: str, stages: list[str]):
    assert [name for name, _ in certificate(IN_PLACE, recorded).stages] == stages
