"""The processor: native code in IREE's own ELF format, run by a pool of threads."""

from pyipu.targets.target import Option, Target, planned_stages
from pyipu.targets.tiles import Processor

_TILES = Processor()

CPU = Target(
    name="cpu",
    description="native code for a processor, run by a pool of threads",
    driver="local-task",
    alignment=64,
    # IREE lets a dispatch have 32 KiB on the stack.
    stages=planned_stages(
        64,
        pack=",".join(f"{one}{{block={_TILES.block}}}" for one in ("ipu-pack", "ipu-winograd", "ipu-taps")),
        stream="ipu-stream",
        stack=24 * 1024,
        lanes=16,
    ),
    tiles=_TILES,
    precisions=(("bf16", "avx512bf16"),),
    features=("avx512vnni",),
    # LLVM works on one piece at a time; each takes some 50 ms more, and two of them keep two processors busy.
    codelets_together=32,
    device_flags=("--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu"),
    options=(
        Option(
            name="cpu",
            flag="--iree-llvmcpu-target-cpu",
            value="host",
            description='the processor: "host", "generic", or a name that LLVM knows, such as "znver4" or "x86-64-v3"',
        ),
        Option(
            name="triple",
            flag="--iree-llvmcpu-target-triple",
            value="",
            description='the architecture and system, such as "aarch64-linux-gnu"; those of this machine by default',
        ),
    ),
)
