"""Verdicts as CI reads them; each format is read back by a parser of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sample_verdicts import FARES, LATE_DEPARTURES, flights, hostile, misshapen, quarantined, wide

from signature_gate.expectations.report.ci_formats import as_github, as_junit, as_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate import Verdict

VERDICTS = {name: make() for name, make in FARES.items()} | {"hostile": hostile(), "wide": wide()}
COMMAND = re.compile(r"::(error|warning|notice) (?:file=([^:,]*),)?title=([^:,]*)::(.*)")
each_verdict = pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS)


# ----- GitHub -----


@each_verdict
def test_each_line_is_one_workflow_command(verdict: Verdict) -> None:
    """No text from data ends a property, a line or a command, or begins another one."""
    lines = as_github(verdict).split("\n")

    found = [COMMAND.fullmatch(line) for line in lines]
    assert all(found)
    assert all(line.isprintable() for line in lines)
    levels = [match[1] for match in found if match]
    assert levels[0] == "notice"
    assert ("error" in levels) == (not verdict.passed)


def test_an_annotation_says_where_what_and_what_to_do() -> None:
    """The file as it was named, the kind and column as title, the remedy in the message."""
    lines = as_github(quarantined()).splitlines()

    found = [COMMAND.fullmatch(line) for line in lines]
    (late,) = [match for match in found if match and "dep_time" in match[3]]
    assert late[1] == "error"
    assert unquote(late[2]) == "inbox/flights-2013-01-02.parquet"
    assert unquote(late[3]) == "null in dep_time"
    assert unquote(late[4]).endswith(LATE_DEPARTURES.remedy)
    assert "rows: 32" in late[4]


def test_equal_violations_are_one_annotation() -> None:
    """GitHub shows ten of a step: forty columns with nulls take one."""
    (error,) = [line for line in as_github(wide()).splitlines() if line.startswith("::error")]

    assert "null in 40 columns" in error
    assert all(f"sensor_{i:04}" in error for i in range(40))


@given(text=st.text())
def test_what_is_escaped_for_github_is_what_it_shows(text: str) -> None:
    """A percent sign, colon or comma comes back as it was; a control character by its name."""
    violation = LATE_DEPARTURES.model_copy(update={"column": f"a%0A{text}:,"})

    line = as_github(flights(violation)).split("\n")[1]

    match = COMMAND.fullmatch(line)
    assert match
    assert unquote(match[3]).startswith("null in a%0A")
    assert unquote(match[3]).endswith(":,")


# ----- JUnit -----


def parsed(document: str) -> ET.Element:
    return ET.fromstring(document)  # noqa: S314 - our own


@each_verdict
def test_junit_is_well_formed_and_counts_what_it_holds(verdict: Verdict) -> None:
    """Suites, one suite, cases; each case names its class, and its outcome is one of JUnit's."""
    suites = parsed(as_junit(verdict))

    (suite,) = suites
    assert (suites.tag, suite.tag) == ("testsuites", "testsuite")
    assert {case.tag for case in suite} == {"testcase"}
    assert all(case.get("name") and case.get("classname") for case in suite)
    children = [[child.tag for child in case] for case in suite]
    assert all(
        tags in ([], ["failure"], ["skipped"], ["system-out"], ["failure", "system-out"])
        for tags in children
    )
    for element in (suites, suite):
        assert int(element.get("tests", "")) == len(suite)
        assert int(element.get("failures", "")) == sum("failure" in tags for tags in children)
        assert int(element.get("skipped", "")) == sum("skipped" in tags for tags in children)
    assert any("failure" in tags for tags in children) == (not verdict.passed)


def test_junit_has_a_case_for_each_column() -> None:
    """What failed has the whole violation, what was not judged is skipped, a warning is output."""
    cases = {case.get("name"): case for case in parsed(as_junit(quarantined()))[0]}
    stopped = {case.get("name"): case for case in parsed(as_junit(misshapen()))[0]}

    late = cases["column dep_time"].find("failure")
    assert late is not None
    assert late.get("type") == "null"
    assert late.text == LATE_DEPARTURES.message
    assert list(cases["column carrier"]) == []
    assert cases["column note"].find("system-out") is not None
    assert stopped["column dep_time"].find("skipped") is not None
    assert stopped["column carrier"].find("failure") is not None


@given(text=st.text(st.characters(), min_size=1))
def test_no_text_breaks_the_xml(text: str) -> None:
    """Neither a character that XML has not, nor a bracket, quote or half a pair."""
    texts = {"column": text, "observed": text, "remedy": text}
    violation = LATE_DEPARTURES.model_copy(update=texts)

    document = as_junit(flights(violation))

    assert parsed(document).find(".//failure") is not None
    assert document.isascii()


# ----- Markdown -----


@each_verdict
def test_a_summary_is_a_headline_and_a_table(verdict: Verdict) -> None:
    """Each row has as many cells as the head, whatever pipes, ticks and tags its texts hold."""
    markdown = as_markdown(verdict)

    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    kinds = [token.type for token in tokens]
    assert kinds[0] == "heading_open"
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [child for token in tokens for child in token.children or ()]
    assert not {"html_inline", "link_open", "image"} & {child.type for child in inline}
    assert kinds.count("th_open") == (7 if verdict.violations else 0)
    assert kinds.count("td_open") == 7 * max(kinds.count("tr_open") - 1, 0)
    assert len(markdown) < 1 << 20


def test_a_summary_of_very_many_violations_is_bounded() -> None:
    """A hundred rows, and how many more there are."""
    violations = [
        LATE_DEPARTURES.model_copy(update={"column": f"c{i}", "expected": f"type {i}"})
        for i in range(5_000)
    ]

    markdown = as_markdown(flights(*violations))

    assert markdown.endswith("… and 4,900 more")
    assert len(markdown) < 1 << 20


# ----- the command -----


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("github", "::notice file="),
        ("junit", "<?xml"),
        ("markdown", "### houses.csv: quarantined"),
        ("json", "{"),
        ("text", "quarantined  houses.csv"),
    ],
)
def test_check_prints_the_format_and_nothing_else(
    form: str, start: str, tmp_path: Path, capsys: Any
) -> None:
    """Whatever the format, the exit code is the verdict's; --json is short for one of them."""
    (tmp_path / "model").mkdir()
    inputs = '[{"type": "long", "name": "a", "required": true}]'
    (tmp_path / "model" / "MLmodel").write_text(f"flavors: {{}}\nsignature: {{inputs: '{inputs}'}}")
    path = tmp_path / "houses.csv"
    path.write_text("a\n1\nx\n")

    code, out, err = run(capsys, "check", str(tmp_path / "model"), str(path), "--format", form)

    assert (code, err) == (1, "")
    assert out.startswith(start)
    short = run(capsys, "check", str(tmp_path / "model"), str(path), "--json")
    assert (short[1] == out) == (form == "json")


def test_two_formats_at_once_are_wrong_usage(capsys: Any) -> None:
    """Exit 2, before anything is read."""
    code, _, err = run(capsys, "check", "nowhere", "nothing", "--json", "--format", "junit")

    assert code == 2
    assert "--json and --format junit exclude each other" in err
