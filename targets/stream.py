"""Emits a placed program in IREE's `stream` dialect: one arena per call, every byte range where the plan put it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from iree.compiler import ir

from pyipu.dialect.definition import Op, ipu_ops
from pyipu.dialect.program import Border, Execute, Parameter
from pyipu.dialect.tiles import Tiles
from pyipu.dialect.types import Tensor, tensor_of
from pyipu.parameters import SCOPE
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.references import accesses, base_of, border_bytes, bound_bytes, distance
from pyipu.targets.binding import Interface
from pyipu.targets.copying import moves
from pyipu.targets.executable import Function, emit_executable, emit_function

_ON = "on(#hal.device.affinity<@dev>)"
_EXTERNAL = "!stream.resource<external>"
_TRANSIENT = "!stream.resource<transient>"
_CONSTANT = "!stream.resource<constant>"

_POISON = (0xFF, "i8")
"""All bits set is NaN in every floating-point type."""


def emit_module(
    module: ir.Module,
    device: str,
    input_names: Sequence[str] = (),
    poison: bool = False,
    tiles: Tiles | None = None,
    together: int | None = None,
) -> str:
    """The `stream` module of a placed, allocated and outlined program; `device` is a `#hal.device.target<…>`.

    `input_names` stand in the error that a caller with a wrong shape gets from IREE. With `poison` every call begins by
    writing NaN all over the arena and the results, so that a read of unwritten memory shows. `tiles` says how codelets
    are tiled; by default IREE decides. About `together` of them share an executable; by default each has its own.
    """
    program = Program.read(module, input_names, together)
    parts = [_executables(module, program, tiles), _parameters(program), _main(program, poison)]
    body = "\n".join(part for part in parts if part)
    return (
        "module attributes {stream.affinity.default = #hal.device.affinity<@dev>} {\n"
        f"util.global private @dev = {device} : !hal.device\n{body}\n}}\n"
    )


@dataclass(frozen=True)
class Resource:
    """A byte range outside of the command stream, and its name inside."""

    outer: str
    inner: str
    lifetime: str
    size: int


@dataclass(frozen=True)
class Program:
    """The main function, sorted into what is emitted where."""

    arguments: list[ir.Value]
    argument_names: list[str]
    parameters: list[Parameter]
    steps: list[Border | Execute]
    returned: list[ir.Value]
    arena_bytes: int
    interfaces: dict[str, Interface]
    """How each function is called, by name; the vertices that share it are equal in all else it is compiled for."""
    executables: dict[str, str]
    """The executable that holds each function; other names are those of vertices that commands copy."""

    @staticmethod
    def read(module: ir.Module, input_names: Sequence[str], together: int | None = None) -> Program:
        main = main_function(module)
        block = main.regions[0].blocks[0]
        ops = list(ipu_ops(block))
        arena = ir.IntegerAttr(main.attributes["ipu.arena_bytes"]).value
        sharing = _sharing(dispatched(module))
        return Program(
            list(block.arguments),
            list(input_names) or [f"input {i}" for i in range(len(block.arguments))],
            [op for op in ops if isinstance(op, Parameter)],
            [op for op in ops if isinstance(op, Border | Execute)],
            list(block.operations[len(block.operations) - 1].operands),
            arena,
            {name: Interface.of(vertices) for name, vertices in sharing.items()},
            _executables_of(list(sharing), together),
        )

    def resources(self) -> dict[ir.Value, Resource]:
        """What each base of a view is: an input, a parameter, a returned result; the arena's buffers share one."""
        found: dict[ir.Value, Resource] = {}
        for i, value in enumerate(self.arguments):
            found[value] = Resource(f"%input{i}", f"%i{i}", _EXTERNAL, tensor_of(value).bytes)
        for i, op in enumerate(self.parameters):
            found[op.results[0]] = Resource(f"%parameter{i}", f"%p{i}", _CONSTANT, tensor_of(op.results[0]).bytes)
        for i, value in enumerate(self.returned):
            base = base_of(value)
            found[base] = Resource(f"%result{i}", f"%r{i}", _EXTERNAL, base.owner.size)
        return found

    @property
    def arena(self) -> Resource:
        return Resource("%arena", "%m", _TRANSIENT, self.arena_bytes)


def dispatched(module: ir.Module) -> list[Execute]:
    """The placed vertices that run code, in order; a command does what the others do."""
    bodies, ops = codelets(module), ipu_ops(main_function(module).regions[0].blocks[0])
    return [op for op in ops if isinstance(op, Execute) and not moves(op, bodies)]


def _sharing(ops: Sequence[Execute]) -> dict[str, list[Execute]]:
    """Placed vertices by the name of the function that they share."""
    found: dict[str, list[Execute]] = {}
    for op in ops:
        found.setdefault(_function(op), []).append(op)
    return found


