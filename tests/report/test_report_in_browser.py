from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sample_verdicts
from browser import sticking_out

from signature_gate.expectations.escaping import visible
from signature_gate.expectations.report.batch_report import Destination, write_report
from signature_gate.expectations.verdict.explain import why

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser import Visitor
    from playwright.sync_api import Page

    from signature_gate.expectations.verdict.verdict import Verdict

pytest_plugins = ["browser"]

every_fare = pytest.mark.parametrize(
    "make", sample_verdicts.FARES.values(), ids=sample_verdicts.FARES
)


@every_fare
def test_a_browser_shows_it_without_a_complaint_or_a_request(
    make: Callable[[], Verdict], visit: Visitor, tmp_path: Path
) -> None:
    """The page loads from a file, asks for nothing else, and speaks of the batch."""
    path = write_report(tmp_path / "report.html", make())

    with visit(path) as opened:
        heading = opened.page.get_by_role("heading", level=1)
        assert heading.inner_text().split() == [
            make().disposition.capitalize(),
            "flights-2013-01-02.parquet",
        ]
        assert why(make()) in opened.page.inner_text("main")
        assert opened.requests == [path.as_uri()]
        assert opened.complaints == []


def test_a_hostile_batch_runs_nothing_and_is_shown_literally(
    visit: Visitor, tmp_path: Path
) -> None:
    """Tags, handlers, style breakouts and reading-direction overrides are mere text."""
    destinations = [Destination(attack, attack) for attack in sample_verdicts.ATTACKS]
    path = write_report(tmp_path / "report.html", sample_verdicts.hostile(), destinations)

    with visit(path) as opened:
        opened.page.mouse.move(300, 300)
        shown = opened.page.inner_text("body")
        assert opened.page.evaluate("window.hacked") is None
        assert opened.page.locator("script, img, iframe, [onload], [onerror]").count() == 0
        assert opened.requests == [path.as_uri()]
        assert opened.complaints == []
        assert all(visible(attack, limit=600) in shown for attack in sample_verdicts.ATTACKS)
        assert "⟨U+202E⟩txt.exe⟨U+202C⟩" in shown


@pytest.mark.parametrize(
    "make",
    [*sample_verdicts.FARES.values(), sample_verdicts.hostile],
    ids=[*sample_verdicts.FARES, "hostile"],
)
def test_the_page_never_scrolls_sideways(
    make: Callable[[], Verdict], visit: Visitor, tmp_path: Path
) -> None:
    """From a small phone to a desktop, with every fold open, nothing stands out of the page."""
    path = write_report(tmp_path / "report.html", make(), [Destination("Receipt", "r" * 300)])

    with visit(path, width=360) as opened:
        assert sticking_out(opened.page) == {}


def test_on_a_phone_every_row_of_a_table_becomes_a_card(visit: Visitor, tmp_path: Path) -> None:
    """The facts of a violation stand one below another, each with its label."""
    path = write_report(tmp_path / "report.html", sample_verdicts.split())
    facts = "cells => cells.map(c => [c.offsetTop, getComputedStyle(c, '::before').content])"

    with visit(path) as opened:
        row = opened.page.locator("tr.facts").first.locator("td")
        assert len({top for top, _ in row.evaluate_all(facts)}) == 1
        opened.page.set_viewport_size({"width": 360, "height": 800})
        stacked = row.evaluate_all(facts)

    assert len({top for top, _ in stacked}) == len(stacked) == 5
    assert "attr(data-label)" not in str(stacked)
    assert stacked[0][1] == '"Column"'


# The contrast ratio of WCAG 2.2, of each element with text of its own against what lies behind.
_CONTRASTS = """() => {
  const channels = css => css.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3)
    .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const color = channels(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    throw new Error('nothing behind');
  };
  return [...document.querySelectorAll('body, body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .filter(e => e.getClientRects().length)
    .map(e => {
      const [a, b] = [luminance(channels(getComputedStyle(e).color)), luminance(behind(e))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 90)];
    });
}"""


@every_fare
def test_every_text_has_enough_contrast(
    make: Callable[[], Verdict], visit: Visitor, tmp_path: Path
) -> None:
    """WCAG AA asks for 4.5 to 1; the page keeps it for large text too, in light and in dark."""
    path = write_report(tmp_path / "report.html", make(), [Destination("Receipt", "r.json", 1)])

    with visit(path) as opened:
        for scheme in ("light", "dark"):
            opened.page.emulate_media(color_scheme=scheme)
            contrasts = opened.page.evaluate(_CONTRASTS)
            assert len(contrasts) > 40
            assert [found for found in contrasts if found[0] < 4.5] == []


