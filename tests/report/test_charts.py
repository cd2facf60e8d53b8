from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import polars as pl
import pytest
import sample_histories
import sample_verdicts
from commands import run

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import Misuse
from signature_gate.expectations.report.batch_report import Surroundings, render_report
from signature_gate.expectations.report.charts import nulls_of, shares_of, strip_of, ticks_of
from signature_gate.expectations.report.column_timeline import lifelines_of
from signature_gate.expectations.report.cooccurrence import overlaps_in
from signature_gate.expectations.report.feed_history import EntryFacts, known_from
from signature_gate.expectations.report.feed_pages import DriftNote, ago
from signature_gate.tasks.feed import history
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.monitoring.pages import write_overview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST = 500_000  # characters of a page


class _Page(HTMLParser):
    """The links, handlers and titles of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def links(self) -> list[str]:
        return [value for name, value in self.attributes if name == "href"]


# ----- dispositions -----


def test_a_strip_counts_how_the_batches_fared() -> None:
    """In words: how many batches there are, the disposition of each, and the newest."""
    fares = ["passed", "passed", "split", "quarantined"]
    strip = strip_of(
        sample_histories.past(sample_histories.batch(n, fare) for n, fare in enumerate(fares))
    )
    late = strip_of(sample_histories.past([sample_histories.batch(1)], total=9))

    assert strip.caption == (
        "All 4 batches: 2 passed, 1 split and 1 quarantined. The newest was quarantined."
    )
    assert strip.fares == {"passed": 2, "split": 1, "quarantined": 1}
    assert late.caption == "The last 1 batch: 1 passed. The newest passed."


def test_a_strip_shows_when_the_model_changed() -> None:
    """Batches under one version make one band; a version that returns keeps its look."""
    versions = ["1", "1", "2", "1"]
    strip = strip_of(
        sample_histories.past(sample_histories.batch(n, version=v) for n, v in enumerate(versions))
    )

    assert [(b.start, b.span, b.label, b.style) for b in strip.versions] == [
        (1, 2, "1", "t0"),
        (3, 1, "2", "t1"),
        (4, 1, "1", "t0"),
    ]


# ----- dates -----


@pytest.mark.parametrize(
    ("apart", "count", "labels"),
    [
        (timedelta(days=1), 60, ["1 Jan", "11 Jan", "21 Jan", "31 Jan", "10 Feb", "20 Feb"]),
        (timedelta(minutes=20), 3, ["06:00", "06:20", "06:40"]),
        (timedelta(days=200), 4, ["Jan 2026", "Jul 2026", "Feb 2027", "Aug 2027"]),
        (timedelta(0), 1, ["06:00"]),
    ],
)
def test_an_axis_has_at_most_six_dates(apart: timedelta, count: int, labels: list[str]) -> None:
    """Days, or minutes within one day, or months over years; together they span all batches."""
    made = [
        replace(sample_histories.batch(1), when=sample_histories.BEGIN + n * apart)
        for n in range(count)
    ]
    ticks = ticks_of(sample_histories.past(made))

    assert [tick.label for tick in ticks] == labels
    starts = accumulate((tick.span for tick in ticks[:-1]), initial=1)
    assert [tick.start for tick in ticks] == list(starts)
    assert sum(tick.span for tick in ticks) == count


# ----- shares -----


def test_rejected_shares_stand_on_one_scale() -> None:
    """The scale holds the largest share and the limit; batches that failed whole differ."""
    past = sample_histories.past(
        [
            sample_histories.batch(1, "split", bad=1),
            sample_histories.batch(2, "split", bad=9),
            sample_histories.batch(3, "quarantined", bad=None),
            sample_histories.batch(4, "errored", rows=None, bad=None),
            sample_histories.batch(5, rows=0, bad=0),
            sample_histories.batch(6, "split", bad=3, allowed=0.1),
        ]
    )
    shares = shares_of(past)

    assert [bar.style for bar in shares.bars] == [
        *("share", "share", "whole", "unknown", "share", "share"),
    ]
    assert [round(bar.height, 2) for bar in shares.bars] == [0.1, 0.9, 1, 0, 0, 0.3]
    assert (shares.top, shares.allowed) == (0.1, 1.0)
    assert shares.caption == (
        "Between 1% and 9% of a batch's rows were rejected, 3% in the median; most in "
        "day-02.parquet. 1 batch failed as a whole."
    )


@pytest.mark.parametrize(
    ("known", "caption"),
    [
        ({"bad": 0}, "No row was rejected."),
        ({"bad": 5}, "5% of the rows of day-01.parquet were rejected."),
        ({"bad": None}, "There was no batch whose rows could be told apart."),
    ],
)
def test_a_single_batch_has_a_share_too(known: dict[str, Any], caption: str) -> None:
    """One batch makes no range and no median."""
    assert shares_of(sample_histories.past([sample_histories.batch(1, **known)])).caption == caption


def test_what_failed_as_a_whole_is_not_hidden_by_the_rest() -> None:
    """No rejected row elsewhere does not mean that all is well."""
    shares = shares_of(
        sample_histories.past(
            [sample_histories.batch(1), sample_histories.batch(2, "quarantined", bad=None)]
        )
    )

    assert shares.caption == "1 batch failed as a whole. No row of the others was rejected."
    assert shares.top == 1


def test_null_shares_are_shown_of_the_columns_that_have_some() -> None:
    """Most null first; gaps where it is not known; the rest in numbers."""
    known = [{"a": 0.0, "b": 0.01, "c": 0.0}, {"b": 0.04, "c": 0.2}, {"a": 0.0}]
    nulls = nulls_of(
        sample_histories.past(sample_histories.batch(n, null_shares=k) for n, k in enumerate(known))
    )
    first, second = nulls.lanes

    assert (first.name, first.most, first.most_in, first.last) == ("c", 0.2, "day-01.parquet", 0.2)
    assert [bar.style for bar in first.bars] == ["share", "share", "unknown"]
    assert (second.name, second.least, second.known) == ("b", 0.01, 2)
    assert (nulls.top, nulls.full, nulls.more) == (0.2, 1, 0)
    assert nulls.caption == (
        "Nulls in 2 of 3 columns with known counts; most in c: 20% of day-01.parquet."
    )


def test_nothing_known_of_null_is_said() -> None:
    """The page says that it is not known."""
    assert "not known" in nulls_of(sample_histories.past([sample_histories.batch(1)])).caption


# ----- columns -----


def _lines(*columns: dict[str, str], **known: Any) -> Any:
    made = (sample_histories.batch(n, columns=c, **known) for n, c in enumerate(columns))
    return lifelines_of(sample_histories.past(made))


def test_a_column_that_appears_vanishes_or_changes_is_seen() -> None:
    """Each change with the batch that first shows it, the newest change first."""
    lines = _lines(
        {"a": "int64", "b": "double"}, {"b": "double"}, {"a": "string"}, {"a": "int64", "b": "x"}
    )

    assert [(e.column, e.what, e.batch, e.before, e.after) for e in lines.events] == [
        ("a", "changed type", "day-03.parquet", "string", "int64"),
        ("b", "appeared", "day-03.parquet", "absent", "x"),
        ("a", "appeared", "day-02.parquet", "absent", "string"),
        ("b", "vanished", "day-02.parquet", "double", "absent"),
        ("a", "vanished", "day-01.parquet", "int64", "absent"),
    ]
    assert lines.caption == (
        "2 columns appeared; 2 columns vanished; 1 column changed type, of 2 in all."
    )
    assert [(b.start, b.span, b.style) for b in lines.lanes[0].bands] == [
        *((1, 1, "t0"), (2, 1, "absent"), (3, 1, "t1"), (4, 1, "t0")),
    ]


def test_a_batch_that_cannot_be_read_changes_no_column() -> None:
    """It leaves a gap, and is counted."""
    lines = _lines({"a": "int64"}, {}, {"a": "int64"})

    assert lines.events == ()
    assert [b.style for b in lines.lanes[0].bands] == ["t0", "unknown", "t0"]
    assert "The columns of 1 batch are not known." in lines.caption


def test_a_file_without_types_changes_no_type() -> None:
    """All of a CSV file is text: only types on either side of it are compared."""
    same = _lines({"a": "int64"}, {"a": "text"}, {"a": "int64"})
    other = _lines({"a": "int64"}, {"a": "text"}, {"a": "double"})

    assert same.events == ()
    assert [(e.before, e.after) for e in other.events] == [("int64", "double")]


def test_a_layout_is_no_type() -> None:
    """Writers choose among layouts of text as they please; CSV has none."""
    parquet = sample_verdicts.flights()
    large = parquet.batch.model_copy(update={"columns": (("carrier", "large_string"),)})
    text = large.model_copy(update={"format": "csv"})

    assert known_from(parquet.model_copy(update={"batch": large}), {}).columns == {
        "carrier": "string"
    }
    assert known_from(parquet.model_copy(update={"batch": text}), {}).columns == {"carrier": "text"}


def test_of_a_thousand_columns_the_remarkable_are_shown() -> None:
    """At most forty lines, columns with changes first; the rest are counted."""
    names = {f"c{n:03}": "double" for n in range(1_000)}
    marks = {"c500": "critical", "c007": "warning"}
    batches = [sample_histories.batch(n, columns=names) for n in range(59)]
    lines = lifelines_of(
        sample_histories.past([*batches, sample_histories.batch(59, columns=names, marks=marks)])
    )

    assert {line.name for line in lines.lanes[:2]} == set(marks)
    assert len(lines.lanes) <= 40
    assert lines.alike + len(lines.lanes) == 1_000
    assert lines.more == 0
    assert "2 columns had violations." in lines.caption


def test_a_thousand_restless_columns_stay_a_page() -> None:
    """Even if every column has violations and changes its type each time."""
    types = ["int64", "double"]
    batches = [
        sample_histories.batch(
            n,
            "quarantined",
            columns={f"sensor_{c:04}": types[n % 2] for c in range(1_000)},
            null_shares={f"sensor_{c:04}": c / 1_000 for c in range(1_000)},
            marks={f"sensor_{c:04}": "critical" for c in range(1_000)},
        )
        for n in range(60)
    ]
    past = sample_histories.past(batches, total=10_000)
    lines = lifelines_of(past)
    history = render_report(sample_verdicts.split(), (), Surroundings(past=past))

    assert len(history) - len(render_report(sample_verdicts.split())) < _LARGEST - 150_000
    assert (len(lines.lanes), lines.more, lines.alike) == (40, 960, 0)
    assert (len(lines.events), lines.unlisted) == (100, 59_000 - 100)
    assert "960 further columns changed or had violations." in history
    assert "the last 60 batches of 10,000" in history


# ----- which violations share rows -----

_RULES = {
    "name": "own",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "b", "max_value": 5},
            "meta": {},
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "c", "value_set": ["x"]},
            "meta": {},
        },
    ],
    "meta": {},
}


def _contract(**types: str) -> Contract:
    inputs = [{"name": name, "type": type_, "required": True} for name, type_ in types.items()]
    return Contract.from_signature({"inputs": json.dumps(inputs)})


def test_reasons_that_share_rows_are_counted(tmp_path: Path) -> None:
    """Of the contract's rules and one's own: each reason has as many rows as its violation."""
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(_RULES))
    frame = pl.DataFrame(
        {
            "a": [None, None, 3, 4, 5, 6],
            "b": [None, 9.0, 9.0, 1.0, 1.0, 1.0],
            "c": ["x", "y", "y", "y", "x", "x"],
        }
    )
    result = check(frame, _contract(a="long", b="double", c="string"), Policy(rules=str(rules)))
    found = overlaps_in(result.rejected, result.verdict)

    assert found is not None
    rows = {(reason.kind, reason.column): reason.rows for reason in found.reasons}
    told = {
        (v.because if v.kind == "rule" else v.kind, v.column): v.count for v in result.violations
    }
    assert rows == told
    assert len(rows) == 4
    assert (found.rows, found.several) == (4, 2)
    place = {key: position for position, key in enumerate(rows)}
    null_a, null_b = place["null", "a"], place["null", "b"]
    assert found.both(null_a, null_b) == found.both(null_b, null_a) == 1
    assert found.both(null_a, null_a) == 2
    assert len({pair for pair, rows in found.shared.items() if rows}) == 2
    assert sum(reason.alone for reason in found.reasons) == 2


def test_malformed_records_are_a_reason_among_others(tmp_path: Path) -> None:
    """The content of such a record is no part of its reason."""
    batch = tmp_path / "batch.csv"
    batch.write_text("a,b\n1,1\n1,2,3\nx,\n,2\n")

    result = check(batch, _contract(a="long", b="long"))
    found = overlaps_in(result.rejected, result.verdict)

    assert found is not None
    kinds = {(reason.kind, reason.column): reason.rows for reason in found.reasons}
    assert kinds == {(v.kind, v.column): v.count for v in result.violations}
    assert kinds["malformed_row", None] == 1


def test_at_most_eight_reasons_are_compared() -> None:
    """The commonest; the rest are counted."""
    frame = pl.DataFrame({f"c{n}": [None] * (n + 1) + [1] * (12 - n) for n in range(12)})
    result = check(frame, _contract(**dict.fromkeys(frame.columns, "long")))
    found = overlaps_in(result.rejected, result.verdict)

    assert found is not None
    assert [reason.column for reason in found.reasons] == [f"c{n}" for n in range(11, 3, -1)]
    assert found.left_out == 4
    assert found.caption.startswith("11 of 12 rejected rows have more than one reason.")


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"a": [1, 2], "b": [1, 2]}),
        pl.DataFrame({"a": [1, None], "b": [1, 2]}),
        pl.DataFrame({"a": ["x", "y"], "b": [1, None]}),
    ],
    ids=["passed", "one reason", "as a whole"],
)
def test_where_there_is_nothing_to_compare_there_is_no_picture(frame: pl.DataFrame) -> None:
    """A batch that passed, one with a single reason, and one rejected as a whole."""
    result = check(frame, _contract(a="long", b="long"))

    assert overlaps_in(result.rejected, result.verdict) is None


def test_a_batch_that_vanished_costs_only_the_picture(tmp_path: Path) -> None:
    """The report is written without the picture."""
    batch = tmp_path / "batch.parquet"
    pl.DataFrame(
        {"a": [1, None], "b": [None, None]}, schema_overrides={"b": pl.Int64}
    ).write_parquet(batch)
    result = check(batch, _contract(a="long", b="long"))
    batch.unlink()

    assert overlaps_in(result.rejected, result.verdict) is None


# ----- pages on feeds -----


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The receipts that are opened, by file name."""
    names: list[str] = []
    genuine = history.read_receipt

    def noting(path: Path) -> Any:
        names.append(path.name)
        return genuine(path)

    monkeypatch.setattr(history, "read_receipt", noting)
    return names


