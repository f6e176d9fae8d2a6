"""Operations that slide a window over channels-last data: convolution and pooling of any number of dimensions.

Data is [N, spatial…, C]. There is no padding here: a border is an `ipu.pad` of its own, which memory planning turns
into a store to the interior of a larger buffer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pyipu.dialect.definition import Op, require
from pyipu.dialect.linear import NARROW, multiply_add, sum_type, wide
from pyipu.dialect.reduction import ReduceMax, ReduceSum
from pyipu.dialect.scalars import Scalar
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Map, Value, identity_map


def window_positions(
    sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[int, ...]:
    """How many places the window takes in each spatial dimension; raises ValueError when it does not fit once."""
    reach = [(extent - 1) * dilation + 1 for extent, dilation in zip(window, dilations, strict=True)]
    for size, extent in zip(sizes, reach, strict=True):
        require(extent <= size, f"a window that reaches {extent} does not fit into a dimension of {size}")
    return tuple((size - extent) // stride + 1 for size, extent, stride in zip(sizes, reach, strides, strict=True))


def windows_of(
    input: np.ndarray, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> np.ndarray:
    """All windows as a view: [N, positions…, C, window…]."""
    reach = [(extent - 1) * dilation + 1 for extent, dilation in zip(window, dilations, strict=True)]
    axes = tuple(range(1, 1 + len(window)))
    views = np.lib.stride_tricks.sliding_window_view(input, reach, axes)
    steps = (slice(None), *(slice(None, None, s) for s in strides), slice(None))
    return views[(*steps, *(slice(None, None, d) for d in dilations))]


def _window_map(spatial: int, strides: Sequence[int], dilations: Sequence[int], first_window_loop: int) -> list[str]:
    """Indices of the spatial dimensions of the input: position * stride + place in the window * dilation."""
    return [f"d{1 + i} * {strides[i]} + d{first_window_loop + i} * {dilations[i]}" for i in range(spatial)]


class Conv(Op, mnemonic="conv"):
    """Convolution of [N, spatial…, C] with weights [window…, C / groups, F]. Integers of 8 bits give sums of i32."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1
    accumulates = True
    widens = True

    @staticmethod
    def infer(
        input: Tensor, weights: Tensor, *, strides: tuple[int, ...], dilations: tuple[int, ...], groups: int
    ) -> Tensor:
        spatial = input.rank - 2
        require(spatial >= 1 and weights.rank == input.rank, f"cannot convolve {input} with {weights}")
        require(len(strides) == len(dilations) == spatial, f"needs {spatial} strides and dilations")
        channels, filters = input.shape[-1], weights.shape[-1]
        fits = groups > 0 and channels == weights.shape[-2] * groups and filters % groups == 0
        require(fits, f"{channels} channels in {groups} groups do not fit weights {weights}")
        dtype = sum_type(input, weights)
        require(dtype is not None, f"needs operands of one element type, got {input} and {weights}")
        positions = window_positions(input.shape[1:-1], weights.shape[:-2], strides, dilations)
        return Tensor((input.shape[0], *positions, filters), str(dtype))

    @staticmethod
    def evaluate(
        input: np.ndarray,
        weights: np.ndarray,
        *,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
    ) -> np.ndarray:
        input, weights = wide(input, weights), wide(weights, input)
        views = windows_of(input, weights.shape[:-2], strides, dilations)
        spatial = len(strides)
        split = views.reshape(*views.shape[: 1 + spatial], groups, -1, *views.shape[2 + spatial :])
        grouped = weights.reshape(*weights.shape[:-1], groups, -1)
        place, window = "xyz"[:spatial], "uvw"[:spatial]
        result = np.einsum(f"n{place}gc{window},{window}cgf->n{place}gf", split, grouped, optimize=True)
        return result.reshape(*result.shape[:-2], -1).astype(input.dtype)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        *window, channels, _ = operands[1].shape
        return cls.infer(*operands, **attributes).elements * math.prod(window) * channels

    @staticmethod
    def lower(
        writer: CodeletWriter,
        input: Value,
        weights: Value,
        *,
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
        groups: int,
    ) -> Value:
        result = Conv.infer(input.tensor, weights.tensor, strides=strides, dilations=dilations, groups=groups)
        if groups == 1:
            return _dense_convolution(writer, input, weights, result, strides, dilations)
        if weights.tensor.shape[-2] == 1 and groups == result.shape[-1]:
            return _depthwise_convolution(writer, input, weights, result, strides, dilations)
        return _grouped_convolution(writer, input, weights, result, strides, dilations, groups)


