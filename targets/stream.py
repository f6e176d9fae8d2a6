"""Emits a placed program in IREE's `stream` dialect: one arena per call, every byte range where the plan put it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Border, Execute
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.errors import CompilationError
from pyipu.parameters import SCOPE
from pyipu.passes.functions import codelets
from pyipu.passes.references import accesses, base_of, border_bytes, bound_bytes, distance
from pyipu.passes.session import place
from pyipu.targets.command_buffers import Wave, command_buffers
from pyipu.targets.executable import Function, emit_executable, emit_function
from pyipu.targets.program import CONSTANT, EXTERNAL, Program, Resource, Step, function_of
from pyipu.targets.tiles import Tiling

_ON = "on(#hal.device.affinity<@dev>)"

_POISON = (0xFF, "i8")
"""All bits set is NaN in every floating-point type."""


def emit_module(
    module: ir.Module,
    device: str,
    input_names: Sequence[str] = (),
    poison: bool = False,
    tiles: Tiles | None = None,
    together: int | None = None,
    learned: Mapping[str, Tiling] | None = None,
) -> str:
    """The `stream` module of a placed, allocated and outlined program; `device` is a `#hal.device.target<…>`.

    `input_names` stand in the error that a caller with a wrong shape gets from IREE. With `poison` every call begins by
    writing NaN all over the arena and the results, so that a read of unwritten memory shows. `tiles` says how codelets
    are tiled, and `learned` how those of some keys are instead; by default IREE decides. About `together` of them share
    an executable; by default each has its own.
    """
    program = Program.read(module, input_names, together)
    return _module(device, program, emit_functions(module, program, tiles, learned), [_main(program, poison)])


def emit_trials(
    device: str, program: Program, functions: Sequence[Function], trials: Mapping[str, Mapping[str, str]]
) -> str:
    """A module that runs the program several times, on inputs of its own, one step after the other.

    `functions` are all that its executables hold. Each trial is a name, under which the program is called without
    arguments, and which functions run in the place of others.
    """
    mains = [_main(replace(program, instead=instead, is_trial=True), False, name) for name, instead in trials.items()]
    return _module(device, program, functions, mains)


def _module(device: str, program: Program, functions: Sequence[Function], mains: Sequence[str]) -> str:
    body = "\n".join(part for part in (_executables(program, functions), _parameters(program), *mains) if part)
    return (
        "module attributes {stream.affinity.default = #hal.device.affinity<@dev>} {\n"
        f"util.global private @dev = {device} : !hal.device\n{body}\n}}\n"
    )


def emit_functions(
    module: ir.Module, program: Program, tiles: Tiles | None, learned: Mapping[str, Tiling] | None
) -> list[Function]:
    """What the program's vertices run."""
    bodies = codelets(module)
    return [
        emit_function(name, interface, bodies[interface.vertex.codelet], tiles, learned)
        for name, interface in program.interfaces.items()
    ]


def _executables(program: Program, functions: Sequence[Function]) -> str:
    held: dict[str, list[Function]] = {}
    for function in functions:
        held.setdefault(program.executables[function.name], []).append(function)
    return "".join(emit_executable(name, functions) for name, functions in held.items())


def _parameters(program: Program) -> str:
    """One global per parameter and one load of all of them: a load of a whole parameter is mapped, not copied."""
    ops = program.parameters
    if not ops:
        return ""
    sizes = [tensor_of(op.results[0]).bytes for op in ops]
    lines = [f"util.global private @parameter_{i} : {CONSTANT}" for i in range(len(ops))]
    lines += ["util.initializer {", "%begin = arith.constant 0 : i64"]
    lines += [f"%size{size} = arith.constant {size} : index" for size in dict.fromkeys(sizes)]
    lines += [f'%scope = util.buffer.constant : !util.buffer = "{SCOPE}"']
    lines += [f"%key{i} = util.buffer.constant : !util.buffer = {_quoted(op.key)}" for i, op in enumerate(ops)]
    loads = ",\n".join(f"%scope::%key{i}[%begin] : {CONSTANT}{{%size{size}}}" for i, size in enumerate(sizes))
    lines += [f"%loaded:{len(ops)}, %loading = stream.cmd.parameter.load {_ON} {{\n{loads}\n}} => !stream.timepoint"]
    loaded = ", ".join(f"%loaded#{i}" for i in range(len(ops)))
    types = ", ".join(f"{CONSTANT}{{%size{size}}}" for size in sizes)
    lines += [f"%ready:{len(ops)} = stream.timepoint.await sync %loading => {loaded} : {types}"]
    lines += [f"util.global.store %ready#{i}, @parameter_{i} : {CONSTANT}" for i in range(len(ops))]
    return "\n".join([*lines, "util.return", "}"])


