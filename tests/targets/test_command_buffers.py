"""A program of many commands is divided among command buffers, none of which needs more registers than IREE has."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import onnx
import pytest

import pyipu
from pyipu import compiler, targets
from pyipu.compiler import lower
from pyipu.targets import stream
from pyipu.targets.command_buffers import command_buffers

Waves = list[list[str]]


def fill(number: int) -> str:
    return f"stream.cmd.fill %i32_0, %m[%n{number} for %n4] : i32"


def dispatch(number: int) -> str:
    return f"stream.cmd.dispatch @codelets_{number}::@vertex_{number} {{ rw %m[%n0 for %n4] }}"


def registers(part: Waves) -> int:
    """As one function of IREE's needs them: two for a number, four for a function."""
    text = " ".join(command for wave in part for command in wave)
    return 2 * len(set(re.findall(r"%n\d+|%i32_\d+", text))) + 4 * len(set(re.findall(r"@\w+::@\w+", text)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("command", [fill, dispatch])
def test_parts_hold_all_commands_in_order_and_few_registers(size: int, command) -> None:
    commands = [command(number) for number in range(100)]
    waves = [commands[first : first + size] for first in range(0, 100, size)]
    parts = command_buffers(waves, 60)
    assert [one for part in parts for wave in part for one in wave] == commands
    assert all(registers(part) <= 60 for part in parts)
    assert len(parts) > 1


def test_waves_that_fit_stay_whole() -> None:
    waves = [[fill(4 * number + place) for place in range(4)] for number in range(20)]
    parts = command_buffers(waves, 30)
    assert [wave for part in parts for wave in part] == waves


def test_numbers_that_are_used_again_need_no_more_registers() -> None:
    waves = [[fill(number % 5)] for number in range(1000)]
    assert command_buffers(waves, 20) == [waves]


def test_nothing_is_no_part() -> None:
    assert command_buffers([]) == []


TAKEN, ROW = 15, 16


def rows_reversed(rows: int) -> onnx.ModelProto:
    """Most of each row, in the opposite order: copies, all of whose places are numbers of their own."""
    parts = [f"{kind}{i}" for i in range(rows) for kind in ("taken", "left")]
    sizes = onnx.numpy_helper.from_array(np.array([TAKEN, ROW - TAKEN] * rows), "sizes")
    split = onnx.helper.make_node("Split", ["x", "sizes"], parts, axis=0)
    joined = onnx.helper.make_node("Concat", parts[-2::-2], ["y"], axis=0)
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [rows * size])
        for name, size in (("x", ROW), ("y", TAKEN))
    )
    graph = onnx.helper.make_graph([split, joined], "main", [x], [y], [sizes])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)


def assert_is_right(rows: int) -> None:
    x = np.random.default_rng(0).standard_normal(rows * ROW).astype(np.float32)
    expected = x.reshape(rows, ROW)[::-1, :TAKEN].reshape(-1)
    np.testing.assert_array_equal(pyipu.compile(rows_reversed(rows), cache=False)(x), expected)


def test_a_program_in_several_command_buffers_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "command_buffers", partial(command_buffers, most=40))
    text = lower(rows_reversed(50), targets.get("cpu")).stream
    assert text.count("stream.cmd.execute") > 2
    assert_is_right(50)


def test_a_usual_program_is_one_command_buffer() -> None:
    assert lower(rows_reversed(50), targets.get("cpu")).stream.count("stream.cmd.execute") == 1


@pytest.mark.slow
def test_more_numbers_than_iree_has_registers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without parts IREE says "register count overflow" when it loads the module."""
    texts: list[str] = []
    emit = compiler.emit_module
    monkeypatch.setattr(compiler, "emit_module", lambda *parts: texts.append(emit(*parts)) or texts[-1])
    assert_is_right(4600)
    assert texts[0].count("stream.cmd.execute") == 2
