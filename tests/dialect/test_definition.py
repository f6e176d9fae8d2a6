"""Declarations: what an op class derives from its annotations, and how a broken op is refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from iree.compiler import ir

import pyipu.dialect
from pyipu.dialect import OPS, Op
from pyipu.dialect.elementwise import Add, Clip, LeakyRelu, Relu
from pyipu.dialect.movement import Concat, Reshape
from pyipu.dialect.program import Allocate, Constant, Parameter
from pyipu.dialect.types import Buffer, Ref, Tensor, mlir_type, parse_type
from pyipu.errors import VerificationError
from pyipu.passes.verifier import verify


@pytest.fixture
def block(context: ir.Context) -> Iterator[ir.Block]:
    """A block with the arguments tensor<2x3xf32> and tensor<3xi64>, and the insertion point at its end."""
    module = ir.Module.parse("func.func @main(%x: tensor<2x3xf32>, %y: tensor<3xi64>) { return }", context)
    block = module.body.operations[0].regions[0].blocks[0]
    with ir.InsertionPoint.at_block_begin(block):
        yield block


def test_class_knows_operands_attributes_and_defaults() -> None:
    assert (Add.OPERANDS, Add.VARIADIC) == (("left", "right"), False)
    assert (Concat.OPERANDS, Concat.VARIADIC) == (("inputs",), True)
    assert list(LeakyRelu.KINDS) == ["slope"]
    assert LeakyRelu.DEFAULTS == {"slope": 0.01}
    assert frozenset({"offset"}) == Allocate.OPTIONAL


def test_created_op_has_inferred_type_and_its_values(block: ir.Block) -> None:
    op = Reshape.create(block.arguments[0], shape=(3, 2))
    assert str(op.result.type) == "tensor<3x2xf32>"
    assert op.values == {"shape": (3, 2)}
    assert [parse_type(value.type) for value in op.operands] == [Tensor((2, 3), "f32")]


def test_default_is_written_and_optional_left_out(block: ir.Block) -> None:
    assert LeakyRelu.create(block.arguments[0]).slope == 0.01
    allocation = Allocate.create(space="arena", size=64)
    assert allocation.offset is None
    assert "offset" not in str(allocation)


def test_location_is_the_given_one(block: ir.Block) -> None:
    op = Relu.create(block.arguments[0], location=ir.Location.name("conv1"))
    assert str(op.location) == 'loc("conv1")'


def test_parsed_op_is_an_instance_of_its_class(context: ir.Context) -> None:
    text = 'func.func @f(%x: tensor<2xf32>) { %0 = "ipu.relu"(%x) : (tensor<2xf32>) -> tensor<2xf32> return }'
    module = ir.Module.parse(text, context)
    assert type(module.body.operations[0].regions[0].blocks[0].operations[0]) is Relu


def test_unknown_or_missing_attribute_is_refused(block: ir.Block) -> None:
    with pytest.raises(TypeError, match=r"ipu\.clip takes the attributes \['high', 'low'\], got \['low'\]"):
        Clip.create(block.arguments[0], low=0.0)
    with pytest.raises(TypeError, match="got \\['axis'\\]"):
        Relu.create(block.arguments[0], axis=1)


def test_operands_that_do_not_fit_are_refused(block: ir.Block) -> None:
    with pytest.raises(ValueError, match="one element type"):
        Add.create(*block.arguments)
    with pytest.raises(ValueError, match=r"expects 2 operands \(left, right\), got 1"):
        Add.create(block.arguments[0])


def test_check_refuses_a_wrong_result_type(block: ir.Block) -> None:
    x = block.arguments[0]
    broken = ir.Operation.create("ipu.relu", results=[ir.Type.parse("tensor<2xf32>")], operands=[x]).opview
    with pytest.raises(VerificationError, match="should have the result type tensor<2x3xf32>"):
        broken.check()


def test_check_refuses_a_missing_attribute(block: ir.Block) -> None:
    x = block.arguments[0]
    broken = ir.Operation.create("ipu.leaky_relu", results=[x.type], operands=[x]).opview
    with pytest.raises(VerificationError, match="lacks the attribute 'slope'"):
        broken.check()


def test_result_types_that_are_given_are_kept(block: ir.Block) -> None:
    given = Ref(Tensor((2,), "f32"))
    assert parse_type(Parameter.create(key="w", results=[given]).result.type) == given


def test_constant_of_zero_dimensions(block: ir.Block) -> None:
    op = Constant.create(value=np.array(2.5, np.float32))
    assert str(op.result.type) == "tensor<f32>"
    assert op.value == np.float32(2.5)


@pytest.mark.parametrize("type_", [Tensor((), "i1"), Tensor((1, 2), "ui8"), Ref(Tensor((3,), "bf16")), Buffer()])
def test_type_survives_mlir(context: ir.Context, type_: Tensor | Ref | Buffer) -> None:
    assert parse_type(mlir_type(type_)) == type_


@pytest.mark.parametrize("text", ["tensor<?xf32>", "tensor<*xf32>", "f32", "tensor<2xcomplex<f32>>", "tensor<2xi5>"])
def test_other_types_are_refused(context: ir.Context, text: str) -> None:
    with pytest.raises(ValueError, match="is not a tensor type of static shape"):
        parse_type(ir.Type.parse(text))


def test_types_of_one_context_are_not_taken_for_those_of_another(context: ir.Context) -> None:
    here = mlir_type(Tensor((3,), "f32"))
    with pyipu.dialect.context() as other:
        there = mlir_type(Tensor((3,), "f32"))
        assert there.context is other and parse_type(there) == parse_type(here)
    assert mlir_type(Tensor((3,), "f32")) == here


@pytest.mark.parametrize("op", OPS.values(), ids=OPS.keys())
def test_every_op_is_described_in_one_sentence(op: type[Op]) -> None:
    assert (op.__doc__ or "").split("\n")[0].rstrip().endswith((".", ":", ")"))


def test_a_module_is_verified_without_a_current_context() -> None:
    with pyipu.dialect.context(), ir.Location.unknown():
        module = ir.Module.parse("func.func @main(%x: tensor<2x3xf32>) { return }")
        block = module.body.operations[0].regions[0].blocks[0]
        with ir.InsertionPoint.at_block_begin(block):
            Concat.create(block.arguments[0], block.arguments[0], axis=0)
    verify(module)