def _quoted(text: str) -> str:
    return str(ir.StringAttr.get(text))


def _main(program: Program, poison: bool, name: str = "main") -> str:
    resources = program.resources()
    views = "!hal.buffer_view"
    passed = [] if program.is_trial else [f"%arg{i}: {views}" for i in range(len(program.arguments))]
    arguments = ", ".join(passed)
    results = ", ".join([views] * len(program.returned))
    waves = [[command] for command in _poison(program, resources)] if poison else []
    waves += [[_filled(value, resources[value])] for value in program.arguments if program.is_trial]
    waves += [[command for op in wave for command in _commands(op, program, resources)] for wave in _waves(program)]
    lines = [
        *_imports(program),
        *(
            f"{resources[op.results[0]].outer} = util.global.load immutable @parameter_{i} : {CONSTANT}"
            for i, op in enumerate(program.parameters)
        ),
        *_allocations(program, resources),
        *_execution(program, resources, waves),
        *_exports(program, resources),
    ]
    head = [f"%n{number} = arith.constant {number} : index" for number in sorted(_numbers(program, resources))]
    patterns = {_border_pattern(op) for op in program.steps if isinstance(op, Border)}
    patterns |= {_POISON} if poison else set()
    patterns |= {_any_number(value) for value in program.arguments if program.is_trial}
    patterns |= {(number, "i32") for op in program.steps for number in _passed(op, program)}
    head += [f"%{type_}_{bits} = arith.constant {bits} : {type_}" for bits, type_ in sorted(patterns)]
    body = "\n".join([*head, *lines])
    return f"util.func public @{name}({arguments}) -> ({results}) attributes {{iree.abi.stub}} {{\n{body}\n}}"


def _numbers(program: Program, resources: dict[ir.Value, Resource]) -> set[int]:
    """Every size and offset that the function mentions."""
    numbers = {0, program.arena_bytes} | {resource.size for resource in resources.values()}
    for op in program.steps:
        numbers.update(number for pair in _ranges(op, program) for number in pair)
    return numbers | {size for value in program.arguments for size in tensor_of(value).shape}


def _ranges(op: Op, program: Program) -> list[tuple[int, int]]:
    if isinstance(op, Border):
        return border_bytes(op)
    return [bound_bytes(value) if function_of(op) in program.executables else _piece(value) for value in op.operands]


def _piece(value: ir.Value) -> tuple[int, int]:
    """Byte offset in its resource, and length, of a reference that is one piece of memory."""
    return bound_bytes(value)[0] + (distance(value) or 0), tensor_of(value).bytes


def _any_number(value: ir.Value) -> tuple[int, str]:
    """No zero where there are floats: some processors save power on those. Any table has an element 0."""
    tensor = tensor_of(value)
    return _pattern(0.5 if tensor.is_float and tensor.numpy_dtype.itemsize < 8 else 0, tensor)


def _filled(value: ir.Value, one: Resource) -> str:
    bits, type_ = _any_number(value)
    return _fill(f"%{type_}_{bits}", type_, one)


def _fill(number: str, type_: str, one: Resource) -> str:
    return f"stream.cmd.fill {number}, {one.inner}[%n0 for %n{one.size}] : {type_} -> {one.lifetime}{{%n{one.size}}}"


