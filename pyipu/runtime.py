"""A module that is loaded on a device: the thin layer over iree.runtime that copies arrays in and out."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import iree.runtime
import numpy as np
from iree.runtime import BufferUsage, HalBuffer, HalBufferView, HalDevice, HalFence, MemoryType, VmModule, VmVariantList
from iree.runtime._binding import create_hal_driver  # has no public name
from iree.runtime.dtypes import map_dtype_to_hal_element_type
from numpy.typing import NDArray

from pyipu.errors import Error, ExecutionError, TargetError
from pyipu.parameters import Parameters
from pyipu.plan import Plan, TensorDescription

Array = NDArray[Any]

THREADED_DRIVER = "local-task"
_STAGING_MEMORY = int(MemoryType.HOST_LOCAL | MemoryType.DEVICE_VISIBLE)
_STAGING_USAGE = int(BufferUsage.TRANSFER_TARGET | BufferUsage.MAPPING_SCOPED)
_DRIVER_LOCK = threading.Lock()


def available_threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def instance() -> iree.runtime.VmInstance:
    """The virtual machine, of which a process needs one."""
    return iree.runtime.VmInstance()


@dataclass(frozen=True, eq=False)
class Device:
    """An open device; `is_host` says that it is the processor, so that its buffers can be used in place."""

    handle: HalDevice
    is_host: bool


@functools.cache
def open_device(driver: str, threads: int) -> Device:
    """The device of a driver; "local-task" gets a pool of `threads` threads, other drivers have no use for them.

    Raises:
        TargetError: the driver or its device is not on this machine.
    """
    try:
        return Device(_create_driver(driver, threads).create_default_device(), driver == THREADED_DRIVER)
    except (RuntimeError, ValueError) as problem:
        raise TargetError(
            f"no device can be opened for driver {driver!r} ({_reason(problem)}); "
            "install the device's driver, or compile for another target"
        ) from problem


def _create_driver(driver: str, threads: int) -> iree.runtime.HalDriver:
    # get_driver() has one driver per process, and a driver fixes its number of threads when it is made:
    # from a flag of the whole process, which gets its default back.
    if driver != THREADED_DRIVER:
        return create_hal_driver(driver)
    with _DRIVER_LOCK:
        iree.runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        try:
            return create_hal_driver(driver)
        finally:
            iree.runtime.flags.parse_flags("--task_topology_group_count=0")


def parse_module(module: bytes) -> VmModule:
    """The module in the bytes of a .vmfb.

    Raises:
        Error: the bytes are no such module.
    """
    try:
        return VmModule.copy_buffer(instance(), module)
    except ValueError as problem:
        raise Error(f"the compiled module is damaged ({_reason(problem)}); compile the model again") from problem


class Session:
    """One function of a module on one device. It may be called from several threads: calls take turns.

    Raises:
        Error: the module has no such function, or a parameter has no value.
        ExecutionError: the device cannot load the module.
    """

    def __init__(self, module: VmModule, plan: Plan, parameters: Parameters, device: Device) -> None:
        self._device = device
        self._outputs = plan.outputs
        self._element_types = [map_dtype_to_hal_element_type(tensor.dtype) for tensor in plan.inputs]
        self._lock = threading.Lock()
        self._function = module.lookup_function(plan.function)
        if self._function is None:
            raise Error(f"the compiled module has no function {plan.function!r}; compile the model again")
        self._context = [_load(module, parameters, device)]
        # At the interpreter's exit nothing else makes sure that buffers are freed before their device is.
        weakref.finalize(self, self._context.clear)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Runs the function on C-contiguous arrays that fit its inputs; the results are the caller's to keep.

        Raises:
            ExecutionError: the device fails.
        """
        results = VmVariantList(len(self._outputs))
        try:
            arguments = self._arguments(arrays)
            with self._lock:
                self._context[0].invoke(self._function, arguments, results)
            return self._fetch([results.get_as_object(i, HalBufferView) for i in range(len(self._outputs))])
        except (RuntimeError, ValueError) as problem:
            raise ExecutionError(f"the device failed while it ran the model: {_reason(problem)}") from problem

    def _arguments(self, arrays: Sequence[Array]) -> VmVariantList:
        copy_in = self._device.handle.allocator.allocate_buffer_copy
        arguments = VmVariantList(len(arrays))
        for array, element_type in zip(arrays, self._element_types, strict=True):
            view = copy_in(MemoryType.DEVICE_LOCAL, BufferUsage.DEFAULT, self._device.handle, array, element_type)
            arguments.push_ref(view.ref)
        return arguments

    def _fetch(self, views: Sequence[HalBufferView]) -> list[Array]:
        if self._device.is_host:
            return [_mapped(view, output) for view, output in zip(views, self._outputs, strict=True)]
        staged = _copy_to_host(self._device.handle, [view.get_buffer() for view in views])
        return [_mapped(buffer, output).copy() for buffer, output in zip(staged, self._outputs, strict=True)]


def _load(module: VmModule, parameters: Parameters, device: Device) -> iree.runtime.VmContext:
    provided = iree.runtime.create_io_parameters_module(instance(), parameters.provider())
    hal = iree.runtime.create_hal_module(instance(), device.handle)
    try:
        return iree.runtime.VmContext(instance(), [provided, hal, module])
    except (RuntimeError, ValueError, LookupError) as problem:
        raise ExecutionError(f"the device cannot load the model: {_reason(problem)}") from problem


def _mapped(memory: HalBuffer | HalBufferView, tensor: TensorDescription) -> Array:
    if tensor.size == 0:
        return np.empty(tensor.shape, tensor.dtype)
    array: Array = memory.map().asarray(tensor.shape, tensor.dtype)
    return array


def _copy_to_host(device: HalDevice, sources: Sequence[HalBuffer]) -> list[HalBuffer]:
    """Copies through buffers of the device's own: Vulkan imports host memory only at multiples of 4096 bytes."""
    semaphore = device.create_semaphore(0)
    staged = []
    for step, source in enumerate(sources):
        staging = device.allocator.allocate_buffer(_STAGING_MEMORY, _STAGING_USAGE, source.byte_length())
        device.queue_copy(source, staging, HalFence.create_at(semaphore, step), HalFence.create_at(semaphore, step + 1))
        staged.append(staging)
    HalFence.create_at(semaphore, len(sources)).wait()
    return staged


def _reason(problem: Exception) -> str:
    return str(problem).partition("\n")[0]