def test_ten_thousand_batches_of_a_thousand_columns_make_small_pages(
    tmp_path: Path, opened: list[str]
) -> None:
    """Sixty receipts are opened; the last batches are shown and all the others linked."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    wide = sample_verdicts.wide()
    sample_histories.keep(feed, *(sample_histories.receipt(n, wide) for n in range(60)))
    sample_histories.keep_unread(feed, 9_940)

    index = write_overview([feed], tmp_path / "pages")
    pages = sorted(index.parent.rglob("*.html"))
    linked = {
        link
        for page in pages
        for link in _Page(page.read_text("utf-8")).links()
        if link.endswith(".json")
    }

    assert len(opened) == 60
    assert len(pages) == 2 + 20
    assert max(page.stat().st_size for page in pages) < _LARGEST
    assert len(linked) == 9_940


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    """To reports, predictions, receipts, pages and places on a page; and there is no other."""
    feed = sample_histories.feed_at(tmp_path / "a feed # of ? ours")
    receipt = sample_histories.receipt(1, sample_verdicts.split())
    predictions = feed.predictions(receipt.batch.id, "flights", "3")
    entry = feed.quarantined(receipt.batch.id)
    for file in (predictions, entry / "report.html"):
        file.parent.mkdir(parents=True)
        file.touch()
    places = {"predictions": feed.relative(predictions), "quarantine": feed.relative(entry)}
    kept = receipt.outputs.model_copy(update=places)
    gone = sample_histories.receipt(
        2, outputs=kept.model_copy(update={"predictions": "scored/gone.parquet"})
    )
    sample_histories.keep(feed, receipt.model_copy(update={"outputs": kept}), gone)
    sample_histories.keep_unread(feed, 60 + 501)

    index = write_overview([feed], tmp_path / "pages")
    links = {
        (page, link)
        for page in index.parent.rglob("*.html")
        for link in _Page(page.read_text("utf-8")).links()
    }

    for page, link in links:
        target, _, place = link.partition("#")
        found = (page.parent / unquote(target)) if target else page
        assert found.exists(), link
        assert not place or f'id="{place}"' in found.read_text("utf-8")
    targets = {unquote(link).rpartition("/")[2] for _, link in links}
    assert {"report.html", predictions.name, "earlier-1.html", "earlier-2.html"} <= targets


def test_the_list_of_feeds_tells_their_health(tmp_path: Path) -> None:
    """Newest version, newest batch, what lies in quarantine, and the share that was rejected."""
    feed = sample_histories.feed_at(tmp_path / "one")
    sample_histories.keep(
        feed,
        sample_histories.receipt(1),
        sample_histories.receipt(2, sample_verdicts.quarantined()),
    )
    feed.quarantined("day-00002-x").mkdir()
    new = sample_histories.feed_at(tmp_path / "two", "brand-new")

    page = write_overview([feed, new], tmp_path / "pages").read_text("utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main>")[2]))

    assert "2 feeds; 1 has batches in quarantine." in text
    assert re.search(
        r"flights models:/flights@champion 1 passed, 1 quarantined 3 quarantined", text
    )
    assert "50% of 1,942 rows" in text
    assert "brand-new models:/flights@champion no batch yet: deliver one to" in text


def _shown(page: Path) -> str:
    text = page.read_text("utf-8").partition("<main>")[2]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)))


def test_what_needs_somebody_comes_first(tmp_path: Path) -> None:
    """A newest batch that did not go through, then a late feed, then the oldest in quarantine."""
    hours = sample_histories.BEGIN + timedelta(hours=1)
    feeds = dict[str, Feed]()
    for name in ("a-calm", "b-held", "c-held-longer", "d-late", "e-stopped"):
        verdict = sample_verdicts.quarantined() if name == "e-stopped" else None
        feeds[name] = sample_histories.feed_at(tmp_path / name, name)
        sample_histories.keep(feeds[name], sample_histories.receipt(1, verdict))
    feeds["d-late"] = feeds["d-late"].model_copy(update={"expect_every": "1h"})
    for name, since in (("b-held", hours), ("c-held-longer", sample_histories.BEGIN)):
        entry = feeds[name].quarantined("day-0123456789ab")
        entry.mkdir()
        sample_histories.stamp(entry, since)

    index = write_overview(list(feeds.values()), tmp_path / "pages")
    order = re.findall(r'href="\./feed-([a-e]-[a-z-]+)/', index.read_text("utf-8"))

    assert order == ["e-stopped", "d-late", "c-held-longer", "b-held", "a-calm"]
    assert "late : expected every 60 minutes" in _shown(index)
    assert "late" in _shown(tmp_path / "pages/feed-d-late/index.html")


def test_an_entry_of_the_quarantine_has_reason_age_and_commands(tmp_path: Path) -> None:
    """The longest waiting first; what is typed names the feed's own file."""
    file = tmp_path / "my feeds" / "flights.yaml"
    sample_histories.feed_at(file.parent / "flights")
    file.write_text("{name: flights, model: 'models:/flights@champion', root: flights}")
    feed = Feed.load(file)
    for number in range(12):
        entry = feed.quarantined(f"day-{number:02}-0123456789ab")
        entry.mkdir()
        written = entry / "verdict.json"
        written.write_text(sample_verdicts.quarantined().to_json())
        sample_histories.stamp(written, datetime.now(UTC) - timedelta(days=3 * number))

    write_overview([feed], tmp_path / "pages")
    text = _shown(tmp_path / "pages/feed-flights/index.html")

    oldest = "day-11-0123456789ab"
    assert f"{oldest} 33 days since" in text
    assert "null, not_representable 35 of 971 rows" in text
    assert f"signature-gate quarantine release '{file}' {oldest}" in text
    assert f"signature-gate quarantine discard '{file}' {oldest}" in text
    assert text.index(oldest) < text.index("day-02-") < text.index("day-00-")
    assert "2 more folders" in text


