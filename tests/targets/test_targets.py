"""The registry, a target's options, and running iree-compile for one."""

import re
import tempfile
from pathlib import Path

import pytest

from pyipu import targets
from pyipu.errors import CompilationError, TargetError
from pyipu.targets import codegen
from tests.stream_modules import affine_module

ALL = ["cpu", "vulkan", "cuda", "null"]


def test_the_registry_has_these_targets():
    assert list(targets.names()) == ALL


def test_an_unknown_target_is_refused_with_the_known_ones():
    with pytest.raises(TargetError, match=r"no target 'ipu'; choose one of cpu, vulkan, cuda, null"):
        targets.get("ipu")


@pytest.mark.parametrize("name", ALL)
def test_a_target_is_complete(name):
    target = targets.get(name)
    assert target.name == name
    assert target.alignment >= 64 and target.alignment & (target.alignment - 1) == 0
    names = [stage.name for stage in target.stages if stage.name != "strips"]
    assert names == ["graph", "vertices", "account", "memory", "code"]
    assert all(flag.startswith("--iree-") for flag in target.flags)


def test_an_option_without_a_value_is_no_flag():
    assert not any("triple" in flag for flag in targets.get("cpu").flags)
    assert (
        "--iree-llvmcpu-target-triple=aarch64-linux-gnu"
        in targets.get("cpu").with_options(triple="aarch64-linux-gnu").flags
    )


def test_options_become_flags():
    generic = targets.get("cpu").with_options(cpu="generic")
    assert "--iree-llvmcpu-target-cpu=generic" in generic.flags
    assert "--iree-llvmcpu-target-cpu=host" in targets.get("cpu").flags
    assert targets.get("cuda").with_options() == targets.get("cuda")


@pytest.mark.parametrize(("name", "choices"), [("cpu", "its options are cpu, triple"), ("null", "it has no options")])
def test_an_unknown_option_is_refused(name, choices):
    with pytest.raises(TargetError, match=f"target '{name}' has no option 'colour'; {choices}"):
        targets.get(name).with_options(colour="red")


@pytest.mark.parametrize(
    ("name", "part"),
    [("cpu", '"llvm-cpu"'), ("vulkan", '"vulkan-spirv"'), ("cuda", 'arch = "sm_80"'), ("null", 'cpu = "generic"')],
)
def test_the_device_attribute_is_what_iree_makes(name, part):
    attribute = codegen.device_attribute(targets.get(name))
    assert attribute.startswith("#hal.device.target<") and attribute.endswith(">")
    assert part in attribute


@pytest.mark.parametrize(
    ("name", "options"),
    [("cpu", {"cpu": "abacus"}), ("vulkan", {"gpu": "abacus"}), ("cuda", {"arch": "sm_90"})],
)
def test_a_processor_that_iree_does_not_know_is_refused(name, options):
    target = targets.get(name).with_options(**options)
    with pytest.raises(TargetError, match=rf"cannot compile for target '{name}' with .*{next(iter(options.values()))}"):
        codegen.device_attribute(target)


@pytest.mark.parametrize("name", ALL)
def test_the_same_module_compiles_for_every_target(name):
    target = targets.get(name)
    assert len(codegen.compile_stream(affine_module(target), target)) > 1000


@pytest.fixture
def temporary(monkeypatch, tmp_path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_broken_ir_is_kept_and_the_message_says_where(temporary):
    text = affine_module(targets.get("null")).replace("arith.mulf", "arith.mulk")
    with pytest.raises(CompilationError) as caught:
        codegen.compile_stream(text, targets.get("null"), cache=False)
    found = re.search(r"target 'null': (/.*\.mlir):\d+:\d+: error: .*mulk.*; the IR is in (\S+),", str(caught.value))
    assert found is not None and found[1] == found[2]
    assert Path(found[2]).read_text() == text
    assert Path(found[2]).is_relative_to(temporary)


def test_a_crash_of_the_compiler_is_an_error(temporary, monkeypatch):
    text = affine_module(targets.get("null"))
    crashing = temporary / "iree-compile"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(codegen, "find_tool", lambda _: str(crashing))
    with pytest.raises(CompilationError, match=r"iree-compile crashed \(SIGSEGV\); the IR is in /.*main\.mlir"):
        codegen.compile_stream(text, targets.get("null"), cache=False)


def test_nothing_is_left_behind_by_a_success(temporary):
    codegen.compile_stream(affine_module(targets.get("null")), targets.get("null"), cache=False)
    assert list(temporary.iterdir()) == []


def test_equal_programs_are_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PYIPU_CACHE", str(tmp_path))
    text = affine_module(targets.get("null"))
    first = codegen.compile_stream(text, targets.get("null"))
    monkeypatch.setattr(codegen, "find_tool", lambda _: "/no/such/compiler")
    assert codegen.compile_stream(text, targets.get("null")) == first
    assert len(list((tmp_path / "code").iterdir())) == 1
