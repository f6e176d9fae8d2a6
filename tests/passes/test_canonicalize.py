"""What canonicalisation makes of small graphs, and what it says where it declines; `tests/lit` has the IR."""

from __future__ import annotations

import numpy as np
import pytest
from iree.compiler import ir

from pyipu.passes.canonicalize import Canonicalize
from pyipu.passes.session import Session
from tests.passes.graphs import inputs_of, interpret, ops, parsed, run

CONV = "{strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}"


def canonical(text: str) -> tuple[ir.Module, Session]:
    """The module after the pass, which must compute what it did before, and the session."""
    module, session = parsed(text)
    inputs = inputs_of(module)
    before = interpret(module, session.parameters, inputs)
    run(module, session, Canonicalize.NAME)
    for expected, found in zip(before, interpret(module, session.parameters, inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    return module, session


def scaled(contraction: str, scale: str, result: str = "1x4x4x32xf32", users: str = "%1", types: str = "") -> str:
    """A function that multiplies the contraction `%0` of %x and %w by the parameter %s of type `scale`."""
    types = types or f"tensor<{result}>"
    return f"""func.func @main(%x: tensor<1x5x5x8xf32>, %y: tensor<2x2x8x32xf32>) -> ({types}) {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<2x2x8x32xf32>
      %s = "ipu.parameter"() {{key = "s"}} : () -> tensor<{scale}>
      %0 = {contraction} {CONV} : (tensor<1x5x5x8xf32>, tensor<2x2x8x32xf32>) -> tensor<1x4x4x32xf32>
      %1 = "ipu.multiply"(%0, %s) : (tensor<1x4x4x32xf32>, tensor<{scale}>) -> tensor<{result}>
      return {users} : {types} }}"""


KNOWN_WEIGHTS = '"ipu.conv"(%x, %w)'


@pytest.mark.parametrize("scale", ["32xf32", "1x1x1x32xf32", "1xf32", "f32"])
def test_a_scale_along_the_filters_goes_into_the_weights(context: ir.Context, scale: str) -> None:
    module, session = canonical(scaled(KNOWN_WEIGHTS, scale))
    assert ops(module) == ["conv"]
    assert session.remarks == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (scaled('"ipu.conv"(%x, %y)', "32xf32"), "the conv before this scale has weights that are not known"),
        (
            scaled(KNOWN_WEIGHTS, "32xf32", users="%0, %1", types="tensor<1x4x4x32xf32>, tensor<1x4x4x32xf32>"),
            "the conv before this scale has other users",
        ),
        (scaled(KNOWN_WEIGHTS, "4x1xf32"), "the conv before this scale has filters, and the scale runs along another"),
        (scaled(KNOWN_WEIGHTS, "2x1x1x1x1xf32", "2x1x4x4x32xf32"), "runs along another dimension"),
    ],
    ids=["computed weights", "other users", "another dimension", "repeated"],
)
def test_a_scale_that_stays_says_why(context: ir.Context, text: str, reason: str) -> None:
    module, session = canonical(text)
    assert ops(module) == ["conv", "multiply"]
    assert [remark.source for remark in session.remarks] == [Canonicalize.NAME]
    assert reason in session.remarks[0].message


def test_weights_without_values_fold_because_that_is_put_off(context: ir.Context) -> None:
    module, session = ir.Module.parse(scaled(KNOWN_WEIGHTS, "32xf32")), Session()
    session.parameters.declare("w", (2, 2, 8, 32), np.float32)
    session.parameters.declare("s", (32,), np.float32)
    run(module, session, Canonicalize.NAME)
    assert ops(module) == ["conv"]


