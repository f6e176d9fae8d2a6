"""Progress of long work: shown on a terminal, silent in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class Progress:
    """What is going on at the moment."""

    def __init__(self, title: str, status: Status) -> None:
        self._title, self._status = title, status

    def stage(self, name: str) -> None:
        """Says which stage has begun or ended."""
        self._status.update(f"{self._title}: {name}")


@contextmanager
def progress(title: str, console: Console | None = None) -> Iterator[Progress]:
    """Shows `title` and the current stage on stderr while the block runs, if stderr is a terminal."""
    console = console or Console(stderr=True)
    with console.status(title) as status:
        yield Progress(title, status)
