"""A model's weights: named arrays, computed when they are first needed, read and written as IREE's .irpa files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import iree.runtime
import numpy as np
from numpy.typing import DTypeLike, NDArray

from pyipu.arrays import ALIGNMENT, LARGE_PAGE, address, empty, in_large_pages
from pyipu.errors import Error
from pyipu.plan import TensorDescription

Array = NDArray[Any]

SCOPE = "model"
_METADATA_VERSION = "TENSORv0"

_LEAST_IN_LARGE_PAGES = 2 * LARGE_PAGE
"""Bytes of values; fewer stay in the processor's caches, or fill no page."""


@dataclass(frozen=True)
class _Parameter:
    description: TensorDescription
    compute: Callable[[], Array] | None


class Parameters(Mapping[str, Array]):
    """An ordered mapping from a parameter's name to its array.

    Shape and dtype of each are known from the start; the array may be computed on first use, and is then kept.
    """

    def __init__(self) -> None:
        self._parameters: dict[str, _Parameter] = {}
        self._dropped: dict[str, _Parameter] = {}
        self._arrays: dict[str, Array] = {}
        self._in_large_pages = False

    def declare(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> None:
        """Adds a parameter without a value, as in IR that was read from text.

        Raises:
            Error: the name is taken.
        """
        self._insert(name, shape, dtype, None)

    def add(self, name: str, array: Array) -> None:
        """Adds a parameter with its value, which is kept and not copied.

        Raises:
            Error: the name is taken.
        """
        self._insert(name, array.shape, array.dtype, None)
        self._arrays[name] = np.asarray(array)

    def derive(self, name: str, shape: Sequence[int], dtype: DTypeLike, function: Callable[[], Array]) -> None:
        """Adds a parameter whose value `function` returns when it is first needed.

        Raises:
            Error: the name is taken.
        """
        self._insert(name, shape, dtype, function)

    def description(self, name: str) -> TensorDescription:
        """Shape and dtype of a parameter, without computing its value.

        Raises:
            KeyError: there is no such parameter.
        """
        return self._parameters[name].description

    def __getitem__(self, name: str) -> Array:
        """The value, computed now if it was not before.

        Raises:
            KeyError: there is no such parameter.
            Error: the parameter has no value, or its function returns another shape or dtype than was announced.
        """
        if name in self._arrays:
            return self._arrays[name]
        if name in self._dropped:
            return _computed(self._dropped[name])
        self._arrays[name] = _computed(self._parameters[name])
        return self._arrays[name]

    def has_value(self, name: str) -> bool:
        """Whether the value is known or can be computed; false for what was only declared."""
        return name in self._arrays or self._parameters[name].compute is not None

    def computation(self, name: str) -> Callable[[], Array] | None:
        """What returns the value of a parameter, also of one that was dropped; None for one that came with its value.

        Raises:
            KeyError: there is no such parameter.
        """
        return (self._dropped if name in self._dropped else self._parameters)[name].compute

    def unique(self, name: str) -> str:
        """`name` itself, or with a number behind it, such that no parameter is called so yet."""
        candidate, number = name, 0
        while candidate in self._parameters or candidate in self._dropped:
            number += 1
            candidate = f"{name}_{number}"
        return candidate

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def size(self) -> int:
        """Bytes of all values together."""
        return sum(parameter.description.size for parameter in self._parameters.values())

    def keep(self, names: Iterable[str]) -> None:
        """Drops every parameter that is not named; the order stays.

        A derived value may need a dropped one, so those can be looked up by name until `index` computed everything.

        Raises:
            KeyError: there is no parameter of one of the names.
        """
        wanted = {self.description(name).name for name in names}
        self._dropped |= {name: rest for name, rest in self._parameters.items() if name not in wanted}
        self._parameters = {name: kept for name, kept in self._parameters.items() if name in wanted}

    def content_hash(self) -> str:
        """SHA-256 over names, shapes, dtypes and values, as hexadecimal digits."""
        digest = hashlib.sha256()
        for name in self:
            digest.update(f"{self.description(name)}\0".encode())
            digest.update(_bytes(self[name]).data)
        return digest.hexdigest()

    def index(self) -> iree.runtime.ParameterIndex:
        """IREE's view of the values: it refers to the arrays in memory, which are kept aligned to `ALIGNMENT`.

        Raises:
            Error: a value is missing.
        """
        index = iree.runtime.ParameterIndex()
        for name in self:
            self._arrays[name] = _aligned(self[name])
            index.add_buffer(name, _bytes(self._arrays[name]), metadata=_metadata(self.description(name)))
        self._forget_dropped()
        return index

    def provider(self) -> iree.runtime.ParameterProvider:
        """What serves the values to a module that loads them from scope `SCOPE`.

        They are moved into large pages first: from those a call reads them up to one and a half times as fast.

        Raises:
            Error: a value is missing.
        """
        if not self._in_large_pages:
            self._move_into_large_pages()
        return self.index().create_provider(scope=SCOPE)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes an .irpa file, which appears under its name only when it is complete.

        Raises:
            Error: a value is missing.
            OSError: the file cannot be written.
        """
        final = Path(path)
        partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
        try:
            partial.touch()
            self.index().create_archive_file(str(partial))
            partial.replace(final)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Parameters:
        """Opens an .irpa file that `write` made; the values stay in the file, mapped into memory, until served.

        Raises:
            Error: the file is missing or damaged.
        """
        index = iree.runtime.ParameterIndex()
        parameters = cls()
        try:
            index.load(os.fspath(path), mmap=True)
            for name, entry in index.items():
                parameters.add(name, _read(entry))
        except (ValueError, IndexError, KeyError, TypeError, RuntimeError) as problem:
            raise Error(f"the weights {os.fspath(path)} cannot be read: {_first_line(problem)}") from problem
        return parameters

    def _insert(self, name: str, shape: Sequence[int], dtype: DTypeLike, compute: Callable[[], Array] | None) -> None:
        if name in self._parameters or name in self._dropped:
            raise Error(f"there are two parameters named {name!r}; give one of them another name")
        description = TensorDescription(name, tuple(int(extent) for extent in shape), np.dtype(dtype))
        self._parameters[name] = _Parameter(description, compute)

    def _move_into_large_pages(self) -> None:
        starts = list(accumulate((_padded(self.description(name).size) for name in self), initial=0))
        memory = in_large_pages(starts[-1]) if starts[-1] >= _LEAST_IN_LARGE_PAGES else None
        if memory is None:
            return
        for name, start in zip(self, starts, strict=False):
            value = self[name]
            self._arrays[name] = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
            self._arrays[name][...] = value
        self._in_large_pages = True

    def _forget_dropped(self) -> None:
        for name in self._dropped:
            self._arrays.pop(name, None)
        self._dropped = {}


def _computed(parameter: _Parameter) -> Array:
    expected = parameter.description
    if parameter.compute is None:
        raise Error(f"parameter {expected.name!r} has no value: it was only declared; add the model's weights")
    array = np.asarray(parameter.compute())
    found = TensorDescription(expected.name, array.shape, array.dtype)
    if found != expected:
        raise Error(f"a parameter was announced as {expected}, but computed as {found}")
    return array


def _aligned(array: Array) -> Array:
    if array.flags.c_contiguous and address(array) % ALIGNMENT == 0:
        return array
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _bytes(array: Array) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _metadata(description: TensorDescription) -> str:
    """The form that iree.runtime.parameter_index_add_numpy_ndarray writes; that function has no bfloat16."""
    fields = {"type": "Tensor", "dtype": description.dtype.name, "shape": description.shape}
    return f"{_METADATA_VERSION}:{json.dumps(fields)}"


def _read(entry: iree.runtime.ParameterIndexEntry) -> Array:
    version, _, fields = entry.metadata.decode().partition(":")
    if version != _METADATA_VERSION:
        raise ValueError(f"entry {entry.key!r} has no shape and dtype")
    tensor = json.loads(fields)
    array: Array = np.asarray(entry.file_view).view(np.dtype(tensor["dtype"])).reshape(tensor["shape"])
    return array


def _first_line(problem: Exception) -> str:
    return str(problem).partition("\n")[0]