def test_a_feed_without_a_batch_says_what_to_do(tmp_path: Path) -> None:
    """Where to deliver one, and what judges it; and so do pages of no feed at all."""
    feed = sample_histories.feed_at(tmp_path / "flights")

    index = write_overview([feed], tmp_path / "pages")
    text = _shown(tmp_path / "pages/feed-flights/index.html")

    assert f"Deliver one to {feed.inbox} ," in text
    assert "signature-gate score FEED.yaml" in text
    assert f"no batch yet: deliver one to {feed.inbox}" in _shown(index)
    assert "overview FEED.yaml --out pages" in _shown(write_overview([], tmp_path / "none"))


def test_drift_has_a_place_on_the_page_of_a_feed(tmp_path: Path) -> None:
    """What changed, its effect, and the forecast for the next batches."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    note = DriftNote("distance is text", "critical", ("'distance' is <b>text</b>",), "quarantined")

    index = write_overview([feed], tmp_path / "pages", {"flights": [note]})
    page = (index.parent / "feed-flights/index.html").read_text("utf-8")

    assert "distance is text" in page
    assert "&lt;b&gt;text&lt;/b&gt;" in page
    assert "<strong>Forecast:</strong> quarantined" in page


def test_a_feed_s_page_counts_and_names_the_files_that_are_ignored(tmp_path: Path) -> None:
    """No more than twenty are named; without one, the page has no such section."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    write_overview([feed], tmp_path / "pages")
    page = tmp_path / "pages/feed-flights/index.html"
    before = page.read_text("utf-8")
    for name in (*(f"day-{n:02}.md5" for n in range(24)), "<b>.ctl", "day.parquet", "day.part"):
        (feed.inbox / name).touch()
    write_overview([feed], tmp_path / "pages")
    after = page.read_text("utf-8")

    section = after[after.index('id="ignored"') :].partition("</section>")[0]
    assert 'id="ignored"' not in before
    assert "25 files or folders" in section
    assert "&lt;b&gt;.ctl" in section
    assert "and 5 more" in section
    assert not re.search("day-23|parquet|part<", section)


