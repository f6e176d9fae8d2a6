"""What the compiler decided, as data: the schema of plan.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401  (numpy knows the names "bfloat16", "float8_e4m3fn", … once it is imported)
import numpy as np

from pyipu.errors import Error

PLAN_VERSION = 1


@dataclass(frozen=True)
class TensorDescription:
    """An input, an output or a parameter: its ONNX name, its static shape, its element type."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes of the dense row-major tensor."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype.name}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Buffer:
    """A part of the arena, in bytes, that is alive in the half-open interval of steps [start, end).

    A step is one dispatch, counted from 0 in the order in which they run. `alias_of` names the buffer whose bytes
    this one shares, or is None.
    """

    name: str
    size: int
    offset: int
    start: int
    end: int
    alias_of: str | None = None


@dataclass(frozen=True)
class MemoryPlan:
    """Where every buffer lies. All sizes are bytes.

    `arena_bytes` is what one call allocates next to its results; no arena can be smaller than `lower_bound`, and
    `proved_optimal` says that no other placement is smaller than this one. `unplanned_bytes` is the sum of all
    buffers: what would be needed if none of them shared memory.
    """

    arena_bytes: int
    lower_bound: int
    proved_optimal: bool
    unplanned_bytes: int
    result_bytes: int
    parameter_bytes: int
    buffers: tuple[Buffer, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything about a compiled model but its code and its weights.

    `threads` is how many the model was tuned for, or None for all there are. `options` are the target's options.
    `storage` is what `compile` was told to store tensors as, or None for what the model has.
    """

    target: str
    function: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    memory: MemoryPlan
    threads: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    storage: str | None = None
    version: int = PLAN_VERSION

    def to_json(self) -> str:
        """The text of plan.json."""
        return json.dumps(dataclasses.asdict(self), indent=2, default=_plain) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote.

        Raises:
            Error: the text is no plan, or one of another version of pyipu.
        """
        try:
            return _plan(_version_checked(json.loads(text)))
        except (KeyError, TypeError, ValueError) as problem:
            message = f"the plan is damaged ({type(problem).__name__}: {problem}); compile the model again"
            raise Error(message) from problem


def _plain(value: object) -> str:
    if isinstance(value, np.dtype):
        return value.name
    raise TypeError(f"{type(value).__name__} cannot be written to a plan")


def _version_checked(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if fields["version"] != PLAN_VERSION:
        raise Error(
            f"the plan has format version {fields['version']}, and this pyipu reads version {PLAN_VERSION}; "
            "compile the model again"
        )
    return fields


def _plan(fields: Mapping[str, Any]) -> Plan:
    built = {
        "inputs": _tensors(fields["inputs"]),
        "outputs": _tensors(fields["outputs"]),
        "memory": _memory(fields["memory"]),
        "options": tuple((name, value) for name, value in fields["options"]),
    }
    return Plan(**{**fields, **built})


def _memory(fields: Mapping[str, Any]) -> MemoryPlan:
    buffers = tuple(Buffer(**buffer) for buffer in fields["buffers"])
    return MemoryPlan(**{**fields, "buffers": buffers})


def _tensors(rows: list[Mapping[str, Any]]) -> tuple[TensorDescription, ...]:
    return tuple(TensorDescription(row["name"], tuple(row["shape"]), np.dtype(row["dtype"])) for row in rows)
