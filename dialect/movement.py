"""Operations that move elements and compute nothing. Where bytes allow, they are views and cost nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import MOST_OPERANDS, Op, Permutation, require
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Value, broadcast_map, identity_map, signless


def inverse(permutation: Permutation) -> Permutation:
    """The permutation that undoes this one."""
    return tuple(int(i) for i in np.argsort(permutation))


def permute(items: Sequence[Any], permutation: Permutation) -> tuple[Any, ...]:
    """The items in the order in which `numpy.transpose` would put dimensions."""
    return tuple(items[i] for i in permutation)


class Reshape(Op, mnemonic="reshape"):
    """The same elements in row-major order under another shape."""

    shape: tuple[int, ...]
    movement = True

    @staticmethod
    def infer(input: Tensor, *, shape: tuple[int, ...]) -> Tensor:
        fits = math.prod(shape) == input.elements
        require(fits, f"cannot reshape {input} to {list(shape)}: the number of elements differs")
        return input.with_shape(shape)

    @staticmethod
    def evaluate(input: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
        return np.reshape(input, shape)

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, shape: tuple[int, ...]) -> Value:
        return writer.reshape(input, shape)

    @classmethod
    def for_rows(cls, attributes: Mapping[str, Any], rows: int) -> dict[str, Any]:
        shape = attributes["shape"]
        return {"shape": (shape[0], rows, *shape[2:])}


class Transpose(Op, mnemonic="transpose"):
    """Dimension i of the result is dimension `permutation[i]` of the operand."""

    permutation: tuple[int, ...]

    @staticmethod
    def infer(input: Tensor, *, permutation: Permutation) -> Tensor:
        complete = sorted(permutation) == list(range(input.rank))
        require(complete, f"{list(permutation)} is no permutation of the dimensions of {input}")
        return input.with_shape(permute(input.shape, permutation))

    @staticmethod
    def evaluate(input: np.ndarray, *, permutation: Permutation) -> np.ndarray:
        return np.transpose(input, permutation)

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, permutation: Permutation) -> Value:
        result = Transpose.infer(input.tensor, permutation=permutation)
        source = [f"d{i}" for i in inverse(permutation)]
        return writer.generic(
            [(input, source)],
            (writer.empty(result), identity_map(result.rank)),
            ["parallel"] * result.rank,
            lambda scalars, element, _: element,
        )


class Interleave(Op, mnemonic="interleave"):
    """[…, G, N] to […, N * G]: element j of group g becomes element j * G + g, as channels are shuffled."""

    @staticmethod
    def infer(input: Tensor) -> Tensor:
        require(input.rank >= 2, f"needs groups of elements, got {input}")
        return input.with_shape((*input.shape[:-2], input.shape[-1] * input.shape[-2]))

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        return np.swapaxes(input, -1, -2).reshape((*input.shape[:-2], -1))

    @staticmethod
    def lower(writer: CodeletWriter, input: Value) -> Value:
        *outer, groups, elements = input.tensor.shape
        woven = input.tensor.with_shape((*outer, elements, groups))
        *places, group, element = identity_map(woven.rank)
        result = writer.generic(
            [(input, [*places, element, group])],
            (writer.empty(woven), identity_map(woven.rank)),
            ["parallel"] * woven.rank,
            lambda scalars, element, _: element,
            writer.tiles.interleaving(woven),
            squeeze=False,
        )
        return writer.folded(result, (*((size,) for size in outer), (elements, groups)))


class Broadcast(Op, mnemonic="broadcast"):
    """Repeats dimensions of size one, and new leading ones, until the shape is reached (numpy's broadcast_to)."""

    shape: tuple[int, ...]

    @staticmethod
    def infer(input: Tensor, *, shape: tuple[int, ...]) -> Tensor:
        leading = len(shape) - input.rank
        fits = leading >= 0 and all(a in (1, b) for a, b in zip(input.shape, shape[leading:], strict=True))
        require(fits, f"cannot broadcast {input} to {list(shape)}")
        return input.with_shape(shape)

    @staticmethod
    def evaluate(input: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(input, shape)

    @staticmethod
    def lower(writer: CodeletWriter, input: Value, *, shape: tuple[int, ...]) -> Value:
        result = input.tensor.with_shape(shape)
        return writer.generic(
            [(input, broadcast_map(input.tensor.shape, result.shape))],
            (writer.empty(result), identity_map(result.rank)),
            ["parallel"] * result.rank,
            lambda scalars, element, _: element,
        )

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation] | None:
        if len(attributes["shape"]) != len(permutation):
            return None
        return {"shape": permute(attributes["shape"], inverse(permutation))}, permutation

    @classmethod
    def for_rows(cls, attributes: Mapping[str, Any], rows: int) -> dict[str, Any]:
        shape = attributes["shape"]
        return {"shape": (shape[0], rows, *shape[2:])}


class Concat(Op, mnemonic="concat"):
    """The operands one after the other along `axis`; if they stay `apart`, none is computed inside of the result."""

    axis: int
    apart: bool | None = None
    movement = True

    @staticmethod
    def infer(*inputs: Tensor, axis: int, apart: bool | None = None) -> Tensor:
        require(len(inputs) > 0, "needs at least one operand")
        first = inputs[0]
        require(0 <= axis < first.rank, f"axis {axis} is outside of {first}")
        for other in inputs[1:]:
            same = other.rank == first.rank and other.dtype == first.dtype
            same = same and all(
                a == b for i, (a, b) in enumerate(zip(first.shape, other.shape, strict=True)) if i != axis
            )
            require(same, f"operands {first} and {other} differ in more than axis {axis}")
        shape = list(first.shape)
        shape[axis] = sum(tensor.shape[axis] for tensor in inputs)
        return first.with_shape(shape)

    @staticmethod
    def evaluate(*inputs: np.ndarray, axis: int, apart: bool | None = None) -> np.ndarray:
        return np.concatenate(inputs, axis)

    @staticmethod
    def lower(writer: CodeletWriter, *inputs: Value, axis: int, apart: bool | None = None) -> Value:
        whole = writer.empty(Concat.infer(*(value.tensor for value in inputs), axis=axis))
        position = 0
        for value in inputs:
            offsets = [position if i == axis else 0 for i in range(whole.tensor.rank)]
            whole = insert_slice(writer, value, whole, offsets)
            position += value.tensor.shape[axis]
        return whole

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        return {**attributes, "axis": permutation[attributes["axis"]]}, permutation


class Slice(Op, mnemonic="slice"):
    """`sizes[i]` elements of dimension i, from `offsets[i]`, each `strides[i]` after the one before."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    movement = True

    @staticmethod
    def infer(input: Tensor, *, offsets: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
        complete = len(offsets) == len(sizes) == len(strides) == input.rank
        require(complete, f"needs one offset, size and stride for each dimension of {input}")
        for limit, offset, size, stride in zip(input.shape, offsets, sizes, strides, strict=True):
            inside = offset >= 0 and stride > 0 and (size == 0 or offset + (size - 1) * stride < limit)
            require(inside, f"offset {offset}, size {size}, stride {stride} leave a dimension of {limit}")
        return input.with_shape(sizes)

    @staticmethod
    def evaluate(
        input: np.ndarray, *, offsets: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]
    ) -> np.ndarray:
        ranges = zip(offsets, sizes, strides, strict=True)
        return input[tuple(slice(o, o + (n - 1) * s + 1 if n else o, s) for o, n, s in ranges)]

    @staticmethod
    def lower(
        writer: CodeletWriter,
        input: Value,
        *,
        offsets: tuple[int, ...],
        sizes: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> Value:
        return extract_slice(writer, input, offsets, sizes, strides)

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        return {name: permute(items, inverse(permutation)) for name, items in attributes.items()}, permutation

    @classmethod
    def for_rows(cls, attributes: Mapping[str, Any], rows: int) -> dict[str, Any]:
        offsets, sizes = attributes["offsets"], attributes["sizes"]
        return {**attributes, "offsets": (offsets[0], 0, *offsets[2:]), "sizes": (sizes[0], rows, *sizes[2:])}


class Copy(Op, mnemonic="copy"):
    """The operand once more, in memory of its own: rows that are kept while the rest of their buffer is given up."""

    movement = True

    @staticmethod
    def infer(input: Tensor) -> Tensor:
        return input

    @staticmethod
    def evaluate(input: np.ndarray) -> np.ndarray:
        return input.copy()

    @staticmethod
    def lower(writer: CodeletWriter, input: Value) -> Value:
        return writer.elementwise([input], input.tensor, lambda scalars, element: element)


class Pad(Op, mnemonic="pad"):
    """A border of `value`: `low` and `high` elements at the ends, `interior` ones between neighbours."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    interior: tuple[int, ...]
    value: float = 0.0
    movement = True

    @staticmethod
    def infer(
        input: Tensor,
        *,
        low: tuple[int, ...],
        high: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
    ) -> Tensor:
        complete = len(low) == len(high) == len(interior) == input.rank
        require(complete, f"needs one low, high and interior width for each dimension of {input}")
        require(min((*low, *high, *interior), default=0) >= 0, "needs widths that are not negative")
        spread = [size + max(size - 1, 0) * gap for size, gap in zip(input.shape, interior, strict=True)]
        return input.with_shape([a + size + b for a, size, b in zip(low, spread, high, strict=True)])

    @staticmethod
    def evaluate(
        input: np.ndarray,
        *,
        low: tuple[int, ...],
        high: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
    ) -> np.ndarray:
        result = Pad.infer(Tensor.of(input), low=low, high=high, interior=interior, value=value)
        padded = np.full(result.shape, value, input.dtype)
        steps = zip(low, input.shape, interior, strict=True)
        padded[tuple(slice(a, a + (n - 1) * (g + 1) + 1 if n else a, g + 1) for a, n, g in steps)] = input
        return padded

    @staticmethod
    def lower(
        writer: CodeletWriter,
        input: Value,
        *,
        low: tuple[int, ...],
        high: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
    ) -> Value:
        result = Pad.infer(input.tensor, low=low, high=high, interior=interior, value=value)
        border = writer.filled(result, value)
        return insert_slice(writer, input, border, low, [gap + 1 for gap in interior])

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation]:
        widths = {name: permute(attributes[name], inverse(permutation)) for name in ("low", "high", "interior")}
        return {**widths, "value": attributes["value"]}, permutation


