"""How the Python annotation of an op's attribute becomes an MLIR attribute, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NewType

import numpy as np
from iree.compiler import ir

from pyipu.dialect.types import Tensor, mlir_type, parse_type

Symbol = NewType("Symbol", str)
"""An attribute that names another operation of the module, such as a vertex's codelet."""


@dataclass(frozen=True)
class Kind:
    """One kind of attribute: its name in IRDL, and both directions of the conversion."""

    irdl: str
    encode: Callable[[Any], ir.Attribute]
    decode: Callable[[ir.Attribute], Any]


def _encode_integer(value: int) -> ir.Attribute:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), int(value))


def _encode_integers(values: tuple[int, ...]) -> ir.Attribute:
    integers = [int(value) for value in values]
    if any(not -(2**63) <= value < 2**63 for value in integers):
        raise ValueError(f"a number in {integers} does not fit into 64 bits")
    return ir.DenseI64ArrayAttr.get(integers)


def _encode_array(value: np.ndarray) -> ir.Attribute:
    """The bytes travel as hexadecimal text, which is exact for every element type; i1 has words instead."""
    value = np.asarray(value)
    if value.size == 0:
        return ir.Attribute.parse(f"dense<> : {Tensor.of(value)}")
    if value.dtype == np.bool_:
        words = str(value.tolist()).lower()
        return ir.Attribute.parse(f"dense<{words}> : {Tensor.of(value)}")
    return ir.Attribute.parse(f'dense<"0x{value.tobytes().hex()}"> : {Tensor.of(value)}')


def _decode_array(attribute: ir.Attribute) -> np.ndarray:
    tensor = Tensor.parse(str(attribute.type))
    text = str(attribute).rpartition(" : ")[0].removeprefix("dense<").removesuffix(">")
    if text.startswith('"0x'):
        return _reshaped(np.frombuffer(bytes.fromhex(text[3:-1]), tensor.numpy_dtype), tensor)
    items = [_number(item, tensor) for item in re.findall(r"[^\[\],\s]+", text)]
    return _reshaped(np.array(items, tensor.numpy_dtype), tensor)


def _decode_tensor(attribute: ir.Attribute) -> Tensor:
    type_ = parse_type(ir.TypeAttr(attribute).value)
    if not isinstance(type_, Tensor):
        raise ValueError(f"{type_} is not a tensor type")
    return type_


def _number(text: str, tensor: Tensor) -> Any:
    """One printed element: a word, an integer, a decimal float, or a float's bits in hexadecimal."""
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("0x"):
        return np.frombuffer(bytes.fromhex(text[2:])[::-1], tensor.numpy_dtype)[0]
    return float(text) if tensor.is_float else int(text)


def _reshaped(items: np.ndarray, tensor: Tensor) -> np.ndarray:
    """A splat prints one element for the whole tensor."""
    if items.size == 1 and tensor.elements != 1:
        return np.full(tensor.shape, items[0], tensor.numpy_dtype)
    return items.reshape(tensor.shape)


KINDS: dict[str, Kind] = {
    "int": Kind("builtin.integer", _encode_integer, lambda a: ir.IntegerAttr(a).value),
    "bool": Kind("builtin.integer", ir.BoolAttr.get, lambda a: ir.BoolAttr(a).value),
    "float": Kind("builtin.float", lambda v: ir.FloatAttr.get_f64(float(v)), lambda a: ir.FloatAttr(a).value),
    "str": Kind("builtin.string", ir.StringAttr.get, lambda a: ir.StringAttr(a).value),
    "Symbol": Kind("builtin.symbol_ref", ir.FlatSymbolRefAttr.get, lambda a: Symbol(ir.FlatSymbolRefAttr(a).value)),
    "tuple[int, ...]": Kind(
        "builtin.dense_array",
        _encode_integers,
        lambda a: tuple(ir.DenseI64ArrayAttr(a)),
    ),
    "tuple[str, ...]": Kind(
        "builtin.array",
        lambda v: ir.ArrayAttr.get([ir.StringAttr.get(item) for item in v]),
        lambda a: tuple(ir.StringAttr(item).value for item in ir.ArrayAttr(a)),
    ),
    "Tensor": Kind(
        "builtin.type",
        lambda v: ir.TypeAttr.get(mlir_type(v)),
        _decode_tensor,
    ),
    "np.ndarray": Kind("builtin.dense_typed_elements", _encode_array, _decode_array),
}
