from __future__ import annotations

import json
import re
import stat
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import polars as pl
import pytest
import sample_verdicts

from signature_gate import check
from signature_gate.expectations.batch.statistics import ColumnValues
from signature_gate.expectations.contract.contract import Contract
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.escaping import for_markdown, visible
from signature_gate.expectations.report.batch_report import (
    Destination,
    Surroundings,
    render_head,
    render_report,
    write_report,
)
from signature_gate.expectations.report.ci_formats import as_markdown
from signature_gate.expectations.verdict.verdict import BatchInfo, Verdict
from signature_gate.flows.terminal.verdict import show_verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

every_fare = pytest.mark.parametrize(
    "make", sample_verdicts.FARES.values(), ids=sample_verdicts.FARES
)


class _Outline(HTMLParser):
    """The tags, attributes and visible text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((name, value or "") for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data

    def valued(self, attribute: str) -> list[str]:
        return [value for name, value in self.attributes if name == attribute]


def test_a_thousand_columns_stay_usable() -> None:
    """Violations are open, the rest is folded, and the page stays under a megabyte."""
    page = render_report(sample_verdicts.wide())
    opened = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)

    assert len(page) < 1_000_000
    assert all(f"sensor_{i:04}" in page for i in range(1_000))
    assert opened.count("sensor_") <= 60
    assert "28 more columns with the same violation" in page
    assert "960 columns without a violation" in page


def test_what_rejected_rows_have_in_common_is_said_everywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the page, a notebook, the summary, Markdown and the terminal, with both counts."""
    verdict = sample_verdicts.split()
    (cause,) = verdict.causes
    show_verdict(verdict)

    assert cause.message == (
        "all 32 rejected rows have carrier = '9E', in rows 100 to 180; "
        "32 of 35 such rows are rejected"
    )
    assert cause.message[1:] in _Outline(render_report(verdict)).text
    assert cause.message in _Outline(render_head(verdict)).text
    assert verdict.summary().splitlines()[1] == f" - {cause.message}"
    assert f"Cause: {for_markdown(cause.message)}." in as_markdown(verdict)
    assert f"cause {cause.message}" in " ".join(capsys.readouterr().out.split())


@every_fare
def test_the_page_stands_alone(make: Callable[[], Verdict]) -> None:
    """Nothing is fetched, nothing is run, and the policy for both is part of the page."""
    page = render_report(make())
    outline = _Outline(page)

    assert not re.search(r"https?://", page)
    assert not re.search(r"@import|url\((?!#)", page)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    assert outline.valued("content")[0].startswith("default-src 'none'; style-src 'unsafe-inline'")


@every_fare
def test_every_violation_is_told_in_full(make: Callable[[], Verdict]) -> None:
    """Kind, column, expected, observed, rows, sample, remedy, reason and expectation."""
    verdict = make()
    text = _Outline(render_report(verdict)).text

    for violation in verdict.violations:
        parts = [violation.kind, violation.column or "the whole batch", violation.expected]
        parts += [violation.observed, violation.remedy, violation.because, *violation.sample]
        parts += [f"{violation.count:,}"] if violation.count else ["batch-level"]
        parts += [", ".join(map(str, violation.rows))]
        parts += [violation.expectation["type"]] if violation.expectation else []
        assert [part for part in parts if part not in text] == []


def test_the_page_names_model_contract_conversions_policy_and_gate() -> None:
    """Enough to judge the same batch again, years later."""
    text = _Outline(render_report(sample_verdicts.split())).text

    for part in ("models:/flights/3", "models:/flights@champion", "m-6f1d0a2b9c7e4d58a1f3"):
        assert part in text
    assert "9b1f6a2c40d7e835" in text
    assert "signature-gate 0.1.0 with Polars" in text
    assert re.search(r"int32 to long\s+year, month, day, flight", text)
    assert f"3 of {len(Policy.model_fields)} set" in text
    assert all(field in text for field in Policy.model_fields)
    assert "61.5 kB" in text
    assert "Remedy 1 of 2" in text


@pytest.mark.parametrize(
    ("size", "written"),
    [(None, "in memory"), (0, "0 bytes"), (999, "999 bytes"), (3_400_000_000, "3.4 GB")],
)
def test_the_size_is_written_for_people(size: int | None, written: str) -> None:
    """Bytes in the unit that fits; objects in memory have none."""
    verdict = sample_verdicts.flights(batch=BatchInfo(name="frame", format="pandas", bytes=size))

    assert written in _Outline(render_report(verdict)).text


