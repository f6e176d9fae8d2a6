"""The registry of targets. A new target is one file with one `Target`, and one entry in `_TARGETS`."""

from pyipu.errors import TargetError
from pyipu.targets.cpu import CPU
from pyipu.targets.cuda import CUDA
from pyipu.targets.null import NULL
from pyipu.targets.target import Option, Stage, Target
from pyipu.targets.vulkan import VULKAN

__all__ = ["Option", "Stage", "Target", "get", "names"]

_TARGETS = {target.name: target for target in (CPU, VULKAN, CUDA, NULL)}


def names() -> tuple[str, ...]:
    """The names of all targets."""
    return tuple(_TARGETS)


def get(name: str) -> Target:
    """The target of that name, with its default options.

    Raises:
        TargetError: there is no such target.
    """
    if name not in _TARGETS:
        raise TargetError(f"there is no target {name!r}; choose one of {', '.join(_TARGETS)}")
    return _TARGETS[name]
