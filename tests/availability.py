"""What a laptop may lack and CI may not, and what machines differ in."""

from __future__ import annotations

import os
import platform
from typing import NoReturn

import pytest

OLDER = {"x86_64": "x86-64-v3", "AMD64": "x86-64-v3"}.get(platform.machine(), "generic")
"""A processor whose code this machine runs, with shorter vectors than the machine has, or as short ones."""


def skip_unless_ci(reason: Exception) -> NoReturn:
    """Skips the test with the reason; where `CI` is set, what is missing is a failure."""
    if os.environ.get("CI"):
        raise reason
    pytest.skip(str(reason))
