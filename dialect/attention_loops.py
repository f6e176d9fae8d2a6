"""Attention as loops over vectors whose lanes are queries: the scores of one key are a vector.

So the softmax needs nothing across lanes. Each workgroup has as many queries of one head as a vector has lanes; it
takes the keys block by block, and keeps the scores of one block alone. The largest score so far, the sum of powers and
the result so far are brought to a new largest score when a block has one: M. Milakov and N. Gimelshein, "Online
normalizer calculation for softmax" (2018); T. Dao et al., "FlashAttention" (2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial, reduce

from pyipu.dialect.scalars import Scalar
from pyipu.dialect.tile_loops import Index, Part, TileWriter
from pyipu.dialect.types import Tensor
from pyipu.dialect.writer import CodeletWriter, Epilogue, Value

STACK = 24 * 1024
"""Bytes for what a workgroup keeps besides its operands and its result; IREE allows 32 KiB."""

TOGETHER = 16
"""Keys whose scores are summed up in registers at a time."""

_CHAINS = 4
"""Sums and maxima that do not wait for each other."""

_LOWEST = -3.4028234663852886e38
"""Of fp32. Minus infinity would give NaN where a whole block of scores is minus infinity."""

_LARGEST, _SUM, _FACTOR = range(3)
"""Rows of the statistics: the largest score, the sum of the powers, and what results are multiplied with."""


def most_keys(depth: int, columns: int, lanes: int) -> int:
    """How many keys a block may have, for queries of `depth` and values of `columns` elements."""
    rows = STACK // (4 * lanes) - depth - columns
    return max(rows, 0) // TOGETHER * TOGETHER


def write_attention(
    writer: CodeletWriter, operands: Sequence[Value], result: Tensor, scale: float, lanes: int
) -> Value:
    """[N, L, H, E] from queries [N, L, H, D], keys [N, S, H, D], values [N, S, H, E], perhaps a mask [N, H, L, S]."""
    return _Attention(TileWriter(writer, lanes), operands, result, scale).write()


@dataclass(frozen=True)
class _Kept:
    """What is kept from one block of keys to the next."""

    scores: Value
    """[key, query]; then the powers of the scores."""
    sums: Value
    """The result so far, [query, column]."""
    statistics: Value
    """[row, query]."""


@dataclass(frozen=True)
class _Place:
    """SSA values: the workgroup's head, its queries, and these as a matrix [depth, query]."""

    batch: str
    head: str
    rows: Sequence[str]
    queries: Value