def test_light_and_dark_are_two_designs(visit: Visitor, tmp_path: Path) -> None:
    """The reader's preference decides: dark on light, or light on dark."""
    path = write_report(tmp_path / "report.html", sample_verdicts.split())
    colors = "(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))"
    brightness: dict[str, list[int]] = {}

    for scheme in ("light", "dark"):
        with visit(path, scheme=scheme) as opened:
            found = opened.page.evaluate(colors)
        brightness[scheme] = [sum(map(int, re.findall(r"\d+", color))) for color in found]

    assert brightness["light"][0] - brightness["light"][1] > 450
    assert brightness["dark"][1] - brightness["dark"][0] > 450


def _roles(page: Page) -> dict[str, int]:
    roles = ("banner", "main", "contentinfo", "navigation", "region", "table", "row", "cell")
    roles += ("columnheader", "rowheader")
    return {role: page.get_by_role(role).count() for role in roles}


def test_assistive_technology_finds_its_way(visit: Visitor, tmp_path: Path) -> None:
    """Landmarks, one first heading, none skipped, tables with captions, at every width."""
    path = write_report(
        tmp_path / "report.html", sample_verdicts.split(), [Destination("Receipt", "r")]
    )

    with visit(path) as opened:
        page = opened.page
        roles = _roles(page)
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.title() == "Split: flights-2013-01-02.parquet · signature-gate"
        assert (levels[0], set(levels[1:])) == ("H1", {"H2"})
        assert [roles[r] for r in ("banner", "main", "contentinfo", "navigation")] == [1, 1, 1, 1]
        assert page.locator("table:not(:has(caption))").count() == 0
        assert page.locator("th:not([scope])").count() == 0
        assert page.locator("svg:not([aria-hidden=true]), .bar:not([aria-hidden])").count() == 0
        assert page.evaluate(_DANGLING) == []
        assert roles["table"] == page.locator("table").count() == 5
        assert roles["row"] == page.locator("tr").count()
        assert roles["cell"] == page.locator("td").count()
        page.set_viewport_size({"width": 360, "height": 900})
        assert roles == _roles(page)


_DANGLING = """[...document.querySelectorAll('[aria-labelledby], a[href^="#"]')]
    .map(e => e.getAttribute('aria-labelledby') ?? e.getAttribute('href').slice(1))
    .filter(id => document.querySelectorAll('#' + id).length !== 1)"""


def test_the_keyboard_reaches_every_link_and_fold(visit: Visitor, tmp_path: Path) -> None:
    """Tab goes through all of them in reading order, and shows where it is."""
    path = write_report(
        tmp_path / "report.html", sample_verdicts.split(), [Destination("Receipt", "r")]
    )

    with visit(path) as opened:
        expected = opened.page.locator("a, summary").all_inner_texts()
        reached = []
        for _ in expected:
            opened.page.keyboard.press("Tab")
            reached.append(opened.page.evaluate("document.activeElement.innerText"))
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert opened.page.evaluate(outline) == "solid"

    assert reached == expected
    assert len(reached) == 10


def test_warnings_and_blocking_violations_differ_without_colour(
    visit: Visitor, tmp_path: Path
) -> None:
    """A word, a sign and a frame tell them apart."""
    path = write_report(tmp_path / "report.html", sample_verdicts.split())

    with visit(path) as opened:
        marks = opened.page.locator(".mark")
        frames = marks.evaluate_all("marks => marks.map(m => getComputedStyle(m).borderTopStyle)")
        assert marks.all_inner_texts() == ["Blocks", "Warning"]
        assert frames == ["solid", "dashed"]


def test_the_bar_of_a_column_is_as_long_as_its_bad_rows(visit: Visitor, tmp_path: Path) -> None:
    """32 of 971 rows take 3.3% of the bar, or what is still seen; the words say the same."""
    half = sample_verdicts.LATE_DEPARTURES.model_copy(update={"count": 486, "column": "hour"})
    path = write_report(
        tmp_path / "report.html",
        sample_verdicts.flights(half, sample_verdicts.LATE_DEPARTURES, rejected=486),
    )

    with visit(path) as opened:
        shares = opened.page.locator(".bar .bad").evaluate_all(
            "bars => bars.map(b => b.offsetWidth / b.parentElement.clientWidth)"
        )
        words = opened.page.locator(".share").all_inner_texts()

    assert shares == pytest.approx([0.5, 0.033], abs=0.01)
    assert [w.strip() for w in words[:2]] == ["486 bad, 485 good", "32 bad, 939 good"]


def test_print_shows_what_the_screen_folds(visit: Visitor, tmp_path: Path) -> None:
    """On paper nothing can be unfolded, so all of it is there, dark on white for everyone."""
    path = write_report(tmp_path / "report.html", sample_verdicts.split())

    with visit(path, scheme="dark") as opened:
        page = opened.page
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
        folded = page.locator("#policy details code", has_text="trust_statistics")
        assert folded.evaluate("e => e.checkVisibility()") is False
        page.emulate_media(media="print")
        assert folded.evaluate("e => e.checkVisibility()") is True
        assert [found for found in page.evaluate(_CONTRASTS) if found[0] < 4.5] == []
        paper = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
