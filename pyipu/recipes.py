"""How the weights of a model are made, kept as a program of its own: exactly this model runs no pass again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

import pyipu.dialect
from pyipu import settings
from pyipu.cache import digest, keep, read_kept, sources
from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.program import Constant, Parameter
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.importer.model import Model
from pyipu.parameters import Array, Parameters
from pyipu.passes.folding import Derivation
from pyipu.passes.functions import main_function

_FOLDER = "recipes"

_MOST_IN_TEXT = 2**20
"""Bytes of elements that are not the model's own; with more of them there is no recipe, and the passes run."""


@dataclass(frozen=True)
class Recipe:
    """What passes made of one model."""

    program: str
    """The name of its plan and code, but for tiles."""
    device: str
    """IREE's attribute for the device that they are for."""
    weights: str
    """A module whose function computes the weights from the tensors that the model holds."""

    def parameters(self, model: Model) -> Parameters:
        """The weights of the model, computed when they are first needed."""
        with pyipu.dialect.context(), ir.Location.unknown():
            return _made(ir.Module.parse(self.weights), model)


@dataclass(frozen=True)
class Recipes:
    """The place in the cache of what is made for a model with options."""

    model: Model
    options: Mapping[str, object]

    def find(self) -> Recipe | None:
        """None when nothing was kept, or when the file is damaged."""
        content = read_kept(_FOLDER, self._name)
        try:
            return Recipe(**json.loads(content)) if content is not None else None
        except (ValueError, TypeError):
            return None

    def keep(self, program: str, device: str, parameters: Parameters) -> None:
        """Unless some weights are no op's result: those of `storage` and `precision` are computed otherwise."""
        weights = _written(parameters, self.model)
        if weights is not None:
            keep(_FOLDER, self._name, json.dumps(asdict(Recipe(program, device, weights))).encode())

    @property
    def _name(self) -> str:
        """Passes read the settings, too."""
        return f"{digest(sources(), self.model.fingerprint(), settings.poison(), *sorted(self.options.items()))}.json"


# Writing ----------------------------------------------------------------------------------------------------------


def _written(parameters: Parameters, model: Model) -> str | None:
    keys = _in_order(parameters, lambda key: _needs(parameters, key))
    steps = {key: parameters.computation(key) for key in keys}
    values = {key: parameters[key] for key, step in steps.items() if step is None}
    stored = model.stored(values)
    others = [key for key, value in values.items() if not _same(value, stored.get(key))]
    in_text = sum(values[key].nbytes for key in others) <= _MOST_IN_TEXT
    if not in_text or not all(step is None or isinstance(step, Derivation) for step in steps.values()):
        return None
    return _text(
        {key: step or (values[key] if key in others else Tensor.of(values[key])) for key, step in steps.items()}
    )


def _needs(parameters: Parameters, key: str) -> list[str]:
    step = parameters.computation(key)
    return [one for one in step.operands if isinstance(one, str)] if isinstance(step, Derivation) else []


def _in_order(keys: Iterable[str], needs: Callable[[str], Iterable[str]]) -> list[str]:
    """The keys, each behind those that it needs, which are there as well."""
    done: dict[str, None] = {}
    open_ = list(keys)[::-1]
    while open_:
        missing = [one for one in needs(open_[-1]) if one not in done]
        if not missing:
            done[open_.pop()] = None
        open_ += missing
    return list(done)


def _same(value: Array, stored: Array | None) -> bool:
    if stored is None or (value.shape, value.dtype) != (stored.shape, stored.dtype):
        return False
    return value is stored or value.tobytes() == stored.tobytes()


def _text(steps: Mapping[str, object]) -> str:
    with pyipu.dialect.context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            main = func.FuncOp("main", ([], []))
        with ir.InsertionPoint(main.add_entry_block()):
            _write(steps)
            func.ReturnOp([])
        return str(module.operation.get_asm(enable_debug_info=True))


def _write(steps: Mapping[str, object]) -> None:
    """Locations name the parameters."""
    values: dict[str, ir.Value] = {}
    for key, step in steps.items():
        with ir.Location.name(key):
            values[key] = _op(key, step, values).results[0]


def _op(key: str, step: object, values: Mapping[str, ir.Value]) -> Op:
    if isinstance(step, Derivation):
        operands = [values[one] if isinstance(one, str) else _constant(one) for one in step.operands]
        return step.kind.create(*operands, **step.attributes)
    if isinstance(step, Tensor):
        return Parameter.create(key=key, results=[step])
    return Constant.create(value=step)


def _constant(value: Array) -> ir.Value:
    """One that is no parameter has no name."""
    return Constant.create(value=value, location=ir.Location.unknown()).result


# Reading ----------------------------------------------------------------------------------------------------------


def _made(module: ir.Module, model: Model) -> Parameters:
    ops, parameters = list(ipu_ops(main_function(module).regions[0].blocks[0])), Parameters()
    stored = model.stored({op.key for op in ops if isinstance(op, Parameter)})
    for op in filter(_is_named, ops):
        _add(op, stored, parameters)
    return parameters


def _add(op: Op, stored: Mapping[str, Array], parameters: Parameters) -> None:
    key, tensor = op.location.name_str, tensor_of(op.results[0])
    if isinstance(op, Parameter):
        parameters.add(key, stored[key])
    elif isinstance(op, Constant):
        parameters.add(key, op.value)
    else:
        step = Derivation(parameters, type(op), tuple(map(_source, op.operands)), op.values)
        parameters.derive(key, tensor.shape, tensor.numpy_dtype, step)


def _source(value: ir.Value) -> str | Array:
    return value.owner.location.name_str if _is_named(value.owner) else value.owner.value


def _is_named(op: Op) -> bool:
    return op.location != ir.Location.unknown()
