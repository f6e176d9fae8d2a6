"""What convolutions and poolings share: where the windows of an ONNX node lie, and channels-last data for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyipu.dialect.movement import Pad, Slice
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.registry import Ints, Value


@dataclass(frozen=True)
class Windows:
    """Size, step and padding of the windows, each with one number per spatial dimension.

    `low` and `high` are the padding at both ends; `extra` is what rounding up the number of windows adds after `high`.
    """

    size: Ints
    strides: Ints
    dilations: Ints
    low: Ints
    high: Ints
    extra: Ints

    @property
    def reach(self) -> Ints:
        return reaches(self.size, self.dilations)

    def positions(self, spatial: Sequence[int]) -> Ints:
        """How many windows there are along each dimension of data of size `spatial`."""
        padded = [sum(sizes) for sizes in zip(spatial, self.low, self.high, self.extra, strict=True)]
        return tuple((size - r) // s + 1 for size, r, s in zip(padded, self.reach, self.strides, strict=True))


def reaches(size: Sequence[int], dilations: Sequence[int]) -> Ints:
    """How many neighbours a window covers, holes included."""
    return tuple((extent - 1) * dilation + 1 for extent, dilation in zip(size, dilations, strict=True))


def windows(
    spatial: Sequence[int],
    size: Ints,
    *,
    strides: Ints | None,
    dilations: Ints | None,
    pads: Ints | None,
    auto_pad: str,
    ceil_mode: bool = False,
) -> Windows:
    """The windows over data of size `spatial`; the keywords are ONNX's attributes, None where the node has none."""
    rank = len(spatial)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    if not len(size) == len(strides) == len(dilations) == rank or (pads and len(pads) != 2 * rank):
        raise ValueError(f"its windows need one size, stride and dilation and two pads for each of {rank} dimensions")
    if min((*size, *strides, *dilations), default=1) < 1:
        raise ValueError("sizes, strides and dilations of windows must be positive")
    reach = reaches(size, dilations)
    low, high = _padding(spatial, reach, strides, pads or (0,) * (2 * rank), auto_pad)
    extra = (0,) * rank
    if ceil_mode and auto_pad in ("NOTSET", ""):
        extra = tuple(map(_ceil_extra, spatial, reach, strides, low, high))
    return Windows(size, strides, dilations, low, high, extra)


def _padding(
    spatial: Sequence[int], reach: Sequence[int], strides: Sequence[int], pads: Ints, auto_pad: str
) -> tuple[Ints, Ints]:
    rank = len(spatial)
    if auto_pad in ("NOTSET", ""):
        return pads[:rank], pads[rank:]
    if auto_pad == "VALID":
        return (0,) * rank, (0,) * rank
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"has auto_pad='{auto_pad}'; ONNX knows NOTSET, VALID, SAME_UPPER and SAME_LOWER")
    steps = zip(spatial, strides, reach, strict=True)
    missing = [(-(-size // stride) - 1) * stride + extent - size for size, stride, extent in steps]
    return split_padding([max(total, 0) for total in missing], auto_pad)


def split_padding(total: Sequence[int], auto_pad: str) -> tuple[Ints, Ints]:
    """Half at each end; the odd one goes to the end for SAME_UPPER, to the start for SAME_LOWER."""
    small, large = tuple(width // 2 for width in total), tuple(width - width // 2 for width in total)
    return (large, small) if auto_pad == "SAME_LOWER" else (small, large)


def _ceil_extra(size: int, reach: int, stride: int, low: int, high: int) -> int:
    """Padding for the last window when the count is rounded up; a window must not start in the padding at the end."""
    padded = size + low + high
    count = -(-(padded - reach) // stride) + 1
    if (count - 1) * stride >= size + low:
        count -= 1
    return max((count - 1) * stride + reach - padded, 0)


def channels_last(graph: GraphBuilder, value: Value) -> Value:
    """[N, C, spatial…] to [N, spatial…, C]."""
    rank = tensor_of(value).rank
    return graph.transpose(value, (0, *range(2, rank), 1))


def channels_first(graph: GraphBuilder, value: Value) -> Value:
    """[N, spatial…, C] to [N, C, spatial…]."""
    rank = tensor_of(value).rank
    return graph.transpose(value, (0, rank - 1, *range(1, rank - 1)))


def spatial_shape(value: Value) -> Ints:
    """The sizes after N and C; raises ValueError for data without a spatial dimension."""
    tensor = tensor_of(value)
    if tensor.rank < 3:
        raise ValueError(f"needs data of shape [N, C, spatial…], got {tensor}")
    return tensor.shape[2:]


def pad(
    graph: GraphBuilder,
    value: Value,
    low: Sequence[int],
    high: Sequence[int],
    number: float = 0.0,
    interior: Sequence[int] | None = None,
) -> Value:
    """A border of `number` around all dimensions; negative widths cut elements off."""
    rank = tensor_of(value).rank
    if any((*low, *high, *(interior or ()))):
        widths = {"low": tuple(max(w, 0) for w in low), "high": tuple(max(w, 0) for w in high)}
        value = graph.create(Pad, value, **widths, interior=tuple(interior or (0,) * rank), value=number)
    if min((*low, *high), default=0) >= 0:
        return value
    offsets = tuple(max(-width, 0) for width in low)
    ends = [size - max(-width, 0) for size, width in zip(tensor_of(value).shape, high, strict=True)]
    sizes = tuple(max(end - start, 0) for start, end in zip(offsets, ends, strict=True))
    return graph.create(Slice, value, offsets=offsets, sizes=sizes, strides=(1,) * rank)


def pad_windows(graph: GraphBuilder, value: Value, place: Windows, number: float = 0.0) -> Value:
    """Channels-last data with the border that its windows need."""
    high = [a + b for a, b in zip(place.high, place.extra, strict=True)]
    return pad(graph, value, (0, *place.low, 0), (0, *high, 0), number)
