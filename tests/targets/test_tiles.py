"""Tiles divide their extents, fill registers and keep threads busy."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu import targets
from pyipu.dialect.types import Tensor
from pyipu.passes.planning.blocks import AVX512, Registers, channel_block, largest_divisor, pixel_tile
from pyipu.targets.codegen import device_attribute
from pyipu.targets.tiles import Processor, TiledNest, imbalance, registers_of

sizes = st.integers(1, 300)


def tiles(attribute: str) -> tuple[list[int], ...]:
    """Distribution, parallel and reduction tiles of an attribute."""
    names = ("distribution", "vector_common_parallel", "vector_reduction")
    found = [re.search(rf"{name} = \[([\d, ]*)\]", attribute) for name in names]
    return tuple([int(size) for size in match[1].split(",")] if match else [] for match in found)


def divide(extents: list[int], distribution: list[int], parallel: list[int], reduction: list[int]) -> bool:
    """Every tile but 0 divides the extent, and a tile of registers the part of a workgroup."""
    steps = [tile or extent for tile, extent in zip(distribution, extents, strict=True)]
    whole = all(extent % step == 0 for extent, step in zip(extents, steps, strict=True))
    registers = [parallel[i] or reduction[i] for i in range(len(extents))]
    return whole and all(step % tile == 0 for step, tile in zip(steps, registers, strict=True) if tile)


@given(height=sizes, width=sizes, filters=sizes, channels=sizes, window=st.integers(1, 11))
def test_convolution_tiles_divide(height: int, width: int, filters: int, channels: int, window: int) -> None:
    attribute = Processor().convolution(Tensor((1, height, width, filters), "f32"), (window, window), channels)
    assert bool(attribute) == (filters % 8 == 0)
    assert not attribute or divide([1, height, width, filters, window, window, channels], *tiles(attribute))


@given(height=sizes, width=sizes, channels=sizes, window=st.integers(1, 7))
def test_depthwise_tiles_divide(height: int, width: int, channels: int, window: int) -> None:
    attribute = Processor().depthwise(Tensor((1, height, width, channels), "f32"), (window, window))
    assert bool(attribute) == (channels % 4 == 0)
    assert not attribute or divide([1, height, width, channels, window, window], *tiles(attribute))


@given(rows=sizes, columns=sizes, channels=sizes)
def test_elementwise_tiles_divide(rows: int, columns: int, channels: int) -> None:
    """Prime numbers of channels are the code generator's, which has masks for what fills no vector."""
    shape = (1, rows, columns, channels)
    attribute = Processor().elementwise(Tensor(shape, "f32"))
    assert not attribute or divide(list(shape), *tiles(attribute))
    assert not attribute or tiles(attribute)[1][-1] >= 8


@pytest.mark.parametrize(("channels", "width"), [(256, 64), (68, 68), (136, 68), (144, 48), (8, 8), (97, 0), (3, 0)])
def test_elementwise_vectors_fill_registers(channels: int, width: int) -> None:
    attribute = Processor().elementwise(Tensor((1, 14, 14, channels), "f32"))
    assert tiles(attribute)[1][-1:] == ([width] if width else [])


def test_a_row_that_is_alone_is_left_to_the_code_generator() -> None:
    assert Processor().elementwise(Tensor((1, 1, 1, 1024), "f32")) == ""


@given(
    extents=st.lists(st.integers(2, 40), min_size=2, max_size=4),
    place=st.integers(0, 2),
    columns=st.sampled_from([8, 24, 32, 64]),
    depth=sizes,
)
def test_tiles_of_products_divide(extents: list[int], place: int, columns: int, depth: int) -> None:
    shape = (*extents, columns)
    attribute = Processor().products(Tensor(shape, "f32"), place % len(extents), depth)
    assert divide([*shape, depth], *tiles(attribute))


def test_products_leave_columns_that_fill_no_vector_to_iree() -> None:
    assert not Processor().products(Tensor((6, 128, 9), "f32"), 1, 64)


