"""Which function imports which ONNX operator, and how a node's inputs and attributes become its arguments.

    @operator("Softmax", since=13)
    def softmax(graph: GraphBuilder, input: Value, *, axis: int = -1) -> Value: ...

Positional parameters are the operator's inputs, those with the default None optional ones, `*inputs` a variadic one.
Keyword parameters are its attributes, with ONNX's types and defaults; one without default is required.
`since` is the first opset of this form of the operator; a model gets the newest form that its opset knows.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
from iree.compiler import ir

from pyipu.errors import ModelError, UnsupportedError
from pyipu.importer.elements import element_type

if TYPE_CHECKING:
    from pyipu.importer.graph import GraphBuilder

Value: TypeAlias = ir.Value
Ints: TypeAlias = tuple[int, ...]
Floats: TypeAlias = tuple[float, ...]
Strings: TypeAlias = tuple[str, ...]
Results: TypeAlias = Value | Sequence[Value | None]
"""What an operator's function returns: its results, None for an optional one that it does not compute."""

_T = typing.TypeVar("_T", bound=Callable[..., Results])

_ATTRIBUTE_TYPES: dict[Any, int] = {
    int: onnx.AttributeProto.INT,
    bool: onnx.AttributeProto.INT,
    float: onnx.AttributeProto.FLOAT,
    str: onnx.AttributeProto.STRING,
    np.ndarray: onnx.AttributeProto.TENSOR,
    Ints: onnx.AttributeProto.INTS,
    Floats: onnx.AttributeProto.FLOATS,
    Strings: onnx.AttributeProto.STRINGS,
}


@dataclass(frozen=True)
class Attribute:
    """One attribute that an operator's function takes."""

    name: str
    type: Any
    required: bool

    def decode(self, proto: onnx.AttributeProto) -> Any:
        """The value as Python has it; raises ModelError when it has another type."""
        if proto.ref_attr_name or proto.type != _ATTRIBUTE_TYPES[self.type]:
            raise ModelError(f"attribute '{self.name}' has the wrong type; export the model again")
        value = onnx.helper.get_attribute_value(proto)
        if self.type is str:
            return _text(value)
        if self.type == Strings:
            return tuple(map(_text, value))
        if self.type is np.ndarray:
            element_type(value.data_type, f"has an attribute '{self.name}' that")
            return onnx.numpy_helper.to_array(value)
        return tuple(value) if self.type in (Ints, Floats) else self.type(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Operator:
    """One form of an ONNX operator and the function that imports it."""

    name: str
    domain: str
    since: int
    function: Callable[..., Results]

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """The attributes by name."""
        hints = typing.get_type_hints(self.function)
        return {
            p.name: Attribute(p.name, _required_type(hints[p.name]), p.default is p.empty)
            for p in self._parameters
            if p.kind is p.KEYWORD_ONLY
        }

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        return list(inspect.signature(self.function).parameters.values())[1:]

    def run(self, graph: GraphBuilder, node: onnx.NodeProto, inputs: Sequence[Value | None]) -> list[Value | None]:
        """Builds what the node computes and returns its results.

        Raises ModelError when inputs or attributes are not the operator's, UnsupportedError for an attribute that is
        not known here, and whatever the function raises.
        """
        results = self.function(graph, *self._arguments(inputs), **self._keywords(node))
        return [results] if isinstance(results, ir.Value) else list(results)

    def _arguments(self, inputs: Sequence[Value | None]) -> list[Value | None]:
        positional = [p for p in self._parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        variadic = any(p.kind is p.VAR_POSITIONAL for p in self._parameters)
        if len(inputs) > len(positional) and not variadic:
            raise ModelError(f"has {len(inputs)} inputs, but the operator takes {len(positional)}")
        for index, parameter in enumerate(positional):
            given = inputs[index] if index < len(inputs) else None
            if given is None and parameter.default is parameter.empty:
                raise ModelError(f"lacks the input '{parameter.name}'")
        if variadic and any(value is None for value in inputs[len(positional) :]):
            raise ModelError("leaves out one of its inputs")
        return list(inputs)

    def _keywords(self, node: onnx.NodeProto) -> dict[str, Any]:
        given = {attribute.name: attribute for attribute in node.attribute}
        for name in given.keys() - self.attributes.keys():
            raise UnsupportedError(f"has the attribute '{name}', which pyipu does not know")
        for attribute in self.attributes.values():
            if attribute.required and attribute.name not in given:
                raise ModelError(f"lacks the attribute '{attribute.name}'")
        return {name: self.attributes[name].decode(proto) for name, proto in given.items()}


def _required_type(hint: Any) -> Any:
    """`int` for both `int` and `int | None`."""
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    return options[0] if type(None) in typing.get_args(hint) else hint


_OPERATORS: dict[tuple[str, str], list[Operator]] = {}


def operator(name: str, *, since: int = 1, domain: str = "") -> Callable[[_T], _T]:
    """Declares the decorated function as importer of an operator, from opset `since` of `domain` on."""

    def register(function: _T) -> _T:
        forms = _OPERATORS.setdefault((domain, name), [])
        forms.append(Operator(name, domain, since, function))
        forms.sort(key=lambda form: form.since)
        return function

    return register


def find(name: str, domain: str, opset: int) -> Operator | None:
    """The newest form of an operator that a model of this opset can mean; None when there is none."""
    forms = [form for form in _OPERATORS.get((domain, name), []) if form.since <= opset]
    return forms[-1] if forms else None


def operators() -> list[Operator]:
    """Every form of every operator, by domain, name and opset."""
    return [form for key in sorted(_OPERATORS) for form in _OPERATORS[key]]
