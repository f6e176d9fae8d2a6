"""The transforms of `winograd.py` as loops over vectors: a tile of some channels is transformed in registers."""

from __future__ import annotations

from contextlib import ExitStack

from pyipu.dialect.interpolation import Matrix, matrices
from pyipu.dialect.scalars import Scalar, Scalars
from pyipu.dialect.tile_loops import Grid, Index, Part, Place, TileWriter
from pyipu.dialect.types import Tensor
from pyipu.dialect.vectors import combination
from pyipu.dialect.writer import CodeletWriter, Epilogue, Value

Square = list[list[Scalar]]


def write_input_transform(writer: CodeletWriter, input: Value, result: Tensor, size: int) -> Value:
    """[N, size * T + 2, size * P + 2, C] -> `result`, [N, T, (size + 2)^2, P, C]."""
    batch, rows, planes, columns, channels = result.shape
    vectors, matrix = TileWriter(writer, writer.tiles.lanes(result)), matrices(size).input
    side = len(matrix)
    grid = Grid(batch, rows, columns, writer.tiles.tiles_together(rows, columns))

    def part(number: str, row: str, first: str) -> Part:
        return Part([number, row, 0, first, 0], [1, 1, planes, grid.together, channels])

    def body(place: Place) -> None:
        down = [vectors.affine(f"d0 * {size} + {i}", place.row) for i in range(side)]
        across = [vectors.affine(f"d0 * {size} + {i}", place.column) for i in range(side)]
        tile = [[vectors.read(input, [place.batch, y, x, place.channel]) for x in across] for y in down]
        transformed = _transformed(vectors, matrix, tile)
        for plane, vector in enumerate(vector for line in transformed for vector in line):
            vectors.fill(vector, [0, 0, plane, place.number, place.channel])

    return vectors.over_tiles(result, grid, part, body)


def write_output_transform(writer: CodeletWriter, input: Value, result: Tensor, size: int) -> Value:
    """Planes [N, T, (size + 2)^2, P, F] -> `result`, [N, rows, columns, F], and its epilogue, if there is one."""
    transform = _OutputTransform(writer, input, result, size)
    writer.epilogue = None
    return transform.write()


class _OutputTransform:
    def __init__(self, writer: CodeletWriter, input: Value, result: Tensor, size: int) -> None:
        self.vectors = TileWriter(writer, writer.tiles.lanes(result))
        self.input, self.size, self.matrix = input, size, matrices(size).output
        self.epilogue = writer.epilogue or Epilogue((), result, lambda scalars, element: element)
        self.result = self.epilogue.result
        _, tile_rows, _, tile_columns, _ = input.tensor.shape
        together = writer.tiles.tiles_together(tile_rows, tile_columns)
        self.grid = Grid(result.shape[0], tile_rows, tile_columns, together)
        self.crop = [
            size * tiles - extent for tiles, extent in zip((tile_rows, tile_columns), result.shape[1:3], strict=True)
        ]

    def write(self) -> Value:
        return self.vectors.over_tiles(self.result, self.grid, self._part, self._body)

    def _part(self, number: str, row: str, first: str) -> Part:
        _, rows, columns, filters = self.result.shape
        offsets = [self.vectors.affine(f"d0 * {self.size}", index) for index in (row, first)]
        height: Index = self.size
        width: Index = self.size * self.grid.together
        if self.crop[0]:
            height = self.vectors.least(self.size, f"{rows} - d0", offsets[0])
        if self.crop[1]:
            width = self.vectors.least(self.size * self.grid.together, f"{columns} - d0", offsets[1])
        return Part([number, *offsets, 0], [1, height, width, filters])

    def _body(self, place: Place) -> None:
        vectors, side = self.vectors, self.matrix.shape[1]
        tile = [[self._plane(place, i * side + j) for j in range(side)] for i in range(side)]
        transformed = _transformed(vectors, self.matrix, tile)
        constant = {
            value: vectors.read_broadcast(value, [0, 0, 0, place.channel])
            for value in self.epilogue.operands
            if _varies_by_channel(value)
        }
        for y, line in enumerate(transformed):
            for x, vector in enumerate(line):
                self._finish(place, y, x, vector, constant)

    def _plane(self, place: Place, plane: int) -> Scalar:
        return self.vectors.read(self.input, [place.batch, place.row, plane, place.column, place.channel])

    def _finish(self, place: Place, y: int, x: int, vector: Scalar, constant: dict[Value, Scalar]) -> None:
        """The epilogue of one pixel of the tile, and its store, unless the pixel is cut off."""
        vectors, (_, rows, columns, _) = self.vectors, self.result.shape
        row = vectors.affine(f"d0 * {self.size} + {y}", place.row)
        column = vectors.affine(f"d0 * {self.size} + {x}", place.column)
        with ExitStack() as conditions:
            if y >= self.size - self.crop[0]:
                conditions.enter_context(vectors.only_if(row, rows))
            if x >= self.size - self.crop[1]:
                conditions.enter_context(vectors.only_if(column, columns))
            operands = [
                constant.get(value) or vectors.read_broadcast(value, [place.batch, row, column, place.channel])
                for value in self.epilogue.operands
            ]
            finished = self.epilogue.body(vectors, vector, *operands)
            within = vectors.affine(f"d0 * {self.size} + {x}", place.number)
            vectors.fill(finished, [0, y, within, place.channel])


def _varies_by_channel(value: Value) -> bool:
    return set(value.tensor.shape[:-1]) <= {1}


def _transformed(scalars: Scalars, matrix: Matrix, tile: Square) -> Square:
    """The matrix applied along both dimensions of a square."""
    across = [[combination(scalars, list(row), line) for row in matrix] for line in tile]
    columns = list(zip(*across, strict=True))
    return [[combination(scalars, list(row), column) for column in columns] for row in matrix]