def test_a_batch_that_was_really_judged_makes_such_a_page() -> None:
    """From a signature and a frame to the page: counts, rows, conversions and what was kept."""
    names = {"year": "long", "dep_time": "long", "carrier": "string"}
    inputs = [{"name": name, "type": kind, "required": True} for name, kind in names.items()]
    contract = Contract.from_signature({"inputs": json.dumps(inputs)})
    day = pl.DataFrame(
        {
            "year": pl.Series([2013] * 971, dtype=pl.Int32),
            "dep_time": [*range(939), *[None] * 32],
            "carrier": ["UA"] * 971,
            "time_hour": ["2013-01-02T05:00:00"] * 971,
        }
    )

    verdict = check(day, contract, Policy(on_mismatch="split", keep=("time_hour",))).verdict
    text = " ".join(_Outline(render_report(verdict)).text.split())

    assert "32 of 971 rows (3.3%) do not meet the model's contract" in text
    assert "first: 939, 940, 941, 942, 943" in text
    assert "int32 to long year" in text
    assert "32 bad, 939 good" in text
    assert "carried through, not judged" in text


def test_a_bare_signature_and_another_engine_are_named() -> None:
    """A page without a registered model says so."""
    text = _Outline(
        render_report(sample_verdicts.flights(model=None, contract="", engine="gx"))
    ).text

    assert "a bare signature" in text
    assert "none: there is no contract" in text
    assert "with Great Expectations" in text


def test_a_report_names_the_files_of_a_folder_that_were_ignored() -> None:
    """No format claims them; a batch without any has no such line."""
    verdict = sample_verdicts.passed()
    facts = verdict.batch.model_copy(update={"ignored": ("day.md5", "<i>.ctl")})

    page = render_report(verdict.model_copy(update={"batch": facts}))

    assert "2 files: " in page
    assert "day.md5, &lt;i&gt;.ctl" in page
    assert "Ignored" not in render_report(verdict)


def test_a_redacted_verdict_shows_no_value() -> None:
    """Under ``redact`` a sample stays out of the page even where a verdict holds one."""
    shown = sample_verdicts.flights(sample_verdicts.FRACTIONS)
    redacted = sample_verdicts.flights(
        sample_verdicts.FRACTIONS, policy=sample_verdicts.policy(redact=True)
    )

    assert "1427.25" in render_report(shown)
    assert not any(value in render_report(redacted) for value in sample_verdicts.FRACTIONS.sample)
    assert "withheld (redact)" in render_report(redacted)


def test_a_folder_batch_names_the_files_at_fault() -> None:
    """The first five by name, the others by number."""
    files = tuple(f"part-{i}.parquet" for i in range(7))
    found = sample_verdicts.LATE_DEPARTURES.model_copy(update={"files": files})

    text = _Outline(render_report(sample_verdicts.flights(found))).text

    assert re.search(r"In 7 files: part-0\.parquet, .*part-4\.parquet and 2 more", text)


def test_long_values_get_the_width_of_the_page() -> None:
    """A value that would make a narrow cell endless stands below instead."""
    long = sample_verdicts.FRACTIONS.model_copy(update={"sample": ("1.5", "9" * 80)})
    text = _Outline(render_report(sample_verdicts.flights(long))).text

    assert "see below" in text
    assert text.index("see below") < text.index("Remedy:") < text.index("9" * 80)
    assert "see below" not in render_report(sample_verdicts.flights(sample_verdicts.FRACTIONS))


def test_what_became_of_the_batch_is_listed_with_links() -> None:
    """Each destination has its label, its rows and, where a browser can follow, a link."""
    outline = _Outline(
        render_report(
            sample_verdicts.split(),
            [
                Destination("Predictions", "/data/scored/a b.parquet", 939),
                Destination("Rejected rows", "rejected.parquet", 1),
                Destination("Receipt", "s3://feeds/receipts/x.json"),
            ],
        )
    )

    assert "Predictions (939 rows)" in outline.text
    assert "Rejected rows (1 row)" in outline.text
    assert "s3://feeds/receipts/x.json" in outline.text
    links = [link for link in outline.valued("href") if not link.startswith("#")]
    # Once more beside the violation whose rows they are.
    assert links[1:] == ["file:///data/scored/a%20b.parquet", "./rejected.parquet"]


