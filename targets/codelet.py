"""Lowers the graph ops of a codelet to linalg: element-wise ops in a row become one loop nest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.program import Constant
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.types import tensor_of
from pyipu.dialect.writer import CodeletWriter, Epilogue, Value
from pyipu.passes.functions import is_extension
from pyipu.passes.updates import Start, start_of


def lower_codelet(
    writer: CodeletWriter, codelet: func.FuncOp, arguments: Sequence[Value], updated: int | None = None
) -> list[Value]:
    """Writes the body over `arguments` and returns what it computes.

    The result takes the bytes of argument `updated`, if one is named.
    """
    body = codelet.regions[0].blocks[0]
    values: dict[ir.Value, Value] = dict(zip(body.arguments, arguments, strict=True))
    ops = [op for op in body.operations if isinstance(op, Op)]
    for op in (op for op in ops if _extends_what_is_read(op)):
        values[op.results[0]] = values[op.operands[0]].read_as(tensor_of(op.results[0]).dtype)
    start = start_of(codelet, updated) if updated is not None else None
    runs = _elementwise_runs([op for op in ops if not _extends_what_is_read(op)])
    for run, following in pairwise([*runs, []]):
        if run[-1].results[0] in values:
            continue
        if isinstance(run[-1], Elementwise):
            tiles = writer.tiles.elementwise(tensor_of(run[-1].results[0])) if len(runs) == 1 else ""
            values[run[-1].results[0]] = _lower_elementwise(writer, run, values, start, tiles)
        else:
            _set_start(writer, start if start and run[0] == start.op else None, values)
            _lower_with_epilogue(writer, run[0], following, values)
    returned = body.operations[len(body.operations) - 1].operands
    return [_written(writer, values[value], value in set(body.arguments)) for value in returned]


def _set_start(writer: CodeletWriter, start: Start | None, values: dict[ir.Value, Value]) -> None:
    """Tells the writer where the next sum of products starts, and by what it will be multiplied."""
    writer.start = values[start.operand] if start else None
    writer.scale = values[start.scale] if start and start.scale is not None else None


def _extends_what_is_read(op: Op) -> bool:
    """Needs no loop nest of its own: whoever reads the argument extends its elements, or has a tensor of them made."""
    return is_extension(op) and all(isinstance(use.owner, Op) for use in op.results[0].uses)


def _lower_with_epilogue(writer: CodeletWriter, op: Op, following: Sequence[Op], values: dict[ir.Value, Value]) -> None:
    """Lowers the op, and the run of element-wise ops behind it as well where the op takes them into its loops."""
    if not (op.takes_epilogue and following and _reads_all(following, op)):
        return _lower(writer, op, values)
    writer.epilogue = _epilogue(op, following, values)
    _lower(writer, op, values)
    if writer.epilogue is None:
        values[following[-1].results[0]] = values.pop(op.results[0])
    writer.epilogue = None
    return None


def _reads_all(run: Sequence[Op], op: Op) -> bool:
    """Nothing but the run, which has the shape of the op's result, reads that result."""
    same_shape = tensor_of(run[-1].results[0]).shape == tensor_of(op.results[0]).shape
    return same_shape and all(use.owner in run for use in op.results[0].uses)


def _epilogue(op: Op, run: Sequence[Op], values: dict[ir.Value, Value]) -> Epilogue:
    inner = {one.results[0] for one in run}
    outer = list(dict.fromkeys(v for one in run for v in one.operands if v not in inner and v in values))
    body = _body(run, [op.results[0], *outer], {})
    return Epilogue(tuple(values[value] for value in outer), tensor_of(run[-1].results[0]), body)


def _lower(writer: CodeletWriter, op: Op, values: dict[ir.Value, Value]) -> None:
    read = [_tensor(writer, value, values) for value in op.operands]
    operands = read if op.widens else [writer.widened(value) for value in read]
    lowered = type(op).lower(writer, *operands, **op.values)
    results = lowered if isinstance(lowered, tuple) else (lowered,)
    values.update(zip(op.results, results, strict=True))


