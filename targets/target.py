"""A target is data: the options of IREE's code generator, and an ordered table of stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pyipu.dialect.tiles import Tiles
from pyipu.errors import PrecisionError, StorageError, TargetError


@dataclass(frozen=True)
class Stage:
    """One step of the compilation: a name, and the pass pipeline that it runs, such as `"canonicalize,layout"`."""

    name: str
    pipeline: str


@dataclass(frozen=True)
class Option:
    """One thing that a user may choose about a target: `flag` is the iree-compile flag that takes `value`.

    An empty value leaves the choice to IREE.
    """

    name: str
    flag: str
    value: str
    description: str

    @property
    def text(self) -> str:
        """The option as iree-compile takes it."""
        return f"{self.flag}={self.value}"


def planned_stages(
    alignment: int, pack: str = "", stream: str = "", sums: bool = True, stack: int = 0, lanes: int = 0
) -> tuple[Stage, ...]:
    """The usual road of a graph; every buffer starts at a multiple of `alignment` bytes.

    `pack` is the pass that brings weights into the order in which the target reads them, and `stream` the one that runs
    chains of vertices in strips of rows, if it wants them; `sums` says whether sums can start in place from a tensor.
    A recurrent layer is one vertex if a step of it needs at most `stack` bytes besides its operands, and attention
    and normalizations are where they can be written with vectors of `lanes` elements.
    """
    fused = f"ipu-attention{{lanes={lanes}}},ipu-standardize{{lanes={lanes}}},ipu-centered,ipu-repeats"
    tidy = "ipu-canonicalize,ipu-layout,ipu-canonicalize,ipu-demand,ipu-canonicalize"
    normal = f"ipu-integers,ipu-unroll{{stack={stack}}},{tidy}"
    sharing = f"alignment={alignment}{'' if sums else ' sums=false'}"
    account, schedule = f"ipu-account{{{sharing}}}", f"ipu-schedule{{{sharing}}}"
    ordered = f"ipu-account{{stages=schedule {sharing}}}"
    place = f"ipu-inplace{{{sharing}}},ipu-allocate{{alignment={alignment}}}"
    # Strips make the order anew, so it is theirs that counts.
    accounts = [account, ordered] if stream else [account, schedule, ordered]
    return (
        Stage("graph", ",".join(filter(None, [normal, fused, "ipu-compensate", pack]))),
        Stage("vertices", "ipu-fuse"),
        Stage("account", ",".join(accounts)),
        *([Stage("strips", f"{stream},{schedule},ipu-recompute{{{sharing}}}")] if stream else []),
        Stage("memory", place),
        Stage("code", "ipu-outline,ipu-waves"),
    )


STORAGES = {"f16": "ipu-storage{type=f16}", "bf16": "ipu-storage{type=bf16}", "int8": "ipu-quantize"}
"""How tensors may be stored in fewer bits than they are computed with, and the pass that does it to vertices."""


STORAGE_FREE = 0.1
"""What strips may cost of the time where tensors are stored in fewer bits: whoever asks for it wants memory."""


def with_storage(stages: Sequence[Stage], storage: str | None) -> tuple[Stage, ...]:
    """The stages of a target, and behind its vertices one for what they store.

    Raises:
        StorageError: there is no such storage.
    """
    if storage is None:
        return tuple(stages)
    if storage not in STORAGES:
        raise StorageError(f"there is no storage {storage!r}; choose one of {', '.join(STORAGES)}, or None")
    return _behind_vertices(stages, Stage("storage", STORAGES[storage]))


PRECISIONS = {"bf16": "ipu-storage{type=bf16 scores=true rows=true},ipu-pair"}
"""What products may be multiplied in, and the passes that make vertices do it; sums are in f32."""


def with_precision(stages: Sequence[Stage], precision: str | None, storage: str | None) -> tuple[Stage, ...]:
    """The stages of a target, and behind its vertices one for what they multiply and store.

    Raises:
        PrecisionError: there is no such precision, or it stores tensors otherwise than `storage` says.
        StorageError: there is no such storage.
    """
    if precision is None:
        return with_storage(stages, storage)
    if precision not in PRECISIONS:
        raise PrecisionError(f"there is no precision {precision!r}; choose one of {', '.join(PRECISIONS)}, or None")
    if storage not in (None, precision):
        raise PrecisionError(f"precision={precision!r} stores tensors so, too: leave storage={storage!r} out")
    return _behind_vertices(stages, Stage("precision", PRECISIONS[precision]))


def _behind_vertices(stages: Sequence[Stage], stage: Stage) -> tuple[Stage, ...]:
    place = next(i for i, one in enumerate(stages) if one.name == "vertices") + 1
    return *stages[:place], stage, *stages[place:]


@dataclass(frozen=True)
class Target:
    """Where a compiled model runs, and how it gets there.

    `driver` is the IREE runtime driver, or "" if what is compiled cannot run here; `alignment` is in bytes, and
    every buffer of the arena starts at a multiple of it.
    """

    name: str
    description: str
    driver: str
    alignment: int
    device_flags: tuple[str, ...]
    stages: tuple[Stage, ...]
    options: tuple[Option, ...] = ()
    tiles: Tiles = field(default_factory=Tiles)
    """How codelets are tiled; by default IREE decides."""
    precisions: tuple[tuple[str, str], ...] = ()
    """What products may be multiplied in besides the model's types, each with the processor's feature for it."""
    features: tuple[str, ...] = ()
    """What processors may have that codelets are written for."""
    codelets_together: int | None = None
    """So many codelets become one piece of machine code, and pieces are made side by side; by default all are one."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Everything that iree-compile must be told to generate code for this target."""
        return *self.device_flags, *(option.text for option in self.options if option.value)

    def with_options(self, **values: str) -> Target:
        """This target with other option values, as in `cpu.with_options(cpu="znver4")`.

        Raises:
            TargetError: an option is not one of this target's.
        """
        unknown = [name for name in values if name not in {option.name for option in self.options}]
        if unknown:
            raise TargetError(f"target {self.name!r} has no option {unknown[0]!r}; {self._choices()}")
        chosen = tuple(replace(option, value=values.get(option.name, option.value)) for option in self.options)
        return replace(self, options=chosen)

    def tiles_on(self, device: str, threads: int) -> Tiles:
        """The tiles for so many threads of a device, with what its processor has of `features`.

        `device` is IREE's description of it.
        """
        features = frozenset(one for one in self.features if _has(device, one))
        return replace(self.tiles.described(device).for_threads(threads), features=features)

    def check_precision(self, precision: str, device: str) -> None:
        """Whether products can be multiplied so; `device` is IREE's description of what is compiled for.

        Raises:
            PrecisionError: they cannot.
        """
        instead = f"or give storage={precision!r}, which keeps tensors so and computes in fp32"
        if precision not in dict(self.precisions):
            raise PrecisionError(f"target {self.name!r} has no products in {precision}: compile for 'cpu', {instead}")
        feature = dict(self.precisions)[precision]
        if not _has(device, feature):
            chosen = ", ".join(f"{option.name}={option.value!r}" for option in self.options if option.value)
            raise PrecisionError(
                f"target {self.name!r} with {chosen} has no {feature}, which multiplies in {precision}: "
                f"name a processor that has it, such as cpu='znver4', {instead}"
            )

    def _choices(self) -> str:
        if not self.options:
            return "it has no options"
        return f"its options are {', '.join(option.name for option in self.options)}"


def _has(device: str, feature: str) -> bool:
    """Whether IREE's description of a device names a feature of the processor."""
    return f"+{feature}," in device.replace('"', ",")
