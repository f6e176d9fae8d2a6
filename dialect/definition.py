"""The base class of every `ipu` operation: one class declares an op completely.

A leaf names its operands in the signature of `infer`, its attributes as annotations, and says how it computes:

    class Clip(Unary, mnemonic="clip"):
        low: float
        high: float

`infer` is shape inference and verifier in one: it raises ValueError when operands and attributes do not fit.
`evaluate` is the meaning, in numpy; it folds constants and is what tests compare with.
`lower` writes the linalg form that a target compiles.
From the same declaration come the `OpView` class, the checks, the table of docs/dialect.md and `ipu.irdl.mlir`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from iree.compiler import _mlir_libs, ir

from pyipu.dialect.attributes import KINDS, Kind
from pyipu.dialect.interning import PerContext
from pyipu.dialect.types import Buffer, Ref, Tensor, Type, mlir_type, parse_type, tensor_of
from pyipu.errors import VerificationError

if TYPE_CHECKING:
    from pyipu.dialect.writer import CodeletWriter

_mlir = _mlir_libs._mlir
_mlir.globals.append_dialect_search_prefix("pyipu.dialect")

MOST_OPERANDS = 16
"""Of a variadic op. IRDL wants all operands of a variadic segment to have one type, so each operand is a segment."""

_SEGMENTS = "operandSegmentSizes"

Permutation = tuple[int, ...]
"""As in `numpy.transpose`: dimension i of the result is dimension `permutation[i]` of the operand."""

_TYPES = {type_.__name__: type_ for type_ in (Tensor, Ref, Buffer)}

OPS: dict[str, type[Op]] = {}
"""Every declared op by its full name, such as `ipu.conv`."""


@_mlir.register_dialect
class Dialect(ir.Dialect):
    DIALECT_NAMESPACE = "ipu"


class _Attribute:
    """Reads one declared attribute of an op as its Python value."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name, self.kind = name, kind

    def __get__(self, op: Op | None, owner: type | None = None) -> Any:
        return self if op is None else self.read(op)

    def read(self, op: Op) -> Any:
        attributes = op.operation.attributes
        return self.kind.decode(attributes[self.name]) if self.name in attributes else None