@pytest.mark.parametrize("equation", ["nyxc,cf->nyxf", "nyxc,fc->nyxf", "nyxc,cijf->nyixjf"])
def test_an_einsum_takes_a_scale_of_its_last_letter(context: ir.Context, equation: str) -> None:
    sizes = {"n": 1, "y": 3, "x": 2, "c": 4, "f": 20, "i": 2, "j": 2}
    weights, out = ("x".join(str(sizes[letter]) for letter in part) for part in equation.split(",")[1].split("->"))
    module, _ = canonical(f"""func.func @main(%x: tensor<1x3x2x4xf32>) -> tensor<{out}xf32> {{
      %w = "ipu.parameter"() {{key = "w"}} : () -> tensor<{weights}xf32>
      %s = "ipu.parameter"() {{key = "s"}} : () -> tensor<20xf32>
      %0 = "ipu.einsum"(%x, %w) {{equation = "{equation}"}} : (tensor<1x3x2x4xf32>, tensor<{weights}xf32>)
        -> tensor<{out}xf32>
      %1 = "ipu.multiply"(%0, %s) : (tensor<{out}xf32>, tensor<20xf32>) -> tensor<{out}xf32>
      return %1 : tensor<{out}xf32> }}""")
    assert ops(module) == ["einsum"]


def test_scales_and_shifts_become_one_of_each(context: ir.Context) -> None:
    module, _ = canonical("""func.func @main(%x: tensor<3x20xf32>) -> tensor<3x20xf32> {
      %a = "ipu.parameter"() {key = "a"} : () -> tensor<20xf32>
      %b = "ipu.parameter"() {key = "b"} : () -> tensor<20xf32>
      %0 = "ipu.divide"(%x, %a) : (tensor<3x20xf32>, tensor<20xf32>) -> tensor<3x20xf32>
      %1 = "ipu.subtract"(%0, %b) : (tensor<3x20xf32>, tensor<20xf32>) -> tensor<3x20xf32>
      %2 = "ipu.multiply"(%b, %1) : (tensor<20xf32>, tensor<3x20xf32>) -> tensor<3x20xf32>
      %3 = "ipu.add"(%2, %a) : (tensor<3x20xf32>, tensor<20xf32>) -> tensor<3x20xf32>
      return %3 : tensor<3x20xf32> }""")
    assert ops(module) == ["multiply", "add"]


def test_known_tensors_are_not_combined_into_a_larger_one(context: ir.Context) -> None:
    module, _ = canonical("""func.func @main(%x: tensor<30x20xf32>) -> tensor<30x20xf32> {
      %a = "ipu.parameter"() {key = "a"} : () -> tensor<20xf32>
      %b = "ipu.parameter"() {key = "b"} : () -> tensor<30x1xf32>
      %0 = "ipu.add"(%x, %a) : (tensor<30x20xf32>, tensor<20xf32>) -> tensor<30x20xf32>
      %1 = "ipu.add"(%0, %b) : (tensor<30x20xf32>, tensor<30x1xf32>) -> tensor<30x20xf32>
      return %1 : tensor<30x20xf32> }""")
    assert ops(module) == ["add", "add"]


def test_a_known_tensor_is_not_stored_repeated(context: ir.Context) -> None:
    module, session = canonical("""func.func @main(%x: tensor<30x20xf32>) -> tensor<30x20xf32> {
      %a = "ipu.parameter"() {key = "a"} : () -> tensor<20xf32>
      %0 = "ipu.broadcast"(%a) {shape = array<i64: 30, 20>} : (tensor<20xf32>) -> tensor<30x20xf32>
      %1 = "ipu.maximum"(%0, %x) : (tensor<30x20xf32>, tensor<30x20xf32>) -> tensor<30x20xf32>
      return %1 : tensor<30x20xf32> }""")
    assert ops(module) == ["maximum"]
    assert list(session.parameters) == ["a"]


