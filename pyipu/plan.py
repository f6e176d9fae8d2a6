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

PLAN_VERSION = 3


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
class Member:
    """A value that lies in a buffer, by the name of the ONNX node that computes it.

    `offset` is the byte of the buffer at which its first element lies. `in_place_of` names the value of the same
    buffer whose bytes it takes, which is dead from then on; None when it overwrites nothing that was alive.
    """

    name: str
    offset: int
    in_place_of: str | None = None


@dataclass(frozen=True)
class BufferPart:
    """Bytes [offset, offset + size) of a buffer, which are alive in the half-open interval of steps [start, end)."""

    offset: int
    size: int
    start: int
    end: int


@dataclass(frozen=True)
class Buffer:
    """A part of the arena, in bytes, that is alive in the half-open interval of steps [start, end).

    Where not all of its bytes are alive all the while, `parts` tell which are when: others may have them before and
    after.

    A step is one dispatch, counted from 0 in the order in which they run. `members` are the values that share the
    buffer, in the order in which the program meets them: one in place of another, parts of a concatenation, windows.
    A node that runs in strips is there once for each place at which it writes.
    """

    name: str
    size: int
    offset: int
    start: int
    end: int
    members: tuple[Member, ...] = ()
    parts: tuple[BufferPart, ...] = ()


@dataclass(frozen=True)
class MemoryPlan:
    """The memory certificate: what one call allocates, and why it is not more. All sizes are bytes.

    `arena_bytes` is what one call allocates next to its results; no arena for these buffers in this order can be
    smaller than `lower_bound`, and `proved_optimal` says that this one is as small. `stages` are pairs of a name and
    the arena that the model would need if memory were planned up to there and no further:

    - `sum`: every value has a buffer of its own; a reshape is its operand under another shape, and no value.
    - `reuse`: values whose lives do not overlap share bytes. Concatenations, paddings and slices are copies.
    - `in-place`: results take the bytes of dying operands, parts are produced inside of their whole, slices are views.
      A whole is then alive from its first part on, which may cost more than it saves.
    - `schedule`: the same in the order that was chosen.
    - `tile`: rows run in strips, and cheap values are computed twice, where the target does that: `arena_bytes`.

    `order` says how the order of the steps was chosen: "exact", no other order has less alive at once; "heuristic", the
    best that was found; "given", it is the model's.

    Values are those between vertices, after fusion. The stages before `tile` are placed without a search, at most a
    few percent above the best. A stage that a target's passes do not record is left out. `code_bytes` is the size of
    the compiled module, machine code and the program that launches it.
    """

    arena_bytes: int
    lower_bound: int
    proved_optimal: bool
    stages: tuple[tuple[str, int], ...]
    result_bytes: int
    parameter_bytes: int
    code_bytes: int
    buffers: tuple[Buffer, ...] = ()
    order: str = "given"


@dataclass(frozen=True)
class Plan:
    """Everything about a compiled model but its code and its weights.

    `threads` is how many the model was tuned for, or None for all there are. `options` are the target's options.
    `storage` is what `compile` was told to store tensors as, and `precision` what to multiply in, or None for what the
    model has.
    """

    target: str
    function: str
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    memory: MemoryPlan
    threads: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    storage: str | None = None
    precision: str | None = None
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
    stages = tuple((str(name), int(size)) for name, size in fields["stages"])
    return MemoryPlan(**{**fields, "stages": stages, "buffers": tuple(map(_buffer, fields["buffers"]))})


def _buffer(fields: Mapping[str, Any]) -> Buffer:
    members = tuple(Member(**member) for member in fields["members"])
    return Buffer(**{**fields, "members": members, "parts": tuple(BufferPart(**part) for part in fields["parts"])})


def _tensors(rows: list[Mapping[str, Any]]) -> tuple[TensorDescription, ...]:
    return tuple(TensorDescription(row["name"], tuple(row["shape"]), np.dtype(row["dtype"])) for row in rows)
