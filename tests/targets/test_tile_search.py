"""Neighbours of a tiling leave no rest, fit into the registers, and differ in one respect."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyipu.dialect.types import Tensor
from pyipu.passes.planning.blocks import AVX512, Registers
from pyipu.targets.tile_search import neighbours
from pyipu.targets.tiles import Processor, TiledNest, Tiling, imbalance

sizes = st.integers(1, 120)
registers = st.sampled_from([AVX512, Registers(16, 8), Registers(32, 4)])


def nest_of(method: str, *arguments: object, described: Registers = AVX512) -> TiledNest:
    """What the target notes when it is asked for tiles."""
    noted: list[TiledNest] = []
    getattr(Processor(registers=described).noting(noted.append), method)(*arguments)
    (nest,) = noted
    return nest


def convolution(height: int, width: int, filters: int, channels: int, described: Registers = AVX512) -> TiledNest:
    return nest_of("convolution", Tensor((1, height, width, filters), "f32"), (3, 3), channels, described=described)


@given(height=sizes, width=sizes, blocks=st.integers(1, 16), channels=sizes, described=registers)
def test_neighbours_fit_and_are_others(
    height: int, width: int, blocks: int, channels: int, described: Registers
) -> None:
    nest = convolution(height, width, 8 * blocks, channels, described)
    found = neighbours(nest, described, 2)
    assert all(one.fits and one.extents == nest.extents for one in found)
    assert len(set(found)) == len(found) <= 10 and nest not in found


@given(pixels=st.integers(2, 200), blocks=st.integers(2, 64), depth=sizes, described=registers)
def test_new_register_tiles_are_held_by_the_registers(
    pixels: int, blocks: int, depth: int, described: Registers
) -> None:
    nest = nest_of("packed_matmul", Tensor((pixels, blocks, 32), "f32"), 1, depth, described=described)
    changed = [
        one.tiling.parallel for one in neighbours(nest, described, 2) if one.tiling.parallel != nest.tiling.parallel
    ]
    assert all(described.hold(tile, columns) for tile, _, columns, _ in changed)


def respects(one: Tiling, other: Tiling) -> int:
    """In how many of registers, sums and shares two tilings differ; shares may follow the registers."""
    registers = one.parallel != other.parallel
    shares = one.distribution != other.distribution and not registers
    return sum((registers, shares, one.reduction != other.reduction))


@given(height=sizes, width=sizes, channels=sizes)
def test_neighbours_differ_in_one_respect(height: int, width: int, channels: int) -> None:
    nest = convolution(height, width, 64, channels)
    assert {respects(one.tiling, nest.tiling) for one in neighbours(nest, AVX512, 2)} <= {1}


def test_neighbours_of_a_convolution() -> None:
    nest = convolution(14, 14, 64, 64)
    found = [one.tiling for one in neighbours(nest, AVX512, 2)]
    assert nest.tiling.parallel == (1, 1, 7, 32, 0, 0, 0)
    assert {one.parallel[2:4] for one in found} == {(7, 32), (14, 32), (7, 16), (14, 16), (7, 64)}
    assert {one.reduction[-1] for one in found} == {4, 8, 16}


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_shares_keep_threads_busy(threads: int) -> None:
    nest = convolution(56, 56, 64, 64)
    for one in neighbours(nest, AVX512, threads):
        rows, blocks = 56 // one.tiling.distribution[1], 64 // one.tiling.distribution[3]
        columns = 56 // one.tiling.distribution[2]
        same = one.tiling.distribution == nest.tiling.distribution or one.tiling.parallel != nest.tiling.parallel
        assert same or imbalance(rows * blocks * columns, threads) <= 1.25


def test_a_nest_that_one_workgroup_runs_alone_stays_whole() -> None:
    nest = nest_of("gates", Tensor((4, 2, 64), "f32"), 64, True)
    assert all(set(one.tiling.distribution) == {0} for one in neighbours(nest, AVX512, 2))


@pytest.mark.parametrize(
    ("distribution", "parallel"), [((1, 5, 14, 32), (1, 1, 7, 32)), ((1, 2, 14, 32), (1, 1, 4, 32)), ((1, 2), (1, 1))]
)
def test_tiles_with_a_rest_do_not_fit(distribution: tuple[int, ...], parallel: tuple[int, ...]) -> None:
    nest = convolution(14, 14, 64, 64)
    tiling = replace(nest.tiling, distribution=(*distribution, 0, 0, 0), parallel=(*parallel, 0, 0, 0))
    assert nest.fits and not replace(nest, tiling=tiling).fits
