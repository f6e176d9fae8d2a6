"""What MLIR reports about a text, compared with the `expected-error {{…}}` comments in it, as mlir-opt does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from iree.compiler import ir

from pyipu.errors import Error

_SEVERITIES = ("error", "warning", "remark", "note")
_EXPECTED = re.compile(
    rf"expected-(?P<severity>{'|'.join(_SEVERITIES)})\s*"
    r"(?:@(?P<designator>[+-]\d+|above|below|unknown))?\s*\{\{(?P<message>.*?)\}\}"
)
_LOOKS_EXPECTED = re.compile(rf"//.*\bexpected-(?:{'|'.join(_SEVERITIES)})")


@dataclass(frozen=True)
class Diagnostic:
    """One message; `line` and `column` count from 1 and are None where MLIR does not know them."""

    severity: str
    line: int | None
    message: str
    column: int | None = None

    def text(self, source: str) -> str:
        """The message as compilers print it; `source` is the name of the file."""
        place = ":".join(str(part) for part in (source, self.line, self.column) if part)
        return f"{place}: {self.severity}: {self.message}"


def collect(context: ir.Context) -> list[Diagnostic]:
    """A list that grows by everything that `context` reports from now on; nothing is printed any more."""
    collected: list[Diagnostic] = []

    def handle(diagnostic: ir.Diagnostic) -> bool:
        collected.append(_of(diagnostic, diagnostic.severity.name.lower()))
        collected.extend(_of(note, "note") for note in diagnostic.notes if not _repeats_operation(note))
        return True

    context.emit_error_diagnostics = True
    context.attach_diagnostic_handler(handle)
    return collected


def _of(diagnostic: ir.Diagnostic, severity: str) -> Diagnostic:
    return located(Diagnostic(severity, None, diagnostic.message), diagnostic.location)


def located(diagnostic: Diagnostic, location: ir.Location) -> Diagnostic:
    """The diagnostic at the place in the text that `location` leads to, if it leads to one."""
    if isinstance(location, ir.FileLineColLoc) and location.start_line > 0:
        return replace(diagnostic, line=location.start_line, column=location.start_col)
    if isinstance(location, ir.NameLoc):
        return located(diagnostic, location.child_loc)
    if isinstance(location, ir.FusedLoc) and location.locations:
        return located(diagnostic, location.locations[0])
    return diagnostic


def _repeats_operation(note: ir.Diagnostic) -> bool:
    return bool(note.message.startswith("see current operation"))


def mismatches(text: str, found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """One error for each diagnostic that a comment of `text` expects in vain, and for each that none expects.

    A comment reads `expected-error@+1 {{part of the message}}`; without a designator it means its own line, and
    the others are `@-n`, `@+n`, `@above`, `@below` (the next line that is no comment) and `@unknown`.

    Raises:
        Error: a comment is not of that form.
    """
    left = list(found)
    wrong = []
    for expected in expectations(text):
        match = next((one for one in left if _meets(one, expected)), None)
        if match is None:
            wrong.append(replace(expected, severity="error", message=_in_vain(expected)))
        else:
            left.remove(match)
    return wrong + [replace(one, severity="error", message=_unexpected(one)) for one in left]


def expectations(text: str) -> list[Diagnostic]:
    """What the comments of `text` expect; raises Error when one of them cannot be understood."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        comments = list(_EXPECTED.finditer(line))
        if not comments and _LOOKS_EXPECTED.search(line):
            raise Error(f"line {number} is not of the form 'expected-error@+1 {{{{message}}}}': {line.strip()}")
        for comment in comments:
            place = _designated(lines, number, comment["designator"] or "+0")
            found.append(Diagnostic(comment["severity"], place, comment["message"]))
    return found


def _designated(lines: Sequence[str], number: int, designator: str) -> int | None:
    if designator == "unknown":
        return None
    if designator not in ("above", "below"):
        return number + int(designator)
    step = -1 if designator == "above" else 1
    number += step
    while 1 <= number <= len(lines) and lines[number - 1].lstrip().startswith("//"):
        number += step
    return number


def _meets(found: Diagnostic, expected: Diagnostic) -> bool:
    same_place = found.severity == expected.severity and found.line == expected.line
    return same_place and expected.message in found.message


def _in_vain(expected: Diagnostic) -> str:
    return f'expected {expected.severity} "{expected.message}" was not produced'


def _unexpected(found: Diagnostic) -> str:
    return f"unexpected {found.severity}: {found.message}"
