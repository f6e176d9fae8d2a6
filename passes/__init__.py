"""All passes by the name that a pipeline gives them, in the order in which a graph meets them."""

from pyipu.passes.base import Pass

_ALL: list[type[Pass]] = []

PASSES: dict[str, type[Pass]] = {one.NAME: one for one in _ALL}
