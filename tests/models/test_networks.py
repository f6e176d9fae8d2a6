"""Whole networks on the CPU: right results, the arena that was planned, and IR that stock MLIR tools accept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import pyipu
from benchmarks.cases import Case, cases, compare, compile_case
from benchmarks.memory import measured_arena
from examples import zoo
from pyipu import compiler, targets
from pyipu.targets.codegen import compile_stream
from tests.availability import skip_unless_ci

# Bytes of plain IREE's arena, by `python -m benchmarks.memory` with IREE 3.13.0.
PLAIN_IREE = {
    "alexnet": 3_751_488,
    "densenet121": 10_954_752,
    "inception_v1": 8_624_192,
    "inception_v2": 5_567_680,
    "resnet50": 8_947_712,
    "shufflenet": 3_213_056,
    "squeezenet": 3_928_576,
    "vgg19": 29_860_416,
    "text_detection": 77_970_688,
    "text_recognition": 4_377_600,
    "text_direction": 965_376,
    "magika": 2_629_632,
}
LIMITS = PLAIN_IREE | {"resnet50": 6_000_000, "densenet121": 7_000_000}
BUILT = [name for name in zoo.names("built") if name != "unet_bilinear"]
"""That one is the U-Net but for how it enlarges images, and takes long to compile."""
QUICK = ("squeezenet", "text_direction", "magika")


@dataclass(frozen=True)
class Compiled:
    case: Case
    executable: pyipu.Executable
    largest_error: float
    agrees: bool
    measured_arena: int
    texts: list[str]
    """The IR after the import and after every pass, unless it is the same as with other weights."""


def marked(case: Case) -> object:
    """Tests of one network run in one process, so that it is compiled once, and its code taken for other weights."""
    slow = [] if case.name in QUICK else [pytest.mark.slow]
    return pytest.param(case, id=str(case), marks=[*slow, pytest.mark.xdist_group(case.name)])


@pytest.fixture(scope="class")
def network(request: pytest.FixtureRequest) -> Compiled:
    """One network at a time is in memory: the tests of one follow one another."""
    case = request.param
    try:
        model, inputs = case.load(), case.inputs()
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)
    texts: list[str] = []
    cpu = targets.get("cpu")
    is_new = case.variant != "shipped"
    lowered = compiler.lower(
        model,
        cpu,
        shapes=case.shapes or None,
        observe=(lambda name, module: texts.append(str(module))) if is_new else None,
    )
    code = compile_stream(lowered.stream, cpu)
    executable = pyipu.Executable(code, lowered.parameters, lowered.plan(cpu, 2, code), cpu, 2)
    found = compare(executable.run(inputs), case.expected(model, inputs))
    return Compiled(case, executable, found.largest_error, found.agrees, measured_arena(executable, inputs), texts)


@pytest.mark.parametrize("network", [marked(case) for case in [*cases(), *cases(BUILT)]], indirect=True, scope="class")
class TestNetwork:
    def test_outputs_agree(self, network: Compiled) -> None:
        assert network.agrees, f"largest error {network.largest_error:.1e}"

    def test_iree_allocates_what_was_planned(self, network: Compiled) -> None:
        assert network.measured_arena == network.executable.memory.arena_bytes

    def test_every_stage_of_planning_saves_memory(self, network: Compiled) -> None:
        memory, stages = network.executable.memory, dict(network.executable.memory.stages)
        assert stages["sum"] > stages["reuse"]
        # Parts that are produced inside of a concatenation make all of it live longer: 5 % more in DARTS.
        assert 1.05 * stages["reuse"] >= stages["in-place"] >= stages["schedule"] >= stages["tile"]
        assert stages["tile"] == memory.arena_bytes >= memory.lower_bound

    def test_the_arena_is_not_above_the_limit(self, network: Compiled) -> None:
        assert network.executable.memory.arena_bytes <= LIMITS.get(network.case.name, 10**9)

    def test_iree_opt_accepts_the_ir_after_every_pass(self, network: Compiled) -> None:
        if network.case.variant == "shipped":
            pytest.skip("the same graph as with seeded weights")
        dialect = Path(pyipu.dialect.__file__).with_name("ipu.irdl.mlir")
        tool = shutil.which("iree-opt", path=str(Path(sys.executable).parent))
        assert tool is not None
        command = [tool, f"--irdl-file={dialect}", "--split-input-file", "-", "-o", "/dev/null"]
        text = "\n// -----\n".join(network.texts)
        process = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert process.returncode == 0, process.stderr[:2000]
        assert len(network.texts) > 8


@pytest.mark.parametrize("case", [case for case in cases(QUICK) if case.variant != "shipped"], ids=str)
def test_poison_changes_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arena full of NaN at the start of each call: nothing reads what nobody wrote."""
    try:
        model, inputs = case.load(), case.inputs()
    except zoo.ModelUnavailable as error:
        skip_unless_ci(error)
    monkeypatch.setenv("PYIPU_POISON", "1")
    executable, expected = compile_case(case), case.expected(model, inputs)
    for _ in range(2):
        assert compare(executable.run(inputs), expected).agrees
