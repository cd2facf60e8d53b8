from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sample_histories
import sample_verdicts
from browser import sticking_out

from signature_gate.expectations.escaping import visible
from signature_gate.expectations.report.batch_report import Destination, Surroundings, write_report
from signature_gate.expectations.report.cooccurrence import Overlaps, Reason
from signature_gate.expectations.report.feed_pages import DriftNote
from signature_gate.tasks.monitoring.pages import write_overview

if TYPE_CHECKING:
    from pathlib import Path

    from browser import Visitor
    from playwright.sync_api import Page

    from signature_gate.expectations.report.feed_history import FeedHistory

pytest_plugins = ["browser"]

_TYPES = {"year": "int64", "dep_time": "double", "carrier": "string"}
_OVERLAPS = Overlaps(
    reasons=(
        Reason("null", "dep_time", 32, 20),
        Reason("not_representable", "arr_time", 14, 2),
        Reason("rule expect_column_values_to_be_between", "air_time", 3, 3),
    ),
    shared={(0, 1): 12, (0, 2): 0, (1, 2): 0},
    rows=37,
    several=12,
    left_out=0,
)


def _eventful(newest: Any) -> FeedHistory:
    """A past in which everything happens that a picture can show, with 60 batches."""
    quiet = {"columns": _TYPES, "null_shares": {"dep_time": 0.002, "year": 0}}
    batches = [sample_histories.batch(n, **quiet) for n in range(52)]
    batches += [
        sample_histories.batch(52, "split", bad=3, marks={"dep_time": "critical"}, **quiet),
        sample_histories.batch(
            53, "quarantined", bad=None, columns={"dep_time": "string", "tail": "string"}
        ),
        sample_histories.batch(
            54, "quarantined", rows=None, bad=None, columns={}, faults=("unreadable",)
        ),
        sample_histories.batch(55, "failed", bad=40, null_shares={"dep_time": 0.4}, columns=_TYPES),
        sample_histories.batch(56, "errored", rows=None, bad=None, columns={}, version="2"),
        sample_histories.batch(
            57, "split", bad=9, version="2", marks={"note": "warning"}, columns=_TYPES
        ),
        sample_histories.batch(58, version="2", columns=_TYPES | {"dep_time": "text"}),
    ]
    return sample_histories.past(
        [*batches, sample_histories.batch(59, newest, allowed=0.1, columns=_TYPES)], total=412
    )


def _around(past: FeedHistory, overlaps: Overlaps) -> Surroundings:
    """Everything that a report can tell beside the verdict."""
    return Surroundings(
        judged=sample_histories.BEGIN,
        feed="flights",
        links=(Destination("Prefect run", "http://localhost:4200/runs/flow-run/1"),),
        commands=(("Judge it again", "signature-gate quarantine release 'a b.yaml' x"),),
        past=past,
        overlaps=overlaps,
    )


_JUDGED = {
    "passed": sample_verdicts.passed,
    "split": sample_verdicts.split,
    "quarantined": sample_verdicts.quarantined,
    "unreadable": sample_verdicts.unreadable,
}
_OF_FEEDS = {
    "feeds": "index.html",
    "feed": "feed-flights/index.html",
    "new feed": "feed-brand-new/index.html",
    "earlier": "feed-flights/earlier-1.html",
}
PAGES = (*_JUDGED, *_OF_FEEDS)
every_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports with a history, and the pages on two feeds."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        name: write_report(
            folder / f"{name}.html", make(), (), _around(_eventful(make().disposition), _OVERLAPS)
        )
        for name, make in _JUDGED.items()
    }
    feed = sample_histories.feed_at(folder / "flights")
    judged = [
        sample_verdicts.FARES[name]() for name in ("passed", "split", "quarantined", "misshapen")
    ]
    sample_histories.keep(
        feed,
        *(sample_histories.receipt(n, judged[n % 4]) for n in range(70)),
        sample_histories.errored(71),
    )
    for number in range(30):
        feed.quarantined(f"day-{number:05}-0123456789ab").mkdir()
    notes = [DriftNote("distance arrives as text", "critical", ("int64 → string",), "it will fail")]
    new = sample_histories.feed_at(folder / "new", "brand-new")
    index = write_overview([feed, new], folder / "overview", {"flights": notes})
    return made | {name: index.parent / path for name, path in _OF_FEEDS.items()}


