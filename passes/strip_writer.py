"""Writes ops of the main function strip by strip: slices of rows in, concatenated rows out."""

from __future__ import annotations

from collections.abc import Sequence

from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.attributes import Symbol
from pyipu.dialect.definition import Op
from pyipu.dialect.movement import Concat, Copy, Pad, Slice, concatenate
from pyipu.dialect.program import Vertex
from pyipu.dialect.types import Tensor, mlir_type, tensor_of
from pyipu.passes.functions import codelets
from pyipu.passes.planning.row_strips import Action, Kind, Part
from pyipu.passes.planning.streaming import Stretch
from pyipu.passes.planning.strip_plan import plan_stretch, waiting_gathers
from pyipu.passes.row_runs import Run
from pyipu.passes.row_uses import Dependence, Rows


class StripWriter:
    """Writes strips in front of the last op of their stretch; `finish` removes the ops that they replace."""

    def __init__(self, run: Run, module: ir.Module) -> None:
        self.run, self.module = run, module
        self.codelets = codelets(module)
        self.strip_codelets: dict[tuple[str, ...], str] = {}
        given = [value for value, _ in run.given]
        self.values = [*given, *(op.results[0] for op in run.ops)]
        self.replaced: list[Op] = []
        self.in_pieces: dict[int, list[tuple[ir.Value, Part]]] = {}

    def write(self, stretch: Stretch) -> int:
        """Writes the strips of a stretch and returns in how many steps they run."""
        assert stretch.width is not None
        self.pieces: dict[int, tuple[ir.Value, int, int]] = {}
        known = {value: self._known(value) for value in range(stretch.first)}
        plan = plan_stretch(self.run.rows, stretch.first, stretch.end, stretch.width, known)
        with ir.InsertionPoint(self.run.op(stretch.end - 1).operation):
            for action in plan.actions:
                self._act(action)
            for sink in plan.sinks:
                self._hand_on(sink, plan.left[sink], stretch)
        self.replaced += [self.run.op(number) for number in range(stretch.first, stretch.end)]
        return plan.steps

    def _known(self, value: int) -> list[Part]:
        """The pieces of a tensor that was computed before: one, unless the stretch before left more."""
        pieces = self.in_pieces.get(value)
        if pieces is None:
            pieces = [(self.values[value], Part(0, 0, self.run.rows.ops[value].rows.rows))]
        return [self._remember(tensor, part.first, part.end, self._axis(value)) for tensor, part in pieces]

    def _axis(self, value: int) -> int:
        return self.run.given[value][1] if value < len(self.run.given) else 1

    def _remember(self, value: ir.Value, first: int, end: int, axis: int = 1) -> Part:
        number = len(self.pieces)
        self.pieces[number] = (value, first, axis)
        return Part(number, first, end)

    def _act(self, action: Action) -> None:
        op = self.run.op(action.op)
        with op.location:
            parts = [self._rows(part) for part in action.parts]
            self.pieces[action.made.piece] = (self._made(action, op, parts), action.made.first, 1)

    def _made(self, action: Action, op: Op, parts: Sequence[ir.Value]) -> ir.Value:
        if action.kind is Kind.JOIN:
            return concatenate(parts, axis=1, apart=action.apart or None)
        if action.kind is Kind.KEEP:
            return Copy.create(parts[0]).result
        uses = self.run.dependence(action.op)
        strip = dict(zip(uses, parts, strict=True))
        operands = [strip.get(i, value) for i, value in enumerate(op.operands)]
        return self._compute(op, operands, uses, action.made)

    def _rows(self, part: Part) -> ir.Value:
        value, begin, axis = self.pieces[part.piece]
        return _slice_rows(value, part.first - begin, part.end - begin, axis)

    def _compute(self, op: Op, operands: Sequence[ir.Value], uses: Dependence, made: Part) -> ir.Value:
        if isinstance(op, Vertex):
            return self._vertex(op, operands, made.rows)
        if isinstance(op, Pad):
            return _pad(op, operands[0], uses[0], made)
        values = op.for_rows(op.values, made.rows)
        if isinstance(op, Concat):
            values.pop("apart", None)
        return type(op).create(*operands, **values).results[0]

    def _vertex(self, op: Vertex, operands: Sequence[ir.Value], rows: int) -> ir.Value:
        key = (op.codelet, str(rows), *(str(value.type) for value in operands))
        if key not in self.strip_codelets:
            self.strip_codelets[key] = self._clone_codelet(op.codelet, operands, rows)
        name = self.strip_codelets[key]
        results = [Tensor.parse(str(type_)) for type_ in self.codelets[name].type.results]
        return Vertex.create(*operands, codelet=Symbol(name), results=results).results[0]

    def _clone_codelet(self, name: str, operands: Sequence[ir.Value], rows: int) -> str:
        """The same codelet for a result with so many rows; the types of its ops are inferred anew."""
        source = self.codelets[name]
        body = source.regions[0].blocks[0]
        title = f"{name}_strip_{len(self.codelets)}"
        with ir.InsertionPoint(self.module.body), source.location:
            signature = ([value.type for value in operands], [_result_type(body, operands, rows)])
            codelet = func.FuncOp(title, signature, visibility="private")
            with ir.InsertionPoint(codelet.add_entry_block()):
                func.ReturnOp([_rebuild(body, codelet.arguments, rows)])
        self.codelets[title] = codelet
        return title

    def _hand_on(self, sink: int, left: Sequence[Part], stretch: Stretch) -> None:
        """Puts a result together, unless the next stretch takes its pieces, and nobody else does."""
        pieces = [(self._rows(part), part) for part in left]
        if stretch.pieces_out and sink not in self.run.rows.leaves:
            self.in_pieces[sink] = pieces
            return
        with self.run.op(sink).location:
            joined = concatenate([value for value, _ in pieces], axis=1)
        self.values[sink].replace_all_uses_with(joined)
        self.values[sink] = joined
        for number in waiting_gathers(self.run.rows, sink, stretch.end):
            self.run.op(number).operation.attributes["apart"] = ir.BoolAttr.get(True)

    def finish(self) -> None:
        """Removes what was replaced, and puts together what whole ops read of tensors that were left in pieces."""
        replaced = {op.operation for op in self.replaced}
        for sink, pieces in self.in_pieces.items():
            readers = [op for op in self.run.ops if op.operation not in replaced and self.values[sink] in op.operands]
            if readers:
                self._join_for(readers, sink, [value for value, _ in pieces])
        for op in reversed(self.replaced):
            op.operation.erase()

    def _join_for(self, readers: Sequence[Op], sink: int, pieces: Sequence[ir.Value]) -> None:
        """One tensor of the pieces, in front of the first reader."""
        with ir.InsertionPoint(readers[0].operation), self.run.op(sink).location:
            joined = concatenate(pieces, axis=1)
        self.values[sink].replace_all_uses_except(joined, [op.operation for op in self.replaced])


