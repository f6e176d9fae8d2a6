"""Where transposes end up: in small graphs, and in whole models; `tests/lit` has the IR."""

from __future__ import annotations

import numpy as np
import pytest
from iree.compiler import ir

import pyipu.dialect
from examples import zoo
from pyipu.importer import import_model
from pyipu.passes.layout import bytes_moved, computed_transposes
from pyipu.passes.session import Session
from tests.availability import skip_unless_ci
from tests.passes.graphs import inputs_of, interpret, ops, parsed, run

DRIVER = "ipu-canonicalize,ipu-layout,ipu-canonicalize"


def laid_out(text: str) -> list[str]:
    """The ops after the pass; the graph must compute what it did before."""
    module, session = parsed(text)
    inputs = inputs_of(module)
    before = interpret(module, session.parameters, inputs)
    run(module, session, "ipu-layout")
    for expected, found in zip(before, interpret(module, session.parameters, inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    return ops(module)


def test_scale_and_shift_of_channels_fold_behind_the_transpose(context: ir.Context) -> None:
    module, session = parsed("""func.func @main(%x: tensor<1x8x8x3xf32>) -> tensor<1x20x7x7xf32> {
      %w = "ipu.parameter"() {key = "w"} : () -> tensor<2x2x3x20xf32>
      %s = "ipu.parameter"() {key = "s"} : () -> tensor<20x1x1xf32>
      %b = "ipu.parameter"() {key = "b"} : () -> tensor<1x20x1x1xf32>
      %0 = "ipu.conv"(%x, %w) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64}
        : (tensor<1x8x8x3xf32>, tensor<2x2x3x20xf32>) -> tensor<1x7x7x20xf32>
      %1 = "ipu.transpose"(%0) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x7x7x20xf32>) -> tensor<1x20x7x7xf32>
      %2 = "ipu.add"(%1, %b) : (tensor<1x20x7x7xf32>, tensor<1x20x1x1xf32>) -> tensor<1x20x7x7xf32>
      %3 = "ipu.multiply"(%2, %s) : (tensor<1x20x7x7xf32>, tensor<20x1x1xf32>) -> tensor<1x20x7x7xf32>
      return %3 : tensor<1x20x7x7xf32> }""")
    run(module, session, DRIVER)
    assert ops(module) == ["conv", "add", "transpose"]


def test_rows_of_weights_are_permuted_for_a_whole_batch(context: ir.Context) -> None:
    assert laid_out("""func.func @main(%x: tensor<5x2x4x3xf32>) -> tensor<5x7xf32> {
      %w = "ipu.parameter"() {key = "w"} : () -> tensor<24x7xf32>
      %0 = "ipu.transpose"(%x) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<5x2x4x3xf32>) -> tensor<5x3x2x4xf32>
      %1 = "ipu.reshape"(%0) {shape = array<i64: 5, 24>} : (tensor<5x3x2x4xf32>) -> tensor<5x24xf32>
      %2 = "ipu.matmul"(%1, %w) : (tensor<5x24xf32>, tensor<24x7xf32>) -> tensor<5x7xf32>
      return %2 : tensor<5x7xf32> }""") == ["reshape", "matmul"]


def test_a_flatten_that_mixes_images_keeps_its_transpose(context: ir.Context) -> None:
    assert laid_out("""func.func @main(%x: tensor<4x2x3x6xf32>) -> tensor<2x7xf32> {
      %w = "ipu.parameter"() {key = "w"} : () -> tensor<72x7xf32>
      %0 = "ipu.transpose"(%x) {permutation = array<i64: 3, 0, 1, 2>} : (tensor<4x2x3x6xf32>) -> tensor<6x4x2x3xf32>
      %1 = "ipu.reshape"(%0) {shape = array<i64: 2, 72>} : (tensor<6x4x2x3xf32>) -> tensor<2x72xf32>
      %2 = "ipu.matmul"(%1, %w) : (tensor<2x72xf32>, tensor<72x7xf32>) -> tensor<2x7xf32>
      return %2 : tensor<2x7xf32> }""") == ["transpose", "reshape", "matmul"]


def test_a_known_matrix_multiplies_rows_in_any_order(context: ir.Context) -> None:
    assert laid_out("""func.func @main(%x: tensor<2x3x4xf32>) -> tensor<2x3x5xf32> {
      %w = "ipu.parameter"() {key = "w"} : () -> tensor<4x5xf32>
      %0 = "ipu.transpose"(%x) {permutation = array<i64: 1, 0, 2>} : (tensor<2x3x4xf32>) -> tensor<3x2x4xf32>
      %1 = "ipu.matmul"(%0, %w) : (tensor<3x2x4xf32>, tensor<4x5xf32>) -> tensor<3x2x5xf32>
      %2 = "ipu.transpose"(%1) {permutation = array<i64: 1, 0, 2>} : (tensor<3x2x5xf32>) -> tensor<2x3x5xf32>
      return %2 : tensor<2x3x5xf32> }""") == ["matmul"]


def test_views_are_not_handed_from_operand_to_operand(context: ir.Context) -> None:
    assert laid_out("""func.func @main(%x: tensor<1x1x1x3xf32>, %y: tensor<1x3x1x1xf32>) -> tensor<1x3x1x1xf32> {
      %0 = "ipu.reshape"(%x) {shape = array<i64: 1, 3, 1, 1>} : (tensor<1x1x1x3xf32>) -> tensor<1x3x1x1xf32>
      %1 = "ipu.add"(%0, %y) : (tensor<1x3x1x1xf32>, tensor<1x3x1x1xf32>) -> tensor<1x3x1x1xf32>
      return %1 : tensor<1x3x1x1xf32> }""") == ["reshape", "add"]


def test_padding_a_view_does_not_make_a_transpose_of_it(context: ir.Context) -> None:
    assert laid_out("""func.func @main(%x: tensor<1x3x1x1xf32>) -> tensor<1x2x2x3xf32> {
      %0 = "ipu.reshape"(%x) {shape = array<i64: 1, 1, 1, 3>} : (tensor<1x3x1x1xf32>) -> tensor<1x1x1x3xf32>
      %1 = "ipu.pad"(%0) {low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 0, 0, 0>,
        interior = array<i64: 0, 0, 0, 0>, value = 0.0 : f64} : (tensor<1x1x1x3xf32>) -> tensor<1x2x2x3xf32>
      return %1 : tensor<1x2x2x3xf32> }""") == ["reshape", "pad"]


# Computed transposes that are left: the image at the input; in ShuffleNet one more for each of its 16 shuffles.
TRANSPOSES_LEFT = {
    "alexnet": 1,
    "densenet121": 1,
    "inception_v1": 1,
    "inception_v2": 1,
    "resnet50": 1,
    "shufflenet": 1 + 16,
    "squeezenet": 1,
    "vgg19": 1,
    "zfnet512": 1,
    "text_detection": 1,
    "text_recognition": 1,
    "text_direction": 1,
    "magika": 0,
}


def imported(name: str) -> tuple[ir.Module, Session]:
    model = zoo.model(name)
    try:
        proto = model.load()
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)
    session = Session()
    return import_model(proto, pyipu.dialect.context(), session.parameters, model.shapes).module, session


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_how_many_transposes_a_model_keeps(name: str) -> None:
    module, session = imported(name)
    with module.context, ir.Location.unknown():
        before = bytes_moved(module)
        run(module, session, DRIVER)
        assert len(list(computed_transposes(module))) == TRANSPOSES_LEFT[name]
        assert bytes_moved(module) <= before


def test_batch_norms_vanish_from_resnet50() -> None:
    module, session = imported("resnet50")
    with module.context, ir.Location.unknown():
        run(module, session, DRIVER)
        assert ops(module).count("multiply") == 1  # of the average pooling
        assert session.remarks[0].message == ("a transpose of tensor<1x3x224x224xf32> stays: it is taken by ipu.pad")
