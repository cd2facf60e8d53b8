"""What Prefect's own pages, old and new, show of a run, in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pytest
from browser import browser  # noqa: F401 - a fixture
from feeds import (
    deliver,
    gaps,
    rows,
)
from live_prefect import server, speaking_to  # noqa: F401 - a fixture
from playwright.sync_api import expect

from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from live_platform import Platform
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

# Prefect's pages load piece by piece: tests wait for what they check.
expect.set_options(timeout=60_000)

HOSTILE = "cut|<b>x<i>[l](javascript:alert(1))`_*d* http:"
COLUMN = "<img src=x onerror=alert(1)>|a`b`[l](http://x.example)"
REPORTS = "https://reports.example"


_RUN = re.compile(r'Prefect run</dt> <dd><a href="([^"]+)"')


class Shown(NamedTuple):
    """Where a run can be seen.

    Attributes:
        site: The address of Prefect's pages.
        run: The flow run's id.
        artifacts: The run's artifacts' ids by their keys.
        progress: Ids of the progress artifacts.
        reports: The run's reports, as HTML.
    """

    site: str
    run: str
    artifacts: dict[str, str]
    progress: dict[str, str]
    reports: list[str]

    @property
    def link(self) -> str:
        """The link to the run that all reports have."""
        (link,) = {found for page in self.reports for found in _RUN.findall(page)}
        return link


# Flows cannot run beside the browser's event loop: the run ends before the browser starts.
@pytest.fixture(scope="module")
def shown(live_server: Platform, line: str, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Score a good, a split, a broken and a hostile batch, on a server of the test's own."""
    from prefect import tags

    from signature_gate.flows.scoring import score_batches

    root = tmp_path_factory.mktemp("seen")
    (root / "inbox").mkdir()
    policy = {"on_mismatch": "split", "max_rejected": 0.5, "extra_columns": "forbid"}
    fields = {"name": "seen", "model": line, "root": str(root), "settle_seconds": 0}
    fields["chunk_rows"] = 2
    feed = Feed.parse({**fields, "policy": {"keep": ["key"], **policy}})
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "gaps.parquet", gaps(10, 3))
    deliver(feed, f"{HOSTILE}.parquet", b"PAR1, and no more")
    deliver(feed, "evil.parquet", rows(4).with_columns(pl.lit(1).alias(COLUMN)))
    with pytest.MonkeyPatch.context() as patch, speaking_to(live_server):
        patch.setenv("SIGNATURE_GATE_REPORTS_URL", REPORTS)
        patch.setattr("signature_gate.tasks.prefect_tasks.scoring.SECONDS_APART", 0)
        with tags("signature-gate", "feed:seen"):
            state = score_batches(feed, return_state=True)
    run = str(state.state_details.flow_run_id)
    wanted = {"flow_run_id": {"any_": [run]}}
    found = live_server.ask("artifacts/filter", artifacts=wanted)
    artifacts = {a["key"]: a["id"] for a in found if a["key"]}
    progress = {a["description"]: a["id"] for a in found if a["type"] == "progress"}
    reports = [path.read_text("utf-8") for path in root.glob("quarantine/*/report.html")]
    return Shown(live_server.api.removesuffix("/api"), run, artifacts, progress, reports)


# One context for the module: it keeps Prefect's scripts, which take longest to load.
@pytest.fixture(name="visitor", scope="module")
def one_visitor(browser: Browser) -> Iterator[BrowserContext]:  # noqa: F811
    viewport: ViewportSize = {"width": 1400, "height": 1000}
    context = browser.new_context(viewport=viewport, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def look(shown: Shown, visitor: BrowserContext) -> Iterator[Callable[[str, str], Page]]:
    """Open a page and wait for a text; scripts of ours and errors of the page are faults."""
    page = visitor.new_page()
    faults = list[str]()
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: faults.append(str(error)))

    def at(path: str, text: str) -> Page:
        page.goto(f"{shown.site}{path}")
        page.get_by_text(text).first.wait_for(timeout=60_000)
        return page

    yield at
    page.close()
    assert faults == []


PAGES = pytest.mark.parametrize("ui", ["", "/v2"], ids=["older", "newer"])


@PAGES
def test_the_markdown_report_looks_like_one(
    shown: Shown, look: Callable[[str, str], Page], ui: str
) -> None:
    """Headings and lists; names are text, character by character; reports are links."""
    page = look(f"{ui}/artifacts/artifact/{shown.artifacts['signature-gate-seen']}", "rows in: 19")

    for heading in ("seen", f"{HOSTILE}.parquet: quarantined", "gaps.parquet: split"):
        expect(page.locator("h1, h2").get_by_text(heading, exact=True)).to_be_visible()
    for item in ("scored: 12; rejected: 7", f"observed 1 more: '{COLUMN}'"):
        expect(page.locator("li").filter(has_text=item).first).to_be_visible()
    assert "&#" not in page.inner_text("body")
    reports = page.locator(f"li a[href^='{REPORTS}']")
    expect(reports).to_have_count(3)
    links = reports.evaluate_all("all => all.map(a => a.href)")
    assert all(link.startswith(f"{REPORTS}/seen/quarantine/") for link in links)
    assert page.locator("li img, li b, h2 b").count() == 0


