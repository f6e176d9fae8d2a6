"""No device: the same code on every machine, to look at plans and IR where the real device is not."""

from pyipu.targets.target import Target, planned_stages

NULL = Target(
    name="null",
    description="compiles without a device: generic x86-64 code that is the same on every machine, and never runs",
    driver="",
    alignment=64,
    stages=planned_stages(64),
    device_flags=(
        "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu",
        "--iree-llvmcpu-target-triple=x86_64-unknown-linux-gnu",
        "--iree-llvmcpu-target-cpu=generic",
    ),
)
