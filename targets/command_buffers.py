"""Divides commands among command buffers: IREE builds each in a function of its own, whose registers are limited."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

MOST_REGISTERS = 3 * 2**12
"""Of 32 bits, that the numbers in a command buffer's commands may take.

A function of IREE's virtual machine keeps each number in registers of its own from beginning to end. It may have 2^14:
their count is rounded up to a power of two, and 2^15 is one too many (`iree/vm/bytecode/verifier.c`). With more it is
rejected when it is loaded, as "register count overflow", or by the compiler. A quarter is left for what else it needs.
"""

_NUMBER = re.compile(r"%n\d+|%i\d+_\d+")
_FUNCTION = re.compile(r"@\w+::@\w+")
_REGISTERS_OF_A_NUMBER = 2
"""Bytes are counted in 64 bits."""
_REGISTERS_OF_A_FUNCTION = 4
"""Its number in the executable, and how many workgroups it has in three dimensions."""

Wave = Sequence[str]
"""Commands that may run side by side."""

Item = TypeVar("Item")


def command_buffers(waves: Sequence[Wave], most: int = MOST_REGISTERS) -> list[list[Wave]]:
    """The waves in order, in as few parts as need at most so many registers each; a wave that needs more is divided."""
    pieces = [piece for wave in waves for piece in _filled(wave, _names, most)]
    return _filled(pieces, lambda wave: set[str]().union(*map(_names, wave)), most)


def _filled(items: Sequence[Item], names_of: Callable[[Item], set[str]], most: int) -> list[list[Item]]:
    """Divides a sequence where the registers are used up."""
    parts: list[list[Item]] = []
    used: set[str] = set()
    left = 0
    for item in items:
        names = names_of(item)
        left -= _registers(names - used)
        if not parts or left < 0:
            parts.append([])
            used, left = set(), most - _registers(names)
        used |= names
        parts[-1].append(item)
    return parts


def _names(command: str) -> set[str]:
    return {name for kind in (_NUMBER, _FUNCTION) for name in kind.findall(command)}


def _registers(names: set[str]) -> int:
    functions = sum(name.startswith("@") for name in names)
    return _REGISTERS_OF_A_FUNCTION * functions + _REGISTERS_OF_A_NUMBER * (len(names) - functions)