@every_page
def test_a_browser_shows_it_without_a_complaint_or_a_request(
    name: str, pages: dict[str, Path], visit: Visitor
) -> None:
    """The page loads from a file, asks for nothing else, and has one first heading."""
    with visit(pages[name]) as opened:
        assert opened.page.get_by_role("heading", level=1).count() == 1
        assert opened.page.evaluate("document.querySelectorAll('script').length") == 0
        assert opened.requests == [pages[name].as_uri()]
        assert opened.complaints == []


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        *((name, "light", 1280) for name in PAGES),
        *((name, "dark", 360) for name in ("split", "unreadable", "feeds", "feed")),
    ],
)
def test_an_accessibility_checker_finds_nothing_serious(
    name: str, scheme: str, width: int, pages: dict[str, Path], visit: Visitor
) -> None:
    """Axe, with every fold open: in light on a desktop, in dark on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")

    with visit(pages[name], scheme=scheme, width=width) as opened:
        found = axe.Axe().run(opened.page).response["violations"]
        told = [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found]

    assert [entry for entry in told if entry[1] in ("serious", "critical")] == []


@every_page
def test_the_page_never_scrolls_sideways(name: str, pages: dict[str, Path], visit: Visitor) -> None:
    """From a small phone to a desktop, with every fold open, nothing stands out of the page."""
    with visit(pages[name], width=360) as opened:
        assert sticking_out(opened.page) == {}


@every_page
def test_light_and_dark_are_two_designs(name: str, pages: dict[str, Path], visit: Visitor) -> None:
    """The reader's preference decides: dark on light, or light on dark."""
    brightness = dict[str, int]()
    for scheme in ("light", "dark"):
        with visit(pages[name], scheme=scheme) as opened:
            color = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(map(int, color[4:-1].split(",")))

    assert brightness["light"] - brightness["dark"] > 600


def test_names_from_data_run_nothing(visit: Visitor, tmp_path: Path) -> None:
    """Tags, handlers, style breakouts and direction overrides are mere text, in pictures too."""
    attacks = sample_verdicts.ATTACKS
    hostile = [
        sample_histories.batch(
            n,
            "quarantined",
            version=attack,
            columns=dict.fromkeys(attacks, attack),
            null_shares=dict.fromkeys(attacks, 0.5),
            marks=dict.fromkeys(attacks, "critical"),
            faults=attacks,
        )
        for n, attack in enumerate(attacks)
    ]
    overlaps = Overlaps(
        tuple(Reason(attack, attack, 1, 0) for attack in attacks[:3]),
        {(0, 1): 1, (0, 2): 1, (1, 2): 1},
        *(1, 1, 0),
    )
    path = write_report(
        tmp_path / "report.html",
        sample_verdicts.hostile(),
        (),
        _around(sample_histories.past(hostile), overlaps),
    )

    with visit(path, width=360) as opened:
        opened.page.mouse.move(200, 300)
        shown = opened.page.inner_text("#history")
        assert opened.page.evaluate("window.hacked") is None
        assert opened.page.locator("script, img, iframe, [onload], [onerror]").count() == 0
        assert opened.requests == [path.as_uri()]
        assert opened.complaints == []
        assert all(visible(attack, limit=600) in shown for attack in attacks)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert opened.page.locator("body").is_visible()


def _boxes(page: Page, selector: str) -> list[dict[str, float]]:
    return page.locator(selector).evaluate_all(
        "all => all.map(e => e.getBoundingClientRect())"
        ".map(r => ({x: r.x, right: r.right, height: r.height, width: r.width}))"
    )


@pytest.mark.parametrize("width", [1280, 360])
def test_one_batch_stands_in_one_column_of_all_pictures(
    width: int, pages: dict[str, Path], visit: Visitor
) -> None:
    """What fell together can be seen together: strip, shares, null and columns share their axis."""
    with visit(pages["quarantined"], width=width) as opened:
        strip = _boxes(opened.page, "#history .strip .cells > i")
        spark = _boxes(opened.page, "#history .spark:first-child .cells > i")
        hit = _boxes(opened.page, "#history .hit.critical:not(.swatch)")

        bars = _boxes(opened.page, "#history .chart .cells > i")

    assert len(strip) == len(spark) == len(bars) == 60
    assert [box["x"] for box in strip] == pytest.approx([box["x"] for box in bars], abs=0.5)
    assert [box["x"] for box in strip] == pytest.approx([box["x"] for box in spark], abs=0.5)
    assert hit[0]["x"] == pytest.approx(strip[52]["x"], abs=0.5)
    assert strip[0]["width"] > 3


