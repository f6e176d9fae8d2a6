"""Depthwise convolutions of integers are loops over vectors where the processor multiplies four bytes at once."""

from __future__ import annotations

import re

import pytest
from iree.compiler import ir

from pyipu.dialect.program import Execute
from pyipu.dialect.tiles import Tiles
from pyipu.passes.functions import codelets
from pyipu.passes.verifier import all_ops
from pyipu.targets.binding import Interface
from pyipu.targets.executable import Function, emit_function
from pyipu.targets.tiles import Processor
from tests.passes.graphs import parsed, run

VNNI = Processor(features=frozenset({"avx512vnni"}))


def convolution(tiles: Tiles, channels: int = 32, width: int = 30, window: int = 3) -> Function:
    """The executable of a convolution of each channel, of images of 16 rows."""
    data, weights = f"tensor<1x16x{width}x{channels}xui8>", f"tensor<{window}x{window}x1x{channels}xi8>"
    result = f"tensor<1x{17 - window}x{width + 1 - window}x{channels}xi32>"
    steps = f"strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = {channels} : i64"
    module, session = parsed(
        f"""func.func @main(%x: {data}) -> {result} {{
          %w = "ipu.parameter"() {{key = "w"}} : () -> {weights}
          %0 = "ipu.conv"(%x, %w) {{{steps}}} : ({data}, {weights}) -> {result}
          return %0 : {result} }}"""
    )
    run(module, session, "ipu-fuse,ipu-inplace,ipu-allocate,ipu-outline")
    [last] = [op for op in all_ops(module) if isinstance(op, Execute)]
    return emit_function(last.codelet, Interface.of([last]), codelets(module)[last.codelet], tiles)


def test_three_rows_are_multiplied_at_once(context: ir.Context) -> None:
    """In two tiles of 14 pixels each column of the window is one instruction."""
    text = convolution(VNNI).text
    assert text.count("avx512.vpdpbusd.512") == 14 * 3 and "no_pipeline" in text


def test_a_window_of_five_rows_is_two_quads(context: ir.Context) -> None:
    assert convolution(VNNI, window=5).text.count("avx512.vpdpbusd.512") == 13 * 5 * 2


def test_what_is_left_of_a_row_is_a_tile_of_its_own(context: ir.Context) -> None:
    """29 pixels are two tiles of 10 and one of 9."""
    text = convolution(VNNI, width=31).text
    assert text.count("avx512.vpdpbusd.512") == (10 + 9) * 3


def test_eight_channels_are_half_a_vector(context: ir.Context) -> None:
    text = convolution(VNNI, channels=24).text
    assert "avx512.vpdpbusd.256" in text and "vpdpbusd.512" not in text


@pytest.mark.parametrize(("channels", "parts"), [(96, [1]), (640, [2, 5, 10])])
def test_workgroups_write_to_lines_of_their_own(context: ir.Context, channels: int, parts: list[int]) -> None:
    """Only channels that fill lines of 64 bytes are dealt out to workgroups."""
    function = convolution(VNNI, channels=channels, window=2)
    [count] = re.findall(r"%x = arith.constant (\d+)", function.workgroups)
    assert int(count) in parts


@pytest.mark.parametrize(("tiles", "channels"), [(Processor(), 32), (VNNI, 20), (Tiles(VNNI.features), 32)])
def test_others_are_left_to_the_code_generator(context: ir.Context, tiles: Tiles, channels: int) -> None:
    """Without the instruction, without full vectors, and for targets that want no loops."""
    text = convolution(tiles, channels=channels).text
    assert "linalg.generic" in text and "vpdpbusd" not in text