@given(
    rows=st.lists(sizes, max_size=1),
    blocks=sizes,
    gates=st.integers(1, 4),
    columns=sizes,
    depth=sizes,
    registers=st.sampled_from([AVX512, Registers(16, 8), Registers(32, 4)]),
)
def test_tiles_of_gates_leave_all_to_one_workgroup_and_fit_registers(
    rows: list[int], blocks: int, gates: int, columns: int, depth: int, registers: Registers
) -> None:
    extents = [*rows, blocks, gates, columns, depth]
    attribute = Processor(registers=registers).gates(Tensor(tuple(extents[:-1]), "f32"), depth, first=True)
    distribution, parallel, reduction = tiles(attribute)
    assert divide(extents, distribution, parallel, reduction)
    assert set(distribution) == {0}
    assert registers.hold(math.prod(parallel[:-2]), parallel[-2])


def test_only_the_first_product_of_a_step_names_the_pipeline() -> None:
    first, second = (Processor().gates(Tensor((8, 2, 32), "f32"), 256, first=first) for first in (True, False))
    assert "pipeline" in first and "pipeline" not in second
    assert tiles(first) == tiles(second)


@given(
    pixels=st.lists(st.integers(2, 120), max_size=3),
    blocks=st.lists(st.integers(2, 64), max_size=2),
    block=st.sampled_from([8, 16, 32]),
    depth=sizes,
)
def test_packed_matmul_tiles_divide(pixels: list[int], blocks: list[int], block: int, depth: int) -> None:
    extents = (*pixels, *blocks, block)
    attribute = Processor().packed_matmul(Tensor(extents, "f32"), len(pixels), depth)
    assert divide([*extents, depth], *tiles(attribute))


@given(outer=st.lists(st.integers(1, 60), max_size=3), groups=st.integers(1, 12), elements=sizes)
def test_interleaving_tiles_divide(outer: list[int], groups: int, elements: int) -> None:
    extents = [1, *outer, elements, groups]
    attribute = Processor().interleaving(Tensor(tuple(extents), "f32"))
    assert bool(attribute) == (groups <= 8)
    assert not attribute or divide(extents, *tiles(attribute))


@given(
    rows=st.lists(st.integers(2, 30), max_size=2),
    planes=st.sampled_from([16, 36]),
    pixels=st.integers(1, 60),
    blocks=st.integers(1, 32),
    depth=sizes,
)
def test_tiles_of_planes_divide(rows: list[int], planes: int, pixels: int, blocks: int, depth: int) -> None:
    extents = (*rows, planes, pixels, blocks, 32)
    attribute = Processor().planes(Tensor(extents, "f32"), depth)
    assert divide([*extents, depth], *tiles(attribute))


def test_a_workgroup_keeps_the_matrices_of_its_planes() -> None:
    distribution, *_ = tiles(Processor().planes(Tensor((4, 16, 4, 16, 32), "f32"), 512))
    _, together, _, columns, *_ = distribution
    assert 4 * together * columns * 512 * 32 == 2**19


