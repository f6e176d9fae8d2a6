"""Damaged models, for tests that look for anything but a clear error."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

INTEGERS = (-(2**31), -2, -1, 0, 1, 2, 3, 5, 2**15, 2**40, 2**62)
WORDS = ("", "x", "y", "Conv", "Relu", "ai.onnx", "SAME_UPPER", "\N{SNOWMAN}", "no such thing")


def damaged_bytes(content: bytes, generator: random.Random) -> bytes:
    """The content cut short, or with a few bytes replaced, dropped or put in."""
    damaged = bytearray(content)
    if generator.random() < 0.2:
        return bytes(damaged[: generator.randrange(len(damaged))])
    for _ in range(generator.randint(1, 4)):
        position = generator.randrange(len(damaged))
        removed = generator.randint(0, 1)
        damaged[position : position + removed] = generator.randbytes(generator.randint(0, 1))
    return bytes(damaged)


def damaged_model(model: onnx.ModelProto, generator: random.Random) -> onnx.ModelProto:
    """A copy that still is a protobuf, with one to three fields changed, dropped or doubled."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(generator.randint(1, 3)):
        message, field = generator.choice(list(_fields(copy)))
        _damage(message, field, generator)
    return copy


def _fields(message: Message) -> Iterator[tuple[Message, FieldDescriptor]]:
    for field, value in message.ListFields():
        yield message, field
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        for inner in value if field.is_repeated else [value]:
            yield from _fields(inner)


def _damage(message: Message, field: FieldDescriptor, generator: random.Random) -> None:
    if generator.random() < 0.2:
        message.ClearField(field.name)
    elif field.is_repeated:
        _damage_list(getattr(message, field.name), field, generator)
    elif field.type != FieldDescriptor.TYPE_MESSAGE:
        setattr(message, field.name, _other(field, getattr(message, field.name), generator))


def _damage_list(items: Any, field: FieldDescriptor, generator: random.Random) -> None:
    if not items:
        return
    index = generator.randrange(len(items))
    if generator.random() < 0.4:
        del items[index]
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        items.add().CopyFrom(items[index])
    else:
        items[index] = _other(field, items[index], generator)


def _other(field: FieldDescriptor, value: Any, generator: random.Random) -> Any:
    if isinstance(value, str):
        return generator.choice(WORDS)
    if isinstance(value, bytes):
        return value[: generator.randrange(len(value) + 1)]
    if isinstance(value, float):
        return generator.choice([0.0, -1.0, float("nan"), float("inf"), 1e38])
    if field.type == FieldDescriptor.TYPE_ENUM:
        return generator.choice(field.enum_type.values).number
    fits = field.type == FieldDescriptor.TYPE_INT64
    return generator.choice([n for n in INTEGERS if fits or abs(n) < 2**31])
