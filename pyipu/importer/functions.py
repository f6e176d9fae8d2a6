"""Operators without an importer function that are defined through simpler ones: by the model, or by ONNX itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import onnx
from google.protobuf.message import DecodeError

from pyipu.dialect.types import Tensor
from pyipu.errors import ModelError, UnsupportedError
from pyipu.importer.graph import node_name
from pyipu.importer.model import first_line, normal_domain, opsets_of
from pyipu.importer.registry import find

Opsets = Mapping[str, int]
Schema: TypeAlias = Any
"""An `onnx.defs.OpSchema`; onnx's type stubs lack its functions."""

_NAMED_NODES = 5
"""So many nodes of one unsupported operator are named in the message."""
_DEPTH = 16
"""Functions call functions, but not as deep as this unless they call themselves."""


@dataclass(frozen=True)
class Functions:
    """The functions that a model brings along, by domain and name."""

    local: Mapping[tuple[str, str], onnx.FunctionProto]

    @staticmethod
    def of(proto: onnx.ModelProto) -> Functions:
        return Functions({(normal_domain(f.domain), f.name): f for f in proto.functions})

    def body(
        self, node: onnx.NodeProto, opsets: Opsets, types: Sequence[Tensor | None] | None = None
    ) -> onnx.FunctionProto | None:
        """The definition of a node's operator with the node's attributes put in; None when there is none.

        Some of ONNX's definitions depend on the types of the node's inputs: they need `types`.
        """
        local = self.local.get((normal_domain(node.domain), node.op_type))
        if local is not None:
            return _bound(local, node, {default.name: default for default in local.attribute_proto})
        schema = _schema(node, opsets)
        if schema is None:
            return None
        function = _schema_body(schema, node, opsets, types)
        defaults = {name: attribute.default_value for name, attribute in schema.attributes.items()}
        return None if function is None else _bound(function, node, defaults)


def _schema(node: onnx.NodeProto, opsets: Opsets) -> Schema | None:
    domain = normal_domain(node.domain)
    try:
        return onnx.defs.get_schema(node.op_type, opsets.get(domain, 0), domain)
    except onnx.defs.SchemaError:
        return None


def _schema_body(
    schema: Schema, node: onnx.NodeProto, opsets: Opsets, types: Sequence[Tensor | None] | None
) -> onnx.FunctionProto | None:
    if schema.function_opset_versions:
        version = _best(schema.function_opset_versions, opsets[normal_domain(node.domain)])
        return _parsed(schema.get_function_with_opset_version(version))
    if not schema.context_dependent_function_opset_versions or types is None:
        return None
    version = _best(schema.context_dependent_function_opset_versions, opsets[normal_domain(node.domain)])
    given = [_type_proto(type_).SerializeToString() for type_ in types]
    try:
        return _parsed(
            schema.get_context_dependent_function_with_opset_version(version, _complete(schema, node), given)
        )
    except (RuntimeError, ValueError, IndexError) as error:
        raise ModelError(f"does not fit its inputs: {first_line(error)}") from error


def _best(versions: Iterable[int], opset: int) -> int:
    """The newest version that the model's opset knows; definitions of one operator only differ in what they use."""
    fitting = [version for version in versions if version <= opset]
    return max(fitting) if fitting else min(versions)


def _complete(schema: Schema, node: onnx.NodeProto) -> bytes:
    """The node with all of its attributes: definitions read them without asking for defaults."""
    complete = onnx.NodeProto()
    complete.CopyFrom(node)
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in schema.attributes.items():
        if name not in given and attribute.default_value.name:
            complete.attribute.append(attribute.default_value)
    content: bytes = complete.SerializeToString()
    return content


def _type_proto(type_: Tensor | None) -> onnx.TypeProto:
    """The type of an input; an optional one that is not given has none."""
    if type_ is None:
        return onnx.TypeProto()
    return onnx.helper.make_tensor_type_proto(onnx.helper.np_dtype_to_tensor_dtype(type_.numpy_dtype), type_.shape)


def _parsed(content: bytes) -> onnx.FunctionProto | None:
    function = onnx.FunctionProto()
    try:
        function.ParseFromString(content)
    except DecodeError:
        return None
    return function if function.node else None


def _bound(
    function: onnx.FunctionProto, node: onnx.NodeProto, defaults: Mapping[str, onnx.AttributeProto]
) -> onnx.FunctionProto:
    """The function with its references to attributes replaced by the node's attributes, or by their defaults."""
    given = {name: value for name, value in defaults.items() if value.name}
    given |= {attribute.name: attribute for attribute in node.attribute}
    bound = onnx.FunctionProto()
    bound.CopyFrom(function)
    for inner in bound.node:
        inner.name = f"{node_name(node)}/{node_name(inner)}"
        attributes = [resolved for a in inner.attribute if (resolved := _resolved(a, given)) is not None]
        del inner.attribute[:]
        inner.attribute.extend(attributes)
    return bound


def _resolved(attribute: onnx.AttributeProto, given: Mapping[str, onnx.AttributeProto]) -> onnx.AttributeProto | None:
    """None for a reference to an attribute that has neither value nor default."""
    if not attribute.ref_attr_name:
        return attribute
    if attribute.ref_attr_name not in given:
        return None
    resolved = onnx.AttributeProto()
    resolved.CopyFrom(given[attribute.ref_attr_name])
    resolved.name = attribute.name
    return resolved


def refuse_unsupported(proto: onnx.ModelProto) -> None:
    """Raises UnsupportedError that lists every operator which is neither imported nor defined, and where it stands."""
    found: dict[str, list[str]] = {}
    _collect_unsupported(proto.graph.node, opsets_of(proto), Functions.of(proto), found)
    if found:
        listed = "; ".join(f"{operator} in {_quoted(names)}" for operator, names in sorted(found.items()))
        raise UnsupportedError(f"the model needs operators that pyipu does not have: {listed}")


def _collect_unsupported(
    nodes: Iterable[onnx.NodeProto],
    opsets: Opsets,
    functions: Functions,
    found: dict[str, list[str]],
    outer: tuple[str, ...] = (),
) -> None:
    """Adds the names of nodes by operator and opset; `outer` are the functions around them."""
    if len(outer) > _DEPTH:
        raise ModelError(f"the function '{outer[-1]}' calls itself; export the model again")
    for node in nodes:
        domain = normal_domain(node.domain)
        if find(node.op_type, domain, opsets.get(domain, 0)) is not None:
            continue
        body = functions.body(node, opsets)
        if body is not None:
            inner = function_opsets(body, opsets)
            _collect_unsupported(body.node, inner, functions, found, (*outer, node.op_type))
        elif not _depends_on_types(node, opsets):
            what = f"{node.op_type} ({domain or 'ai.onnx'} {opsets.get(domain, '?')})"
            found.setdefault(what, []).append(node_name(node))


def function_opsets(function: onnx.FunctionProto, outer: Opsets) -> Opsets:
    """The version of each domain inside of a function; what it does not say is as outside."""
    return {**outer, **{normal_domain(opset.domain): opset.version for opset in function.opset_import}}


def _depends_on_types(node: onnx.NodeProto, opsets: Opsets) -> bool:
    """ONNX has a definition, which will be known when the inputs' types are."""
    schema = _schema(node, opsets)
    return schema is not None and bool(schema.context_dependent_function_opset_versions)


def _quoted(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_NODES} more" if len(names) > _NAMED_NODES else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED_NODES]) + more