@pytest.mark.parametrize(
    ("uri", "href"),
    [
        ("https://host/run?id=1", "https://host/run?id=1"),
        ("file:///tmp/x", "file:///tmp/x"),
        ("quarantine/x#1?.json", "./quarantine/x%231%3F.json"),
        ("javascript:alert(1)", None),
        ("JavaScript:alert(1)", None),
        ("\tjavascript:alert(1)", None),
        ("data:text/html,x", None),
        ("gs://bucket/x", None),
        ("//host/share", "file:////host/share"),
    ],
)
def test_only_paths_and_web_addresses_become_links(uri: str, href: str | None) -> None:
    """Nothing that would run, and nothing that a browser cannot open."""
    assert Destination("Here", uri).href == href


def test_a_hostile_batch_adds_no_markup() -> None:
    """Whatever the names and values are, the page has the tags of a harmless one."""
    outline = _Outline(
        render_report(
            sample_verdicts.hostile(), [Destination(a, a) for a in sample_verdicts.ATTACKS]
        )
    )

    assert not {"script", "img", "iframe"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    assert outline.tags.count("style") == outline.tags.count("title") == 1
    assert not [link for link in outline.valued("href") if "javascript" in link.lower()[:13]]
    assert all(visible(attack, limit=600) in outline.text for attack in sample_verdicts.ATTACKS)
    assert all(c.isprintable() or c == "\n" for c in outline.text)


@pytest.mark.parametrize("columns", [2, 200])
def test_equal_violations_of_many_columns_are_one_block(columns: int) -> None:
    """Two hundred columns missing are one violation to read, which names all of them."""
    names = [f"sensor_{i:03}" for i in range(columns)]
    missing = [
        sample_verdicts.MISSING_CARRIER.model_copy(
            update={"column": name, "remedy": f"Deliver {name!r}."}
        )
        for name in names
    ]
    page = render_report(sample_verdicts.flights(*missing, sample_verdicts.TEXT_DISTANCE))
    text = " ".join(_Outline(page).text.split())

    assert page.count('<tr class="facts"') == 2
    assert f"Remedy 1 of 2 for missing_column in {columns} columns" in text
    assert "Remedy 1 of 2: Deliver each of these columns." in text
    assert "Remedy 2 of 2: Deliver 'distance' as long" in text
    assert all(name in text for name in names)


def test_a_remedy_that_lists_a_column_lists_all_of_a_block() -> None:
    """An entry of the policy can be taken over as it stands."""
    said = "Accept null by policy nullable: [{}]."
    found = [
        sample_verdicts.LATE_DEPARTURES.model_copy(update={"column": n, "remedy": said.format(n)})
        for n in ("a", "b")
    ]

    assert said.format("a, b") in render_report(sample_verdicts.flights(*found))


def test_each_column_of_a_block_keeps_its_own_rows_and_values() -> None:
    """What differs between columns of one block is said of each."""
    other = sample_verdicts.FRACTIONS.model_copy(
        update={
            "column": "dep_time",
            "remedy": sample_verdicts.FRACTIONS.remedy.replace("arr_time", "dep_time"),
            "count": 7,
            "rows": (5, 6),
            "sample": ("0.5",),
        }
    )
    page = render_report(sample_verdicts.flights(sample_verdicts.FRACTIONS, other))
    text = " ".join(_Outline(page).text.split())

    assert page.count('<tr class="facts"') == 1
    assert "dep_time 7 (0.7%), first: 5, 6 0.5" in text
    assert "arr_time 3 (0.3%), first: 17, 401, 402 1103.5 1427.25" in text


def test_violations_that_ask_for_different_things_stay_apart() -> None:
    """Another type, another file or another severity is another violation."""
    base = sample_verdicts.MISSING_CARRIER.model_copy(update={"remedy": "Deliver it."})
    others = [{"expected": "a column of type long"}, {"files": ("a.csv",)}, {"severity": "warning"}]
    found = [base, *(base.model_copy(update=other | {"column": "x"}) for other in others)]

    page = render_report(sample_verdicts.flights(*found))

    assert page.count('<tr class="facts"') == 4


def test_the_top_says_when_and_for_whom_it_was_judged_and_what_can_be_done() -> None:
    """Date and time in UTC, feed, the run's page, and commands that stand whole in the page."""
    outline = _Outline(
        render_report(
            sample_verdicts.quarantined(),
            (),
            Surroundings(
                judged=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
                feed="flights",
                links=(Destination("Prefect run", "http://host/runs/flow-run/1"),),
                commands=(("Judge it again", "signature-gate quarantine release 'a b.yaml' x"),),
            ),
        )
    )
    top = " ".join(outline.text.partition("Blocking violations first")[0].split())

    assert "Judged 2026-01-02 01:04:05 UTC" in top
    assert "Feed flights" in top
    assert "signature-gate quarantine release 'a b.yaml' x" in top
    assert "http://host/runs/flow-run/1" in outline.valued("href")


_INPUTS = (
    '[{"name": "dep_time", "type": "long", "required": true},'
    ' {"name": "arr_time", "type": "double", "required": false}]'
)
_VALUES = {
    "dep_time": ColumnValues(nulls=32, range=(517, 2356)),
    "arr_time": ColumnValues(nulls=0, range=(1.5, 123456.789), nans=7, infinities=2),
    "time_hour": ColumnValues(range=("2013-01-02T05:00:00", "2013-01-02T23:00:00")),
}


def test_columns_tell_what_was_expected_and_what_is_known_of_their_values() -> None:
    """Type, whether it is required, nulls, smallest, largest, NaN."""
    verdict = sample_verdicts.flights(sample_verdicts.FRACTIONS, signature={"inputs": _INPUTS})
    text = " ".join(_Outline(render_report(verdict, (), Surroundings(values=_VALUES))).text.split())

    assert "dep_time long required double by scan 32 3.3% 517 2,356 all 971 good" in text
    assert "arr_time double optional double by scan 0 7 NaN 2 infinite 1.5 123,456.8 3 bad" in text
    assert "2013-01-02 05:00:00 2013-01-02 23:00:00" in text


def test_redacted_columns_tell_no_smallest_or_largest_value() -> None:
    """Even where a caller knows them: counts are told, values are not."""
    verdict = sample_verdicts.flights(policy=sample_verdicts.policy(redact=True))
    page = render_report(verdict, (), Surroundings(values=_VALUES))

    assert "2,356" not in page
    assert "Maximum" not in page
    assert "Nulls" in page


def test_the_keys_of_failing_rows_stand_beside_them() -> None:
    """Where the policy keeps columns; under ``redact`` not even what a verdict has of them."""
    kept = {"tailnum": ("'N14228'", "null")}
    late = sample_verdicts.LATE_DEPARTURES.model_copy(update={"kept": kept})
    redacted = sample_verdicts.policy(redact=True)

    text = " ".join(_Outline(render_report(sample_verdicts.flights(late))).text.split())

    assert "Keys of these rows: tailnum 'N14228', null" in text
    assert "N14228" not in render_report(sample_verdicts.flights(late, policy=redacted))


def test_a_page_without_known_values_has_no_columns_for_them() -> None:
    """Nothing but dashes would stand there."""
    page = render_report(sample_verdicts.split())

    assert "Maximum" not in page
    assert "Nulls" not in page


def test_the_rows_of_a_violation_can_be_found_among_the_rejected() -> None:
    """Where rows were set apart, the file is linked with what its reasons begin with."""
    apart = [Destination("Rejected rows", "rejected.parquet", 32)]
    text = " ".join(_Outline(render_report(sample_verdicts.split(), apart)).text.split())

    assert "rejected rows in whose _violations a text begins with null in 'dep_time'." in text
    assert "a text begins with" not in render_report(sample_verdicts.quarantined())


def test_the_same_verdict_gives_the_same_page() -> None:
    """The page depends on nothing but the verdict, also after a round trip through JSON."""
    verdict = sample_verdicts.split()

    assert render_report(verdict) == render_report(Verdict.from_json(verdict.to_json()))


def test_writing_makes_folders_and_replaces_an_older_page(tmp_path: Path) -> None:
    """The page is whole, readable as any file is, and nothing is left beside it."""
    target = tmp_path / "quarantine" / "flights" / "report.html"

    write_report(target, sample_verdicts.passed())
    written = write_report(str(target), sample_verdicts.split())

    assert written == target
    assert target.read_text("utf-8") == render_report(sample_verdicts.split())
    assert list(target.parent.iterdir()) == [target]
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """If a folder has the name, it stays, and no other file is left."""
    target = tmp_path / "report.html"
    target.mkdir()

    with pytest.raises(OSError, match=r"report\.html"):
        write_report(target, sample_verdicts.passed())

    assert list(tmp_path.iterdir()) == [target]
