"""Which convolutions get tiles, and of which size: by their products, or by their weights where few pixels use them."""

import pytest

from pyipu.passes.planning.winograd import Convolution, best_size


@pytest.mark.parametrize(
    ("pixels", "channels", "filters", "size"),
    [
        (224, 64, 64, 4),
        (56, 64, 64, 4),
        (28, 512, 512, 4),
        (14, 256, 256, 2),
        (7, 512, 512, 2),
        (56, 128, 32, 4),
        (7, 128, 32, 0),
        (56, 16, 16, 0),
        (56, 24, 24, 0),
        (14, 32, 32, 0),
        (28, 32, 32, 4),
        (10, 96, 96, 2),
    ],
)
def test_sizes(pixels: int, channels: int, filters: int, size: int) -> None:
    assert best_size(Convolution(1, pixels, pixels, channels, filters)) == size


def test_tiles_are_no_larger_than_asked() -> None:
    wide = Convolution(1, 56, 56, 64, 64)
    assert [best_size(wide, largest) for largest in (4, 3, 2, 0)] == [4, 2, 2, 0]


def test_one_pixel_waits_for_more_weights() -> None:
    assert best_size(Convolution(1, 1, 1, 512, 512)) == 0


def test_the_last_tiles_may_be_cut() -> None:
    assert Convolution(1, 7, 9, 8, 8).tiles(4) == (2, 3)
