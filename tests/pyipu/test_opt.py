"""pyipu-opt as a function: exit status, reports, passes that fail. How it reads and prints IR is in tests/lit/opt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from iree.compiler import ir

from pyipu.diagnostics import Diagnostic, expectations, mismatches
from pyipu.errors import Error, PlanError
from pyipu.opt import main
from pyipu.passes import PASSES
from pyipu.passes.base import Pass
from pyipu.passes.manager import Pipeline
from pyipu.passes.session import Session
from pyipu.passes.verifier import all_ops

_RELU = """func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = "ipu.relu"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
"""


@dataclass(frozen=True)
class _Talk(Pass):
    """Makes one remark for each op."""

    NAME = "ipu-test-talk"
    word: str = "seen"
    loudly: bool = False
    limit: float = 1.5

    def run(self, module: ir.Module, session: Session) -> None:
        for op in all_ops(module):
            session.remark(self.NAME, op.location, self.word.upper() if self.loudly else self.word)


@dataclass(frozen=True)
class _Fail(Pass):
    """Gives up."""

    NAME = "ipu-test-fail"

    def run(self, module: ir.Module, session: Session) -> None:
        raise PlanError("two buffers overlap")


@dataclass(frozen=True)
class _Break(Pass):
    """Leaves an op without an attribute that it needs."""

    NAME = "ipu-test-break"

    def run(self, module: ir.Module, session: Session) -> None:
        op = next(all_ops(module)).operation
        with ir.InsertionPoint(op):
            ir.Operation.create("ipu.clip", results=[op.results[0].type], operands=list(op.operands), loc=op.location)


@dataclass(frozen=True)
class _Look(Pass):
    """Remarks on every declared parameter."""

    NAME = "ipu-test-look"

    def run(self, module: ir.Module, session: Session) -> None:
        for key in session.parameters:
            session.remark(self.NAME, "", f"{session.parameters.description(key)} {session.parameters.has_value(key)}")


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (_Talk, _Fail, _Break, _Look):
        monkeypatch.setitem(PASSES, one.NAME, one)


@pytest.fixture
def relu(tmp_path: Path) -> str:
    file = tmp_path / "relu.mlir"
    file.write_text(_RELU)
    return str(file)


def test_remarks_are_shown_on_demand(relu: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([relu, "--pass-pipeline=ipu-test-talk"]) == 0
    assert capsys.readouterr().err == ""
    assert main([relu, "--pass-pipeline=ipu-test-talk", "--remarks"]) == 0
    assert f"{relu}:2:8: remark: ipu-test-talk: seen\n" in capsys.readouterr().err


def test_remarks_can_be_expected(tmp_path: Path) -> None:
    comment = "  // expected-remark@+1 {{ipu-test-talk: seen}}\n"
    lines = _RELU.splitlines(keepends=True)
    file = tmp_path / "talk.mlir"
    file.write_text(lines[0] + comment + lines[1] + comment + "".join(lines[2:]))
    arguments = [str(file), "--pass-pipeline=ipu-test-talk", "--verify-diagnostics"]
    assert main([*arguments, "--remarks"]) == 0
    assert main(arguments) == 1


def test_failing_pass_is_one_line(relu: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([relu, "--pass-pipeline=cse,ipu-test-fail,cse"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"{relu}: error: two buffers overlap\n")


def test_broken_ir_is_reported_where_it_is(relu: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([relu, "--pass-pipeline=ipu-test-break"]) == 1
    assert capsys.readouterr().err == f"{relu}:2:8: error: 'ipu.clip' op lacks the attribute 'low'\n"


def test_parameters_of_the_text_are_declared_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "parameters.mlir"
    op = '"ipu.parameter"() {key = "w"} : () -> tensor<2x3xf16>'
    file.write_text(f"func.func @main() {{\n  %0 = {op}\n  %1 = {op}\n  return\n}}\n")
    assert main([str(file), "--pass-pipeline=ipu-test-look", "--remarks"]) == 0
    assert capsys.readouterr().err == f"{file}: remark: ipu-test-look: w: float16[2, 3] False\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pass-pipeline=ipu-test-talk{volume=3}"], "has no option 'volume'; it has: word, loudly, limit"),
        (["--pass-pipeline=ipu-test-talk{limit=much}"], "takes float, not 'much'"),
        (["--pass-pipeline=no-such-pass"], "there is no pass 'no-such-pass'"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["no-such-file.mlir"], "cannot open no-such-file.mlir: No such file or directory"),
    ],
)
def test_wrong_usage_has_status_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments] if arguments[0].endswith(".mlir") else [__file__, *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_every_pass_is_listed_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-passes"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{name}: " in listed for name in PASSES)
    assert "ipu-test-talk: Makes one remark for each op.\n    word=seen\n    loudly=false\n    limit=1.5\n" in listed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ipu-test-talk",
        "ipu-test-talk{word=heard loudly=true limit=0.25},cse",
        "builtin.module(ipu-test-talk{limit=2},func.func(cse,canonicalize{max-iterations=3}))",
    ],
)
def test_pipeline_survives_text(text: str) -> None:
    pipeline = Pipeline.parse(text)
    assert Pipeline.parse(str(pipeline)) == pipeline


def test_default_options_are_not_spelled() -> None:
    assert str(Pipeline.parse("ipu-test-talk{word=seen limit=2}")) == "ipu-test-talk{limit=2.0}"


def test_designators_of_expectations() -> None:
    text = "\n".join(
        [
            "op  // expected-error {{a}} expected-note {{b}}",
            "// expected-warning@above {{c}}",
            "// expected-error@below {{d}}",
            "// expected-error@+1 {{e}}",
            "op",
            "// expected-error@unknown {{f}}",
        ]
    )
    found = [(one.severity, one.line, one.message) for one in expectations(text)]
    assert found == [
        ("error", 1, "a"),
        ("note", 1, "b"),
        ("warning", 1, "c"),
        ("error", 5, "d"),
        ("error", 5, "e"),
        ("error", None, "f"),
    ]


def test_misspelled_expectation_is_an_error() -> None:
    with pytest.raises(Error, match="line 1 is not of the form"):
        expectations("// expected-error@next {{a}}")


def test_one_diagnostic_meets_one_expectation() -> None:
    text = "// expected-error {{twice}}\n"
    twice = [Diagnostic("error", 1, "it happens twice")] * 2
    assert mismatches(text, twice[:1]) == []
    assert [one.message for one in mismatches(text, twice)] == ["unexpected error: it happens twice"]
    assert [one.message for one in mismatches(text, [])] == ['expected error "twice" was not produced']
