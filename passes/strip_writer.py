"""Writes ops of the main function strip by strip: slices of rows in, concatenated rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.definition import Op
from pyipu.dialect.movement import Concat, Pad, Reshape, Slice, concatenate
from pyipu.dialect.program import Vertex
from pyipu.dialect.types import Tensor, mlir_type, tensor_of
from pyipu.passes.functions import codelets
from pyipu.passes.planning.row_strips import Strip
from pyipu.passes.row_uses import Dependence, Rows


@dataclass(frozen=True)
class _Window:
    """Rows [first, end) of a value."""

    value: ir.Value
    first: int
    end: int


class StripWriter:
    """Rebuilds `ops` as strips in front of the last of them, and then replaces them."""

    def __init__(self, ops: Sequence[Op], dependences: Sequence[Dependence], module: ir.Module) -> None:
        self.ops, self.dependences, self.module = ops, dependences, module
        self.number = {op.results[0]: i for i, op in enumerate(ops)}
        self.windows: dict[int, _Window] = {}
        self.sink: list[ir.Value] = []
        self.strip_codelets: dict[tuple[str, ...], str] = {}
        self.point = ir.InsertionPoint(ops[-1].operation)

    def write(self, strip: Strip) -> None:
        """Computes the strip's rows and slides the window of their value."""
        op = self.ops[strip.op]
        with self.point, op.location:
            rows = self._compute(op, self.dependences[strip.op], strip)
            if strip.op == len(self.ops) - 1:
                self.sink.append(rows)
                return
            kept = self._kept(strip)
            value = Concat.create(kept, rows, axis=1).result if kept is not None else rows
        self.windows[strip.op] = _Window(value, strip.window_first, strip.end)

    def _kept(self, strip: Strip) -> ir.Value | None:
        """Rows of the last window that are needed again."""
        if strip.window_first == strip.first:
            return None
        return _slice_rows(self.windows[strip.op], strip.window_first, strip.first)

    def _compute(self, op: Op, uses: Dependence, strip: Strip) -> ir.Value:
        operands = [self._operand(value, uses[i], strip) if i in uses else value for i, value in enumerate(op.operands)]
        if isinstance(op, Vertex):
            return self._vertex(op, operands)
        if isinstance(op, Pad):
            return _pad(op, operands[0], uses[0], strip)
        if isinstance(op, Reshape):
            return Reshape.create(*operands, shape=(op.shape[0], strip.end - strip.first, *op.shape[2:])).result
        if isinstance(op, Slice):
            sizes = (op.sizes[0], strip.end - strip.first, *op.sizes[2:])
            offsets = (op.offsets[0], 0, *op.offsets[2:])
            return Slice.create(*operands, offsets=offsets, sizes=sizes, strides=op.strides).result
        assert isinstance(op, Concat)
        return Concat.create(*operands, axis=op.axis).result

    def _operand(self, value: ir.Value, rows: Rows, strip: Strip) -> ir.Value:
        """The rows of an operand that the strip reads; rows of a border are not among them."""
        total = tensor_of(value).shape[1]
        begin = min(max(strip.first * rows.stride - rows.low, 0), total)
        end = min(max((strip.end - 1) * rows.stride - rows.low + rows.window, 0), total)
        whole = _Window(value, 0, total)
        source = self.windows[self.number[value]] if value in self.number else whole
        return _slice_rows(source, begin, end)

    def _vertex(self, op: Vertex, operands: Sequence[ir.Value]) -> ir.Value:
        key = (op.codelet, *(str(value.type) for value in operands))
        if key not in self.strip_codelets:
            self.strip_codelets[key] = _clone_codelet(self.module, op.codelet, operands, len(self.strip_codelets))
        name = self.strip_codelets[key]
        results = [Tensor.parse(str(type_)) for type_ in codelets(self.module)[name].type.results]
        return Vertex.create(*operands, codelet=Symbol(name), results=results).results[0]

    def finish(self) -> None:
        """Puts the sink's strips together and removes the whole ops."""
        last = self.ops[-1]
        with self.point, last.location:
            joined = concatenate(self.sink, axis=1)
        last.results[0].replace_all_uses_with(joined)
        for op in reversed(self.ops):
            op.operation.erase()


def _slice_rows(window: _Window, first: int, end: int) -> ir.Value:
    if (first, end) == (window.first, window.end):
        return window.value
    shape = tensor_of(window.value).shape
    return Slice.create(
        window.value,
        offsets=(0, first - window.first, *(0 for _ in shape[2:])),
        sizes=(shape[0], end - first, *shape[2:]),
        strides=(1,) * len(shape),
    ).result


def _pad(op: Pad, value: ir.Value, rows: Rows, strip: Strip) -> ir.Value:
    """The strip's share of the border: rows above the first and below the last row, and all at the sides."""
    above = max(rows.low - strip.first, 0)
    below = strip.end - strip.first - above - tensor_of(value).shape[1]
    low, high = (op.low[0], above, *op.low[2:]), (op.high[0], below, *op.high[2:])
    return Pad.create(value, low=low, high=high, interior=op.interior, value=op.value).result


def _clone_codelet(module: ir.Module, name: str, operands: Sequence[ir.Value], number: int) -> str:
    """The same codelet for other operand types; the types of its ops are inferred anew."""
    source = codelets(module)[name]
    body = source.regions[0].blocks[0]
    title = f"{name}_strip_{number}"
    probe = _result_type(body, operands)
    with ir.InsertionPoint(module.body), source.location:
        codelet = func.FuncOp(title, ([value.type for value in operands], [probe]), visibility="private")
        with ir.InsertionPoint(codelet.add_entry_block()):
            func.ReturnOp([_rebuild(body, codelet.arguments)])
    return title


def _result_type(body: ir.Block, operands: Sequence[ir.Value]) -> ir.Type:
    types = {value: tensor_of(given) for value, given in zip(body.arguments, operands, strict=True)}
    for op in (op for op in body.operations if isinstance(op, Op)):
        types[op.results[0]] = op.result_types([types[v] for v in op.operands], op.values)[0]  # type: ignore[assignment]
    return mlir_type(types[body.operations[len(body.operations) - 1].operands[0]])


def _rebuild(body: ir.Block, arguments: Sequence[ir.Value]) -> ir.Value:
    values: dict[ir.Value, ir.Value] = dict(zip(body.arguments, arguments, strict=True))
    for op in (op for op in body.operations if isinstance(op, Op)):
        operands = [values[value] for value in op.operands]
        values[op.results[0]] = type(op).create(*operands, location=op.location, **op.values).results[0]
    return values[body.operations[len(body.operations) - 1].operands[0]]