def _slice_rows(value: ir.Value, first: int, end: int, axis: int = 1) -> ir.Value:
    shape = tensor_of(value).shape
    if (first, end) == (0, shape[axis]):
        return value
    return Slice.create(
        value,
        offsets=tuple(first if i == axis else 0 for i in range(len(shape))),
        sizes=tuple(end - first if i == axis else size for i, size in enumerate(shape)),
        strides=(1,) * len(shape),
    ).result


def _pad(op: Pad, value: ir.Value, rows: Rows, made: Part) -> ir.Value:
    """The strip's share of the border: rows above the first and below the last row, and all at the sides."""
    above = max(rows.low - made.first, 0)
    below = made.rows - above - tensor_of(value).shape[1]
    low, high = (op.low[0], above, *op.low[2:]), (op.high[0], below, *op.high[2:])
    return Pad.create(value, low=low, high=high, interior=op.interior, value=op.value).result


def _result_type(body: ir.Block, operands: Sequence[ir.Value], rows: int) -> ir.Type:
    types = {value: tensor_of(given) for value, given in zip(body.arguments, operands, strict=True)}
    for op in (op for op in body.operations if isinstance(op, Op)):
        (result,) = op.result_types([types[v] for v in op.operands], op.for_rows(op.values, rows))
        types[op.results[0]] = result  # type: ignore[assignment]
    return mlir_type(types[body.operations[len(body.operations) - 1].operands[0]])


def _rebuild(body: ir.Block, arguments: Sequence[ir.Value], rows: int) -> ir.Value:
    values: dict[ir.Value, ir.Value] = dict(zip(body.arguments, arguments, strict=True))
    for op in (op for op in body.operations if isinstance(op, Op)):
        operands = [values[value] for value in op.operands]
        attributes = op.for_rows(op.values, rows)
        values[op.results[0]] = type(op).create(*operands, location=op.location, **attributes).results[0]
    return values[body.operations[len(body.operations) - 1].operands[0]]
