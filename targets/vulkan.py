"""Any graphics processor with a Vulkan driver."""

from pyipu.targets.target import Option, Target, planned_stages

# IREE's portable profile has 32-bit numbers only: without these capabilities it refuses f64 and computes f16 wrongly.
# A shader asks only for those that it uses, so an f32 model still runs where none of them exist.
_FEATURES = (
    "spirv:v1.3",
    "cap:Shader",
    "cap:Float16",
    "cap:Float64",
    "cap:Int64",
    "cap:Int16",
    "cap:Int8",
    "cap:StorageBuffer16BitAccess",
    "cap:StorageBuffer8BitAccess",
    "ext:SPV_KHR_16bit_storage",
    "ext:SPV_KHR_8bit_storage",
)

VULKAN = Target(
    name="vulkan",
    description="SPIR-V for any graphics processor with a Vulkan driver",
    driver="vulkan",
    # The largest value that the Vulkan specification allows for minStorageBufferOffsetAlignment.
    alignment=256,
    stages=planned_stages(256, sums=False),
    device_flags=("--iree-hal-target-device=vulkan", f"--iree-vulkan-target-features={','.join(_FEATURES)}"),
    options=(
        Option(
            name="gpu",
            flag="--iree-vulkan-target",
            value="vp_android_baseline_2022",
            description="the profile: a portable one by default, or a processor such as "
            '"rdna3" or "ampere", whose code is faster but gives wrong numbers on any other',
        ),
    ),
)
