"""Arithmetic of dimension permutations; shapes and permutations only, no IR.

A permutation is numpy's: dimension i of the result is dimension `permutation[i]` of the operand.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyipu.dialect.definition import Permutation
from pyipu.dialect.movement import inverse, permute

Shape = Sequence[int]


def compose(first: Permutation, second: Permutation) -> Permutation:
    """The permutation that does `first` and then `second`."""
    return permute(first, second)


def is_identity(permutation: Permutation) -> bool:
    return list(permutation) == list(range(len(permutation)))


def moves_only_units(shape: Shape, permutation: Permutation) -> bool:
    """The elements keep their row-major order, because only dimensions of size one change places."""
    moved = [i for i in permutation if shape[i] != 1]
    return moved == sorted(moved)


def with_leading(permutation: Permutation, rank: int) -> Permutation:
    """The same permutation of the last dimensions of a tensor of `rank`."""
    added = rank - len(permutation)
    return (*range(added), *(added + i for i in permutation))


def unit_permutation(source: Shape, target: Shape) -> Permutation | None:
    """The permutation of unit dimensions that a reshape does; None when it does more, or nothing.

    Among the unit dimensions it keeps the order.
    """
    if len(source) != len(target) or tuple(source) == tuple(target) or _non_units(source) != _non_units(target):
        return None
    large = (i for i, size in enumerate(source) if size != 1)
    units = (i for i, size in enumerate(source) if size == 1)
    return tuple(next(units if size == 1 else large) for size in target)


def _non_units(shape: Shape) -> list[int]:
    return [size for size in shape if size != 1]


def sunk_through_reshape(
    source: Shape, permutation: Permutation, target: Shape
) -> tuple[tuple[int, ...], Permutation] | None:
    """How a transposition sinks through a reshape; None when the reshape merges what it has separated.

    Returns a shape s and a permutation q with
    `reshape(transpose(x, permutation), target) == transpose(reshape(x, s), q)` for x of shape `source`.
    """
    groups = reshape_groups(permute(source, permutation), target)
    if groups is None:
        return None
    origins = [[permutation[i] for i in operand] for operand, _ in groups]
    order = sorted(range(len(groups)), key=lambda group: origins[group])
    if not _in_order([i for group in order for i in origins[group]]):
        return None
    first = groups[0][1].start if groups else len(target)
    placed = [*range(first), *(i for group in order for i in groups[group][1])]
    return tuple(target[i] for i in placed), inverse(tuple(placed))


def _in_order(dimensions: Sequence[int]) -> bool:
    return list(dimensions) == sorted(dimensions)


def broadcast_before_reshape(source: Shape, target: Shape, operand: Shape) -> tuple[int, ...] | None:
    """The shape in which a tensor that broadcasts to a reshape's result broadcasts to what was reshaped.

    None when it repeats only a part of what the reshape has split or merged.
    """
    full = (*[1] * (len(target) - len(operand)), *operand)
    shape = [1] * len(source)
    for origins, results in reshape_groups(source, target) or ():
        if all(full[i] == target[i] for i in results):
            shape = [source[i] if i in origins else size for i, size in enumerate(shape)]
        elif any(full[i] != 1 for i in results):
            return None
    return tuple(shape)


def dimension_before_reshape(source: Shape, target: Shape, dimension: int) -> int | None:
    """Which dimension of `source` is this one of `target`; None when the reshape splits or merges it."""
    groups = [one for one in reshape_groups(source, target) or () if dimension in one[1]]
    if not groups or target[dimension] == 1 or len(groups[0][0]) != 1:
        return None
    origin = groups[0][0][0]
    return origin if source[origin] == target[dimension] else None


def reshape_groups(operand: Shape, result: Shape) -> list[tuple[list[int], range]] | None:
    """The smallest groups of dimensions that a reshape splits or merges independently of each other.

    Each is a list of the operand's dimensions that are not 1 and a range of the result's dimensions; a unit dimension
    of the result belongs to the group before it, and to none when it leads. None for a tensor without elements.
    """
    if 0 in operand:
        return None
    left = [i for i, size in enumerate(operand) if size != 1]
    right = [i for i, size in enumerate(result) if size != 1]
    groups: list[tuple[list[int], range]] = []
    while left:
        taken, used = _smallest_group([operand[i] for i in left], [result[i] for i in right])
        end = right[used] if used < len(right) else len(result)
        groups.append((left[:taken], range(right[0], end)))
        left, right = left[taken:], right[used:]
    return groups


def _smallest_group(left: Shape, right: Shape) -> tuple[int, int]:
    """How many leading sizes of either side have the same product, at least one each."""
    taken, used, a, b = 1, 1, left[0], right[0]
    while a != b:
        if a < b:
            a *= left[taken]
            taken += 1
        else:
            b *= right[used]
            used += 1
    return taken, used
