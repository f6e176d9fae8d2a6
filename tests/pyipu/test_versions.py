"""Only the versions of IREE that pyipu was tested with are accepted."""

from importlib import metadata

import pytest

from pyipu import versions
from pyipu.errors import VersionError


def install(monkeypatch, **found: str) -> None:
    def version(package: str) -> str:
        if package.replace("-", "_") not in found:
            raise metadata.PackageNotFoundError(package)
        return found[package.replace("-", "_")]

    monkeypatch.setattr(metadata, "version", version)


def test_what_is_installed_here_is_accepted():
    versions.check()


@pytest.mark.parametrize("patch", ["3.13.0", "3.13.7", "3.13.0rc20260101"])
def test_patch_versions_are_accepted(monkeypatch, patch):
    install(monkeypatch, iree_base_compiler=patch, iree_base_runtime=patch)
    versions.check()


@pytest.mark.parametrize("other", ["3.12.9", "3.130.0", "4.13.0"])
def test_another_version_is_refused(monkeypatch, other):
    install(monkeypatch, iree_base_compiler="3.13.0", iree_base_runtime=other)
    with pytest.raises(VersionError) as caught:
        versions.check()
    assert f"iree-base-runtime {other} is installed" in str(caught.value)
    assert "tested with 3.13: run pip install 'iree-base-compiler==3.13.*' " in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    install(monkeypatch, iree_base_runtime="3.13.0")
    with pytest.raises(VersionError, match="iree-base-compiler is not installed"):
        versions.check()
