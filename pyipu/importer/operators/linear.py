"""Matrix products."""

from __future__ import annotations

from pyipu.dialect import linear as ipu
from pyipu.dialect.elementwise import Add, Multiply
from pyipu.dialect.types import tensor_of
from pyipu.errors import UnsupportedError
from pyipu.importer.graph import GraphBuilder
from pyipu.importer.registry import Value, operator
from pyipu.passes.folding import is_known


@operator("MatMul")
def mat_mul(graph: GraphBuilder, a: Value, b: Value) -> Value:
    """As numpy.matmul: a vector becomes a matrix for the product, and the result loses that dimension again."""
    left, right = tensor_of(a), tensor_of(b)
    rows = graph.reshape(a, (1, *left.shape)) if left.rank == 1 else a
    columns = graph.reshape(b, (*right.shape, 1)) if right.rank == 1 else b
    product = graph.create(ipu.MatMul, rows, columns)
    batch = tensor_of(product).shape[:-2]
    kept = (left.shape[-2:-1] if left.rank > 1 else ()) + (right.shape[-1:] if right.rank > 1 else ())
    return graph.reshape(product, batch + kept)


@operator("Gemm", since=7)
def gemm(
    graph: GraphBuilder,
    a: Value,
    b: Value,
    c: Value | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: bool = False,  # noqa: N803
    transB: bool = False,  # noqa: N803
) -> Value:
    """alpha * a @ b + beta * c, c broadcasts to the product."""
    left = graph.transpose(a, (1, 0)) if transA else a
    right = graph.transpose(b, (1, 0)) if transB else b
    if is_known(right):
        product = graph.create(ipu.MatMul, left, _scaled(graph, right, alpha))
    else:
        product = _scaled(graph, graph.create(ipu.MatMul, left, right), alpha)
    return product if c is None else graph.create(Add, product, _scaled(graph, c, beta))


def _scaled(graph: GraphBuilder, value: Value, factor: float) -> Value:
    return value if factor == 1 else graph.create(Multiply, value, graph.scalar(factor, value))


@operator("Einsum", since=12)
def einsum(graph: GraphBuilder, *inputs: Value, equation: str) -> Value:
    """Products of two tensors in which no letter repeats within one of them."""
    operands, arrow, result = equation.replace(" ", "").partition("->")
    letters = operands.replace(",", "")
    if not arrow:
        result = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    if len(inputs) != 2 or "." in equation or any(len(set(part)) < len(part) for part in operands.split(",")):
        raise UnsupportedError(
            f"has equation='{equation}'; pyipu has products of two tensors without '...' and repeated letters"
        )
    return graph.create(ipu.Einsum, *inputs, equation=f"{operands}->{result}")
