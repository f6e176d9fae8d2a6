"""Transpositions with few channels are loops over vectors, for every element type, and move what they should."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from iree.compiler import ir
from onnx import helper

import pyipu
from pyipu import targets
from pyipu.dialect.definition import Op, complete
from pyipu.dialect.program import Execute
from pyipu.dialect.tiles import Tiles
from pyipu.passes.functions import codelets
from pyipu.passes.planning.blocks import Registers
from pyipu.passes.verifier import all_ops
from pyipu.targets.binding import Interface
from pyipu.targets.executable import Function, emit_function
from pyipu.targets.tiles import Processor
from tests.availability import OLDER
from tests.passes.graphs import parsed, run


def transposition(tiles: Tiles, channels: int = 3, width: int = 40, dtype: str = "f32") -> Function:
    """The executable that makes an image of 8 rows channels-last, inside of a border of one pixel."""
    planes, pixels = f"tensor<1x{channels}x8x{width}x{dtype}>", f"tensor<1x8x{width}x{channels}x{dtype}>"
    padded = f"tensor<1x10x{width + 2}x{channels}x{dtype}>"
    border = "low = array<i64: 0, 1, 1, 0>, high = array<i64: 0, 1, 1, 0>, interior = array<i64: 0, 0, 0, 0>"
    return executable(
        f"""func.func @main(%x: {planes}) -> {padded} {{
          %0 = "ipu.transpose"(%x) {{permutation = array<i64: 0, 2, 3, 1>}} : ({planes}) -> {pixels}
          %1 = "ipu.pad"(%0) {{{border}, value = 0.0 : f64}} : ({pixels}) -> {padded}
          return %1 : {padded} }}""",
        tiles,
    )


def executable(text: str, tiles: Tiles, stages: str = "ipu-fuse") -> Function:
    """That of the only transposition of a graph."""
    module, session = parsed(text)
    for op in (op for op in all_ops(module) if isinstance(op, Op)):
        complete(op)
    run(module, session, f"{stages},ipu-inplace,ipu-allocate,ipu-outline")
    [last] = [op for op in all_ops(module) if isinstance(op, Execute) and "transpose" in op.codelet]
    return emit_function(last.codelet, Interface.of([last]), codelets(module)[last.codelet], tiles)


def test_the_pixels_of_three_planes_become_neighbours(context: ir.Context) -> None:
    """Each of three vectors that are stored takes two shuffles; they go inside of the border."""
    text = transposition(Processor()).text
    counts = [text.count(f"vector.{word}") for word in ("load", "shuffle", "store")]
    assert counts == [3, 6, 3] and "no_pipeline" in text
    assert f"memref<{10 * 42 * 3}xf32>, vector<16xf32>" in text


@pytest.mark.parametrize(
    ("dtype", "width", "lanes"), [("f32", 40, 16), ("f16", 40, 32), ("ui8", 70, 64), ("i64", 40, 8)]
)
def test_vectors_fill_registers(context: ir.Context, dtype: str, width: int, lanes: int) -> None:
    text = transposition(Processor(), width=width, dtype=dtype).text
    assert set(re.findall(r"vector.store .*vector<(\d+)x", text)) == {str(lanes)}


def test_registers_of_the_processor_are_filled(context: ir.Context) -> None:
    assert "vector<8xf32>" in transposition(Processor(registers=Registers(16, 8))).text


@pytest.mark.parametrize(("width", "earlier"), [(41, True), (48, False)])
def test_the_last_vector_of_a_row_starts_earlier(context: ir.Context, width: int, earlier: bool) -> None:
    assert ("arith.minui" in transposition(Processor(), width=width).text) == earlier


def test_numbers_are_rounded_before_they_are_shuffled(context: ir.Context) -> None:
    planes, pixels = "tensor<1x3x8x40xf32>", "tensor<1x8x40x3xf32>"
    function = executable(
        f"""func.func @main(%x: {planes}) -> {pixels} {{
          %0 = "ipu.transpose"(%x) {{permutation = array<i64: 0, 2, 3, 1>}} : ({planes}) -> {pixels}
          %1 = "ipu.softmax"(%0) {{axis = 3 : i64}} : ({pixels}) -> {pixels}
          return %1 : {pixels} }}""",
        Processor(),
        "ipu-fuse,ipu-storage{type=bf16}",
    )
    assert function.text.count("arith.truncf") == 3 and "vector<16xbf16>, vector<16xbf16>" in function.text


def test_workgroups_are_shared_out(context: ir.Context) -> None:
    assert re.findall(r"%[xyz] = arith.constant (\d+)", transposition(Processor()).workgroups) == ["1", "8", "1"]


@pytest.mark.parametrize(
    ("tiles", "options"),
    [
        (Tiles(), {}),
        (Processor(), {"dtype": "i1"}),
        (Processor(), {"channels": 3, "width": 3}),
        (Processor(), {"channels": 16, "width": 48}),
    ],
    ids=["a target that wants no loops", "truth values", "short rows", "squares that divide the sides"],
)
def test_others_are_left_to_the_code_generator(
    context: ir.Context, tiles: Tiles, options: dict[str, str | int]
) -> None:
    text = transposition(tiles, **options).text
    assert "linalg.generic" in text and "vector.shuffle" not in text


SHAPES = [
    *(((2, channels, 5, 19 + channels), [0, 2, 3, 1]) for channels in range(1, 9)),
    *(((1, 5, 19 + channels, channels), [0, 3, 1, 2]) for channels in range(2, 9)),
    ((1, 3, 227, 2), [0, 2, 3, 1]),
    ((1, 12, 7, 7), [0, 2, 3, 1]),
    ((99, 130), [1, 0]),
    ((5, 6, 7, 9), [3, 2, 1, 0]),
]
"""Of images channels-first and channels-last, and of matrices."""


def network(dtype: np.dtype, padded: bool) -> onnx.ModelProto:
    """Transposes inputs of all shapes; behind that each may get a border of zeros."""
    kind, nodes, inputs, outputs, constants = helper.np_dtype_to_tensor_dtype(dtype), [], [], [], []
    for number, (shape, permutation) in enumerate(SHAPES):
        names = [f"{word}{number}" for word in "xtyp"]
        nodes.append(helper.make_node("Transpose", names[:1], names[1:2], perm=permutation))
        nodes.append(helper.make_node("Pad", [names[1], names[3]], [names[2]]))
        ends = np.full(2 * len(shape), int(padded))
        constants.append(onnx.numpy_helper.from_array(ends, names[3]))
        inputs.append(helper.make_tensor_value_info(names[0], kind, shape))
        outputs.append(helper.make_tensor_value_info(names[2], kind, [shape[i] + 2 * padded for i in permutation]))
    graph = helper.make_graph(nodes, "transpositions", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def check(dtype: str, padded: bool, target: targets.Target) -> None:
    compiled, generator = pyipu.compile(network(np.dtype(dtype), padded), target, threads=2), np.random.default_rng(0)
    most = 2 if dtype == "bool" else 100
    inputs = {f"x{i}": generator.integers(0, most, shape).astype(dtype) for i, (shape, _) in enumerate(SHAPES)}
    found = compiled.run(inputs)
    for number, (_, permutation) in enumerate(SHAPES):
        expected = np.pad(np.transpose(inputs[f"x{number}"], permutation), int(padded))
        np.testing.assert_array_equal(found[f"y{number}"], expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8", "int64", "bool"])
def test_elements_come_where_numpy_has_them(dtype: str) -> None:
    check(dtype, False, targets.get("cpu"))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_nothing_is_written_to_the_border(dtype: str) -> None:
    check(dtype, True, targets.get("cpu"))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_shorter_registers_move_the_same(dtype: str) -> None:
    check(dtype, True, targets.get("cpu").with_options(cpu=OLDER))