def test_a_bar_is_as_high_as_its_share(pages: dict[str, Path], visit: Visitor) -> None:
    """On a scale of 50%: 40 rejected rows of a hundred take four fifths of the height."""
    with visit(pages["split"]) as opened:
        bars = _boxes(opened.page, "#history .chart .cells > i")
        (frame,) = _boxes(opened.page, "#history .chart .cells")

    assert bars[55]["height"] / (frame["height"] - 1) == pytest.approx(0.8, abs=0.02)
    assert bars[53]["height"] == pytest.approx(frame["height"], abs=2)
    assert bars[0]["height"] == 0


def test_fares_differ_without_colour(pages: dict[str, Path], visit: Visitor) -> None:
    """Each has a pattern or shape of its own, whatever its colours are."""
    pattern = "e => getComputedStyle(e).backgroundImage.replace(/rgb[^)]*[)]/g, '') + '|'"
    pattern += " + getComputedStyle(e).backgroundSize + getComputedStyle(e).borderTopStyle"
    with visit(pages["quarantined"]) as opened:
        looks = {
            fare: opened.page.locator(f".strip .cell.{fare}").first.evaluate(pattern)
            for fare in ("passed", "split", "quarantined", "failed", "errored")
        }

    assert len(set(looks.values())) == 5


def test_assistive_technology_gets_words_and_tables(pages: dict[str, Path], visit: Visitor) -> None:
    """Every drawing is hidden from it, and has a caption and a table beside it."""
    with visit(pages["quarantined"]) as opened:
        page = opened.page
        figures = page.locator("#history figure")
        assert figures.count() == 4
        assert page.locator("figure.picture:not(:has(figcaption))").count() == 0
        assert page.locator(".lanes:not([aria-hidden=true])").count() == 0
        assert page.locator(".lanes a, .lanes summary").count() == 0
        assert figures.locator("table").count() == 4
        assert page.locator("table:not(:has(caption)), th:not([scope])").count() == 0
        words = " ".join(page.locator("#history figcaption").all_inner_texts())
        rows = page.locator("#history table").first.get_by_role("row").count()

    assert "The last 60 batches" in words
    assert "3 columns appeared; 3 columns vanished; 1 column changed type" in words
    assert rows == 61


def test_a_long_name_stands_whole_where_the_reader_looks(visit: Visitor, tmp_path: Path) -> None:
    """The pointer shows the name of its lane, the keyboard those of a whole picture."""
    name = "the_temperature_of_the_third_sensor_behind_the_second_boiler"
    batches = [sample_histories.batch(n, null_shares={name: 0.5, "a": 0.1}) for n in range(3)]
    around = _around(sample_histories.past(batches), _OVERLAPS)
    path = write_report(tmp_path / "report.html", sample_verdicts.passed(), (), around)
    is_cut = "e => e.scrollWidth > e.clientWidth"

    with visit(path) as opened:
        shown = opened.page.locator(".spark .lane-name", has_text=name)
        assert shown.evaluate(is_cut)
        shown.hover()
        assert not shown.evaluate(is_cut)
        opened.page.mouse.move(0, 0)
        assert shown.evaluate(is_cut)
        opened.page.locator("figure", has_text="Share of null").focus()
        assert not shown.evaluate(is_cut)


def test_the_keyboard_goes_from_the_list_to_a_feed_and_to_earlier_batches(
    pages: dict[str, Path], visit: Visitor
) -> None:
    """Tab and Enter suffice."""
    with visit(pages["feeds"]) as opened:
        page = opened.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "flights"
        page.keyboard.press("Enter")
        page.wait_for_url("**/feed-flights/index.html")
        page.get_by_role("link", name="page 1").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/earlier-1.html")
        assert page.get_by_role("row").count() == 1 + 11
        page.get_by_role("link", name="the newest batches").first.press("Enter")
        page.wait_for_url("**/feed-flights/index.html")