def test_every_report_links_the_run_that_made_it(shown: Shown) -> None:
    """The link names the flow run on the same server; a test below opens it."""
    assert [len(_RUN.findall(page)) for page in shown.reports] == [1, 1, 1]
    assert shown.link.startswith(f"{shown.site}/")
    assert shown.run in shown.link


@PAGES
def test_the_table_of_batches_can_be_read(
    shown: Shown, look: Callable[[str, str], Page], ui: str
) -> None:
    """One row per batch, the worst first; active content in a cell is shown as text."""
    artifact = shown.artifacts["signature-gate-seen-batches"]
    page = look(f"{ui}/artifacts/artifact/{artifact}", "gaps.parquet")

    expect(page.locator("tbody tr")).to_have_count(4)
    cells = [
        [cell.strip() for cell in row.locator("td").all_inner_texts()]
        for row in page.locator("tbody tr").all()
    ]
    named = "cut|⟨U+003C⟩b>x⟨U+003C⟩i>[l⟨U+005D⟩(javascript:alert(1))⟨U+0060⟩"
    assert [row[1] for row in cells] == ["quarantined", "quarantined", "split", "passed"]
    assert cells[0][0].startswith(named)
    assert cells[2][:7] == ["gaps.parquet", "split", "null in a", "10", "7", "3", "1"]
    assert cells[2][7].endswith("report.html")
    assert cells[1][2] == "extra_column"
    assert page.locator("td a, td b, td em, td img, td code").count() == 0


@PAGES
def test_the_run_names_its_state_its_reason_and_its_artifacts(
    shown: Shown, look: Callable[[str, str], Page], ui: str
) -> None:
    """State, why and of which batches, tasks named after them, and what each artifact is.

    The older page is the one to which the reports link.
    """
    linked = shown.link.removeprefix(shown.site)
    page = look(f"{ui}/runs/flow-run/{shown.run}" if ui else linked, "Quarantined")
    if not ui:
        page.get_by_text("score gaps").first.wait_for()
    page.get_by_role("tab", name="Artifacts").or_(page.get_by_text("Artifacts")).last.click()

    for text in (*shown.artifacts, "What became of the batches of seen"):
        page.get_by_text(text).locator("visible=true").first.wait_for()
    assert sorted(shown.artifacts) == [
        "signature-gate-seen",
        "signature-gate-seen-batches",
        "signature-gate-seen-report",
    ]
    page.get_by_role("tab", name="Details").or_(page.get_by_text("Details")).last.click()
    message = page.get_by_text("2 of 4 batches quarantined: cut|<b>x<i>[l](javascript:alert(1))")
    expect(message.locator("visible=true").first).to_be_visible()


@PAGES
def test_a_quarantine_stands_in_the_list_of_runs(
    shown: Shown, look: Callable[[str, str], Page], ui: str
) -> None:
    """By state, feed and tags."""
    page = look(f"{ui}/runs", "Quarantined")

    for text in ("seen 20", "feed:seen", "signature-gate", "Quarantined"):
        expect(page.get_by_text(text).locator("visible=true").first).to_be_visible()
    expect(page.get_by_text("1 run").or_(page.get_by_text("1 Flow run"))).to_be_visible()


@PAGES
def test_the_link_leads_to_the_worst_batchs_report(
    shown: Shown, look: Callable[[str, str], Page], ui: str
) -> None:
    """It is an http link: browsers follow no link from a page to a file."""
    artifact = shown.artifacts["signature-gate-seen-report"]
    page = look(f"{ui}/artifacts/artifact/{artifact}", "The report on")

    link = page.locator(f"a[href^='{REPORTS}']").first
    target = link.get_attribute("href") or ""
    assert target.startswith(f"{REPORTS}/seen/quarantine/")
    assert target.endswith("/report.html")
    assert "The report on cut-b-x-i-l-javascript-alert" in link.inner_text()


@PAGES
def test_progress_is_told_of_each_batch_that_is_scored(
    shown: Shown, look: Callable[[str, str], Page], ui: str
) -> None:
    """Under the batch's name, and at 100 once it is scored."""
    assert len(shown.progress) == 2
    (name,) = (name for name in shown.progress if name.startswith("Scoring good-"))

    page = look(f"{ui}/artifacts/artifact/{shown.progress[name]}", name)

    expect(page.get_by_text("Progress: 100%")).to_be_visible()
