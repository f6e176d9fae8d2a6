"""Which graph ops run together as one vertex: an anchor and the element-wise ops behind it. Knows nothing of MLIR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

LONGEST_EXTENSION = 16
"""How many element-wise ops may lie between one value and the next through which all data flows."""


MOST_INPUTS = 15
"""Operands of a vertex: devices bind few buffers to one dispatch."""


class Kind(Enum):
    """What an op may be in a group."""

    ANCHOR = "anchor"
    """Starts a group and takes an epilogue."""
    ALONE = "alone"
    """A group of its own, without an epilogue."""
    ELEMENTWISE = "elementwise"
    """Extends a group, or starts one of element-wise ops only."""
    OUTSIDE = "outside"
    """Is no computation: known tensors, views, movement."""


@dataclass(frozen=True)
class Node:
    """An op in program order, with one result, which is named by the op's position."""

    kind: Kind
    operands: tuple[int, ...]
    """Positions of the ops whose results it takes; what is no op's result is left out."""
    shape: tuple[int, ...]
    returned: bool = False
    """The result leaves the function."""
    inputs: int = 0
    """How many operands, known tensors included, the op would bring into a vertex of its own."""


@dataclass(frozen=True)
class Group:
    """One vertex: positions of its ops in program order. The last one's result is the vertex's result."""

    members: tuple[int, ...]


def form_groups(nodes: Sequence[Node]) -> list[Group]:
    """Groups in the order of their last members, which is an order in which they can run."""
    users = _users(nodes)
    taken: set[int] = set()
    groups = []
    for position, node in enumerate(nodes):
        if node.kind is Kind.OUTSIDE or position in taken:
            continue
        members = _grow(position, nodes, users, taken)
        taken.update(members)
        groups.append(members)
    ordered = sorted(groups, key=lambda members: members[-1])
    return [Group(tuple(members)) for members in _joined(ordered, nodes, users)]


def _users(nodes: Sequence[Node]) -> list[list[int]]:
    users: list[list[int]] = [[] for _ in nodes]
    for position, node in enumerate(nodes):
        for operand in dict.fromkeys(node.operands):
            users[operand].append(position)
    return users


def _grow(start: int, nodes: Sequence[Node], users: list[list[int]], taken: set[int]) -> list[int]:
    members = [start]
    if nodes[start].kind is Kind.ALONE:
        return members
    while extension := _extension(members[-1], nodes, users):
        if taken.intersection(extension) or _inputs([*members, *extension], nodes) > MOST_INPUTS:
            break
        members += extension
    return members


def _joined(groups: list[list[int]], nodes: Sequence[Node], users: list[list[int]]) -> list[list[int]]:
    """Element-wise groups run inside of the one element-wise group that reads their result, if it has their shape."""
    joined = {number: list(members) for number, members in enumerate(groups)}
    owner = {position: number for number, members in enumerate(groups) for position in members}
    for number in range(len(groups)):
        reader = _only_reader(joined[number], nodes, users, owner)
        if reader is None or not _may_join(joined, number, reader, nodes):
            continue
        joined[reader] = sorted([*joined.pop(number), *joined[reader]])
        owner.update(dict.fromkeys(joined[reader], reader))
    return list(joined.values())


def _only_reader(
    members: Sequence[int], nodes: Sequence[Node], users: list[list[int]], owner: dict[int, int]
) -> int | None:
    """The one group that reads the last member's result; None when something else reads it, too."""
    readers = {owner.get(user) for user in users[members[-1]]}
    return readers.pop() if len(readers) == 1 and not nodes[members[-1]].returned else None


def _may_join(joined: dict[int, list[int]], number: int, reader: int, nodes: Sequence[Node]) -> bool:
    """Joining is free where it lengthens no life: one tensor waits instead of another, or nothing runs in between."""
    both = [*joined[number], *joined[reader]]
    plain = all(nodes[i].kind is Kind.ELEMENTWISE and nodes[i].shape == nodes[both[-1]].shape for i in both)
    adjacent = not any(between in joined for between in range(number + 1, reader))
    free = adjacent or _inputs(joined[number], nodes) == 1
    return plain and free and _inputs(both, nodes) <= MOST_INPUTS


def _inputs(members: Sequence[int], nodes: Sequence[Node]) -> int:
    """At most so many operands has the vertex of these ops; the tail of one op is the operand of the next."""
    return sum(nodes[i].inputs for i in members) - (len(members) - 1)


def _extension(tail: int, nodes: Sequence[Node], users: list[list[int]]) -> list[int] | None:
    """The fewest element-wise ops after `tail` behind which one single value is live again; None if there are none.

    All of them have the tail's shape, and nothing but them reads the values in between.
    """
    members: list[int] = []
    waiting = set(users[tail])
    while waiting and len(members) < LONGEST_EXTENSION:
        position = min(waiting)
        node = nodes[position]
        if node.kind is not Kind.ELEMENTWISE or node.shape != nodes[tail].shape:
            return None
        if any(nodes[inner].returned for inner in (tail, *members)):
            return None
        members.append(position)
        waiting = (waiting - {position}) | set(users[position])
        inner = {reader for value in (tail, *members[:-1]) for reader in users[value]}
        if inner <= set(members):
            return members
    return None