def test_integers_keep_their_division(context: ir.Context) -> None:
    module, _ = canonical("""func.func @main(%x: tensor<4xi32>) -> tensor<4xi32> {
      %a = "ipu.constant"() {value = dense<3> : tensor<i32>} : () -> tensor<i32>
      %0 = "ipu.cast"(%x) {dtype = "i32"} : (tensor<4xi32>) -> tensor<4xi32>
      %1 = "ipu.divide"(%0, %a) : (tensor<4xi32>, tensor<i32>) -> tensor<4xi32>
      return %1 : tensor<4xi32> }""")
    assert ops(module) == ["divide"]


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ("dense<[1, 3, 5]> : tensor<3xi64>", ["slice"]),
        ("dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi64>", []),
        ("dense<-1> : tensor<i64>", ["slice", "reshape"]),
        ("dense<[3, 1]> : tensor<2xi64>", ["gather"]),
        ("dense<[2, 2]> : tensor<2xi64>", ["gather"]),
    ],
)
def test_known_indices_at_one_distance_are_a_slice(context: ir.Context, indices: str, expected: list[str]) -> None:
    shape = indices.partition("tensor<")[2].removesuffix("i64>")
    module, _ = canonical(f"""func.func @main(%x: tensor<2x6xf32>) -> tensor<2x{shape}f32> {{
      %i = "ipu.constant"() {{value = {indices}}} : () -> tensor<{shape}i64>
      %0 = "ipu.gather"(%x, %i) {{axis = 1 : i64}} : (tensor<2x6xf32>, tensor<{shape}i64>) -> tensor<2x{shape}f32>
      return %0 : tensor<2x{shape}f32> }}""")
    assert ops(module) == expected


def test_equal_constants_are_one_and_unequal_ones_are_not(context: ir.Context) -> None:
    module, _ = canonical("""func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
      %a = "ipu.constant"() {value = dense<3.0> : tensor<2xf32>} : () -> tensor<2xf32>
      %b = "ipu.constant"() {value = dense<3.0> : tensor<2xf32>} : () -> tensor<2xf32>
      %c = "ipu.constant"() {value = dense<4.0> : tensor<2xf32>} : () -> tensor<2xf32>
      %0 = "ipu.add"(%x, %a) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      %1 = "ipu.add"(%x, %b) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      %2 = "ipu.add"(%x, %c) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      return %0, %1, %2 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32> }""")
    assert ops(module) == ["add", "add"]


def one_hot(ramp: str) -> str:
    return f"""func.func @main(%x: tensor<2x3xi64>) -> tensor<2x3x5xf32> {{
      %table = "ipu.parameter"() {{key = "table"}} : () -> tensor<4x5xf32>
      %ramp = "ipu.constant"() {{value = dense<{ramp}> : tensor<1x1x4xi64>}} : () -> tensor<1x1x4xi64>
      %0 = "ipu.reshape"(%x) {{shape = array<i64: 2, 3, 1>}} : (tensor<2x3xi64>) -> tensor<2x3x1xi64>
      %1 = "ipu.equal"(%0, %ramp) : (tensor<2x3x1xi64>, tensor<1x1x4xi64>) -> tensor<2x3x4xi1>
      %2 = "ipu.cast"(%1) {{dtype = "f32"}} : (tensor<2x3x4xi1>) -> tensor<2x3x4xf32>
      %3 = "ipu.matmul"(%2, %table) : (tensor<2x3x4xf32>, tensor<4x5xf32>) -> tensor<2x3x5xf32>
      return %3 : tensor<2x3x5xf32> }}"""


@pytest.mark.parametrize(("ramp", "last"), [("[[[0, 1, 2, 3]]]", "gather"), ("[[[0, 1, 2, 4]]]", "matmul")])
def test_rows_are_looked_up_instead_of_multiplied(context: ir.Context, ramp: str, last: str) -> None:
    module, session = parsed(one_hot(ramp))
    indices = np.array([[0, 3, 2], [-1, 4, 100]])  # the last three have a one-hot vector of zeros
    before = interpret(module, session.parameters, [indices])
    run(module, session, Canonicalize.NAME)
    assert ops(module)[-1] == last
    np.testing.assert_allclose(interpret(module, session.parameters, [indices])[0], before[0])