class Op(ir.OpView):
    """An operation of the `ipu` dialect. See the module's documentation for how a leaf declares itself."""

    _ODS_REGIONS = (0, True)
    MNEMONIC: ClassVar[str] = ""
    KINDS: ClassVar[dict[str, Kind]] = {}
    DEFAULTS: ClassVar[dict[str, Any]] = {}
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    OPERANDS: ClassVar[tuple[str, ...]] = ()
    OPERAND_TYPES: ClassVar[tuple[tuple[type[Type], ...], ...]] = ()
    VARIADIC: ClassVar[bool] = False

    elementwise: ClassVar[bool] = False
    """Each element of the result depends on the elements at its own (broadcast) position alone."""
    movement: ClassVar[bool] = False
    """The result holds operands' elements (and perhaps a constant border): buffers may alias instead of copying."""
    accumulates: ClassVar[bool] = False
    """Lowers to a sum that starts from `CodeletWriter.accumulator`, so that it can be added to a tensor in place."""
    products_at_once: ClassVar[int] = 1
    """So many of its products take the time of one of f32."""
    takes_epilogue: ClassVar[bool] = False
    """May compute `CodeletWriter.epilogue` in its own loops; it takes it away if it does."""
    in_place: ClassVar[bool] = False
    """Its loops read the first operand's elements, if this is of the result's type, before they store any there."""
    widens: ClassVar[bool] = False
    """Its loops may read operands of a narrower element type than they compute with, and extend each element."""
    rounds: ClassVar[bool] = True
    """Its result may be rounded to a narrower type behind it, element by element."""
    pure: ClassVar[bool] = True
    """Has no effect but its results, so an unused one is dead and two equal ones are one."""
    has_result: ClassVar[bool] = True
    results_are_given: ClassVar[bool] = False
    """The result types are no function of operands and attributes: `create` takes them, `infer` only checks."""

    def __init_subclass__(cls, mnemonic: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        annotations = inspect.get_annotations(cls)
        required = {name: text.removesuffix(" | None") for name, text in annotations.items()}
        own = {name: KINDS[text] for name, text in required.items() if text in KINDS}
        cls.KINDS = {**cls.KINDS, **own}
        cls.OPTIONAL |= {name for name in own if annotations[name].endswith(" | None")}
        cls.DEFAULTS = {**cls.DEFAULTS, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}
        for name, kind in own.items():
            setattr(cls, name, _Attribute(name, kind))
        if mnemonic:
            cls._register(mnemonic)

    @classmethod
    def _register(cls, mnemonic: str) -> None:
        parameters = inspect.signature(cls.infer).parameters.values()
        operands = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)]
        cls.MNEMONIC = mnemonic
        cls.OPERANDS = tuple(p.name for p in operands)
        cls.OPERAND_TYPES = tuple(_types_named(p.annotation) for p in operands)
        cls.VARIADIC = any(p.kind == p.VAR_POSITIONAL for p in operands)
        cls.OPERATION_NAME = f"ipu.{mnemonic}"
        OPS[cls.OPERATION_NAME] = cls
        _mlir.register_operation(Dialect)(cls)

    # What a leaf declares -------------------------------------------------------------------------------------------

    @staticmethod
    def infer(*operands: Any, **attributes: Any) -> Any:
        """The result type, or a tuple of them; raises ValueError when operands or attributes do not fit."""
        raise NotImplementedError

    @staticmethod
    def evaluate(*operands: Any, **attributes: Any) -> Any:
        """The result computed with numpy, or a tuple of them."""
        raise NotImplementedError

    @staticmethod
    def lower(writer: CodeletWriter, *operands: Any, **attributes: Any) -> Any:
        """Writes linalg IR that computes the result and returns its value, or a tuple of them."""
        raise NotImplementedError

    @classmethod
    def permuted(
        cls, permutation: Permutation, operands: Sequence[Tensor], attributes: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Permutation] | None:
        """How a transposition sinks through the op; None when it does not.

        Returns attributes and a permutation q such that, for operands of full rank,
        `op(transpose(x, p)) == transpose(op with those attributes(x), q)`; `operands` are the types before it.
        """
        return None

    @classmethod
    def for_rows(cls, attributes: Mapping[str, Any], rows: int) -> dict[str, Any]:
        """The attributes of the same op that computes only so many rows (dimension 1) of its result."""
        return dict(attributes)

    @classmethod
    def multiply_adds(cls, operands: Sequence[Tensor], attributes: Mapping[str, Any]) -> int:
        """How many products one run adds up, as the op's definition has it; none unless the op is a contraction."""
        return 0

    # What follows from it -------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        *operands: ir.Value,
        location: ir.Location | None = None,
        results: Sequence[Type] | None = None,
        **attributes: Any,
    ) -> Self:
        """Builds the op at the current insertion point; raises ValueError when it would not verify."""
        values = {**cls.DEFAULTS, **attributes}
        if values.keys() != cls.KINDS.keys():
            raise TypeError(f"ipu.{cls.MNEMONIC} takes the attributes {sorted(cls.KINDS)}, got {sorted(values)}")
        types = cls.result_types([parse_type(value.type) for value in operands], values, results)
        encoded = {name: cls.KINDS[name].encode(value) for name, value in values.items() if value is not None}
        if cls.VARIADIC:
            encoded[_SEGMENTS] = _segments_attribute(len(operands), ir.Context.current)
        operation = ir.Operation.create(
            cls.OPERATION_NAME,
            results=[mlir_type(type_) for type_ in types],
            operands=list(operands),
            attributes=encoded,
            loc=location,
        )
        return operation.opview

    @classmethod
    def result_types(
        cls, operands: Sequence[Type], attributes: Mapping[str, Any], given: Sequence[Type] | None = None
    ) -> list[Type]:
        """The types of all results, in order."""
        if not cls.VARIADIC and len(operands) != len(cls.OPERANDS):
            raise ValueError(f"expects {len(cls.OPERANDS)} operands ({', '.join(cls.OPERANDS)}), got {len(operands)}")
        cls._check_operands(operands)
        inferred = cls.infer(*operands, **attributes)
        if cls.results_are_given:
            return list(given or ())
        return list(inferred) if isinstance(inferred, tuple) else [inferred]

    @classmethod
    def _check_operands(cls, operands: Sequence[Type]) -> None:
        """`infer` may rely on its signature: a graph op takes tensors, an op of a placed program references."""
        accepted = cycle(cls.OPERAND_TYPES) if cls.VARIADIC else cls.OPERAND_TYPES
        for operand, types in zip(operands, accepted, strict=False):
            if not isinstance(operand, types):
                expected = " or ".join(type_.__name__.lower() for type_ in types)
                raise ValueError(f"takes operands of type {expected}, got {operand}")

    @property
    def values(self) -> dict[str, Any]:
        """The declared attributes as Python values."""
        return {name: getattr(self, name) for name in self.KINDS}

    @property
    def work(self) -> int:
        """How many products this op adds up."""
        return self.multiply_adds([tensor_of(value) for value in self.operands], self.values)

    def check(self) -> None:
        """Raises VerificationError when this op breaks its own declaration; equal ops are checked once."""
        attributes = self.operation.attributes
        signature = _Signature(
            type(self),
            tuple(attributes.get(name) for name in self.KINDS),
            attributes.get(_SEGMENTS),
            tuple(value.type for value in self.operands),
            tuple(value.type for value in self.results),
        )
        _is_right(signature, self.operation.context)