def _function(op: Execute) -> str:
    return op.executable or op.codelet


def _executables_of(functions: Sequence[str], together: int | None) -> dict[str, str]:
    """As few executables as hold so many functions each; what runs in a row lies in one, which loads less code."""
    if together is None:
        return {function: function for function in functions}
    count = -(-len(functions) // together)
    return {function: f"codelets_{number * count // len(functions)}" for number, function in enumerate(functions)}


def _executables(module: ir.Module, program: Program, tiles: Tiles | None) -> str:
    bodies = codelets(module)
    held: dict[str, list[Function]] = {}
    for name, interface in program.interfaces.items():
        function = emit_function(name, interface, bodies[interface.vertex.codelet], tiles)
        held.setdefault(program.executables[name], []).append(function)
    return "".join(emit_executable(name, functions) for name, functions in held.items())


def _parameters(program: Program) -> str:
    """One global per parameter and one load of all of them: a load of a whole parameter is mapped, not copied."""
    ops = program.parameters
    if not ops:
        return ""
    sizes = [tensor_of(op.results[0]).bytes for op in ops]
    lines = [f"util.global private @parameter_{i} : {_CONSTANT}" for i in range(len(ops))]
    lines += ["util.initializer {", "%begin = arith.constant 0 : i64"]
    lines += [f"%size{size} = arith.constant {size} : index" for size in dict.fromkeys(sizes)]
    lines += [f'%scope = util.buffer.constant : !util.buffer = "{SCOPE}"']
    lines += [f"%key{i} = util.buffer.constant : !util.buffer = {_quoted(op.key)}" for i, op in enumerate(ops)]
    loads = ",\n".join(f"%scope::%key{i}[%begin] : {_CONSTANT}{{%size{size}}}" for i, size in enumerate(sizes))
    lines += [f"%loaded:{len(ops)}, %loading = stream.cmd.parameter.load {_ON} {{\n{loads}\n}} => !stream.timepoint"]
    loaded = ", ".join(f"%loaded#{i}" for i in range(len(ops)))
    types = ", ".join(f"{_CONSTANT}{{%size{size}}}" for size in sizes)
    lines += [f"%ready:{len(ops)} = stream.timepoint.await sync %loading => {loaded} : {types}"]
    lines += [f"util.global.store %ready#{i}, @parameter_{i} : {_CONSTANT}" for i in range(len(ops))]
    return "\n".join([*lines, "util.return", "}"])


def _quoted(text: str) -> str:
    return str(ir.StringAttr.get(text))


def _main(program: Program, poison: bool) -> str:
    resources = program.resources()
    views = "!hal.buffer_view"
    arguments = ", ".join(f"%arg{i}: {views}" for i in range(len(program.arguments)))
    results = ", ".join([views] * len(program.returned))
    commands = list(_poison(program, resources)) if poison else []
    commands += [line for wave in _waves(program.steps) for line in _side_by_side(wave, program, resources)]
    lines = [
        *_imports(program),
        *(
            f"{resources[op.results[0]].outer} = util.global.load immutable @parameter_{i} : {_CONSTANT}"
            for i, op in enumerate(program.parameters)
        ),
        *_allocations(program, resources),
        *_execution(program, resources, commands),
        *_exports(program, resources),
    ]
    head = [f"%n{number} = arith.constant {number} : index" for number in sorted(_numbers(program, resources))]
    patterns = {_pattern(op.value, tensor_of(op.operands[0])) for op in program.steps if isinstance(op, Border)}
    patterns |= {_POISON} if poison else set()
    patterns |= {(number, "i32") for op in program.steps for number in _passed(op, program)}
    head += [f"%{type_}_{bits} = arith.constant {bits} : {type_}" for bits, type_ in sorted(patterns)]
    body = "\n".join([*head, *lines])
    return f"util.func public @main({arguments}) -> ({results}) attributes {{iree.abi.stub}} {{\n{body}\n}}"


def _numbers(program: Program, resources: dict[ir.Value, Resource]) -> set[int]:
    """Every size and offset that the function mentions."""
    numbers = {0, program.arena_bytes} | {resource.size for resource in resources.values()}
    for op in program.steps:
        numbers.update(number for pair in _ranges(op, program) for number in pair)
    return numbers | {size for value in program.arguments for size in tensor_of(value).shape}


def _ranges(op: Op, program: Program) -> list[tuple[int, int]]:
    if isinstance(op, Border):
        return border_bytes(op)
    return [bound_bytes(value) if _function(op) in program.executables else _piece(value) for value in op.operands]


def _piece(value: ir.Value) -> tuple[int, int]:
    """Byte offset in its resource, and length, of a reference that is one piece of memory."""
    return bound_bytes(value)[0] + (distance(value) or 0), tensor_of(value).bytes


def _imports(program: Program) -> Iterator[str]:
    for i, value in enumerate(program.arguments):
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
            f"{_EXTERNAL}{{%n{tensor.bytes}}}"
        )


