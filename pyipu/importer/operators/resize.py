"""Resize and Upsample: along each resized dimension, a weighted sum of elements at known places."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pyipu.dialect.elementwise import Add, Multiply
from pyipu.dialect.movement import Broadcast
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.operators.axes import normal_axis
from pyipu.importer.operators.movement import gather_known
from pyipu.importer.operators.windows import channels_first, channels_last, pad
from pyipu.importer.registry import Floats, Ints, Value, operator


@dataclass(frozen=True)
class Axis:
    """One dimension: its size before and after, and after / before as the model gives it."""

    before: int
    after: int
    scale: float


@dataclass(frozen=True)
class Method:
    """ONNX's attributes of Resize that say which elements make a new one."""

    mode: str
    coordinates: str
    nearest: str = "round_prefer_floor"
    cubic_coefficient: float = -0.75
    exclude_outside: bool = False


@operator("Upsample", since=7)
def upsample_7(graph: GraphBuilder, x: Value, *, scales: Floats, mode: str = "nearest") -> Value:
    return _resize(graph, x, _by_scales(x, scales), Method(mode, "asymmetric", "simple"))


@operator("Upsample", since=9)
def upsample(graph: GraphBuilder, x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    return upsample_7(graph, x, scales=_floats(graph, scales), mode=mode)


@operator("Resize", since=10)
def resize_10(graph: GraphBuilder, x: Value, scales: Value, *, mode: str = "nearest") -> Value:
    return upsample_7(graph, x, scales=_floats(graph, scales), mode=mode)


@operator("Resize", since=11)
def resize(
    graph: GraphBuilder,
    x: Value,
    roi: Value | None = None,
    scales: Value | None = None,
    sizes: Value | None = None,
    *,
    antialias: bool = False,
    axes: Ints | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: bool = False,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Value:
    """Either `scales` or `sizes`; `roi` and `extrapolation_value` are about a coordinate mode that is refused."""
    rank = tensor_of(x).rank
    along = tuple(range(rank)) if axes is None else tuple(normal_axis(axis, x) for axis in axes)
    if antialias and mode != "nearest":
        raise UnsupportedError("has antialias=1, which pyipu does not have; resize without it")
    if keep_aspect_ratio_policy != "stretch":
        raise UnsupportedError(f"has keep_aspect_ratio_policy='{keep_aspect_ratio_policy}'; pyipu has stretch only")
    method = Method(mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, exclude_outside)
    factors = () if scales is None else _floats(graph, scales)
    if factors:
        return _resize(graph, x, _by_scales(x, _spread(factors, along, [1.0] * rank)), method)
    if sizes is None:
        raise ValueError("it has neither scales nor sizes")
    wanted = _spread(graph.integers(sizes, "sizes"), along, tensor_of(x).shape)
    steps = zip(tensor_of(x).shape, wanted, strict=True)
    return _resize(graph, x, [Axis(n, int(m), m / n if n else 1.0) for n, m in steps], method)


def _floats(graph: GraphBuilder, scales: Value) -> Floats:
    return tuple(float(scale) for scale in graph.array(scales, "scales").reshape(-1))


def _spread(values: Sequence[float], axes: Ints, whole: Sequence[float]) -> list[float]:
    """`whole` with the values of `axes` replaced."""
    replaced = dict(zip(axes, values, strict=True))
    return [replaced.get(axis, value) for axis, value in enumerate(whole)]


def _by_scales(x: Value, scales: Sequence[float]) -> list[Axis]:
    return [Axis(n, math.floor(n * scale), scale) for n, scale in zip(tensor_of(x).shape, scales, strict=True)]


def _resize(graph: GraphBuilder, x: Value, axes: list[Axis], method: Method) -> Value:
    """Images go through channels-last order, where the neighbours of a pixel are whole rows of channels."""
    changed = [i for i, axis in enumerate(axes) if axis.after != axis.before or axis.scale != 1]
    if len(axes) < 3 or not changed or min(changed) < 2:
        return _resize_axes(graph, x, axes, method)
    moved = [axes[0], *axes[2:], axes[1]]
    return channels_first(graph, _resize_axes(graph, channels_last(graph, x), moved, method))


def _resize_axes(graph: GraphBuilder, x: Value, axes: list[Axis], method: Method) -> Value:
    if method.mode == "nearest":
        return _pick(graph, x, [_nearest(axis, method) for axis in axes])
    taps = {"linear": _linear_taps, "cubic": _cubic_taps}.get(method.mode)
    if taps is None:
        raise UnsupportedError(f"has mode='{method.mode}'; pyipu has nearest, linear and cubic")
    for index, axis in enumerate(axes):
        if axis.after != axis.before or axis.scale != 1:
            x = _interpolate(graph, x, index, *taps(axis, method))
    return x


def _pick(graph: GraphBuilder, x: Value, places: list[np.ndarray]) -> Value:
    """Elements at the places along each dimension; whole repeats are a broadcast."""
    shape = tensor_of(x).shape
    for axis, chosen in enumerate(places):
        if not _repeats(chosen, shape[axis]):
            x = gather_known(graph, x, chosen, axis)
    times = [_repeats(chosen, size) or 1 for chosen, size in zip(places, shape, strict=True)]
    shape = tensor_of(x).shape
    if set(times) <= {1}:
        return x
    repeated = [(size, count) if count > 1 else (size,) for size, count in zip(shape, times, strict=True)]
    apart = graph.reshape(x, [n for sizes in repeated for n in (sizes[0], *[1] * (len(sizes) - 1))])
    many = graph.create(Broadcast, apart, shape=tuple(n for sizes in repeated for n in sizes))
    return graph.reshape(many, [math.prod(sizes) for sizes in repeated])


def _repeats(places: np.ndarray, size: int) -> int:
    """How often each of `size` elements comes in a row; 0 when the places are no such repetition."""
    count = len(places) // size if size else 0
    return count if np.array_equal(places, np.arange(size).repeat(count)) else 0


def _coordinates(axis: Axis, method: Method) -> np.ndarray:
    """Where each new element lies among the old ones; formulas of ONNX's documentation of Resize."""
    new = np.arange(axis.after)
    if method.coordinates == "asymmetric":
        return new / axis.scale
    if method.coordinates == "align_corners":
        return new * (axis.before - 1) / max(axis.after - 1, 1)
    if method.coordinates == "pytorch_half_pixel" and axis.after <= 1:
        return new * 0.0
    shift = 0.0
    if method.coordinates == "half_pixel_symmetric":
        shift = axis.before / 2 * (1 - axis.after / (axis.before * axis.scale))
    elif method.coordinates not in ("half_pixel", "pytorch_half_pixel"):
        raise UnsupportedError(f"has coordinate_transformation_mode='{method.coordinates}', which pyipu does not have")
    return shift + (new + 0.5) / axis.scale - 0.5


_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5),
    "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(axis: Axis, method: Method) -> np.ndarray:
    """The places of the nearest elements; opsets before 11 round down to enlarge and up to shrink ("simple")."""
    if axis.after == axis.before and axis.scale == 1:
        return np.arange(axis.before)
    simple = "floor" if axis.scale >= 1 else "ceil"
    rounding = _ROUNDINGS.get(simple if method.nearest == "simple" else method.nearest)
    if rounding is None:
        raise UnsupportedError(f"has nearest_mode='{method.nearest}'; ONNX knows {', '.join(_ROUNDINGS)}")
    places: np.ndarray = np.clip(rounding(_coordinates(axis, method)), 0, axis.before - 1)
    return places.astype(np.int64)


def _linear_taps(axis: Axis, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of the two neighbours, each of shape [2, after]."""
    at = _coordinates(axis, method)
    low = np.floor(at)
    return _within(axis, np.stack([low, low + 1]), np.stack([low + 1 - at, at - low]), method)


def _cubic_taps(axis: Axis, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of four neighbours; Keys, "Cubic Convolution Interpolation" (1981), equation 15."""
    at = _coordinates(axis, method)
    places = np.floor(at) + np.arange(-1, 3)[:, None]
    distance, a = np.abs(at - places), method.cubic_coefficient
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return _within(axis, places, np.where(distance <= 1, near, far), method)


def _within(axis: Axis, places: np.ndarray, weights: np.ndarray, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Places outside of the data are its ends, or have no weight."""
    if method.exclude_outside:
        weights = np.where((places >= 0) & (places < axis.before), weights, 0)
        weights = weights / weights.sum(0)
    return np.clip(places, 0, axis.before - 1).astype(np.int64), weights


MOST_NEIGHBOURS = 8
"""Of more neighbours than these, elements are looked up one by one."""


def _interpolate(graph: GraphBuilder, x: Value, axis: int, places: np.ndarray, weights: np.ndarray) -> Value:
    """When the size grows by a whole number, each element with some neighbours makes that many new ones."""
    before, after = tensor_of(x).shape[axis], places.shape[1]
    if before and after and after % before == 0:
        distances = places - np.arange(after) // (after // before)
        if np.ptp(distances) < MOST_NEIGHBOURS:
            return _spread_out(graph, x, axis, distances, weights)
    return _look_up(graph, x, axis, places, weights)


def _spread_out(graph: GraphBuilder, x: Value, axis: int, distances: np.ndarray, weights: np.ndarray) -> Value:
    """The sum of x shifted by each distance, every element of it taken several times with its weights."""
    tensor, low, high = tensor_of(x), min(int(distances.min()), 0), max(int(distances.max()), 0)
    count = weights.shape[1] // tensor.shape[axis]
    apart = [*tensor.shape[: axis + 1], 1, *tensor.shape[axis + 1 :]]
    along = [tensor.shape[axis], count, *[1] * (tensor.rank - axis - 1)]
    padded = _widened(graph, x, axis, -low, high)
    result = None
    for distance in range(low, high + 1):
        factors = np.where(distances == distance, weights, 0).sum(0).astype(tensor.numpy_dtype)
        part = graph.reshape(_widened(graph, padded, axis, low - distance, distance - high), apart)
        part = graph.create(Multiply, part, graph.constant(factors.reshape(along)))
        result = part if result is None else graph.create(Add, result, part)
    assert result is not None, "there is at least one distance"
    return graph.reshape(result, [size * count if i == axis else size for i, size in enumerate(tensor.shape)])


def _widened(graph: GraphBuilder, x: Value, axis: int, low: int, high: int) -> Value:
    """Zeros in front and behind along one axis; negative numbers cut elements off."""
    rank = tensor_of(x).rank
    before, behind = ([width if i == axis else 0 for i in range(rank)] for width in (low, high))
    return pad(graph, x, before, behind)


def _look_up(graph: GraphBuilder, x: Value, axis: int, places: np.ndarray, weights: np.ndarray) -> Value:
    tensor = tensor_of(x)
    shape = [-1 if i == axis else 1 for i in range(tensor.rank)]
    result = None
    for chosen, factors in zip(places, weights.astype(tensor.numpy_dtype), strict=True):
        part = gather_known(graph, x, chosen, axis)
        part = graph.create(Multiply, part, graph.constant(factors.reshape(shape)))
        result = part if result is None else graph.create(Add, result, part)
    assert result is not None, "every method has at least two taps"
    return result
