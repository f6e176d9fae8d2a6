"""The strips of one stretch, with the bytes that they hold and the time that they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pyipu.passes.planning.row_run import Role, RowRun, StreamOp
from pyipu.passes.planning.row_strips import Action, Kind, Part, plan_strips
from pyipu.passes.planning.strip_bounds import (
    COPIED_BYTES,
    DISPATCH,
    WIDE,
    Width,
    compute_cost,
    grain,
    row_ops,
    sinks_of,
)


@dataclass(frozen=True)
class StripPlan:
    """What is done, and in which pieces the sinks are left."""

    actions: tuple[Action, ...]
    left: Mapping[int, Sequence[Part]]
    sinks: tuple[int, ...]
    steps: int


def plan_stretch(run: RowRun, first: int, end: int, width: Width, known: Mapping[int, Sequence[Part]]) -> StripPlan:
    """Plans the ops [first, end) in strips so wide; `known` are the pieces of earlier values."""
    grains = [grain(op, width) for op in run.ops[:end]]
    sinks = sinks_of(run, first, end)
    steps = -(-run.ops[end - 1].rows.rows // grains[end - 1])
    still_read = [value for value in range(first) if run.last_reads[value] >= end]
    kept = 1 / 2 if width.pixels >= WIDE else 0.7
    actions, left = plan_strips(row_ops(run, first, end, grains), known, sinks, steps, still_read, kept)
    return StripPlan(tuple(actions), left, tuple(sinks), steps)


def sample_pieces(run: RowRun, first: int, width: Width | None) -> dict[int, list[Part]]:
    """Earlier values as a whole, or in pieces as strips so wide leave them."""
    pieces: dict[int, list[Part]] = {}
    number = 0
    for value, op in enumerate(run.ops[:first]):
        rows = op.rows.rows
        size = rows if width is None or value < run.given else min(rows, width.rows(op))
        bounds = [*range(0, rows, size), rows]
        pieces[value] = [Part(number + i, a, b) for i, (a, b) in enumerate(pairwise(bounds))]
        number += len(bounds) - 1
    return pieces


def plan_cost(run: RowRun, plan: StripPlan, first: int, end: int) -> float:
    """Microseconds that the strips take longer than the whole ops, and to copy what is concatenated later."""
    made = {action.made for action in plan.actions}
    strips = sum(action_cost(run, action, made) for action in plan.actions)
    copied = sum(gather_bytes(run, number) for sink in plan.sinks for number in waiting_gathers(run, sink, end))
    return strips + copied / COPIED_BYTES - sum(compute_cost(op, op.rows.rows) for op in run.ops[first:end])


def waiting_gathers(run: RowRun, sink: int, end: int) -> list[int]:
    """The concatenations of a result of a stretch that ends at `end` with something that is computed behind it.

    They copy the result: their buffers need not be there as early as its first strip.
    """
    return [
        number
        for number, op in enumerate(run.ops)
        if number >= end and op.role is Role.GATHER and sink in op.values and any(value >= end for value in op.values)
    ]


def gather_bytes(run: RowRun, number: int) -> int:
    """Bytes of what a concatenation puts together."""
    return sum(run.ops[value].bytes for value in run.ops[number].values)


def action_cost(run: RowRun, action: Action, made: set[Part]) -> float:
    """Microseconds by estimate; complete pieces in `made` are gathered without a copy, unless they stay apart."""
    op = run.ops[action.op]
    if action.kind is Kind.COMPUTE and op.role is not Role.GATHER:
        return compute_cost(op, action.made.rows)
    copied = [part for part in action.parts if action.apart or action.kind is Kind.KEEP or part not in made]
    row_bytes = [op.row_bytes] * len(action.parts)
    if action.kind is Kind.COMPUTE:
        row_bytes = [run.ops[use.value].row_bytes for use in op.rows.uses]
    moved = sum(part.rows * size for part, size in zip(action.parts, row_bytes, strict=True) if part in copied)
    return DISPATCH * len(copied) + moved / COPIED_BYTES


def plan_peak(
    run: RowRun, plan: StripPlan, first: int, known: Mapping[int, Sequence[Part]], pieces_in: bool, pieces_out: bool
) -> int:
    """Bytes alive at most while the plan runs, of everything in the run.

    `pieces_in`: the values from before are given up piece by piece; `pieces_out`: the sinks are left in pieces.
    """
    end = first + len({action.op for action in plan.actions})
    stays, dies, _ = run.boundary_bytes(first, end)
    before = {value: parts for value, parts in known.items() if pieces_in and value >= run.given}
    buffers = _PieceBuffers(run, plan, before, () if pieces_out else plan.sinks)
    alive = np.zeros(len(plan.actions) + 1, dtype=np.int64)
    for piece, size in buffers.size.items():
        if pieces_out or buffers.op[piece] not in plan.sinks:
            alive[buffers.begin[piece]] += size
            alive[buffers.last[piece] + 1] -= size
    whole_sinks = 0 if pieces_out else sum(run.ops[sink].bytes for sink in plan.sinks)
    most = int(np.cumsum(alive).max(initial=0))
    return most + stays + whole_sinks + (0 if pieces_in else dies)


class _PieceBuffers:
    """The buffers of pieces: from which action to which, and how large. Joined pieces are one buffer.

    `before` are values that lie in pieces already; what becomes part of a `joined` value takes nobody's bytes.
    """

    def __init__(
        self, run: RowRun, plan: StripPlan, before: Mapping[int, Sequence[Part]], joined: Sequence[int]
    ) -> None:
        self.run, self.joined = run, joined
        self.op: dict[int, int] = {}
        self.begin: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.size: dict[int, int] = {}
        self.made: dict[int, Part] = {}
        self.inside: dict[int, int] = {}
        self.apart: set[int] = set()
        self.last_use = {part.piece: time for time, action in enumerate(plan.actions) for part in action.parts}
        for value, part in ((value, part) for value, parts in before.items() for part in parts):
            if part.piece in self.last_use:
                self._open(value, part, 0)
        for time, action in enumerate(plan.actions):
            self._add(time, action)
        for part in (part for sink in plan.sinks for part in plan.left[sink]):
            self.last[self._root(part.piece)] = len(plan.actions) - 1

    def _open(self, op: int, part: Part, time: int) -> None:
        self.op[part.piece], self.made[part.piece] = op, part
        self.begin[part.piece] = self.last[part.piece] = time
        self.size[part.piece] = part.rows * self.run.ops[op].row_bytes

    def _add(self, time: int, action: Action) -> None:
        roots = [self._root(part.piece) for part in action.parts]
        for root in (root for root in roots if root in self.size):
            self.last[root] = time
        piece, op = action.made.piece, self.run.ops[action.op]
        if action.kind is Kind.COMPUTE and op.role is Role.VIEW:
            self.inside[piece] = roots[0]
            return
        shared = self._shared(time, action, op)
        begin = min([self.begin[one] for one in shared], default=time)
        self._open(action.op, action.made, time)
        self.begin[piece] = begin
        for one in shared:
            self.inside[one] = piece
            del self.size[one]
        if action.kind is Kind.KEEP:
            self.apart.add(piece)

    def _root(self, piece: int) -> int:
        while piece in self.inside:
            piece = self.inside[piece]
        return piece

    def _shared(self, time: int, action: Action, op: StreamOp) -> list[int]:
        """The pieces that become part of the new one's buffer: gathered, or overwritten with their last use."""
        gathered = action.kind is Kind.JOIN or (action.kind is Kind.COMPUTE and op.role is Role.GATHER)
        if action.apart or action.kind is Kind.KEEP:
            return []
        if not gathered and (action.op in self.joined or not op.takes):
            return []
        complete = [part.piece for part in action.parts if self.made.get(part.piece) == part]
        own = [piece for piece in dict.fromkeys(complete) if piece in self.size and piece not in self.apart]
        return own if gathered else [piece for piece in own if self._can_take(time, action, op, piece)][:1]

    def _can_take(self, time: int, action: Action, op: StreamOp, piece: int) -> bool:
        same = self.size[piece] == action.made.rows * op.row_bytes
        return same and self.last_use[piece] == time and self.op[piece] in op.takes
