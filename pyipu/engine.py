"""What `compile` returns: a model that runs, and that is saved to and loaded from a folder."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyipu import runtime, targets
from pyipu.errors import Error, InputError, OutputError, TargetError
from pyipu.parameters import Parameters
from pyipu.plan import MemoryPlan, Plan, TensorDescription
from pyipu.targets.target import Target

Array = NDArray[Any]

MODULE_FILE, WEIGHTS_FILE, PLAN_FILE = "module.vmfb", "weights.irpa", "plan.json"
_FILES = {MODULE_FILE, WEIGHTS_FILE, PLAN_FILE}


class Executable:
    """A compiled model. Call it with the inputs in order, or by name.

    The device is opened by the first call, so a model can be compiled and saved where its device is not.

    Several threads may call it at once. Each call runs on `threads` processor threads; without it the plan's number, or
    all that this process may use. As many calls run side by side as the processors suffice for, the others wait: calls
    of two threads on two processors take half the time with `threads=1`, and take turns with `threads=2`.

    On the CPU an input is read where it lies if it starts at a multiple of 64 bytes and is writeable, as do arrays of
    `pyipu.empty` and the outputs of calls; others are copied. Outputs are views of memory that the call allocated.

    Raises:
        Error: `module` is not the bytes of a .vmfb.
        InputError: `threads` is not positive.
    """

    def __init__(
        self, module: bytes, parameters: Parameters, plan: Plan, target: Target, threads: int | None = None
    ) -> None:
        self._module = module
        self._loaded = runtime.parse_module(module)
        self._parameters = parameters
        self._plan = plan
        self._target = target
        self._threads = runtime.thread_count(plan.threads if threads is None else threads)
        self._positions = {description.name: index for index, description in enumerate(plan.inputs)}
        self._session: runtime.Session | None = None
        self._lock = threading.Lock()

    @property
    def inputs(self) -> tuple[TensorDescription, ...]:
        """Name, shape and dtype of every input, in the order of a call's arguments."""
        return self._plan.inputs

    @property
    def outputs(self) -> tuple[TensorDescription, ...]:
        """Name, shape and dtype of every output, in the order in which a call returns them."""
        return self._plan.outputs

    @property
    def memory(self) -> MemoryPlan:
        """Where every buffer of the model lies, in bytes."""
        return self._plan.memory

    @property
    def plan(self) -> Plan:
        """Everything that was decided about the model."""
        return self._plan

    @property
    def module(self) -> bytes:
        """The compiled code, the bytes of a .vmfb."""
        return self._module

    @property
    def parameters(self) -> Parameters:
        """The weights, in the layout in which the model reads them."""
        return self._parameters

    @property
    def target(self) -> Target:
        """What the model was compiled for."""
        return self._target

    @property
    def threads(self) -> int:
        """How many processor threads a call uses, where the target runs on the processor."""
        return self._threads

    def __call__(self, *args: Array, **kwargs: Array) -> Array | tuple[Array, ...]:
        """Runs the model; returns the output's array, or a tuple of them if the model has several outputs.

        Raises:
            InputError: the arrays do not fit the inputs in number, name, shape or dtype.
            TargetError: the target's device is not on this machine.
            ExecutionError: the device fails.
        """
        results = self._opened()(self._arrays(args, kwargs))
        return results[0] if len(results) == 1 else tuple(results)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the model on inputs by name; returns the outputs by name. Raises what a call raises."""
        results = self._opened()(self._arrays((), inputs))
        return {output.name: result for output, result in zip(self.outputs, results, strict=True)}

    def run_into(self, outputs: Array | Sequence[Array], /, *args: Array, **kwargs: Array) -> None:
        """Runs the model and writes its results into the caller's arrays.

        `outputs` is what a call would return: the array of the only output, or a sequence with one for each. They are
        C-contiguous and keep what they hold when the call fails; they may be inputs, too. Raises what a call raises.

        Raises:
            OutputError: the arrays do not fit the outputs in number, shape, dtype or layout, or are read-only.
        """
        arrays = self._targets(outputs)
        for array, result in zip(arrays, self._opened()(self._arrays(args, kwargs)), strict=True):
            np.copyto(array, result)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes module.vmfb, weights.irpa and plan.json to a folder, which appears or changes only as a whole.

        Raises:
            Error: there is something else under that name, or a weight has no value.
            OSError: the folder cannot be written.
        """
        final = Path(folder).absolute()
        _check_replaceable(final)
        partial = _sibling(final, "partial")
        partial.mkdir(parents=True)
        try:
            self._write(partial)
            _replace(partial, final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def __repr__(self) -> str:
        inputs, outputs = (", ".join(map(str, tensors)) for tensors in (self.inputs, self.outputs))
        return f"<pyipu.Executable for {self._target.name}: ({inputs}) -> ({outputs})>"

    def _write(self, folder: Path) -> None:
        (folder / MODULE_FILE).write_bytes(self._module)
        self._parameters.write(folder / WEIGHTS_FILE)
        (folder / PLAN_FILE).write_text(self._plan.to_json())

    def _opened(self) -> runtime.Session:
        if self._session is None:
            with self._lock:
                self._session = self._session or self._open()
        return self._session

    def _open(self) -> runtime.Session:
        if not self._target.driver:
            raise TargetError(f"target {self._target.name!r} cannot run a model; compile it for another target")
        devices = runtime.devices(self._target.driver, self._threads)
        return runtime.Session(self._loaded, self._plan, self._parameters, devices)

    def _arrays(self, args: tuple[Array, ...], kwargs: Mapping[str, Array]) -> list[Array]:
        values = [*args, *self._named(len(args), kwargs)] if kwargs else args
        if len(values) != len(self.inputs):
            raise InputError(
                f"the model has {_count(len(self.inputs), 'input')}, got {len(values)}; {self._expected()}"
            )
        return [_checked(value, expected) for value, expected in zip(values, self.inputs, strict=True)]

    def _targets(self, outputs: Array | Sequence[Array]) -> Sequence[Array]:
        arrays = [outputs] if isinstance(outputs, np.ndarray) else outputs
        if len(arrays) != len(self.outputs):
            raise OutputError(
                f"the model has {_count(len(self.outputs), 'output')}, got {len(arrays)} to write into; "
                f"expected {'; '.join(map(str, self.outputs))}"
            )
        for array, expected in zip(arrays, self.outputs, strict=True):
            _check_target(array, expected)
        return arrays

    def _named(self, given: int, kwargs: Mapping[str, Array]) -> list[Array]:
        unknown = [name for name in kwargs if name not in self._positions]
        if unknown:
            raise InputError(f"the model has no input {_quoted(unknown)}; {self._expected()}")
        twice = [name for name in kwargs if self._positions[name] < given]
        if twice:
            raise InputError(f"input {_quoted(twice)} is given by position and by name; give it once")
        missing = [expected.name for expected in self.inputs[given:] if expected.name not in kwargs]
        if missing:
            raise InputError(f"input {_quoted(missing)} is missing; {self._expected()}")
        return [kwargs[expected.name] for expected in self.inputs[given:]]

    def _expected(self) -> str:
        return f"expected {'; '.join(map(str, self.inputs)) or 'none'}"


def load(folder: str | os.PathLike[str], threads: int | None = None) -> Executable:
    """The model that `Executable.save` wrote to a folder; its weights stay in their file and are mapped into memory.

    Raises:
        Error: the folder or one of its files is missing or damaged.
        InputError: `threads` is not positive.
    """
    path = Path(folder)
    _check_complete(path)
    try:
        plan = Plan.from_json((path / PLAN_FILE).read_text())
        parameters = Parameters.read(path / WEIGHTS_FILE)
        target = targets.get(plan.target).with_options(**dict(plan.options))
        return Executable((path / MODULE_FILE).read_bytes(), parameters, plan, target, threads)
    except InputError:
        raise
    except Error as problem:
        raise type(problem)(f"{path} cannot be loaded: {problem}") from problem


def _check_complete(folder: Path) -> None:
    if not folder.is_dir():
        raise Error(f"there is no folder {folder}; give the one that a compiled model was saved to")
    missing = [name for name in sorted(_FILES) if not (folder / name).is_file()]
    if missing:
        raise Error(f"{folder} is no saved model: {', '.join(missing)} is missing; compile and save the model again")


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or not _is_ours(entry.name for entry in folder.iterdir()):
        raise Error(f"{folder} exists and is no saved model; choose another name, or remove it first")


def _is_ours(names: Iterable[str]) -> bool:
    found = set(names)
    return not found or (PLAN_FILE in found and found <= _FILES)


def _sibling(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.{kind}")


def _replace(partial: Path, final: Path) -> None:
    if not final.exists():
        partial.rename(final)
        return
    old = final.rename(_sibling(final, "old"))
    try:
        partial.rename(final)
    except OSError:
        old.rename(final)
        raise
    shutil.rmtree(old)


def _checked(value: Array, expected: TensorDescription) -> Array:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as problem:  # ragged lists; tensors of other libraries that refuse
        raise InputError(
            f"input {expected.name!r} is no array ({problem}); give one of {expected.dtype.name}"
        ) from None
    if array.dtype != expected.dtype:
        raise InputError(
            f"input {expected.name!r} must be {expected.dtype.name}, got {array.dtype.name}; "
            f"convert it, for example with np.asarray(x, dtype={expected.dtype.name!r})"
        )
    if array.shape != expected.shape:
        raise InputError(
            f"input {expected.name!r} must have shape {expected.shape}, got {array.shape}; "
            "reshape it, or compile the model for that shape"
        )
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _check_target(array: Array, expected: TensorDescription) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != expected.dtype or array.shape != expected.shape:
        raise OutputError(
            f"output {expected.name!r} must be an array {expected.dtype.name}{list(expected.shape)}, got "
            f"{_described(array)}; make it with pyipu.empty({expected.shape}, {expected.dtype.name!r})"
        )
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise OutputError(
            f"output {expected.name!r} must be C-contiguous and writeable; "
            f"make it with pyipu.empty({expected.shape}, {expected.dtype.name!r})"
        )


def _described(value: object) -> str:
    return f"{value.dtype.name}{list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
