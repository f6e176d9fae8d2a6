"""Reads an ONNX model and checks it: whatever the file holds, the outcome is a valid model or one clear error."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import external_data_helper, numpy_helper

from pyipu.errors import ModelError, UnsupportedError
from pyipu.importer.elements import element_type

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto


@dataclass(frozen=True)
class Model:
    """A model that ONNX's checker accepts; `folder` is where its external data lie, None if there can be none."""

    proto: onnx.ModelProto
    folder: Path | None
    content: str | None = None
    """The SHA-256 of the file, as hexadecimal digits; None when the model was never one."""

    @property
    def opsets(self) -> dict[str, int]:
        """The version of each domain; ONNX's own is called ''."""
        return opsets_of(self.proto)

    def initializers(self) -> dict[str, np.ndarray]:
        """The stored tensors by name.

        Raises:
            ModelError: a tensor is damaged, or the file that it lies in is missing.
            UnsupportedError: a tensor is sparse, or has an element type that pyipu does not have.
        """
        for sparse in self.proto.graph.sparse_initializer:
            raise UnsupportedError(f"initializer '{sparse.values.name}' is sparse; store it as a dense tensor")
        return {tensor.name: self._array(tensor) for tensor in self.proto.graph.initializer}

    def fingerprint(self) -> str:
        """SHA-256, as hexadecimal digits, of all that the model consists of, with the tensors in other files.

        Raises:
            ModelError: it is too large for protobuf, or a tensor in another file cannot be read.
        """
        digest = hashlib.sha256((self.content or self._content()).encode())
        for tensor in filter(external_data_helper.uses_external_data, self.proto.graph.initializer):
            digest.update(np.ascontiguousarray(self._array(tensor)).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def _content(self) -> str:
        try:
            return hashlib.sha256(self.proto.SerializeToString(deterministic=True)).hexdigest()
        except (EncodeError, ValueError) as error:
            raise ModelError(f"the model cannot be written as a file: {first_line(error)}") from error

    def stored(self, names: Collection[str]) -> dict[str, np.ndarray]:
        """Those of some tensors that the model holds as initializers, or in nodes `Constant` whose outputs they are.

        Raises:
            ModelError: a tensor is damaged, or the file that it lies in is missing.
        """
        constants = [node for node in self.proto.graph.node if node.op_type == "Constant" and node.output[0] in names]
        tensors = {node.output[0]: one.t for node in constants for one in node.attribute if one.name == "value"}
        tensors |= {tensor.name: tensor for tensor in self.proto.graph.initializer if tensor.name in names}
        return {name: self._array(tensor) for name, tensor in tensors.items()}

    def _array(self, tensor: onnx.TensorProto) -> np.ndarray:
        element_type(tensor.data_type, f"initializer '{tensor.name}'")
        if external_data_helper.uses_external_data(tensor) and self.folder is None:
            raise ModelError(
                f"initializer '{tensor.name}' lies in another file; pass the model's path instead of its content"
            )
        try:
            return numpy_helper.to_array(tensor, str(self.folder or ""))
        except (OSError, onnx.checker.ValidationError) as error:
            raise ModelError(f"the external data of '{tensor.name}' cannot be read: {first_line(error)}") from error
        except (ValueError, TypeError) as error:
            raise ModelError(f"initializer '{tensor.name}' is damaged: {first_line(error)}") from error


def opsets_of(proto: onnx.ModelProto) -> dict[str, int]:
    """The version of each domain that a model imports."""
    return {normal_domain(opset.domain): opset.version for opset in proto.opset_import}


def normal_domain(domain: str) -> str:
    """ONNX's own domain has two spellings."""
    return "" if domain == "ai.onnx" else domain


def first_line(error: BaseException) -> str:
    """An error's own words, as one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read(source: ModelSource | Model) -> Model:
    """Reads and decodes a model without checking it; one that was read stays as it is.

    Raises:
        ModelError: the file is missing, empty or no ONNX model.
    """
    if isinstance(source, Model):
        return source
    if isinstance(source, onnx.ModelProto):
        return Model(source, None)
    if isinstance(source, bytes):
        return Model(_decode(source, "the model"), None, hashlib.sha256(source).hexdigest())
    path = Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror or first_line(error)}") from error
    return Model(_decode(content, str(path)), path.parent, hashlib.sha256(content).hexdigest())


def _decode(content: bytes, what: str) -> onnx.ModelProto:
    if not content:
        raise ModelError(f"{what} is empty; export it again")
    try:
        proto = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{what} is no ONNX model, or only a part of one: {first_line(error)}") from error
    if not proto.HasField("graph"):
        raise ModelError(f"{what} is no ONNX model, or only a part of one: it has no graph")
    return proto


def check(model: Model) -> None:
    """Raises ModelError when ONNX's checker rejects the model, a name in it is no text, or it computes nothing."""
    if not all(isinstance(text, str) for text in _names(model.proto)):
        raise ModelError("the model has a name that is not valid UTF-8 text; export it again")
    try:
        with _all_shaped(model.proto.graph):
            onnx.checker.check_model(_without_external_data(model.proto))
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the model is not valid ONNX: {' '.join(str(error).split())}") from error
    except (ValueError, RuntimeError, UnicodeError, DecodeError) as error:
        raise ModelError(f"the model cannot be checked: {first_line(error)}") from error
    if not model.proto.graph.output:
        raise ModelError("the graph has no outputs, so there is nothing to compute; export the model again")


def _without_external_data(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The checker would look for the files in the working directory; whether they are there is seen on reading them."""
    if not any(external_data_helper.uses_external_data(tensor) for tensor in proto.graph.initializer):
        return proto
    inline = onnx.ModelProto()
    inline.CopyFrom(proto)
    for tensor in filter(external_data_helper.uses_external_data, inline.graph.initializer):
        tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0], raw_data=b""))
    return inline


@contextmanager
def _all_shaped(graph: onnx.GraphProto) -> Iterator[None]:
    """Inputs and outputs may lack a shape, says ONNX; its checker rejects that, so they have one meanwhile."""
    types = [value.type.tensor_type for value in (*graph.input, *graph.output) if value.type.HasField("tensor_type")]
    bare = [type_ for type_ in types if not type_.HasField("shape")]
    for type_ in bare:
        type_.shape.SetInParent()
    try:
        yield
    finally:
        for type_ in bare:
            type_.ClearField("shape")


def _names(proto: onnx.ModelProto) -> Iterator[str]:
    """Everything that the file calls by a name; protobuf hands out bytes where the text is damaged."""
    yield from (tensor.name for tensor in proto.graph.initializer)
    yield from (value.name for value in (*proto.graph.input, *proto.graph.output))
    yield from (opset.domain for opset in proto.opset_import)
    for function in proto.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
    for node in chain(proto.graph.node, *(function.node for function in proto.functions)):
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (text for attribute in node.attribute for text in (attribute.name, attribute.ref_attr_name))
