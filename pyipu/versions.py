"""Which versions of IREE this pyipu was tested with: `stream` IR has no stable form, so others are refused."""

from __future__ import annotations

from importlib import metadata

from pyipu.errors import VersionError

TESTED = "3.13"
PACKAGES = ("iree-base-compiler", "iree-base-runtime")


def check() -> None:
    """Makes sure that IREE's compiler and runtime are of the minor version `TESTED`.

    Raises:
        VersionError: one of them is missing or of another version; the message has the command that installs it.
    """
    for package in PACKAGES:
        found = _installed(package)
        if found is None or found.split(".")[:2] != TESTED.split("."):
            raise VersionError(_message(package, found))


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _message(package: str, found: str | None) -> str:
    state = f"{package} {found} is installed" if found else f"{package} is not installed"
    command = " ".join(f"'{name}=={TESTED}.*'" for name in PACKAGES)
    return f"{state}, but this pyipu was tested with {TESTED}: run pip install {command}"