def _imports(program: Program) -> Iterator[str]:
    for i, value in enumerate([] if program.is_trial else program.arguments):
        tensor = tensor_of(value)
        shape = ", ".join(f"%n{size}" for size in tensor.shape)
        yield f"%type{i} = hal.element_type<{tensor.dtype}> : i32"
        yield f"%encoding{i} = hal.encoding_type<dense_row_major> : i32"
        yield (
            f"hal.buffer_view.assert<%arg{i} : !hal.buffer_view> message({_quoted(program.argument_names[i])}) "
            f"shape([{shape}]) type(%type{i}) encoding(%encoding{i})"
        )
        yield (
            f"%input{i} = stream.tensor.import {_ON} %arg{i} : !hal.buffer_view -> {tensor} in "
            f"{EXTERNAL}{{%n{tensor.bytes}}}"
        )


def _allocated(program: Program, resources: dict[ir.Value, Resource]) -> list[Resource]:
    inputs = [resources[value] for value in program.arguments] if program.is_trial else []
    results = [resources[base_of(value)] for value in program.returned]
    return [*inputs, *results, *([program.arena] if program.arena_bytes else [])]


def _allocations(program: Program, resources: dict[ir.Value, Resource]) -> Iterator[str]:
    """Allocations are joined: a chain of awaits crashes IREE's canonicalizer."""
    allocated = _allocated(program, resources)
    for i, one in enumerate(allocated):
        yield (
            f"{one.outer}, %t{i} = stream.resource.alloca uninitialized {_ON} : {one.lifetime}{{%n{one.size}}} "
            "=> !stream.timepoint"
        )
    timepoints = ", ".join(f"%t{i}" for i in range(len(allocated)))
    yield f"%ready = stream.timepoint.join max({timepoints}) => !stream.timepoint"


def _execution(program: Program, resources: dict[ir.Value, Resource], waves: Sequence[Wave]) -> Iterator[str]:
    captured = [*resources.values(), program.arena] if program.arena_bytes else list(resources.values())
    listed = ", ".join(f"{r.outer} as {r.inner}: {r.lifetime}{{%n{r.size}}}" for r in captured)
    parts = command_buffers(waves) or [[]]
    times = ["%ready", *(f"%done{i}" for i in range(1, len(parts))), "%done"]
    for part, before, after in zip(parts, times, times[1:], strict=False):
        yield f"{after} = stream.cmd.execute {_ON} await({before}) => with({listed}) {{"
        yield from (command for wave in part for command in _side_by_side(wave))
        yield "} => !stream.timepoint"


def _poison(program: Program, resources: dict[ir.Value, Resource]) -> Iterator[str]:
    bits, type_ = _POISON
    for one in _allocated(program, resources):
        yield _fill(f"%{type_}_{bits}", type_, one)


def _waves(program: Program) -> list[list[Step]]:
    """What runs side by side; everything by itself where no waves are known, or each step is timed."""
    waves: dict[int, list[Step]] = {}
    for number, op in enumerate(program.steps):
        waves.setdefault(number if op.wave is None or program.is_trial else op.wave, []).append(op)
    return [waves[number] for number in sorted(waves)]


def _side_by_side(wave: Wave) -> Wave:
    return ["stream.cmd.concurrent {", *wave, "}"] if len(wave) > 1 else wave


def _commands(op: Step, program: Program, resources: dict[ir.Value, Resource]) -> list[str]:
    if isinstance(op, Border):
        return _border(op, program, resources)
    if function_of(op) not in program.executables:
        return [_copy(op, program, resources)]
    return [_dispatch(op, program, resources)]


def _dispatch(op: Execute, program: Program, resources: dict[ir.Value, Resource]) -> str:
    letters = {"readonly": "ro", "writeonly": "wo", "readwrite": "rw"}
    operands = [f"{letters[access]} {_bound(value, program, resources)}" for value, access in accesses(op).items()]
    name, passed = program.instead.get(function_of(op), function_of(op)), _passed(op, program)
    listed = ", ".join(f"%i32_{offset}" for offset in passed)
    arguments = f"({listed} : {', '.join(['i32'] * len(passed))})" if passed else ""
    where = f"@{program.executables[name]}::@{name}"
    bound = ",\n".join(operands)
    return f"stream.cmd.dispatch {where}{arguments} {{\n{bound}\n}}"


