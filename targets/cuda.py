"""NVIDIA's graphics processors."""

from pyipu.targets.target import Option, Target, planned_stages

CUDA = Target(
    name="cuda",
    description="PTX for an NVIDIA graphics processor",
    driver="cuda",
    # cudaMalloc aligns to 256 bytes; keeping to that keeps 128-byte memory transactions whole.
    alignment=256,
    stages=planned_stages(256, sums=False),
    device_flags=("--iree-hal-target-device=cuda",),
    options=(
        Option(
            name="arch",
            flag="--iree-cuda-target",
            value="sm_80",
            description='the oldest architecture that must run it, such as "sm_80"; newer cards translate its PTX',
        ),
    ),
)