class _Attention:
    def __init__(self, vectors: TileWriter, operands: Sequence[Value], result: Tensor, scale: float) -> None:
        self.vectors, self.result, self.scale = vectors, result, scale
        self.query, self.key, self.value, *masks = operands
        self.mask = masks[0] if masks else None
        self.epilogue = vectors.codelet.epilogue or Epilogue((), result, lambda scalars, element: element)
        vectors.codelet.epilogue = None
        self.lanes = vectors.lanes
        self.depth, self.keys = self.query.tensor.shape[3], self.key.tensor.shape[1]

    def write(self) -> Value:
        batch, length, heads, _ = self.result.shape
        counts = batch, heads, -(-length // self.lanes)
        return self.vectors.in_workgroups(self.epilogue.result, counts, self.lanes, self._part, self._workgroup)

    @property
    def _block(self) -> int:
        """Keys of one block: all, or as few more than needed as possible."""
        most = most_keys(self.depth, self.result.shape[3], self.lanes)
        if self.keys <= most:
            return self.keys
        blocks = -(-self.keys // most)
        return -(-self.keys // (blocks * TOGETHER)) * TOGETHER

    @property
    def _rest(self) -> int:
        """Queries of the last workgroup, or 0 if it has as many as all others."""
        return self.result.shape[1] % self.lanes

    def _part(self, batch: str, head: str, first: str) -> Part:
        _, length, _, columns = self.result.shape
        rows: Index = self.vectors.least(self.lanes, f"{length} - d0", first) if self._rest else self.lanes
        return Part([batch, first, head, 0], [1, rows, 1, columns])

    def _workgroup(self, batch: str, head: str, first: str) -> None:
        vectors, block = self.vectors, self._block
        rows = [self._row(first, i) for i in range(self.lanes)]
        place = _Place(batch, head, rows, self._turned(batch, head, rows))
        kept = self._start()

        def turn(key: str, carried: Sequence[Value]) -> Sequence[Value]:
            after = self._add(place, key, block, _Kept(*carried))
            return after.scores, after.sums, after.statistics

        whole = self.keys // block * block
        kept = _Kept(*vectors.loop(whole, block, [kept.scores, kept.sums, kept.statistics], turn))
        if whole < self.keys:
            kept = self._add(place, vectors.index(whole), self.keys - whole, kept)
        self._finish(place, first, kept)

    def _row(self, first: str, number: int) -> str:
        """A query; behind the last one it is the last one again."""
        if self._rest:
            return self.vectors.least(self.result.shape[1] - 1, f"d0 + {number}", first)
        return self.vectors.affine(f"d0 + {number}", first)

    def _turned(self, batch: str, head: str, rows: Sequence[str]) -> Value:
        """The scaled queries, [depth, query]."""
        vectors = self.vectors

        def turn(depth: str, carried: Sequence[Value]) -> Sequence[Value]:
            (turned,) = carried
            read = [vectors.read(self.query, [batch, row, head, depth]) for row in rows]
            for i, vector in enumerate(vectors.turned([self._scaled(one) for one in read])):
                turned = vectors.put(vector, turned, [vectors.affine(f"d0 + {i}", depth), 0])
            return [turned]

        return vectors.loop(self.depth, self.lanes, [self._scratch(self.depth, self.lanes)], turn)[0]

    def _scaled(self, vector: Scalar) -> Scalar:
        return vector if self.scale == 1 else self.vectors.multiply(vector, self._constant(self.scale))

    def _constant(self, number: float) -> Scalar:
        return self.vectors.constant(number, self.result.dtype)

    def _scratch(self, *shape: int) -> Value:
        empty = self.vectors.codelet.empty(self.result.with_shape(shape))
        return Value(empty.name, empty.tensor)

    def _start(self) -> _Kept:
        vectors, zero = self.vectors, self._constant(0)
        statistics = vectors.put(self._constant(_LOWEST), self._scratch(3, self.lanes), [_LARGEST, 0])
        statistics = vectors.put(zero, statistics, [_SUM, 0])

        def turn(column: str, carried: Sequence[Value]) -> Sequence[Value]:
            (sums,) = carried
            for query in range(self.lanes):
                sums = vectors.put(zero, sums, [query, column])
            return [sums]

        columns = self.result.shape[3]
        (sums,) = vectors.loop(columns, self.lanes, [self._scratch(self.lanes, columns)], turn)
        return _Kept(self._scratch(self._block, self.lanes), sums, statistics)

    def _add(self, place: _Place, first: str, keys: int, kept: _Kept) -> _Kept:
        """Takes one block of keys in, from key `first` on."""
        scores = self._scores(place, first, keys, kept.scores)
        before = self.vectors.read(kept.statistics, [_LARGEST, 0])
        largest = self._largest(scores, keys, before)
        powers = self._powers(scores, keys, largest)
        statistics = self._statistics(kept.statistics, before, largest, self._total(powers, keys))
        return _Kept(powers, self._products(place, first, keys, _Kept(powers, kept.sums, statistics)), statistics)

    def _scores(self, place: _Place, first: str, keys: int, scores: Value) -> Value:
        """Products of the queries with a block of keys, [key, query]."""

        def tile(start: str, count: int, scores: Value) -> Value:
            rows = [self.vectors.affine(f"d0 + d1 + {i}", first, start) for i in range(count)]
            for i, vector in enumerate(self._masked(place, rows, self._dot(place, rows))):
                scores = self.vectors.put(vector, scores, [self.vectors.affine(f"d0 + {i}", start), 0])
            return scores

        whole = keys // TOGETHER * TOGETHER
        if whole:
            (scores,) = self.vectors.loop(whole, TOGETHER, [scores], lambda start, one: [tile(start, TOGETHER, *one)])
        return tile(self.vectors.index(whole), keys - whole, scores) if whole < keys else scores

    def _dot(self, place: _Place, rows: Sequence[str]) -> Sequence[Scalar]:
        """The scores of some keys."""
        vectors = self.vectors

        def turn(depth: str, sums: Sequence[Scalar]) -> Sequence[Scalar]:
            queries = vectors.read(place.queries, [depth, 0])
            keys = [vectors.repeat(self.key, [place.batch, row, place.head, depth]) for row in rows]
            return [vectors.math("fma", key, queries, total) for key, total in zip(keys, sums, strict=True)]

        return vectors.loop(self.depth, 1, [self._constant(0)] * len(rows), turn)

    def _masked(self, place: _Place, keys: Sequence[str], scores: Sequence[Scalar]) -> Sequence[Scalar]:
        if self.mask is None:
            return scores
        masks = self._mask(self.mask, place, keys)
        return [self.vectors.add(score, mask) for score, mask in zip(scores, masks, strict=True)]

    def _mask(self, mask: Value, place: _Place, keys: Sequence[str]) -> Sequence[Scalar]:
        """What is added to the scores of some keys."""
        batch, heads, rows, _ = mask.tensor.shape
        at: list[Index] = [place.batch if batch > 1 else 0, place.head if heads > 1 else 0]
        if rows == 1:
            return [self.vectors.repeat(mask, [*at, 0, key]) for key in keys]
        if len(keys) < self.lanes:
            return [self.vectors.gathered(mask, [[*at, row, key] for row in place.rows]) for key in keys]
        starts = range(0, len(keys), self.lanes)
        tiles = [[self.vectors.read(mask, [*at, row, keys[start]]) for row in place.rows] for start in starts]
        return [vector for tile in tiles for vector in self.vectors.turned(tile)]

    def _largest(self, scores: Value, keys: int, before: Scalar) -> Scalar:
        return self._reduced(scores, keys, before, self._larger)

    def _larger(self, a: Scalar, b: Scalar) -> Scalar:
        """NaN need not show here: its power does."""
        return self.vectors.select(self.vectors.compare("gt", a, b), a, b)

    def _total(self, powers: Value, keys: int) -> Scalar:
        return self._reduced(powers, keys, self._constant(0), self.vectors.add)

    def _reduced(self, values: Value, keys: int, start: Scalar, combine: Callable[[Scalar, Scalar], Scalar]) -> Scalar:
        """All keys' rows combined, and `start`, which may be combined more than once."""
        vectors, whole = self.vectors, keys // _CHAINS * _CHAINS

        def turn(key: str, chains: Sequence[Scalar]) -> Sequence[Scalar]:
            rows = [vectors.affine(f"d0 + {i}", key) for i in range(_CHAINS)]
            return [combine(vectors.read(values, [row, 0]), one) for row, one in zip(rows, chains, strict=True)]

        chains = vectors.loop(whole, _CHAINS, [start] * _CHAINS, turn) if whole else [start]
        return reduce(combine, [*chains, *(vectors.read(values, [key, 0]) for key in range(whole, keys))])

    def _powers(self, scores: Value, keys: int, largest: Scalar) -> Value:
        """e^(score - largest) in the places of the scores."""
        vectors, whole = self.vectors, keys // _CHAINS * _CHAINS

        def power(key: Index, powers: Value) -> Value:
            above = vectors.subtract(vectors.read(powers, [key, 0]), largest)
            return vectors.put(vectors.math("exp", above), powers, [key, 0])

        def turn(key: str, carried: Sequence[Value]) -> Sequence[Value]:
            rows = [vectors.affine(f"d0 + {i}", key) for i in range(_CHAINS)]
            return [reduce(lambda powers, row: power(row, powers), rows, carried[0])]

        if whole:
            (scores,) = vectors.loop(whole, _CHAINS, [scores], turn)
        return reduce(lambda powers, key: power(key, powers), range(whole, keys), scores)

    def _statistics(self, statistics: Value, before: Scalar, largest: Scalar, total: Scalar) -> Value:
        vectors = self.vectors
        factor = vectors.math("exp", vectors.subtract(before, largest))
        total = vectors.math("fma", vectors.read(statistics, [_SUM, 0]), factor, total)
        for row, vector in ((_LARGEST, largest), (_SUM, total), (_FACTOR, factor)):
            statistics = vectors.put(vector, statistics, [row, 0])
        return statistics

    def _products(self, place: _Place, first: str, keys: int, kept: _Kept) -> Value:
        """The result so far, and the values of a block of keys times their powers."""
        vectors, queries = self.vectors, range(self.lanes)

        def turn(column: str, carried: Sequence[Value]) -> Sequence[Value]:
            (sums,) = carried
            before = [vectors.read(sums, [query, column]) for query in queries]
            factors = [vectors.repeat(kept.statistics, [_FACTOR, query]) for query in queries]
            start = [vectors.multiply(total, factor) for total, factor in zip(before, factors, strict=True)]
            for query, total in enumerate(vectors.loop(keys, 1, start, partial(add, column))):
                sums = vectors.put(total, sums, [query, column])
            return [sums]

        def add(column: str, key: str, sums: Sequence[Scalar]) -> Sequence[Scalar]:
            row = vectors.affine("d0 + d1", first, key)
            value = vectors.read(self.value, [place.batch, row, place.head, column])
            powers = [vectors.repeat(kept.scores, [key, query]) for query in queries]
            return [vectors.math("fma", power, value, total) for power, total in zip(powers, sums, strict=True)]

        return vectors.loop(self.result.shape[3], self.lanes, [kept.sums], turn)[0]

    def _finish(self, place: _Place, first: str, kept: _Kept) -> None:
        """Divides by the sums of the powers."""
        vectors = self.vectors
        factor = vectors.divide(self._constant(1), vectors.read(kept.statistics, [_SUM, 0]))
        done = replace(kept, statistics=vectors.put(factor, kept.statistics, [_FACTOR, 0]))

        def turn(column: str) -> None:
            for query in range(self.lanes):
                row = vectors.affine(f"d0 + {query}", first)
                with vectors.only_if(row, self.result.shape[1]) if query >= self._rest > 0 else nullcontext():
                    self._store(place, done, query, column)

        vectors.filling(self.result.shape[3], self.lanes, turn)

    def _store(self, place: _Place, kept: _Kept, query: int, column: str) -> None:
        """Some columns of one query's result, and what the epilogue makes of them."""
        vectors, at = self.vectors, [place.batch, place.rows[query], place.head, column]
        factor = vectors.repeat(kept.statistics, [_FACTOR, query])
        vector = vectors.multiply(vectors.read(kept.sums, [query, column]), factor)
        operands = [vectors.read_broadcast(one, at) for one in self.epilogue.operands]
        vectors.fill(self.epilogue.body(vectors, vector, *operands), [0, query, 0, column])
