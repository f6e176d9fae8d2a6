"""A module that is loaded on devices: the thin layer over iree.runtime that arrays pass in and out."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import iree.runtime
import numpy as np
from iree.runtime import BufferUsage, HalBuffer, HalBufferView, HalDevice, HalFence, MemoryType, VmModule, VmVariantList
from iree.runtime._binding import create_hal_driver  # has no public name
from iree.runtime.dtypes import map_dtype_to_hal_element_type
from numpy.typing import NDArray

from pyipu.arrays import ALIGNMENT, address
from pyipu.errors import Error, ExecutionError, InputError, TargetError
from pyipu.parameters import Parameters
from pyipu.plan import Plan, TensorDescription

Array = NDArray[Any]

THREADED_DRIVER = "local-task"
SERIAL_DRIVER = "local-sync"
"""What runs on one thread: the caller's own, as to wake another one takes longer than a tiny model does."""
_HOST_DRIVERS = (THREADED_DRIVER, SERIAL_DRIVER)
_STAGING_MEMORY = int(MemoryType.HOST_LOCAL | MemoryType.DEVICE_VISIBLE)
_STAGING_USAGE = int(BufferUsage.TRANSFER_TARGET | BufferUsage.MAPPING_SCOPED)
_DRIVER_LOCK, _DEVICES_LOCK = threading.Lock(), threading.Lock()

# What numpy exports as DLPack, by numpy.dtype.kind; bfloat16 and the like have the kind of plain bytes.
_IMPORTED_KINDS = "biuf"


def available_threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """A number of threads that was asked for; by default as many as there are processors that this process may use.

    Raises:
        InputError: it is not positive.
    """
    if threads is None:
        return available_threads()
    if threads < 1:
        raise InputError(f"threads must be 1 or more, got {threads}")
    return threads


@functools.cache
def instance() -> iree.runtime.VmInstance:
    """The virtual machine, of which a process needs one."""
    return iree.runtime.VmInstance()


@dataclass(frozen=True, eq=False)
class Device:
    """An open device of a driver of IREE's."""

    handle: HalDevice
    driver: str

    @property
    def is_host(self) -> bool:
        """It is the processor, so that its buffers can be used in place."""
        return self.driver in _HOST_DRIVERS


def open_device(driver: str, threads: int) -> Device:
    """A new device of a driver; "local-task" gets a pool of `threads` threads, or is "local-sync" for a single one.

    Other drivers have no use for threads.

    Raises:
        TargetError: the driver or its device is not on this machine.
    """
    used = SERIAL_DRIVER if driver == THREADED_DRIVER and threads == 1 else driver
    try:
        return Device(_create_driver(used, threads).create_default_device(), used)
    except (RuntimeError, ValueError) as problem:
        raise TargetError(
            f"no device can be opened for driver {driver!r} ({_reason(problem)}); "
            "install the device's driver, or compile for another target"
        ) from problem


