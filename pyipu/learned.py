"""What tuning found out, in a file that can be read, kept and shipped: tiles of codelets on one kind of processor."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pyipu import settings
from pyipu.errors import TuningError
from pyipu.targets.tiles import Tiling

_FORMAT, _DEFAULT = 1, "tune.json"


@dataclass(frozen=True)
class Finding:
    """What trials of one codelet showed."""

    name: str
    """How the codelet is called in the program in which it was tried; for people who read the file."""
    tiling: Tiling | None
    """Tiles that are faster than those of the target; None if none were, or did not make the whole program faster."""
    milliseconds: tuple[float, float]
    """All of its runs in a call of that program, on one thread: in the target's tiles, and in the best other ones."""


Findings = Mapping[str, Finding]
"""By the codelet's key, which is the hash of its code and of IREE's version."""


def tilings(findings: Findings) -> dict[str, Tiling]:
    """The tiles to use, by key."""
    return {key: finding.tiling for key, finding in findings.items() if finding.tiling}


@dataclass(frozen=True)
class TuneFile:
    """A file of findings, on several processors; it may not exist yet."""

    path: Path

    def findings(self, device: str, threads: int) -> dict[str, Finding]:
        """Those on exactly this device, as IREE describes it, with so many threads.

        Raises:
            TuningError: the file cannot be read, or is damaged.
        """
        return self._content().get((device, threads), {})

    def add(self, device: str, threads: int, findings: Findings) -> None:
        """The file has these findings, too, from one moment to the next.

        Raises:
            TuningError: the file cannot be written, or is damaged.
        """
        content = self._content()
        content.setdefault((device, threads), {}).update(findings)
        processors = [
            {"device": device, "threads": threads, "codelets": {key: asdict(one) for key, one in found.items()}}
            for (device, threads), found in content.items()
        ]
        self._write(json.dumps({"format": _FORMAT, "processors": processors}, indent=1) + "\n")

    def _content(self) -> dict[tuple[str, int], dict[str, Finding]]:
        try:
            content = json.loads(self.path.read_text())
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r} and not {_FORMAT}")
            return {(one["device"], one["threads"]): _found(one["codelets"]) for one in content["processors"]}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as problem:
            raise TuningError(f"the tune file {self.path} cannot be read: {problem.strerror}") from problem
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            reason = f"{type(problem).__name__}: {problem}"
            raise TuningError(
                f"the tune file {self.path} is damaged ({reason}); delete it, and tune again"
            ) from problem

    def _write(self, text: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
                file.write(text)
            Path(file.name).replace(self.path)
        except OSError as problem:
            raise TuningError(f"the tune file {self.path} cannot be written: {problem.strerror}") from problem


@dataclass(frozen=True)
class Knowledge:
    """What is known of codelets on one device with so many threads, and the file that it is from, if there is one."""

    file: TuneFile | None
    device: str
    threads: int
    findings: Findings

    @classmethod
    def read(cls, path: Path | None, device: str, threads: int) -> Knowledge:
        """Without a path nothing is known.

        Raises:
            TuningError: the file cannot be read, or is damaged.
        """
        file = TuneFile(path) if path else None
        return cls(file, device, threads, file.findings(device, threads) if file else {})

    @property
    def tilings(self) -> dict[str, Tiling]:
        """The tiles to use, by key."""
        return tilings(self.findings)

    def learn(self, findings: Findings) -> Knowledge:
        """With more findings, which are in the file from now on, too.

        Raises:
            TuningError: the file cannot be written, or is damaged.
        """
        if self.file:
            self.file.add(self.device, self.threads, findings)
        return replace(self, findings={**self.findings, **findings})


def tune_path(given: str | os.PathLike[str] | None, cache: bool, tune: float | None) -> Path | None:
    """The file that is meant by the arguments of `compile`; without a cache there is none by default.

    Raises:
        TuningError: there is no such file, and it will not be made either.
    """
    if given is None:
        return settings.cache_folder() / _DEFAULT if cache else None
    if tune is None and not Path(given).exists():
        raise TuningError(f"there is no tune file {os.fspath(given)}: give another one, or tune=30 to make it")
    return Path(given)


def _found(codelets: Mapping[str, Any]) -> dict[str, Finding]:
    return {key: _finding(**one) for key, one in codelets.items()}


def _finding(name: str, tiling: Mapping[str, Any] | None, milliseconds: list[float]) -> Finding:
    before, after = map(float, milliseconds)
    return Finding(name, _tiling(**tiling) if tiling else None, (before, after))


def _tiling(pipeline: str, **sizes: list[int]) -> Tiling:
    return Tiling(pipeline=str(pipeline), **{name: tuple(map(int, numbers)) for name, numbers in sizes.items()})
