"""Loops over vectors, written out: IREE's code generator translates them as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pyipu.dialect.loops import Carried, counted
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.writer import CodeletWriter

Term = tuple[object, int]
"""A part of an index: a number, or what is spelled as the SSA value, and what it is multiplied with."""


class VectorWriter(Scalars):
    """Adds operations on vectors of `lanes` elements, on indices, and loops to the lines of a codelet."""

    def __init__(self, codelet: CodeletWriter, lanes: int) -> None:
        super().__init__("%v", lanes)
        self.codelet, self.lines = codelet, codelet.lines

    def line(self, operation: str) -> str:
        """Writes an operation and returns the SSA name of its result, which is no vector of `lanes` elements."""
        return self.write(operation, "index").name

    def index(self, number: int) -> str:
        """The SSA name of a constant; equal ones are written once."""
        return self.codelet.index(number)

    def sum(self, terms: Iterable[Term]) -> str:
        """The SSA name of a sum of indices."""
        total, fixed = "", 0
        for value, factor in terms:
            if isinstance(value, int):
                fixed += value * factor
                continue
            product = self._times(str(value), factor)
            total = self.line(f"arith.addi {total}, {product} : index") if total else product
        if not total:
            return self.index(fixed)
        return self.line(f"arith.addi {total}, {self.index(fixed)} : index") if fixed else total

    def _times(self, value: str, factor: int) -> str:
        return value if factor == 1 else self.line(f"arith.muli {value}, {self.index(factor)} : index")

    def divided(self, value: str, number: int) -> tuple[str, str]:
        """The quotient and the rest of an index."""
        by = self.index(number)
        return self.line(f"arith.divui {value}, {by} : index"), self.line(f"arith.remui {value}, {by} : index")

    def loop(
        self,
        extent: int,
        step: int,
        carried: Sequence[Carried],
        body: Callable[[str, Sequence[Carried]], Sequence[Carried]],
    ) -> Sequence[Carried]:
        """Runs `body(index, carried)`, which returns what the next turn is given, and returns the last of it."""
        if extent <= step:
            return body(self.index(0), carried)
        bounds = [self.index(number) for number in (0, extent, step)]
        return counted(self.codelet, bounds, carried, body)


def combination(scalars: Scalars, coefficients: Sequence[float], terms: Sequence[Scalar]) -> Scalar:
    """The sum of the terms, each times its coefficient, of which some are not zero."""
    pairs = [(factor, term) for factor, term in zip(coefficients, terms, strict=True) if factor != 0]
    (factor, term), *rest = sorted(pairs, key=lambda pair: pair[0] != 1)
    total = term if factor == 1 else scalars.multiply(term, scalars.constant(factor, term.dtype))
    for factor, term in rest:
        total = _plus(scalars, total, factor, term)
    return total


def _plus(scalars: Scalars, total: Scalar, factor: float, term: Scalar) -> Scalar:
    if abs(factor) == 1:
        return scalars.add(total, term) if factor == 1 else scalars.subtract(total, term)
    return scalars.math("fma", term, scalars.constant(factor, term.dtype), total)