class Devices:
    """The devices on which calls run side by side, each on `threads` threads: as many as the processors suffice for.

    A device is opened when it is first needed; every driver but "local-task" has one.
    """

    def __init__(self, driver: str, threads: int) -> None:
        self._driver, self._threads = driver, threads
        count = max(1, available_threads() // threads) if driver == THREADED_DRIVER else 1
        self._free = threading.Semaphore(count)
        self._idle: list[Device] = []

    @contextmanager
    def borrow(self) -> Iterator[Device]:
        """A device that nobody else uses meanwhile, the one that was used last if it is free; waits for one.

        Raises:
            TargetError: the driver or its device is not on this machine.
        """
        with self._free:
            device = self._take()
            try:
                yield device
            finally:
                self._idle.append(device)

    def _take(self) -> Device:
        try:
            return self._idle.pop()
        except IndexError:
            return open_device(self._driver, self._threads)


def devices(driver: str, threads: int) -> Devices:
    """The one set of devices of a driver for calls on `threads` threads.

    All executables with that number of threads share it, so their calls take turns rather than fight for processors.
    Devices other than the host are closed with the last executable that uses them: IREE's threads may wait for them in
    a busy loop. The host's stay, because results are views of their memory.
    """
    with _DEVICES_LOCK:
        if driver in _HOST_DRIVERS:
            return _host_devices(driver, threads)
        return _other_devices.setdefault((driver, threads), Devices(driver, threads))


_host_devices = functools.cache(Devices)
_other_devices: weakref.WeakValueDictionary[tuple[str, int], Devices] = weakref.WeakValueDictionary()


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
    """One function of a module. Calls from several threads run side by side on the devices that there are.

    Raises:
        Error: the module has no such function, or a parameter has no value.
        ExecutionError: the device cannot load the module.
        TargetError: the driver or its device is not on this machine.
    """

    def __init__(self, module: VmModule, plan: Plan, parameters: Parameters, devices: Devices) -> None:
        self._module, self._devices = module, devices
        self._outputs = plan.outputs
        self._element_types = [map_dtype_to_hal_element_type(tensor.dtype) for tensor in plan.inputs]
        self._function = module.lookup_function(plan.function)
        if self._function is None:
            raise Error(f"the compiled module has no function {plan.function!r}; compile the model again")
        self._provided = iree.runtime.create_io_parameters_module(instance(), parameters.provider())
        # IREE's contexts may be used by one thread at a time, so each device has its own; they share the weights.
        self._contexts: dict[Device, iree.runtime.VmContext] = {}
        # At the interpreter's exit nothing else makes sure that buffers are freed before their device is.
        weakref.finalize(self, self._contexts.clear)
        with devices.borrow() as device:
            self._context(device)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Runs the function on C-contiguous arrays that fit its inputs; the results are the caller's to keep.

        Raises:
            ExecutionError: the device fails.
        """
        with self._devices.borrow() as device:
            context = self._context(device)
            try:
                return self._run(context, device, arrays)
            except (RuntimeError, ValueError) as problem:
                raise ExecutionError(f"the device failed while it ran the model: {_reason(problem)}") from problem

    def _run(self, context: iree.runtime.VmContext, device: Device, arrays: Sequence[Array]) -> list[Array]:
        arguments = VmVariantList(len(arrays))
        for array, element_type in zip(arrays, self._element_types, strict=True):
            arguments.push_ref(_argument(device, array, element_type).ref)
        results = VmVariantList(len(self._outputs))
        with _behind_workers(device):
            context.invoke(self._function, arguments, results)
        views = [results.get_as_object(i, HalBufferView) for i in range(len(self._outputs))]
        if device.is_host:
            return [_mapped(view, output) for view, output in zip(views, self._outputs, strict=True)]
        staged = _copy_to_host(device.handle, [view.get_buffer() for view in views])
        return [_mapped(buffer, output).copy() for buffer, output in zip(staged, self._outputs, strict=True)]

    def _context(self, device: Device) -> iree.runtime.VmContext:
        if device not in self._contexts:
            self._contexts[device] = _load(self._provided, self._module, device)
        return self._contexts[device]


@contextmanager
def _behind_workers(device: Device) -> Iterator[None]:
    """A wait for a device's threads in which this thread takes no processor from them.

    IREE wakes a waiting thread before it has quite finished with it, and the woken thread spins until it has. Where
    there are no more processors than workers, Linux may stop just the worker that is spun for: both lose a time slice
    of a millisecond or more. When a thread of `SCHED_BATCH` wakes, it does not preempt others. A thread that has been
    given a policy keeps it.
    """
    if device.driver != THREADED_DRIVER or not _may_choose_policy() or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@functools.cache
def _may_choose_policy() -> bool:
    """Only Linux has these policies, and sandboxes may forbid to set any."""
    try:
        os.sched_setscheduler(0, os.sched_getscheduler(0), os.sched_getparam(0))
    except (AttributeError, OSError):
        return False
    return True


def _argument(device: Device, array: Array, element_type: int) -> HalBufferView:
    """The array itself where the device can read it in place, else a copy of it."""
    if device.is_host and _importable(array):
        return device.handle.from_dlpack_capsule(array.__dlpack__())
    return device.handle.allocator.allocate_buffer_copy(
        MemoryType.DEVICE_LOCAL, BufferUsage.DEFAULT, device.handle, array, element_type
    )


def _importable(array: Array) -> bool:
    """IREE's CPU devices want aligned memory; numpy's DLPack cannot say that an array is read-only."""
    aligned = address(array) % ALIGNMENT == 0
    return aligned and array.dtype.kind in _IMPORTED_KINDS and array.flags.writeable and array.size > 0


def _load(provided: VmModule, module: VmModule, device: Device) -> iree.runtime.VmContext:
    hal = iree.runtime.create_hal_module(instance(), device.handle)
    try:
        return iree.runtime.VmContext(instance(), [provided, hal, module])
    except (RuntimeError, ValueError, LookupError) as problem:
        raise ExecutionError(f"the device cannot load the model: {_reason(problem)}") from problem


def _mapped(memory: HalBuffer | HalBufferView, tensor: TensorDescription) -> Array:
    """A view of the memory, which lives as long as the view does; several times faster than `MappedMemory.asarray`."""
    if tensor.size == 0:
        return np.empty(tensor.shape, tensor.dtype)
    return np.ndarray(tensor.shape, tensor.dtype, memory.map())


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
