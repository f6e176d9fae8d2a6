"""What a laptop may lack and CI may not."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_unless_ci(reason: Exception) -> NoReturn:
    """Skips the test with the reason; where `CI` is set, what is missing is a failure."""
    if os.environ.get("CI"):
        raise reason
    pytest.skip(str(reason))