def _allocated(program: Program, resources: dict[ir.Value, Resource]) -> list[Resource]:
    results = [resources[base_of(value)] for value in program.returned]
    return [*results, program.arena] if program.arena_bytes else results


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


def _execution(program: Program, resources: dict[ir.Value, Resource], commands: Sequence[str]) -> Iterator[str]:
    captured = [*resources.values(), program.arena] if program.arena_bytes else list(resources.values())
    listed = ", ".join(f"{r.outer} as {r.inner}: {r.lifetime}{{%n{r.size}}}" for r in captured)
    yield f"%done = stream.cmd.execute {_ON} await(%ready) => with({listed}) {{"
    yield from commands
    yield "} => !stream.timepoint"


def _poison(program: Program, resources: dict[ir.Value, Resource]) -> Iterator[str]:
    bits, type_ = _POISON
    for one in _allocated(program, resources):
        range_ = f"{one.inner}[%n0 for %n{one.size}]"
        yield f"stream.cmd.fill %{type_}_{bits}, {range_} : {type_} -> {one.lifetime}{{%n{one.size}}}"


def _waves(steps: Sequence[Border | Execute]) -> list[list[Border | Execute]]:
    """What runs side by side; everything by itself where no waves are known."""
    waves: dict[int, list[Border | Execute]] = {}
    for number, op in enumerate(steps):
        waves.setdefault(number if op.wave is None else op.wave, []).append(op)
    return [waves[number] for number in sorted(waves)]


def _side_by_side(wave: Sequence[Border | Execute], program: Program, resources: dict[ir.Value, Resource]) -> list[str]:
    commands = [command for op in wave for command in _commands(op, program, resources)]
    return ["stream.cmd.concurrent {", *commands, "}"] if len(commands) > 1 else commands


def _commands(op: Border | Execute, program: Program, resources: dict[ir.Value, Resource]) -> list[str]:
    if isinstance(op, Border):
        return _border(op, program, resources)
    if _function(op) not in program.executables:
        return [_copy(op, program, resources)]
    return [_dispatch(op, program, resources)]


def _dispatch(op: Execute, program: Program, resources: dict[ir.Value, Resource]) -> str:
    letters = {"readonly": "ro", "writeonly": "wo", "readwrite": "rw"}
    operands = [f"{letters[access]} {_bound(value, program, resources)}" for value, access in accesses(op).items()]
    name, passed = _function(op), _passed(op, program)
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
    interface = program.interfaces.get(_function(op)) if isinstance(op, Execute) else None
    return interface.arguments(op) if interface else []


def _bound(value: ir.Value, program: Program, resources: dict[ir.Value, Resource]) -> str:
    resource = resources.get(base_of(value), program.arena)
    offset, length = bound_bytes(value)
    return f"{resource.inner}[%n{offset} for %n{length}] : {resource.lifetime}{{%n{resource.size}}}"


def _border(op: Border, program: Program, resources: dict[ir.Value, Resource]) -> list[str]:
    padded = op.operands[0]
    tensor, resource = tensor_of(padded), resources.get(base_of(padded), program.arena)
    bits, type_ = _pattern(op.value, tensor)
    return [
        f"stream.cmd.fill %{type_}_{bits}, {resource.inner}[%n{offset} for %n{length}] : "
        f"{type_} -> {resource.lifetime}{{%n{resource.size}}}"
        for offset, length in border_bytes(op)
    ]


def _pattern(number: float, tensor: Tensor) -> tuple[int, str]:
    """The bits of one element as an integer, and its type."""
    array = np.array(number).astype(tensor.numpy_dtype)
    bits = array.itemsize * 8
    return int.from_bytes(array.tobytes(), "little"), f"i{bits}"


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
    types = ", ".join(f"{_EXTERNAL}{{%n{resource.size}}}" for resource in results)
    yield f"%out:{len(results)} = stream.timepoint.await {done} => {outers} : {types}"
    for i, (value, resource) in enumerate(zip(program.returned, results, strict=True)):
        yield (
            f"%view{i} = stream.tensor.export {_ON} %out#{i} : {tensor_of(value)} in {_EXTERNAL}{{%n{resource.size}}} "
            "-> !hal.buffer_view"
        )
    listed = ", ".join(f"%view{i}" for i in range(len(results)))
    yield f"util.return {listed} : {', '.join(['!hal.buffer_view'] * len(results))}"
