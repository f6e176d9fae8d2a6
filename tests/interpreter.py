"""Runs `ipu` graph IR with numpy: what each op declares as its meaning, op by op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from iree.compiler import ir
from iree.compiler.dialects import func

from pyipu.dialect.definition import Op
from pyipu.dialect.program import Parameter, Vertex
from pyipu.dialect.types import Tensor, parse_type

Functions = Mapping[str, func.FuncOp]


def interpret(
    module: ir.Module, parameters: Mapping[str, np.ndarray], arrays: Sequence[np.ndarray], function: str = "main"
) -> list[np.ndarray]:
    """The results of a function of the module, for arguments in its order; checks each result's shape and dtype."""
    functions = {op.name.value: op for op in module.body.operations if isinstance(op, func.FuncOp)}
    with module.context, np.errstate(all="ignore"):
        return _call(functions[function], functions, parameters, arrays)


def _call(
    function: func.FuncOp, functions: Functions, parameters: Mapping[str, np.ndarray], arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    block = function.entry_block
    values: dict[ir.Value, np.ndarray] = dict(zip(block.arguments, arrays, strict=True))
    for op in block.operations:
        operands = [values[operand] for operand in op.operands]
        if isinstance(op, func.ReturnOp):
            return operands
        assert isinstance(op, Op), f"cannot interpret {op}"
        for result, array in zip(op.results, _evaluate(op, operands, functions, parameters), strict=True):
            values[result] = _checked(op, array, result.type)
    raise AssertionError(f"@{function.name.value} does not return")


def _evaluate(
    op: Op, operands: list[np.ndarray], functions: Functions, parameters: Mapping[str, np.ndarray]
) -> Sequence[np.ndarray]:
    if isinstance(op, Parameter):
        return [parameters[op.key]]
    if isinstance(op, Vertex):
        return _call(functions[op.codelet], functions, parameters, operands)
    results = type(op).evaluate(*operands, **op.values)
    return results if isinstance(results, tuple) else [results]


def _checked(op: Op, array: np.ndarray, type_: ir.Type) -> np.ndarray:
    array = np.asarray(array)
    assert Tensor.of(array) == parse_type(type_), f"{op.OPERATION_NAME} computes {Tensor.of(array)}, not {type_}"
    return array