def _copy(op: Execute, program: Program, resources: dict[ir.Value, Resource]) -> str:
    source, target = (resources.get(base_of(value), program.arena) for value in op.operands)
    (begin, length), (place, _) = map(_piece, op.operands)
    return (
        f"stream.cmd.copy {source.inner}[%n{begin}], {target.inner}[%n{place}], %n{length} : "
        f"{source.lifetime}{{%n{source.size}}} -> {target.lifetime}{{%n{target.size}}}"
    )


def _passed(op: Op, program: Program) -> list[int]:
    """What a dispatch passes; nothing for what is no dispatch."""
    interface = program.interfaces.get(function_of(op)) if isinstance(op, Execute) else None
    return interface.arguments(op) if interface else []


def _bound(value: ir.Value, program: Program, resources: dict[ir.Value, Resource]) -> str:
    resource = resources.get(base_of(value), program.arena)
    offset, length = bound_bytes(value)
    return f"{resource.inner}[%n{offset} for %n{length}] : {resource.lifetime}{{%n{resource.size}}}"


def _border(op: Border, program: Program, resources: dict[ir.Value, Resource]) -> list[str]:
    resource = resources.get(base_of(op.operands[0]), program.arena)
    bits, type_ = _border_pattern(op)
    return [
        f"stream.cmd.fill %{type_}_{bits}, {resource.inner}[%n{offset} for %n{length}] : "
        f"{type_} -> {resource.lifetime}{{%n{resource.size}}}"
        for offset, length in border_bytes(op)
    ]


def _border_pattern(op: Border) -> tuple[int, str]:
    """Raises CompilationError where no pattern makes that border."""
    tensor = tensor_of(op.operands[0])
    try:
        return _pattern(op.value, tensor)
    except ValueError:
        raise CompilationError(
            f"node '{place(op.location)}': IREE cannot fill a border of {tensor} with {op.value:g}: "
            "pad with 0, or in 32 bits"
        ) from None


def _pattern(number: float, tensor: Tensor) -> tuple[int, str]:
    """The bits of one element as an integer, and its type; of both halves of 64 bits, which IREE cannot fill with.

    Raises:
        ValueError: the halves differ.
    """
    data = np.array(number).astype(tensor.numpy_dtype).tobytes()
    if len(data) == 8 and data[:4] != data[4:]:
        raise ValueError(f"the halves of {number:g} differ")
    data = data[:4]
    return int.from_bytes(data, "little"), f"i{8 * len(data)}"


def _exports(program: Program, resources: dict[ir.Value, Resource]) -> Iterator[str]:
    done, arena = "%done", program.arena
    if program.arena_bytes:
        yield (
            f"%freed = stream.resource.dealloca {_ON} await(%done) => {arena.outer} : "
            f"{arena.lifetime}{{%n{arena.size}}} => !stream.timepoint"
        )
        done = "%freed"
    results = [resources[base_of(value)] for value in program.returned]
    outers = ", ".join(resource.outer for resource in results)
    types = ", ".join(f"{EXTERNAL}{{%n{resource.size}}}" for resource in results)
    yield f"%out:{len(results)} = stream.timepoint.await {done} => {outers} : {types}"
    for i, (value, resource) in enumerate(zip(program.returned, results, strict=True)):
        yield (
            f"%view{i} = stream.tensor.export {_ON} %out#{i} : {tensor_of(value)} in {EXTERNAL}{{%n{resource.size}}} "
            "-> !hal.buffer_view"
        )
    listed = ", ".join(f"%view{i}" for i in range(len(results)))
    yield f"util.return {listed} : {', '.join(['!hal.buffer_view'] * len(results))}"
