"""Scalar arithmetic inside a `linalg.generic`, spelled by element type: `add` is addf for floats, addi for integers."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

_NOT_IN_F64 = ("erf", "tanh")
_FLOAT_BITS = {"f64": 64, "f32": 32, "f16": 16, "bf16": 16}


@dataclass(frozen=True)
class Scalar:
    """An SSA scalar, or a vector of `lanes` scalars; its dtype keeps the sign (`ui8`) that the MLIR type has not."""

    name: str
    dtype: str
    lanes: int = 0

    @property
    def type(self) -> str:
        element = self.dtype.replace("ui", "i")
        return f"vector<{self.lanes}x{element}>" if self.lanes else element

    @property
    def is_float(self) -> bool:
        return self.dtype in _FLOAT_BITS

    @property
    def is_unsigned(self) -> bool:
        return self.dtype.startswith("ui") or self.dtype == "i1"

    @property
    def bits(self) -> int:
        return _FLOAT_BITS[self.dtype] if self.is_float else int(self.dtype.lstrip("ui"))


def literal(number: float | int | bool, dtype: str) -> str:
    """How MLIR spells a constant of `dtype`; infinities and NaN go by their bits."""
    if dtype == "i1":
        return "1" if number else "0"
    if dtype not in _FLOAT_BITS:
        return str(int(number))
    if math.isfinite(number):
        return f"{float(number):.17e}"
    return _infinity(float(number), dtype)


def _infinity(number: float, dtype: str) -> str:
    if dtype == "bf16":
        return f"0x{struct.pack('>f', number).hex()[:4].upper()}"
    return f"0x{struct.pack({'f64': '>d', 'f32': '>f', 'f16': '>e'}[dtype], number).hex().upper()}"


class Scalars:
    """Writes scalar operations; the methods are the vocabulary of `Elementwise.scalar`.

    With `lanes` each of them is done to a vector of so many scalars.
    """

    def __init__(self, prefix: str, lanes: int = 0) -> None:
        self.lines: list[str] = []
        self.lanes = lanes
        self._prefix = prefix.replace("%", "%s")

    def named(self, name: str, dtype: str) -> Scalar:
        """The value of that SSA name."""
        return Scalar(name, dtype, self.lanes)

    def write(self, operation: str, dtype: str) -> Scalar:
        value = self.named(f"{self._prefix}_{len(self.lines)}", dtype)
        self.lines.append(f"{value.name} = {operation}")
        return value

    def constant(self, number: float | int | bool, dtype: str) -> Scalar:
        elements = f"dense<{literal(number, dtype)}>" if self.lanes else literal(number, dtype)
        return self.write(f"arith.constant {elements} : {Scalar('', dtype, self.lanes).type}", dtype)

    def binary(self, operation: str, a: Scalar, b: Scalar) -> Scalar:
        """An operation of MLIR on two scalars of one type, such as arith.shli."""
        return self.write(f"{operation} {a.name}, {b.name} : {a.type}", a.dtype)

    def _by_type(self, a: Scalar, b: Scalar, floating: str, signed: str, unsigned: str | None = None) -> Scalar:
        integer = unsigned if a.is_unsigned and unsigned else signed
        return self.binary(f"arith.{floating if a.is_float else integer}", a, b)

    def add(self, a: Scalar, b: Scalar) -> Scalar:
        return self._by_type(a, b, "addf", "addi")

    def subtract(self, a: Scalar, b: Scalar) -> Scalar:
        return self._by_type(a, b, "subf", "subi")

    def multiply(self, a: Scalar, b: Scalar) -> Scalar:
        return self._by_type(a, b, "mulf", "muli")

    def divide(self, a: Scalar, b: Scalar) -> Scalar:
        return self._by_type(a, b, "divf", "divsi", "divui")

    def maximum(self, a: Scalar, b: Scalar) -> Scalar:
        return self._by_type(a, b, "maximumf", "maxsi", "maxui")

    def minimum(self, a: Scalar, b: Scalar) -> Scalar:
        return self._by_type(a, b, "minimumf", "minsi", "minui")

    def bitwise(self, word: str, a: Scalar, b: Scalar) -> Scalar:
        """`word` is and, or, xor."""
        return self.binary(f"arith.{word}i", a, b)

    def math(self, word: str, *arguments: Scalar) -> Scalar:
        """A function of MLIR's math dialect, such as exp, tanh, erf, absf, powf.

        Where IREE has none for f64, the result is only as exact as f32.
        """
        dtype = arguments[0].dtype
        if dtype == "f64" and word in _NOT_IN_F64:
            return self.cast(self.math(word, *(self.cast(a, "f32") for a in arguments)), dtype)
        names = ", ".join(a.name for a in arguments)
        return self.write(f"math.{word} {names} : {arguments[0].type}", dtype)

    def compare(self, word: str, a: Scalar, b: Scalar) -> Scalar:
        """`word` is eq, ne, lt, le, gt or ge; NaN compares as in numpy."""
        if a.is_float:
            return self.write(
                f"arith.cmpf {'une' if word == 'ne' else 'o' + word}, {a.name}, {b.name} : {a.type}", "i1"
            )
        sign = "" if word in ("eq", "ne") else ("u" if a.is_unsigned else "s")
        return self.write(f"arith.cmpi {sign}{word}, {a.name}, {b.name} : {a.type}", "i1")

    def select(self, condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
        types = f"{condition.type}, {a.type}" if self.lanes else a.type
        return self.write(f"arith.select {condition.name}, {a.name}, {b.name} : {types}", a.dtype)

    def bits(self, a: Scalar) -> Scalar:
        """The integer with the bits of a number of f32."""
        return self.write(f"arith.bitcast {a.name} : {a.type} to {self.named('', 'i32').type}", "i32")

    def cast(self, a: Scalar, dtype: str) -> Scalar:
        """Numeric conversion as numpy's astype: floats truncate toward zero, anything but zero is true."""
        if a.dtype == dtype:
            return a
        if dtype == "i1":
            return self.compare("ne", a, self.constant(0, a.dtype))
        if {a.dtype, dtype} == {"f16", "bf16"}:
            a = self.cast(a, "f32")
        to = self.named("", dtype)
        operation = _conversion(a, to)
        if operation is None:
            return self.named(a.name, dtype)
        return self.write(f"arith.{operation} {a.name} : {a.type} to {to.type}", dtype)


def _conversion(a: Scalar, to: Scalar) -> str | None:
    """The arith cast from `a` to `to`; None when only the sign changes."""
    if a.is_float and to.is_float:
        return "extf" if to.bits > a.bits else "truncf"
    if a.is_float:
        return "fptoui" if to.is_unsigned else "fptosi"
    if to.is_float:
        return "uitofp" if a.is_unsigned else "sitofp"
    if to.bits == a.bits:
        return None
    if to.bits < a.bits:
        return "trunci"
    return "extui" if a.is_unsigned else "extsi"
