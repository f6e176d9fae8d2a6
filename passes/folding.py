"""Constant folding: an op whose operands are all known at compile time becomes a constant or a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Constant, Parameter
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.parameters import Array, Parameters

CONSTANT_ELEMENTS = 16
"""Up to so many elements a known tensor stands in the IR; larger ones live in the parameter archive."""


@dataclass(frozen=True)
class Derivation:
    """How the elements of a known tensor come from those of others: by an op, as numpy evaluates it."""

    parameters: Parameters
    kind: type[Op]
    operands: tuple[str | Array, ...]
    """Keys of parameters, and tensors that stand in the IR or have no elements."""
    attributes: Mapping[str, Any]

    def __call__(self) -> Array:
        arrays = [self.parameters[one] if isinstance(one, str) else one for one in self.operands]
        return np.asarray(self.kind.evaluate(*arrays, **self.attributes))


def is_known(value: ir.Value) -> bool:
    """The value is a constant or a parameter."""
    return isinstance(value.owner, Constant | Parameter)


def known_value(value: ir.Value) -> np.ndarray | None:
    """The elements of a constant that stands in the IR; None for anything else, parameters included."""
    return value.owner.value if isinstance(value.owner, Constant) else None


def number_of(value: ir.Value) -> float | None:
    """The only element of a constant."""
    known = known_value(value)
    return None if known is None or known.size != 1 else float(known.reshape(-1)[0])


def add_known(array: np.ndarray, name: str, parameters: Parameters, location: ir.Location | None = None) -> ir.Value:
    """Builds a constant, or a parameter called like `name`, that holds `array`; at the current insertion point."""
    if array.size <= CONSTANT_ELEMENTS:
        return Constant.create(value=array, location=location).result
    key = parameters.unique(name)
    parameters.add(key, array)
    return Parameter.create(key=key, results=[Tensor.of(array)], location=location).result


def fold(op: Op, parameters: Parameters) -> ir.Value | None:
    """Builds what `op` computes as a known value before it, and returns that; None when it is not foldable.

    Small results are computed now. Large ones become derived parameters, which are computed when they are needed.
    A tensor without elements is known whatever it is computed from.
    """
    foldable = op.pure and len(op.results) == 1 and not op.results_are_given and len(op.operands) > 0
    if not foldable:
        return None
    tensor = tensor_of(op.results[0])
    if tensor.elements == 0:
        return _empty(op, tensor)
    if not all(is_known(value) or tensor_of(value).elements == 0 for value in op.operands):
        return None
    in_text = all(isinstance(value.owner, Constant) for value in op.operands)
    if not in_text and tensor.elements <= CONSTANT_ELEMENTS and not _available(op, parameters):
        return None
    with ir.InsertionPoint(op.operation):
        if tensor.elements <= CONSTANT_ELEMENTS:
            return Constant.create(value=_derivation(op, parameters)(), location=op.location).result
        return _derive(op, tensor, parameters)


def _empty(op: Op, tensor: Tensor) -> ir.Value:
    with ir.InsertionPoint(op.operation):
        return Constant.create(value=np.empty(tensor.shape, tensor.numpy_dtype), location=op.location).result


def _available(op: Op, parameters: Parameters) -> bool:
    """IR read from text declares parameters without their elements: what needs those cannot be folded."""
    keys = [value.owner.key for value in op.operands if isinstance(value.owner, Parameter)]
    return all(parameters.has_value(key) for key in keys)


def _derive(op: Op, tensor: Tensor, parameters: Parameters) -> ir.Value:
    key = parameters.unique(_name(op))
    parameters.derive(key, tensor.shape, tensor.numpy_dtype, _derivation(op, parameters))
    return Parameter.create(key=key, results=[tensor], location=op.location).result


def _derivation(op: Op, parameters: Parameters) -> Derivation:
    return Derivation(parameters, type(op), tuple(map(_source, op.operands)), op.values)


def _source(value: ir.Value) -> str | Array:
    """The key of a parameter, or the elements themselves where they are known now or there are none."""
    tensor, owner = tensor_of(value), value.owner
    if tensor.elements == 0:
        return np.empty(tensor.shape, tensor.numpy_dtype)
    return owner.value if isinstance(owner, Constant) else owner.key


def _name(op: Op) -> str:
    """A key that tells where the tensor comes from: the first parameter's key and what was done to it."""
    keys = [value.owner.key for value in op.operands if isinstance(value.owner, Parameter)]
    return f"{keys[0]}.{op.MNEMONIC}" if keys else f"{op.MNEMONIC}"
