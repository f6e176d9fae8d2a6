"""Which tensors share memory: concatenation, padding, slices and reshapes without a copy, and updates in place.

The program is given as steps over numbered values; the answer is, for each value, the storage it lies in and the region
of it. Nothing here knows of MLIR or of byte offsets: storages are placed later, from their live intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from pyipu.passes.planning.region import Region

Place = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Offsets, sizes and strides of a slice."""


class Role(Enum):
    """What a step does."""

    COMPUTE = "compute"
    SLICE = "slice"
    RESHAPE = "reshape"
    PAD = "pad"
    CONCAT = "concat"
    COPY = "copy"


@dataclass(frozen=True)
class Tensor:
    """A value: its shape and element type, and whether it is read-only (an input of the network, or a parameter)."""

    shape: tuple[int, ...]
    dtype: str
    read_only: bool = False


@dataclass(frozen=True)
class Step:
    """One operation of the program, in the order of execution.

    `places` is, for a slice, the slice; for padding and concatenation, the slice of the result that each operand
    becomes: (offsets, sizes, strides); operands that stay `apart` are copied there. `updatable` are the operands whose
    bytes result 0 may take, best first.
    """

    role: Role
    reads: tuple[int, ...]
    results: tuple[int, ...]
    places: tuple[Place, ...] = ()
    updatable: tuple[int, ...] = ()
    apart: bool = False


@dataclass
class Storage:
    """A buffer to be: the shape it has as a whole, and what lies in it."""

    shape: tuple[int, ...]
    dtype: str
    read_only: bool
    members: dict[int, Region] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """Why a value did not share the memory it might have shared."""

    step: int
    value: int
    reason: str


@dataclass(frozen=True)
class Aliasing:
    """The plan: `storage_of[v]` is an index into `storages`; `copies` are (step, operand position) that need a copy."""

    storages: tuple[Storage, ...]
    storage_of: dict[int, int]
    copies: frozenset[tuple[int, int]]
    in_place: dict[int, int]
    """Step -> the value whose bytes its first result takes."""
    refusals: tuple[Refusal, ...]

    def region(self, value: int) -> Region:
        return self.storages[self.storage_of[value]].members[value]

    def results(self, returned: Sequence[int]) -> dict[int, int]:
        """Storage -> the position of the result that is all of it, so that the returned buffer can be the storage."""
        whole = [(self.storage_of[value], position) for position, value in enumerate(returned) if self._fills(value)]
        return dict(reversed(whole))

    def _fills(self, value: int) -> bool:
        storage, region = self.storages[self.storage_of[value]], self.region(value)
        return not storage.read_only and region.is_whole and math.prod(region.sizes) == math.prod(storage.shape)


def plan_aliasing(
    tensors: Sequence[Tensor], steps: Sequence[Step], returned: Sequence[int], granularity: int = 1
) -> Aliasing:
    """Decides step by step, in program order; `granularity` is the alignment of buffers, in elements."""
    planner = _Planner(tensors, steps, returned, granularity)
    for number, step in enumerate(steps):
        planner.visit(number, step)
    return planner.result()