def test_tiles_of_few_rows_are_shared_out_once() -> None:
    assert [Processor().tiles_together(rows, 14) for rows in (1, 2, 4)] == [7, 7, 7]


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 16])
def test_every_thread_gets_about_four_workgroups(threads: int) -> None:
    found: list[TiledNest] = []
    targets.get("cpu").tiles.for_threads(threads).noting(found.append).packed_matmul(
        Tensor((48, 56, 4, 32), "f32"), 2, 64
    )
    shares = zip(found[0].extents, found[0].tiling.distribution, strict=True)
    count = math.prod(size // share for size, share in shares if share)
    assert 3 * threads <= count <= 5 * threads
    assert imbalance(count, threads) == 1


def test_a_product_with_one_row_reads_its_weights_in_order() -> None:
    assert tiles(Processor().packed_matmul(Tensor((128, 32), "f32"), 0, 4096)) == ([16, 0, 0], [1, 32, 0], [0, 0, 1])


def test_other_element_types_are_left_to_iree() -> None:
    processor = Processor()
    assert processor.convolution(Tensor((1, 8, 8, 32), "f64"), (3, 3), 8) == ""
    assert processor.depthwise(Tensor((1, 8, 8, 32), "f16"), (3, 3)) == ""
    assert processor.packed_matmul(Tensor((8, 8, 32), "i32"), 2, 8) == ""


@pytest.mark.parametrize(("name", "tiled"), [("cpu", True), ("vulkan", False), ("cuda", False), ("null", False)])
def test_a_target_says_whether_it_tiles(name: str, tiled: bool) -> None:
    assert bool(targets.get(name).tiles.convolution(Tensor((1, 8, 8, 32), "f32"), (3, 3), 8)) == tiled


@pytest.mark.parametrize(
    ("pixels", "block", "tile"), [(56, 32, 8), (28, 32, 7), (13, 32, 13), (55, 16, 11), (17, 16, 17), (46, 16, 23)]
)
def test_pixel_tiles_as_measured(pixels: int, block: int, tile: int) -> None:
    assert pixel_tile(pixels, block) == tile


@pytest.mark.parametrize(("channels", "pixels", "block"), [(256, 56, 32), (48, 56, 16), (24, 56, 8), (28, 56, 0)])
def test_channel_blocks_as_measured(channels: int, pixels: int, block: int) -> None:
    assert channel_block(channels, pixels) == block


def test_rows_that_only_a_wide_tile_divides_take_fewer_channels() -> None:
    assert channel_block(64, 17) == 16


@given(number=sizes, most=st.integers(1, 40))
def test_largest_divisor(number: int, most: int) -> None:
    divisor = largest_divisor(number, most)
    assert divisor <= most and number % divisor == 0
    assert all(number % larger for larger in range(divisor + 1, most + 1))


def test_workgroups_are_handed_out_in_eights_when_they_are_many() -> None:
    assert [imbalance(count, 2) for count in (2, 8, 7, 16)] == [1, 1, 8 / 7, 1]
    assert math.isclose(imbalance(24, 2), 4 / 3)


@pytest.mark.parametrize(
    ("options", "registers"),
    [
        ({"cpu": "znver4"}, AVX512),
        ({"cpu": "x86-64-v3"}, Registers(16, 8)),
        ({"cpu": "cortex-a72", "triple": "aarch64-linux-gnu"}, Registers(32, 4)),
    ],
)
def test_registers_are_as_iree_describes_the_processor(options: dict[str, str], registers: Registers) -> None:
    device = device_attribute(targets.get("cpu").with_options(**options))
    assert registers_of(device) == registers
    assert Processor().described(device) == Processor(registers=registers)


@given(pixels=sizes, columns=st.sampled_from([8, 16, 32]), lanes=st.sampled_from([4, 8, 16]), count=st.integers(8, 32))
def test_pixel_tiles_are_held_by_the_registers(pixels: int, columns: int, lanes: int, count: int) -> None:
    registers = Registers(count, lanes)
    tile = pixel_tile(pixels, columns, registers)
    assert pixels % tile == 0
    assert tile == 1 or registers.hold(tile, columns)


@given(width=sizes, lanes=st.sampled_from([4, 8, 16]), count=st.integers(8, 32))
def test_tiles_of_convolutions_are_held_by_the_registers(width: int, lanes: int, count: int) -> None:
    registers = Registers(count, lanes)
    attribute = Processor(registers=registers).convolution(Tensor((1, 8, width, 64), "f32"), (3, 3), 32)
    *_, pixels, columns = tiles(attribute)[1][:4]
    assert pixels == 1 or registers.hold(pixels, columns)


@pytest.mark.parametrize(("lanes", "count", "tile"), [(16, 32, (7, 32)), (8, 16, (7, 16)), (4, 32, (7, 8))])
def test_packed_products_take_two_vectors_of_columns(lanes: int, count: int, tile: tuple[int, int]) -> None:
    found: list[TiledNest] = []
    processor = Processor(registers=Registers(count, lanes)).noting(found.append)
    processor.packed_matmul(Tensor((14, 14, 8, 32), "f32"), 2, 256)
    assert (found[0].tiling.parallel[1], found[0].tiling.parallel[3]) == tile


def test_a_product_with_one_row_takes_whole_lines_of_weights_on_every_processor() -> None:
    attribute = Processor(registers=Registers(16, 8)).packed_matmul(Tensor((128, 32), "f32"), 0, 4096)
    assert tiles(attribute) == ([16, 0, 0], [1, 32, 0], [0, 0, 1])