def test_receipts_that_cannot_be_read_are_named_on_the_page(tmp_path: Path) -> None:
    """A feed of which nothing can be read still has its pages."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    sample_histories.keep_unread(feed, 7)

    index = write_overview([feed], tmp_path / "pages")
    page = (index.parent / "feed-flights/index.html").read_text("utf-8")

    assert "no receipt can be read" in index.read_text("utf-8")
    assert "7 receipts could not be read and are left out" in page
    assert "old-00000-0123456789ab@1.1.json" in page


def test_pages_are_made_anew_and_never_in_place_of_a_strangers(tmp_path: Path) -> None:
    """A second run replaces its own pages; another's index.html stays as it is."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    write_overview([feed], tmp_path / "pages")
    sample_histories.keep(feed, sample_histories.receipt(1))
    index = write_overview([feed], tmp_path / "pages")
    stranger = tmp_path / "site/index.html"
    stranger.parent.mkdir()
    stranger.write_text("mine")

    assert "1 passed" in index.read_text("utf-8")
    with pytest.raises(Misuse, match="was not written by signature-gate"):
        write_overview([feed], stranger.parent)
    assert stranger.read_text() == "mine"


def test_two_feeds_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their pages would lie in one place."""
    feeds = [
        sample_histories.feed_at(tmp_path / "a", "flights"),
        sample_histories.feed_at(tmp_path / "b", "Flights"),
    ]

    with pytest.raises(Misuse, match="more than one feed is called Flights, flights"):
        write_overview(feeds, tmp_path / "pages")


def test_the_command_writes_the_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """signature-gate overview FEED --out FOLDER; a second feed of the same name is wrong usage."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    sample_histories.keep(feed, sample_histories.receipt(1))
    file = tmp_path / "flights.yaml"
    file.write_text("{name: flights, model: 'models:/flights@champion', root: flights}")

    code, out, _ = run(capsys, "overview", str(file), "--out", str(tmp_path / "pages"))
    (tmp_path / "other").mkdir()
    namesake = shutil.copy(file, tmp_path / "other")
    twice, _, complaint = run(
        capsys, "overview", str(file), str(namesake), "--out", str(tmp_path / "p")
    )

    assert code == 0
    assert "index.html" in out
    assert (tmp_path / "pages/feed-flights/index.html").exists()
    assert (twice, "are both called flights" in complaint) == (2, True)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-5, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (7_199, "119 minutes"),
        (47 * 3_600, "47 hours"),
        (400 * 86_400, "400 days"),
    ],
)
def test_ages_are_written_for_people(seconds: int, written: str) -> None:
    """In the unit that says most."""
    assert ago(timedelta(seconds=seconds)) == written


# ----- hostile data -----


def test_names_from_data_act_nowhere() -> None:
    """In text, titles, styles and links: no tag, no handler, no script, and no direction turned."""
    attacks = sample_verdicts.ATTACKS
    past = sample_histories.past(
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
    )
    page = render_report(sample_verdicts.hostile(), (), Surroundings(past=past))
    outline = _Page(page)

    assert not {"script", "img", "iframe"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    assert not [value for name, value in outline.attributes if name == "style" and "red" in value]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b\ud800-\udfff]", page)


def test_a_past_holds_no_value_of_the_batch() -> None:
    """What is shown of each violation is its kind and column, redacted or not."""
    verdict = sample_verdicts.quarantined()
    known = known_from(verdict, {})

    assert isinstance(known, EntryFacts)
    for violation in verdict.violations:
        assert not any(value in repr(known) for value in violation.sample if value != "null")
