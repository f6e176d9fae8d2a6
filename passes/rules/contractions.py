"""Rules that let contractions take their operands and give their results in any order of dimensions."""

from __future__ import annotations

import string

from iree.compiler import ir

from pyipu.dialect.linear import Einsum, MatMul, split_equation
from pyipu.dialect.movement import Reshape, Transpose, inverse, permute
from pyipu.passes.folding import is_known
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.permutations import is_identity, reshape_groups, sunk_through_reshape
from pyipu.passes.rules.rewriting import Rules, build, has_one_use, producer, shape_of
from pyipu.passes.session import Session

Letters = tuple[str, str, str]


def absorb_operands(op: MatMul | Einsum, session: Session) -> ir.Value | None:
    """einsum(transpose(x), y) reads x with permuted letters; a matmul of computed matrices becomes such an einsum."""
    letters = letters_of(op)
    if letters is None or not any(producer(value, Transpose) for value in op.operands):
        return None
    left, right = (_untransposed(value, text) for value, text in zip(op.operands, letters, strict=False))
    return build(Einsum, session, left[0], right[0], equation=f"{left[1]},{right[1]}->{letters[2]}")


def _untransposed(value: ir.Value, letters: str) -> tuple[ir.Value, str]:
    """What a transpose was made of, and the letters of its dimensions; any other value as it is."""
    transpose = producer(value, Transpose)
    if transpose is None:
        return value, letters
    return transpose.operands[0], "".join(permute(letters, inverse(transpose.permutation)))


def absorb_result(op: Transpose, session: Session) -> ir.Value | None:
    """transpose(einsum(x, y)) is an einsum that writes its letters in that order."""
    inner = producer(op.operands[0], Einsum, MatMul)
    letters = None if inner is None else letters_of(inner)
    if inner is None or letters is None or not has_one_use(inner.result):
        return None
    out = "".join(permute(letters[2], op.permutation))
    return build(Einsum, session, *inner.operands, equation=f"{letters[0]},{letters[1]}->{out}")


def letters_of(op: MatMul | Einsum) -> Letters | None:
    """How an einsum spells the contraction; None for a matmul that has known weights or repeats a matrix."""
    if isinstance(op, Einsum):
        return split_equation(op.equation)
    left, right = (shape_of(value) for value in op.operands)
    batch = max(len(left), len(right)) - 2
    if is_known(op.operands[1]) or _repeats(left[:-2], right[:-2]):
        return None
    alphabet = string.ascii_lowercase
    names, row, inner, column = alphabet[:batch], *(alphabet[batch + i] for i in range(3))
    first, second = names[batch - len(left) + 2 :], names[batch - len(right) + 2 :]
    return f"{first}{row}{inner}", f"{second}{inner}{column}", f"{names}{row}{column}"


def _repeats(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Some dimension that both have is repeated for one of them."""
    return any(a != b for a, b in zip(reversed(left), reversed(right), strict=False))


def sink_through_matmul(op: MatMul, session: Session) -> ir.Value | None:
    """matmul(transpose(x), w) is transpose(matmul(x, w)) for a known matrix w, when rows stay rows."""
    left, right = op.operands
    inner = producer(left, Transpose)
    if inner is None or not _is_known_matrix(right) or inner.permutation[-1] != len(shape_of(left)) - 1:
        return None
    return transposed(build(MatMul, session, inner.operands[0], right), inner.permutation, session)


def _is_known_matrix(value: ir.Value) -> bool:
    return is_known(value) and len(shape_of(value)) == 2


def absorb_flatten(op: MatMul, session: Session) -> ir.Value | None:
    """matmul(reshape(transpose(x)), w) is matmul(reshape(x), w') with the rows of the known matrix w permuted."""
    left, right = op.operands
    middle = producer(left, Reshape)
    inner = None if middle is None else producer(middle.operands[0], Transpose)
    if middle is None or inner is None or not _is_known_matrix(right):
        return None
    sizes = _flattened(shape_of(inner.result), middle.shape)
    rows = _rows_before(inner, middle.shape[:-1], sizes)
    if not rows:
        return None
    data = reshaped(inner.operands[0], middle.shape, session)
    return build(MatMul, session, data, _rows_permuted(right, sizes, rows, session))


def _rows_before(transpose: Transpose, kept: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Where the flattened dimensions, of `sizes`, stand before the transpose; () when it moves the others as well."""
    source = shape_of(transpose.operands[0])
    sunk = sunk_through_reshape(source, transpose.permutation, (*kept, *sizes)) if sizes else None
    if sunk is None or not is_identity(sunk[1][: len(kept)]):
        return ()
    return tuple(i - len(kept) for i in inverse(sunk[1])[len(kept) :])


def _flattened(source: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions that a reshape from `source` merges into the last dimension of `target`."""
    groups = reshape_groups(source, target)
    if not groups or groups[-1][1] != range(len(target) - 1, len(target)):
        return ()
    return tuple(source[i] for i in groups[-1][0])


def _rows_permuted(weights: ir.Value, sizes: tuple[int, ...], order: tuple[int, ...], session: Session) -> ir.Value:
    """The matrix with its rows, which run over `sizes`, in the order in which the permuted sizes run."""
    shape = shape_of(weights)
    split = reshaped(weights, (*sizes, shape[-1]), session)
    return reshaped(transposed(split, (*order, len(order)), session), shape, session)


ABSORBING: Rules = {
    MatMul: (absorb_flatten, sink_through_matmul, absorb_operands),
    Einsum: (absorb_operands,),
    Transpose: (absorb_result,),
}