class _Signature(NamedTuple):
    """All of an op that its declaration says something about; attributes are in the order of `KINDS`."""

    declared: type[Op]
    attributes: tuple[ir.Attribute | None, ...]
    segments: ir.Attribute | None
    operands: tuple[ir.Type, ...]
    results: tuple[ir.Type, ...]

    @property
    def values(self) -> dict[str, Any]:
        """The declared attributes as Python values."""
        kinds = zip(self.declared.KINDS.items(), self.attributes, strict=True)
        return {name: None if attribute is None else kind.decode(attribute) for (name, kind), attribute in kinds}


def _check(one: _Signature, context: ir.Context) -> bool:
    declared, name = one.declared, one.declared.OPERATION_NAME
    for required, attribute in zip(declared.KINDS, one.attributes, strict=True):
        if attribute is None and required not in declared.OPTIONAL:
            raise VerificationError(f"'{name}' op lacks the attribute '{required}'")
    try:
        complete = not declared.VARIADIC or _segments_attribute(len(one.operands), context) == one.segments
        require(complete, f"lacks the right '{_SEGMENTS}'")
        results = [parse_type(type_) for type_ in one.results]
        expected = declared.result_types([parse_type(type_) for type_ in one.operands], one.values, results)
    except (ValueError, TypeError) as error:
        raise VerificationError(f"'{name}' op {error}") from error
    if expected != results:
        listed = ", ".join(str(type_) for type_ in expected)
        raise VerificationError(f"'{name}' op should have the result type {listed}")
    return True


_is_right: PerContext[_Signature, bool] = PerContext(_check)


def segments(operands: int) -> list[int]:
    """The segment sizes of a variadic op: one for each operand that is there; raises ValueError for too many."""
    require(operands <= MOST_OPERANDS, f"has {operands} operands, but at most {MOST_OPERANDS} are possible")
    return [1] * operands + [0] * (MOST_OPERANDS - operands)


def _encode_segments(operands: int, context: ir.Context) -> ir.Attribute:
    return ir.DenseI32ArrayAttr.get(segments(operands), context)


_segments_attribute: PerContext[int, ir.Attribute] = PerContext(_encode_segments)


def complete(op: Op) -> None:
    """Gives a variadic op that was written by hand its segment sizes, unless it has some."""
    if op.VARIADIC and _SEGMENTS not in op.operation.attributes and len(op.operands) <= MOST_OPERANDS:
        op.operation.attributes[_SEGMENTS] = _segments_attribute(len(op.operands), op.operation.context)


def _types_named(annotation: str) -> tuple[type[Type], ...]:
    return tuple(_TYPES[name] for name in annotation.split(" | "))


def require(condition: bool, sentence: str) -> None:
    """For `infer`: raises ValueError with `sentence` unless the condition holds."""
    if not condition:
        raise ValueError(sentence)


def ipu_ops(block: ir.Block) -> Iterator[Op]:
    """The `ipu` operations of a block, in order."""
    return (op for op in block.operations if isinstance(op, Op))
