"""The rule that computes shuffled channels in their order: a product in groups, behind which `Interleave` stands."""

from __future__ import annotations

from iree.compiler import ir

from pyipu.dialect.elementwise import Elementwise
from pyipu.dialect.linear import ShuffledMatMul
from pyipu.dialect.movement import Interleave, Reshape
from pyipu.dialect.windows import Conv
from pyipu.passes.folding import is_known
from pyipu.passes.rules.channels import epilogue_of, has_filters, replayed
from pyipu.passes.rules.identities import reshaped, transposed
from pyipu.passes.rules.packing import columns_together, reached
from pyipu.passes.rules.rewriting import build, has_one_use, producer, shape_of
from pyipu.passes.session import Session

COLUMNS = 16
"""The most columns of a block: a vector or some, so that several blocks can be computed together."""


def shuffled_product(op: Interleave, most: int, session: Session) -> ir.Value | None:
    """interleave(reshape(epilogue(conv))), if the convolution's groups are those that are woven, is one product.

    Its weights lie in blocks of columns, at most `most`, with the groups side by side: so nothing is ever moved.
    """
    groups = shape_of(op.operands[0])[-2]
    conv = _grouped(op)
    if conv is None or conv.groups != groups or not _is_pointwise(conv):
        return None
    weights = conv.operands[1]
    columns = columns_together(weights, 1, conv, min(most, COLUMNS))
    if not columns or columns % groups:
        return None
    depth, filters = shape_of(weights)[-2:]
    split = reshaped(_woven(weights, groups, session), (depth, filters // columns, columns), session)
    data = reached(conv.operands[0], conv, (0,) * len(conv.strides), session)
    product = build(ShuffledMatMul, session, data, transposed(split, (1, 0, 2), session))

    def woven(known: ir.Value) -> ir.Value:
        return _woven(known, groups, session) if has_filters(known, conv) else known

    return replayed(product, conv, epilogue_of(conv), woven, session)


def _grouped(op: Interleave) -> Conv | None:
    """The convolution that is woven: nobody else reads what it computes."""
    reshape = producer(op.operands[0], Reshape)
    if reshape is None or not has_one_use(reshape.result):
        return None
    value = last = reshape.operands[0]
    while isinstance(value.owner, Elementwise):
        value = next((one for one in value.owner.operands if not is_known(one)), value.owner.operands[0])
    conv = producer(value, Conv)
    ends = conv is not None and [conv, *epilogue_of(conv)][-1].results[0] == last
    return conv if ends and has_one_use(last) else None


def _is_pointwise(conv: Conv) -> bool:
    """In several groups of known weights, whose window is one element."""
    *window, channels, _ = shape_of(conv.operands[1])
    return conv.groups > 1 and channels > 1 and set(window) == {1} and is_known(conv.operands[1])


def _woven(known: ir.Value, groups: int, session: Session) -> ir.Value:
    """A known tensor with its last dimension in the order of shuffled channels."""
    *outer, filters = shape_of(known)
    return build(Interleave, session, reshaped(known, (*outer, groups, filters // groups), session))
