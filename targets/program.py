"""A placed program, sorted into what is emitted where."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from iree.compiler import ir

from pyipu.dialect.definition import ipu_ops
from pyipu.dialect.program import Border, Execute, Parameter
from pyipu.dialect.types import tensor_of
from pyipu.passes.functions import codelets, main_function
from pyipu.passes.references import base_of
from pyipu.targets.binding import Interface
from pyipu.targets.copying import moves

EXTERNAL = "!stream.resource<external>"
TRANSIENT = "!stream.resource<transient>"
CONSTANT = "!stream.resource<constant>"

Step = Border | Execute


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
    steps: list[Step]
    returned: list[ir.Value]
    arena_bytes: int
    interfaces: dict[str, Interface]
    """How each function is called, by name; the vertices that share it are equal in all else it is compiled for."""
    executables: dict[str, str]
    """The executable that holds each function; other names are those of vertices that commands copy."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """Functions that run in the place of others."""
    is_trial: bool = False
    """It is called without arguments, computes with numbers that do not matter, and runs one step after the other."""

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
            executables_of(list(sharing), together),
        )

    def resources(self) -> dict[ir.Value, Resource]:
        """What each base of a view is: an input, a parameter, a returned result; the arena's buffers share one."""
        found: dict[ir.Value, Resource] = {}
        for i, value in enumerate(self.arguments):
            found[value] = Resource(f"%input{i}", f"%i{i}", EXTERNAL, tensor_of(value).bytes)
        for i, op in enumerate(self.parameters):
            found[op.results[0]] = Resource(f"%parameter{i}", f"%p{i}", CONSTANT, tensor_of(op.results[0]).bytes)
        for i, value in enumerate(self.returned):
            base = base_of(value)
            found[base] = Resource(f"%result{i}", f"%r{i}", EXTERNAL, base.owner.size)
        return found

    def only(self, functions: Collection[str]) -> Program:
        """The same buffers, and of what runs only these functions."""
        return replace(
            self, steps=[op for op in self.steps if isinstance(op, Execute) and function_of(op) in functions]
        )

    @property
    def arena(self) -> Resource:
        return Resource("%arena", "%m", TRANSIENT, self.arena_bytes)


def dispatched(module: ir.Module) -> list[Execute]:
    """The placed vertices that run code, in order; a command does what the others do."""
    bodies, ops = codelets(module), ipu_ops(main_function(module).regions[0].blocks[0])
    return [op for op in ops if isinstance(op, Execute) and not moves(op, bodies)]


def _sharing(ops: Sequence[Execute]) -> dict[str, list[Execute]]:
    """Placed vertices by the name of the function that they share."""
    found: dict[str, list[Execute]] = {}
    for op in ops:
        found.setdefault(function_of(op), []).append(op)
    return found


def function_of(op: Execute) -> str:
    """The name of what the vertex runs."""
    return op.executable or op.codelet


def executables_of(functions: Sequence[str], together: int | None) -> dict[str, str]:
    """As few executables as hold so many functions each; what runs in a row lies in one, which loads less code."""
    if together is None:
        return {function: function for function in functions}
    count = -(-len(functions) // together)
    return {function: f"codelets_{number * count // len(functions)}" for number, function in enumerate(functions)}