def _dense_convolution(
    writer: CodeletWriter,
    input: Value,
    weights: Value,
    result: Tensor,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Value:
    spatial = result.rank - 2
    start = writer.accumulator(result)
    if spatial == 2 and result.elements > result.shape[-1] and input.tensor.dtype not in NARROW:
        tiles = writer.tiles.convolution(result, weights.tensor.shape[:2], weights.tensor.shape[2])
        attributes = _window_attributes(strides, dilations, tiles)
        return writer.write(
            f"linalg.conv_2d_nhwc_hwcf {{{attributes}}} ins({input.name}, {weights.name} : {input.type}, "
            f"{weights.type}) outs({start.name} : {start.type}) -> {start.type}",
            result,
        )
    window = [f"d{2 + spatial + i}" for i in range(spatial)]
    channel = f"d{2 + 2 * spatial}"
    source: Map = ["d0", *_window_map(spatial, strides, dilations, 2 + spatial), channel]
    iterators = ["parallel"] * result.rank + ["reduction"] * (spatial + 1)
    return writer.generic(
        [(input, source), (weights, [*window, channel, f"d{1 + spatial}"])],
        (start, identity_map(result.rank)),
        iterators,
        multiply_add,
        # IREE gives a convolution of images without a batch one, and then stores it where it does not belong.
        squeeze=spatial == 2 and input.tensor.dtype not in NARROW,
    )


def _window_attributes(strides: Sequence[int], dilations: Sequence[int], tiles: str = "") -> str:
    pairs = [("dilations", dilations), ("strides", strides)]
    steps = [f"{name} = dense<{list(items)}> : tensor<{len(items)}xi64>" for name, items in pairs]
    return ", ".join([tiles, *steps] if tiles else steps)


def _depthwise_convolution(
    writer: CodeletWriter,
    input: Value,
    weights: Value,
    result: Tensor,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Value:
    spatial = result.rank - 2
    weights = writer.reshape(weights, (*weights.tensor.shape[:-2], weights.tensor.shape[-1]))
    start = writer.accumulator(result)
    if spatial == 2 and input.tensor.dtype not in NARROW:
        tiles = writer.tiles.depthwise(result, weights.tensor.shape[:2])
        return writer.write(
            f"linalg.depthwise_conv_2d_nhwc_hwc {{{_window_attributes(strides, dilations, tiles)}}} "
            f"ins({input.name}, {weights.name} : {input.type}, {weights.type}) "
            f"outs({start.name} : {start.type}) -> {start.type}",
            result,
        )
    channel = f"d{1 + spatial}"
    window = [f"d{2 + spatial + i}" for i in range(spatial)]
    return writer.generic(
        [
            (input, ["d0", *_window_map(spatial, strides, dilations, 2 + spatial), channel]),
            (weights, [*window, channel]),
        ],
        (start, identity_map(result.rank)),
        ["parallel"] * result.rank + ["reduction"] * spatial,
        multiply_add,
        squeeze=False,
    )


def _grouped_convolution(
    writer: CodeletWriter,
    input: Value,
    weights: Value,
    result: Tensor,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Value:
    """One contraction with the group as one more parallel dimension: [N, spatial…, G, F / G]."""
    spatial = result.rank - 2
    split = (groups, result.shape[-1] // groups)
    source = writer.reshape(input, (*input.tensor.shape[:-1], groups, input.tensor.shape[-1] // groups))
    packed = writer.reshape(weights, (*weights.tensor.shape[:-1], *split))
    start = writer.accumulator(result.with_shape((*result.shape[:-1], *split)))
    group, filter_, first = f"d{1 + spatial}", f"d{2 + spatial}", 3 + spatial
    window, channel = [f"d{first + i}" for i in range(spatial)], f"d{first + spatial}"
    grouped = writer.generic(
        [
            (source, ["d0", *_window_map(spatial, strides, dilations, first), group, channel]),
            (packed, [*window, channel, group, filter_]),
        ],
        (start, identity_map(3 + spatial)),
        ["parallel"] * (3 + spatial) + ["reduction"] * (spatial + 1),
        multiply_add,
        squeeze=False,
    )
    return writer.folded(grouped, (*((size,) for size in result.shape[:-1]), split))


class Pool(Op):
    """Base of the poolings: folds each window of each channel into one element."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    widens = True

    word: ClassVar[str]
    """As in the name of linalg's pooling."""
    numpy_function: ClassVar[Callable[..., np.ndarray]]
    start: ClassVar[Callable[..., Any]]
    combine: ClassVar[Callable[..., Scalar]]

    @staticmethod
    def infer(
        input: Tensor, *, window: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
    ) -> Tensor:
        spatial = input.rank - 2
        complete = spatial >= 1 and len(window) == len(strides) == len(dilations) == spatial
        require(complete, f"needs one window size, stride and dilation for each spatial dimension of {input}")
        positions = window_positions(input.shape[1:-1], window, strides, dilations)
        return input.with_shape((input.shape[0], *positions, input.shape[-1]))

    @classmethod
    def evaluate(
        cls,
        input: np.ndarray,
        *,
        window: tuple[int, ...],
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
    ) -> np.ndarray:
        views = windows_of(input, window, strides, dilations)
        return cls.numpy_function(views, axis=tuple(range(-len(window), 0))).astype(input.dtype)

    @classmethod
    def lower(
        cls,
        writer: CodeletWriter,
        input: Value,
        *,
        window: tuple[int, ...],
        strides: tuple[int, ...],
        dilations: tuple[int, ...],
    ) -> Value:
        result = cls.infer(input.tensor, window=window, strides=strides, dilations=dilations)
        spatial = len(window)
        shape_only = writer.empty(Tensor(tuple(window), input.tensor.dtype))
        if spatial == 2 and result.is_float:
            return cls._named_pooling(writer, input, shape_only, result, _window_attributes(strides, dilations))
        source: Map = ["d0", *_window_map(spatial, strides, dilations, 2 + spatial), f"d{1 + spatial}"]
        return writer.generic(
            [(input, source), (shape_only, [f"d{2 + spatial + i}" for i in range(spatial)])],
            (writer.filled(result, cls.start(input.tensor.numpy_dtype)), identity_map(result.rank)),
            ["parallel"] * result.rank + ["reduction"] * spatial,
            lambda scalars, element, _, accumulator: cls.combine(scalars, element, accumulator),
            squeeze=False,
        )

    @classmethod
    def _named_pooling(
        cls, writer: CodeletWriter, input: Value, shape_only: Value, result: Tensor, attributes: str
    ) -> Value:
        """The named form, for which the code generator has tiles of its own."""
        start = writer.filled(result, cls.start(input.tensor.numpy_dtype))
        return writer.write(
            f"linalg.pooling_nhwc_{cls.word} {{{attributes}}} ins({input.name}, {shape_only.name} : {input.type}, "
            f"{shape_only.type}) outs({start.name} : {start.type}) -> {start.type}",
            result,
        )


class MaxPool(Pool, mnemonic="max_pool"):
    """The largest element of each window."""

    word = "max"
    numpy_function, start, combine = np.max, ReduceMax.start, ReduceMax.combine


class SumPool(Pool, mnemonic="sum_pool"):
    """The sum of each window."""

    word = "sum"
    numpy_function, start, combine = np.sum, ReduceSum.start, ReduceSum.combine
