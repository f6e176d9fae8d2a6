"""Remembers what was made of MLIR's types: they are unique in their context, and reading their text takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from iree.compiler import ir

Key = TypeVar("Key")
Result = TypeVar("Result")


class PerContext(Generic[Key, Result]):
    """A function whose results are kept for one context, the one that was used last.

    What it keeps keeps that context alive, so it never keeps those of two contexts for long.
    """

    def __init__(self, function: Callable[[Key, ir.Context], Result]) -> None:
        self._function = function
        self._context: ir.Context | None = None
        self._known: dict[Key, Result] = {}

    def __call__(self, key: Key, context: ir.Context) -> Result:
        """`function(key, context)`; raises what it raises."""
        if context is not self._context:
            self._context, self._known = context, {}
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._function(key, context)
        return found