class _Planner:
    def __init__(
        self, tensors: Sequence[Tensor], steps: Sequence[Step], returned: Sequence[int], granularity: int
    ) -> None:
        self.tensors, self.granularity, self.end = tensors, granularity, len(steps)
        self.storages: dict[int, Storage] = {}
        self.storage_of: dict[int, int] = {}
        self.copies: set[tuple[int, int]] = set()
        self.kept_apart: set[int] = set()
        self.copied_shape: dict[int, tuple[int, ...]] = {}
        """For each reshape that is a copy, the shape under which elements are written to it."""
        self.in_place: dict[int, int] = {}
        self.refusals: list[Refusal] = []
        self.last_read = _last_reads(steps, returned)
        self.storage_last_read: dict[int, int] = {}
        self.gatherings = _gatherings(steps, tensors)
        self.begin: dict[int, int] = {}
        self.number = 0
        for value, tensor in enumerate(tensors):
            if tensor.read_only:
                self._open(value)

    def result(self) -> Aliasing:
        numbers = {key: i for i, key in enumerate(self.storages)}
        return Aliasing(
            tuple(self.storages.values()),
            {value: numbers[key] for value, key in self.storage_of.items()},
            frozenset(self.copies),
            self.in_place,
            tuple(self.refusals),
        )

    def visit(self, number: int, step: Step) -> None:
        self.number = number
        if step.role is Role.COMPUTE:
            self._compute(number, step)
        elif step.role in (Role.SLICE, Role.RESHAPE):
            self._view(number, step)
        elif step.role is Role.COPY:
            self._copy(number, step)
        else:
            self._gather(number, step)

    def _open(self, value: int) -> Storage:
        """A storage of its own for `value`."""
        tensor = self.tensors[value]
        storage = Storage(tensor.shape, tensor.dtype, tensor.read_only, {value: Region.all_of(tensor.shape)})
        self.storages[value] = storage
        self.storage_of[value] = value
        self.begin[value] = self.number
        self.storage_last_read[value] = self.last_read.get(value, -1)
        return storage

    def _storage(self, value: int) -> Storage:
        return self.storages[self.storage_of[value]]

    def _refuse(self, step: int, value: int, reason: str) -> None:
        self.refusals.append(Refusal(step, value, reason))

    def _compute(self, number: int, step: Step) -> None:
        first, *others = step.results
        for value in others:
            self._open(value)
        for source in step.updatable:
            reason = self._cannot_update(number, step, source, first)
            if reason is None:
                self._join(first, source, self._storage(source).members[source])
                self.in_place[number] = source
                return
            self._refuse(number, source, reason)
        self._open(first)

    def _cannot_update(self, number: int, step: Step, source: int, result: int) -> str | None:
        """Why `result` cannot take the bytes of `source`; None when it can."""
        storage = self._storage(source)
        if storage.read_only:
            return "it is an input of the network or a parameter"
        if self.tensors[source] != self.tensors[result]:
            return "its type is another than the result's"
        region = storage.members[source]
        if not region.is_whole or math.prod(region.sizes) != math.prod(storage.shape):
            return "it is a part of a larger buffer"
        if self.storage_last_read[self.storage_of[source]] > number:
            return "it is still read later"
        if any(value != source and value in storage.members for value in step.reads):
            return "the same vertex reads the buffer in another way, too"
        if self._would_lengthen(source, result):
            return "the buffer that the result becomes part of would be alive earlier"
        return None

    def _would_lengthen(self, source: int, result: int) -> bool:
        """Whether a much larger buffer, in which the result will lie, would have to be there as early as `source`."""
        gathering = self.gatherings.get(result)
        if gathering is None or gathering.elements <= 2 * math.prod(self.tensors[result].shape):
            return False
        return self.begin[self.storage_of[source]] < gathering.start

    def _join(self, value: int, neighbour: int, region: Region) -> None:
        key = self.storage_of[neighbour]
        self.storages[key].members[value] = region
        self.storage_of[value] = key
        self.storage_last_read[key] = max(self.storage_last_read[key], self.last_read.get(value, -1))

    def _view(self, number: int, step: Step) -> None:
        """The result is a window on the operand's memory."""
        (source,), (result,) = step.reads, step.results
        region = self._storage(source).members[source]
        if step.role is Role.SLICE:
            self._join(result, source, region.slice(*step.places[0]))
            return
        viewed = region.reshape(self.tensors[result].shape, self.granularity)
        if viewed is not None:
            self._join(result, source, viewed)
            return
        self._refuse(number, source, "its elements are not in one piece")
        self._open(result)
        self.copied_shape[result] = self.tensors[source].shape
        self.copies.add((number, 0))

    def _copy(self, number: int, step: Step) -> None:
        """The result is kept apart on purpose: its buffer never becomes part of another one."""
        (result,) = step.results
        self._open(result)
        self.copies.add((number, 0))
        self.kept_apart.add(result)

    def _gather(self, number: int, step: Step) -> None:
        """Operands are produced inside the result's memory where they can, and copied there where not."""
        (result,) = step.results
        self._open(result)
        for i, (source, place) in enumerate(zip(step.reads, step.places, strict=True)):
            target = Region.all_of(self.tensors[result].shape).slice(*place)
            reason = "the operands stay apart" if step.apart else self._cannot_move(source, result, target)
            if reason is None:
                self._move(source, result, target)
            else:
                self._refuse(number, source, reason)
                self.copies.add((number, i))

    def _cannot_move(self, source: int, result: int, target: Region) -> str | None:
        """Why the storage of `source` cannot become part of `result`; None when it can."""
        storage = self._storage(source)
        region = storage.members[source]
        if storage.read_only:
            return "it is an input of the network or a parameter"
        if self.storage_of[source] in self.kept_apart:
            return "it is a copy that is kept apart"
        if self.storage_of[source] == self.storage_of[result]:
            return "it already lies in that buffer"
        if self.storage_last_read[self.storage_of[source]] == self.end:
            return "it is a result of the network"
        if not region.is_whole or math.prod(region.sizes) != math.prod(storage.shape):
            return "it is a part of another buffer"
        if any(target.place(inner, self.granularity) is None for inner in storage.members.values()):
            return "its elements would not be in one piece"
        if not all(self._can_be_copied(value, target, inner) for value, inner in storage.members.items()):
            return "what is copied to it would not be in one piece"
        return None

    def _can_be_copied(self, value: int, target: Region, inner: Region) -> bool:
        """Whether a reshape that is a copy can be written under its operand's shape, once it lies in `target`."""
        placed, shape = target.place(inner, self.granularity), self.copied_shape.get(value)
        return shape is None or (placed is not None and placed.reshape(shape) is not None)

    def _move(self, source: int, result: int, target: Region) -> None:
        key = self.storage_of[source]
        self.begin[result] = min(self.begin[result], self.begin[key])
        for value, inner in self.storages.pop(key).members.items():
            placed = target.place(inner, self.granularity)
            assert placed is not None
            self._join(value, result, placed)


def _last_reads(steps: Sequence[Step], returned: Sequence[int]) -> dict[int, int]:
    """The last step that reads each value; results of the network are read after the last step."""
    last = {value: number for number, step in enumerate(steps) for value in step.reads}
    return last | {value: len(steps) for value in returned}


@dataclass(frozen=True)
class _Gathering:
    """The outermost buffer that a value becomes part of: when it is first written, and how many elements it has."""

    start: int
    elements: int


def _gatherings(steps: Sequence[Step], tensors: Sequence[Tensor]) -> dict[int, _Gathering]:
    """For each value that becomes part of a larger buffer, that buffer."""
    producer = {value: number for number, step in enumerate(steps) for value in step.results}
    gathers = [(number, step) for number, step in enumerate(steps) if step.role in (Role.CONCAT, Role.PAD)]
    starts: dict[int, int] = {}
    for number, step in gathers:
        starts[step.results[0]] = min(starts.get(value, producer.get(value, number)) for value in step.reads)
    outer: dict[int, _Gathering] = {}
    for _, step in reversed(gathers):
        result = step.results[0]
        largest = outer.get(result, _Gathering(starts[result], math.prod(tensors[result].shape)))
        outer |= dict.fromkeys(step.reads, largest)
    return outer
