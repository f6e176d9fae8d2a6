"""All that a compilation finds out but the values of weights, as it is kept in the cache."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace

from pyipu.cache import keep, read_kept
from pyipu.errors import Error
from pyipu.plan import Plan

_FOLDER = "programs"
_CODE, _PLAN, _PARAMETERS = "module.vmfb", "plan.json", "parameters.json"


@dataclass(frozen=True)
class Compiled:
    """A compiled model without its weights."""

    code: bytes
    """The bytes of the .vmfb."""
    plan: Plan
    parameters: tuple[str, ...]
    """The names of the weights that the code loads."""

    def having(self, code: bytes) -> Compiled:
        """The same program as other code."""
        memory = replace(self.plan.memory, code_bytes=len(code))
        return replace(self, code=code, plan=replace(self.plan, memory=memory))


def kept(key: str) -> Compiled | None:
    """What is in the cache folder under a key, which names all that it depends on.

    None when nothing was kept, or when the file is damaged.
    """
    content = read_kept(_FOLDER, f"{key}.zip")
    try:
        return _unpacked(content) if content is not None else None
    except (zipfile.BadZipFile, KeyError, ValueError, Error):
        return None


def once(key: str, make: Callable[[], Compiled]) -> Compiled:
    """What is in the cache folder under a key; else it is made, and put there."""
    found = kept(key)
    if found is None:
        found = make()
        keep(_FOLDER, f"{key}.zip", _packed(found))
    return found


def _packed(compiled: Compiled) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(_CODE, compiled.code)
        archive.writestr(_PLAN, compiled.plan.to_json())
        archive.writestr(_PARAMETERS, json.dumps(compiled.parameters))
    return buffer.getvalue()


def _unpacked(content: bytes) -> Compiled:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        code, plan, parameters = (archive.read(name) for name in (_CODE, _PLAN, _PARAMETERS))
    return Compiled(code, Plan.from_json(plan.decode()), tuple(json.loads(parameters)))
