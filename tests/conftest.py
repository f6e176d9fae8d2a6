"""Fixtures that many tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from iree.compiler import ir

import pyipu.dialect


@pytest.fixture
def context() -> Iterator[ir.Context]:
    """A current MLIR context with the ipu dialect, and an unknown location."""
    with pyipu.dialect.context() as context, ir.Location.unknown():
        yield context
