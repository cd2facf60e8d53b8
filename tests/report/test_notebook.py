"""What a notebook and an interpreter show of a verdict and a result."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import polars as pl
import pytest
from sample_verdicts import ATTACKS, FARES, hostile
from small_checks import contract, split

from signature_gate import Policy, check

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate import CheckResult, Verdict

TAGS = {"div", "p", "strong", "bdi", "table", "tr", "th", "td"}


def result(policy: Policy | None = None) -> CheckResult:
    """Judge three rows, of which two fail, one of them in two columns."""
    frame = pl.DataFrame({"a": [1, None, 3], "b": ["x", None, None], "c": [1, 2, 3]})
    return check(frame, contract(a="long", b="string"), policy or split())


class _Page(HTMLParser):
    """Notes tags and text, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.tags, self.text = list[str](), set[str](), ""
        self.feed(page)

    def handle_starttag(self, tag: str, _: object) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


# ----- in one line -----


def test_a_result_is_one_line_in_an_interpreter() -> None:
    """What it is of, its disposition, rows, rejected, the first reason and how many more."""
    judged = result()

    assert repr(judged) == (
        "<CheckResult polars frame of 3 rows: split, 2 rejected; null in column 'a' and 2 more>"
    )
    assert repr(judged.verdict) == repr(judged).replace("CheckResult", "Verdict")


def test_a_result_that_passed_names_no_reason() -> None:
    """Nothing stands behind the disposition."""
    frame = pl.DataFrame({"a": [1]})

    assert repr(check(frame, contract(a="long"))) == "<CheckResult polars frame of 1 rows: passed>"


def test_one_line_stays_one_line(tmp_path: Path) -> None:
    """Control characters of names are named, so that none acts."""
    path = tmp_path / "a\nb.csv"
    path.write_text("a\n1\n")

    shown = repr(check(path, contract(**{"\x1b[31mb": "long"})))

    assert shown.isprintable()
    assert "a⟨U+000A⟩b.csv" in shown


# ----- in a notebook -----


@pytest.mark.parametrize("verdict", [make() for make in FARES.values()], ids=FARES)
def test_a_notebook_shows_the_head_of_the_report(verdict: Verdict) -> None:
    """The disposition, the reason, the first remedy, the rows; no page, script or style sheet."""
    shown = _Page(verdict._repr_html_())

    assert shown.open == []
    assert shown.tags <= TAGS
    assert verdict.disposition.capitalize() in shown.text
    assert verdict.batch.name in shown.text
    if verdict.rows is not None:
        assert f"{verdict.rows:,}" in shown.text
    if verdict.violations:
        remedies = {violation.remedy for violation in verdict.violations}
        assert any(remedy in shown.text for remedy in remedies)


def test_a_notebook_shows_names_and_obeys_none() -> None:
    """Tags and quotes in names are text, and characters that hide are named."""
    html = hostile()._repr_html_()

    shown = _Page(html)
    assert shown.open == []
    assert shown.tags <= TAGS
    assert ATTACKS[0] in shown.text
    assert "⟨U+001B⟩" in shown.text
    assert "\x1b" not in html


def test_a_notebook_may_be_light_or_dark() -> None:
    """Text has the notebook's own colour, but for white on the disposition's."""
    html = result()._repr_html_()

    assert re.findall(r"(?:^|[; \"])(color|background): ([^;\"]+)", html) == [
        ("color", "#fff"),
        ("background", "#8a5a00"),
    ]


# ----- as a frame -----


def test_violations_are_a_frame() -> None:
    """One row each, in the verdict's order, with what it says."""
    judged = result()

    frame = judged.verdict.to_frame()

    assert frame["kind"].to_list() == [v.kind for v in judged.violations]
    assert frame["count"].to_list() == [v.count for v in judged.violations]
    assert frame["rows"].to_list() == [list(v.rows) for v in judged.violations]
    assert frame["message"].to_list() == [v.message for v in judged.violations]
    assert set(frame.columns) == {*type(judged.violations[0]).model_fields, "message"}


def test_the_frame_has_the_same_columns_and_types_without_violations() -> None:
    """Frames of any verdicts can be concatenated, also of one that has nothing to say."""
    empty = check(pl.DataFrame({"a": [1]}), contract(a="long")).verdict.to_frame()
    whole = check(pl.DataFrame({"b": [1]}), contract(a="long")).verdict.to_frame()

    assert empty.is_empty()
    assert empty.schema == whole.schema == result().verdict.to_frame().schema
    assert pl.concat([empty, whole, result().verdict.to_frame()]).height > 0


# ----- as a report -----


def test_a_result_writes_its_report(tmp_path: Path) -> None:
    """The page that the command line writes too; it replaces an older one."""
    path = tmp_path / "new" / "report.html"
    judged = result()

    assert judged.report(path) == path
    assert judged.report(str(path)) == path
    assert "Fill &#39;a&#39; before delivery" in path.read_text("utf-8")
