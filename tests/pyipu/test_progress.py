"""Progress is shown on a terminal, and nowhere else."""

from __future__ import annotations

import io

from rich.console import Console

from pyipu.progress import progress


def _shown(is_terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, force_interactive=is_terminal, width=80)
    with progress("compiling", console) as shown:
        shown.stage("ipu-fuse")
        shown.stage("ipu-allocate")
    return console.file.getvalue()


def test_terminal_shows_the_stage() -> None:
    assert "compiling: ipu-allocate" in _shown(True)


def test_pipe_stays_silent() -> None:
    assert _shown(False).strip() == ""