def _tensor(writer: CodeletWriter, value: ir.Value, values: dict[ir.Value, Value]) -> Value:
    """An operand as a tensor; a splat that came along into the codelet is written out where a whole op needs it."""
    if value in values:
        return values[value]
    constant = value.owner
    return writer.filled(tensor_of(value), constant.value.reshape(-1)[0].item())


def _elementwise_runs(ops: Sequence[Op]) -> list[list[Op]]:
    """Splits the ops into single ones and runs of element-wise ops, whose inner results nobody else reads.

    A run ends where its result is read by an op outside of it, or has another shape than the next op's.
    """
    runs: list[list[Op]] = []
    for op in (op for op in ops if not isinstance(op, Constant)):
        if runs and isinstance(op, Elementwise) and _continues(runs[-1], op):
            runs[-1].append(op)
        else:
            runs.append([op])
    return runs


def _continues(run: list[Op], op: Op) -> bool:
    if not isinstance(run[-1], Elementwise):
        return False
    same_shape = tensor_of(run[-1].results[0]).shape == tensor_of(op.results[0]).shape
    readers = [use.owner for use in run[-1].results[0].uses]
    return same_shape and all(isinstance(reader, Elementwise) for reader in readers)


def _lower_elementwise(
    writer: CodeletWriter, run: Sequence[Op], values: dict[ir.Value, Value], start: Start | None, tiles: str
) -> Value:
    """One `linalg.generic` for the whole run, without the addition that an accumulator has replaced."""
    gone = [op for op in run if start is not None and op == start.addition]
    sums = {op.results[0]: next(v for v in op.operands if not _is_start(v, op)) for op in gone}
    rest = [op for op in run if op.results[0] not in sums]
    if not rest:
        return values[sums[run[-1].results[0]]]
    inner = {op.results[0] for op in run}
    outer = list(dict.fromkeys(v for op in rest for v in op.operands if v not in inner and v in values))
    outer += [v for v in sums.values() if v in values and v not in outer]
    body = _body(run, outer, sums)
    return writer.elementwise([values[value] for value in outer], tensor_of(run[-1].results[0]), body, tiles)


def _body(run: Sequence[Op], outer: Sequence[ir.Value], sums: Mapping[ir.Value, ir.Value]) -> Callable[..., Scalar]:
    """What the run does to one element of each of the values `outer`; a key of `sums` is the same as its value."""

    def body(scalars: Scalars, *arguments: Scalar) -> Scalar:
        known = dict(zip(outer, arguments, strict=True))
        for op in run:
            known[op.results[0]] = known[sums[op.results[0]]] if op.results[0] in sums else _scalar(scalars, op, known)
        return known[run[-1].results[0]]

    return body


def _is_start(value: ir.Value, addition: Op) -> bool:
    """Of both operands of a replaced addition, the argument of its result's type is where the sum starts."""
    return isinstance(value, ir.BlockArgument) and value.type == addition.results[0].type


def _scalar(scalars: Scalars, op: Op, known: dict[ir.Value, Scalar]) -> Scalar:
    assert isinstance(op, Elementwise)
    operands = [known[v] if v in known else _splat(scalars, v) for v in op.operands]
    return type(op).scalar(scalars, *operands, **op.values)


def _splat(scalars: Scalars, value: ir.Value) -> Scalar:
    return scalars.constant(value.owner.value.reshape(-1)[0].item(), tensor_of(value).dtype)


def _written(writer: CodeletWriter, value: Value, is_argument: bool) -> Value:
    """A codelet that returns its operand copies it: the copy is a loop nest, so that it is tiled like any other."""
    if not is_argument:
        return value
    return writer.elementwise([value], value.tensor, lambda scalars, element: element)
