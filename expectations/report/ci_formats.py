"""A verdict in the formats of CI: GitHub's workflow commands, JUnit, a Markdown table."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ..escaping import for_markdown, visible
from ..verdict.explain import column_findings, why
from ..wording import listed
from .violation_groups import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..verdict.verdict import Verdict, Violation
    from .violation_groups import ViolationGroup

_LONGEST_TEXT, _LONGEST_CELL = 4_000, 400
# A summary of a step may have one MiB.
_TABLE_ROWS = 100
_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})
_LEVELS = {"critical": "error", "warning": "warning"}
_HEADINGS = ("", "violation", "columns", "expected", "observed", "rows", "remedy")


# ----- GitHub's workflow commands -----


def as_github(verdict: Verdict) -> str:
    """Write a line for the verdict and one for each group of violations, as annotations."""
    headline = _command("notice", _place(verdict), verdict.disposition, why(verdict))
    return "\n".join([headline, *(_annotation(verdict, group) for group in grouped(verdict))])


def _annotation(verdict: Verdict, group: ViolationGroup) -> str:
    first, columns = group.first, _columns(group)
    found = f"expected {group.said(first.expected)}, observed {group.said(first.observed)}"
    rows = f" (rows: {group.rows})" if group.rows else ""
    among = f" Columns: {listed(columns, len(columns))}." if columns[1:] else ""
    message = f"{found}{rows}. {group.remedy}{among}"
    return _command(_LEVELS[first.severity], _place(verdict, first), group.cause, message)


def _place(verdict: Verdict, violation: Violation | None = None) -> str:
    files = violation.files[:1] if violation else ()
    return "/".join((verdict.batch.uri, *files)) if verdict.batch.uri else ""


def _command(level: str, file: str, title: str, message: str) -> str:
    given = {"file": file, "title": title}
    shown = {name: visible(text).translate(_IN_PROPERTY) for name, text in given.items() if text}
    properties = ",".join(f"{name}={text}" for name, text in shown.items())
    text = visible(message, limit=_LONGEST_TEXT).translate(_IN_MESSAGE)
    return f"::{level} {properties}::{text}"


def _columns(group: ViolationGroup) -> list[str]:
    return [each.column for each in group.violations if each.column is not None]


# ----- JUnit -----


def as_junit(verdict: Verdict) -> str:
    """Write a test case for the batch as a whole and for each column; a warning fails none."""
    cases = [_case(verdict, *each) for each in _subjects(verdict)]
    numbers = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": 0,
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    counts = {name: str(number) for name, number in numbers.items()}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", counts | {"name": visible(verdict.batch.name)})
    suite.extend(cases)
    ET.indent(suites)
    return ET.tostring(suites, encoding="us-ascii", xml_declaration=True).decode()


def _subjects(verdict: Verdict) -> Iterator[tuple[str, list[Violation], bool]]:
    """Give what is tested: its name, what was found, and whether it was not judged."""
    found = defaultdict[str | None, list["Violation"]](list)
    for violation in verdict.violations:
        found[violation.column].append(violation)
    yield "the batch", found[None], False
    for finding in column_findings(verdict):
        if finding.state != "foreign":
            yield f"column {finding.name}", found[finding.name], finding.state == "unjudged"


def _case(verdict: Verdict, name: str, found: Sequence[Violation], unjudged: bool) -> ET.Element:
    case = ET.Element("testcase", classname=visible(verdict.batch.name), name=visible(name))
    blocking = [v for v in found if v.severity == "critical"]
    if unjudged:
        ET.SubElement(case, "skipped", message="not judged: the batch was stopped before")
    if blocking:
        first = blocking[0]
        found_first = f"expected {first.expected}, observed {first.observed}"
        about = {"type": first.kind, "message": visible(found_first, limit=_LONGEST_CELL)}
        ET.SubElement(case, "failure", about).text = _text(blocking)
    if warnings := [v for v in found if v.severity == "warning"]:
        ET.SubElement(case, "system-out").text = _text(warnings)
    return case


def _text(violations: Sequence[Violation]) -> str:
    return "\n".join(visible(v.message, limit=_LONGEST_TEXT) for v in violations)


# ----- Markdown -----


def as_markdown(verdict: Verdict) -> str:
    """Write a headline and a table of violations, for the summary of a step or a comment."""
    groups = grouped(verdict)
    rows = "unknown" if verdict.rows is None else f"{verdict.rows:,}"
    lines = [
        f"### {for_markdown(verdict.batch.name)}: {verdict.disposition}",
        "",
        why(verdict),
        "",
        f"Rows: {rows}, rejected: {verdict.rejected:,}.",
        f"Model: {for_markdown(verdict.model or 'a bare signature')}.",
        *(f"Cause: {_cell(cause.message)}." for cause in verdict.causes),
    ]
    if groups:
        lines += ["", _row(_HEADINGS), _row(["---"] * len(_HEADINGS))]
    lines += [_row(map(_cell, _cells(group))) for group in groups[:_TABLE_ROWS]]
    more = len(groups) - _TABLE_ROWS
    return "\n".join([*lines, *(["", f"… and {more:,} more"] if more > 0 else [])])


def _cells(group: ViolationGroup) -> tuple[str, ...]:
    first = group.first
    return (
        "blocks" if first.severity == "critical" else "warns",
        first.kind,
        listed(_columns(group)),
        group.said(first.expected),
        group.said(first.observed),
        group.rows,
        group.remedy,
    )


def _cell(text: str) -> str:
    return for_markdown(text, limit=_LONGEST_CELL)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


FORMATS: dict[str, Callable[[Verdict], str]] = {
    "github": as_github,
    "junit": as_junit,
    "markdown": as_markdown,
}
