"""All passes by the name that a pipeline gives them, in the order in which a graph meets them."""

from pyipu.passes.account import Account
from pyipu.passes.allocate import AllocateArena
from pyipu.passes.attention import FuseAttention
from pyipu.passes.base import Pass
from pyipu.passes.canonicalize import Canonicalize
from pyipu.passes.centered import FindCenteredSums
from pyipu.passes.compensate import Compensate
from pyipu.passes.demand import Demand
from pyipu.passes.fuse import Fuse
from pyipu.passes.inplace import InPlace
from pyipu.passes.integers import Integers
from pyipu.passes.layout import Layout
from pyipu.passes.outline import Outline
from pyipu.passes.pack import Pack
from pyipu.passes.pair import Pair
from pyipu.passes.quantize import Quantize
from pyipu.passes.recompute import Recompute
from pyipu.passes.repeats import ReadRepeats
from pyipu.passes.schedule import ScheduleSteps
from pyipu.passes.standardize import FindNormalization
from pyipu.passes.storage import Storage
from pyipu.passes.stream import Stream
from pyipu.passes.taps import Taps
from pyipu.passes.unroll import Unroll
from pyipu.passes.waves import Waves
from pyipu.passes.winograd import Winograd

_GRAPH: list[type[Pass]] = [
    Integers,
    Unroll,
    Canonicalize,
    Layout,
    Demand,
    FuseAttention,
    FindNormalization,
    FindCenteredSums,
    ReadRepeats,
    Compensate,
    Pack,
    Winograd,
    Taps,
]
_VERTICES: list[type[Pass]] = [Fuse, Storage, Pair, Quantize, Account]
_ORDERED: list[type[Pass]] = [Stream, ScheduleSteps, Recompute]
_PLACED: list[type[Pass]] = [InPlace, AllocateArena, Outline, Waves]

PASSES: dict[str, type[Pass]] = {one.NAME: one for one in (*_GRAPH, *_VERTICES, *_ORDERED, *_PLACED)}