class Gather(Op, mnemonic="gather"):
    """The slices of `data` at `indices` along `axis`, as ONNX's Gather; indices are inside or negative from the end."""

    axis: int

    @staticmethod
    def infer(data: Tensor, indices: Tensor, *, axis: int) -> Tensor:
        require(0 <= axis < data.rank, f"axis {axis} is outside of {data}")
        require(indices.dtype in ("i32", "i64"), f"needs integer indices, got {indices}")
        return data.with_shape(data.shape[:axis] + indices.shape + data.shape[axis + 1 :])

    @staticmethod
    def evaluate(data: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
        return np.take(data, indices, axis)

    @staticmethod
    def lower(writer: CodeletWriter, data: Value, indices: Value, *, axis: int) -> Value:
        result = Gather.infer(data.tensor, indices.tensor, axis=axis)
        loops = identity_map(result.rank)
        at = loops[axis : axis + indices.tensor.rank]

        def body(scalars: Any, index: Any, _: Any) -> Any:
            zero, size = scalars.constant(0, index.dtype), scalars.constant(data.tensor.shape[axis], index.dtype)
            wrapped = scalars.select(scalars.compare("lt", index, zero), scalars.add(index, size), index)
            place = scalars.write(f"arith.index_cast {wrapped.name} : {wrapped.type} to index", "index").name
            loop_names = [scalars.write(f"linalg.index {i} : index", "index").name for i in range(result.rank)]
            position = [*loop_names[:axis], place, *loop_names[axis + indices.tensor.rank :]]
            return scalars.write(f"tensor.extract {data.name}[{', '.join(position)}] : {data.type}", data.tensor.dtype)

        return writer.generic(
            [(indices, at)], (writer.empty(result), loops), ["parallel"] * result.rank, body, squeeze=False
        )


def concatenate(values: Sequence[ir.Value], axis: int, apart: bool | None = None) -> ir.Value:
    """Builds the concatenation of any number of values, of parts of it where they are more than one op takes."""
    if len(values) <= MOST_OPERANDS:
        return Concat.create(*values, axis=axis, apart=apart).result
    chunks = [values[i : i + MOST_OPERANDS] for i in range(0, len(values), MOST_OPERANDS)]
    return concatenate([Concat.create(*chunk, axis=axis, apart=apart).result for chunk in chunks], axis)


def extract_slice(
    writer: CodeletWriter, value: Value, offsets: Sequence[int], sizes: Sequence[int], strides: Sequence[int]
) -> Value:
    """Writes a `tensor.extract_slice`."""
    result = value.tensor.with_shape(tuple(sizes))
    place = f"{list(offsets)} {list(sizes)} {list(strides)}"
    return writer.write(f"tensor.extract_slice {value.name}{place} : {value.type} to {signless(result)}", result)


def insert_slice(
    writer: CodeletWriter, value: Value, whole: Value, offsets: Sequence[int], strides: Sequence[int] | None = None
) -> Value:
    """Writes a `tensor.insert_slice` of `value` into `whole`."""
    place = f"{list(offsets)} {list(value.tensor.shape)} {list(strides or [1] * whole.tensor.rank)}"
    return writer.write(
        f"tensor.insert_slice {value.name} into {whole.name}{place} : {value.type} into {whole.type}", whole.tensor
    )
