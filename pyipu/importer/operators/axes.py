"""Axes as ONNX counts them: negative ones from the end."""

from __future__ import annotations

from collections.abc import Iterable

from pyipu.dialect.types import tensor_of
from pyipu.importer.registry import Ints, Value


def normal_axis(axis: int, value: Value, extra: int = 0) -> int:
    """The axis counted from the start, of a value with `extra` more dimensions; raises ValueError when outside."""
    rank = tensor_of(value).rank + extra
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is outside of the {rank} dimensions of {tensor_of(value)}")
    return axis % rank


def normal_axes(axes: Iterable[int], value: Value, extra: int = 0) -> Ints:
    """As `normal_axis`, sorted; raises ValueError when one comes twice."""
    normal = sorted(normal_axis(axis, value, extra) for axis in axes)
    if len(set(normal)) != len(normal):
        raise ValueError(f"its axes {list(axes)} name a dimension twice")
    return tuple(normal)
