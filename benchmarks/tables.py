"""Tables of results: for people on a terminal, in GitHub's markdown with `--markdown`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], markdown: bool = False) -> None:
    """Prints a table; every cell is shown as `str` has it."""
    texts = [[str(cell) for cell in row] for row in rows]
    if markdown:
        _show_markdown(title, columns, texts)
        return
    table = Table(*columns, title=title)
    for row in texts:
        table.add_row(*row)
    Console().print(table)


def _show_markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [f"**{title}**", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    print("\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]))
