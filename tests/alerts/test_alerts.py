"""Alerts without a Prefect server: who is told what, and how often."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml
from commands import run
from drifted_batches import DRIFTED, OTHERWISE, hundred_batches  # noqa: F401 - a fixture
from feeds import (
    PLANTED,
    age,
    deliver,
    rows,
)
from killed_process import score_and_die
from webhook import receiver  # noqa: F401 - a fixture

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.expectations.verdict.cause import Cause
from signature_gate.tasks.alerts.alert import alert_of_batch
from signature_gate.tasks.alerts.notifier import notify_of_batches, parse_recipients
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest import CaptureFixture  # noqa: PT013 - a type only
    from webhook import Webhook

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.run_summary import RunSummary

    FeedMaker = Callable[..., Feed]


def saved(feed: Feed) -> str:
    """Write a feed where the command line finds it."""
    file = f"{feed.root}.yaml"
    with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123 - a root is text
        yaml.safe_dump(feed.model_dump(mode="json", exclude_defaults=True), out)
    return file


def score(capsys: CaptureFixture[str], feed: Feed, *options: str) -> tuple[int, str, str]:
    return run(capsys, "score", saved(feed), *options)


# ----- what is said -----


def test_a_notice_tells_what_somebody_has_to_know(make_feed: FeedMaker, line: str) -> None:
    """Feed, batch, violations, model, the report's place and the severity."""
    feed = make_feed()
    deliver(feed, "july.parquet", OTHERWISE)
    (receipt,) = score_feed(feed).receipts

    alert = alert_of_batch(feed, receipt)

    assert alert.title == "[critical] line: batch quarantined: july.parquet"
    assert "july.parquet: quarantined\n - " in alert.body
    assert "'a'" in alert.body
    assert "model: models:/line/1" in alert.body
    (report,) = [x for x in alert.body.splitlines() if x.startswith("report: ")]
    with open(report.removeprefix("report: "), encoding="utf-8") as page:  # noqa: PTH123
        assert "july.parquet" in page.read()


def test_a_notice_tells_what_rejected_rows_have_in_common(make_feed: FeedMaker, line: str) -> None:
    """Before the violations, and in the event; a value from data calls nobody."""
    feed = make_feed()
    deliver(feed, "july.parquet", OTHERWISE)
    (receipt,) = score_feed(feed).receipts
    cause = Cause(conditions=("carrier = '<!here>'",), rejected=28, of=28, rows=31)
    assert receipt.verdict
    verdict = receipt.verdict.model_copy(update={"causes": (cause,)})

    alert = alert_of_batch(feed, receipt.model_copy(update={"verdict": verdict}))

    said = "all 28 rejected rows have carrier = '{}!here>'; 28 of 31 such rows are rejected"
    assert f"quarantined\n - {said.format('⟨U+003C⟩')}\n - " in alert.body
    assert alert.payload["causes"] == [said.format("<")]


@pytest.mark.parametrize(
    "name",
    ["<!channel>.parquet", "@everyone.parquet", "[x](http:evil).parquet", "<@U123> .parquet"],
)
def test_a_name_calls_nobody_where_people_chat(make_feed: FeedMaker, line: str, name: str) -> None:
    """Mentions and links of Slack, Discord, Mattermost and Teams are mere text."""
    feed = make_feed()
    deliver(feed, name, OTHERWISE)
    (receipt,) = score_feed(feed).receipts

    alert = alert_of_batch(feed, receipt)

    for text in (alert.title, alert.body):
        assert not any(call in text for call in ("<!", "<@", " @e", "]("))
        assert "⟨U+00" in text


# ----- without a server -----


def test_a_hundred_batches_with_one_fault_are_told_once(
    hundred: tuple[Feed, RunSummary], webhook: Webhook
) -> None:
    """One message in a window, the first batch's; the next window has one of its own."""
    feed, summary = hundred
    told = parse_recipients([f"json://{webhook.host}/once"])
    now = datetime(2026, 1, 1, tzinfo=UTC)

    for hours in (0, 0.5, 0.99, 1.1):
        when = now + timedelta(hours=hours)
        assert notify_of_batches(feed, summary.receipts, told, window=3600, now=when) == []

    assert len(summary.of("quarantined")) == 100
    first, second = webhook.got("/once")
    assert first == second
    assert first["title"] == "[critical] hundred: batch quarantined: 000.parquet"
    assert first["type"] == "failure"
    assert "model: models:/line/1" in first["message"]
    assert PLANTED not in str(first)


def test_a_clock_that_was_set_back_silences_no_fault(
    hundred: tuple[Feed, RunSummary], webhook: Webhook
) -> None:
    """What was told in what is now the future does not count as told."""
    feed, summary = hundred
    told = parse_recipients([f"json://{webhook.host}/back"])
    now = datetime(2026, 1, 1, tzinfo=UTC)

    for when in (now, now - timedelta(days=365)):
        notify_of_batches(feed, summary.receipts, told, now=when)

    assert len(webhook.got("/back")) == 2


def test_what_is_told_is_told_again_to_nobody_but_a_new_receiver(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """Runs share what was told; each fault has its message, and each receiver its memory."""
    feed = make_feed()
    one, other = (f"json://{webhook.host}/{path}" for path in ("one", "other"))
    deliver(feed, "1.parquet", DRIFTED)
    deliver(feed, "sound.parquet", rows(3))
    assert score(capsys, feed, "--notify", one)[::2] == (1, "")
    deliver(feed, "2.parquet", DRIFTED)
    deliver(feed, "3.parquet", OTHERWISE)

    assert score(capsys, feed, "--notify", one, "--notify", other)[::2] == (1, "")

    assert [m["title"].rpartition(" ")[2] for m in webhook.got("/one")] == [
        "1.parquet",
        "3.parquet",
    ]
    assert [m["title"].rpartition(" ")[2] for m in webhook.got("/other")] == [
        "2.parquet",
        "3.parquet",
    ]


def test_a_receiver_that_is_down_is_told_later(
    make_feed: FeedMaker,
    line: str,
    webhook: Webhook,
    capsys: CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code and stdout are as without it; stderr says so, and shows no address."""
    monkeypatch.setenv(
        "SIGNATURE_GATE_NOTIFY", f"json://{webhook.host}/s3cret json://127.0.0.1:1/s3cret"
    )
    feed = make_feed()
    webhook.answers = HTTPStatus.SERVICE_UNAVAILABLE
    deliver(feed, "1.parquet", DRIFTED)
    code, out, err = score(capsys, feed, "--json")
    assert (code, json.loads(out)["receipts"][0]["disposition"]) == (1, "quarantined")
    assert err.count("1 alert could not be delivered to the json recipient") == 2
    assert "s3cret" not in err + (feed.receipts / ".alerts.json").read_text("utf-8")
    assert "127.0.0.1" not in err

    deliver(feed, "2.parquet", DRIFTED)
    assert score(capsys, feed)[2].count("1 alert could not") == 2
    webhook.answers = HTTPStatus.OK
    code, _, err = score(capsys, feed)
    assert (code, err.count("1 alert could not")) == (0, 1)
    assert score(capsys, feed)[0] == 0

    (told,) = webhook.got("/s3cret")
    assert "1.parquet" in told["title"]


def test_what_is_told_of_but_cannot_be_noted_changes_no_exit_code(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """A disk that fails is told on stderr; nothing is sent that would be sent for ever."""
    feed = make_feed()
    deliver(feed, "1.parquet", DRIFTED)
    (feed.receipts / ".alerts.json").mkdir(parents=True)

    code, _, err = score(capsys, feed, "--notify", f"json://{webhook.host}/never")

    assert code == 1
    assert "no alert is sent" in err
    assert webhook.got("/never") == []


@pytest.mark.parametrize("command", ["score", "drift"])
def test_an_address_that_nobody_knows_is_refused_first(
    make_feed: FeedMaker, line: str, capsys: CaptureFixture[str], command: str
) -> None:
    """Nothing is scored, and the address is not shown."""
    feed = make_feed()
    deliver(feed, "1.parquet", rows(3))
    options = ("--notify", "json://127.0.0.1:1/", "--notify", "nonsense://s3cret")

    code, out, err = run(capsys, command, saved(feed), *options)

    assert (code, out) == (2, "")
    assert "address 2 of --notify" in err
    assert "s3cret" not in err
    assert not feed.receipts.exists()


def test_drift_and_its_end_are_told_once_each(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """A rehearsal is told to nobody; what Prefect's events told is no matter."""
    feed = make_feed()

    def watch(*options: str) -> int:
        notify = f"json://{webhook.host}/drift"
        code, _, err = run(capsys, "drift", saved(feed), "--notify", notify, *options)
        assert err == ""
        return code

    def deliver_and_score(name: str, batch: pl.DataFrame) -> None:
        deliver(feed, name, batch)
        score_feed(feed)

    deliver_and_score("1.parquet", rows(3))
    assert watch() == 0
    deliver_and_score("2.parquet", OTHERWISE)
    assert watch("--model", "models:/line/2") == 1
    assert webhook.got("/drift") == []
    assert watch() == watch() == 1
    deliver_and_score("3.parquet", rows(3))
    assert watch() == watch() == 0

    drifted, over = webhook.got("/drift")
    assert drifted["title"] == "[critical] line: what arrives has changed"
    assert "breaking: column 'a' removed" in drifted["message"]
    assert "since batch: 2.parquet" in drifted["message"]
    assert "report.html" in drifted["message"]
    assert (over["title"], over["type"]) == ("[info] line: the drift is over", "success")


def test_a_drift_that_lasts_until_it_is_usual_is_told_once(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """Though a column that was new is so no longer, and fewer changes are left."""
    feed = make_feed()
    deliver(feed, "0.parquet", rows(3))
    for number in (1, 2, 3):
        deliver(feed, f"{number}.parquet", pl.DataFrame({"new": [1.0] * number}))
        score_feed(feed)
        run(capsys, "drift", saved(feed), "--notify", f"json://{webhook.host}/lasting")

    (told,) = webhook.got("/lasting")
    assert told["title"] == "[critical] line: what arrives has changed"


# ----- on trial -----


def test_a_test_alert_goes_to_each_address(
    webhook: Webhook, capsys: CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One marked message each; exit code 0 if all are sent, and no feed is needed."""
    monkeypatch.setenv(
        "SIGNATURE_GATE_NOTIFY",
        " ".join(f"json://{webhook.host}/{path}" for path in ("one", "other")),
    )

    code, out, err = run(capsys, "alerts", "test")

    assert (code, err, out.count("sent ")) == (0, "", 2)
    for path in ("/one", "/other"):
        (told,) = webhook.got(path)
        assert told["title"] == "[test] signature-gate: this is a test alert"
        assert "Nothing has happened" in told["message"]


def test_a_test_alert_that_fails_is_told_with_its_reason_and_without_secrets(
    webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """One that answers with an error, and one that does not answer: exit code 3, and what to do."""
    webhook.answers = HTTPStatus.SERVICE_UNAVAILABLE
    refusing = f"json://anna:s3cret@{webhook.host}/t0ken"
    options = ("--notify", refusing, "--notify", "json://127.0.0.1:1/s3cret")

    code, out, err = run(capsys, "alerts", "test", *options)
    entries = json.loads(run(capsys, "alerts", "test", "--json", *options)[1])

    assert code == 3
    assert [entry["state"] for entry in entries] == ["failed", "failed"]
    assert "503" in entries[0]["reason"]
    assert "onnection error" in entries[1]["reason"]
    assert "(address 2)" in entries[1]["receiver"]
    assert out.count("Check that the receiver is up, and this address") == 2
    said = out + err + json.dumps(entries)
    assert not any(secret in said for secret in ("s3cret", "t0ken", "anna", "127.0.0.1"))


def test_without_anybody_to_send_to_nothing_is_tested(capsys: CaptureFixture[str]) -> None:
    """Neither address nor server: wrong usage, and what to name."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: None}):
        code, out, err = run(capsys, "alerts", "test")

    assert (code, out) == (2, "")
    assert "PREFECT_API_URL" in err
    assert "--notify" in err


# ----- silence -----


def test_a_silent_feed_is_told_once_and_so_is_its_end(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """Runs that find nothing say since when; neither retries nor releases count as arrivals."""
    feed = make_feed(expect_every="1d")
    options = ("--notify", f"json://{webhook.host}/quiet")
    deliver(feed, "1.parquet", OTHERWISE)
    score(capsys, feed)
    assert "arrived since" not in score(capsys, feed, *options)[1]
    age(feed, days=2)
    assert run(capsys, "quarantine", "release", saved(feed), "1.parquet")[0] == 1

    for _ in range(2):
        code, out, err = score(capsys, feed, *options)
        assert (code, err) == (0, "")
        assert "no batch to score; no new one has arrived since " in out
    deliver(feed, "2.parquet", rows(3))
    for _ in range(2):
        assert "arrived since" not in score(capsys, feed, *options)[1]

    silent, over = webhook.got("/quiet")
    assert (silent["title"], silent["type"]) == ("[critical] line: no batch arrives", "failure")
    assert "UTC; the feed expects one every 1d\ninbox: " in silent["message"]
    assert (over["title"], over["type"]) == ("[info] line: batches arrive again", "success")
    assert "was silent since" in over["message"]
    age(feed, days=2)
    score(capsys, feed, *options)
    assert len(webhook.got("/quiet")) == 3


def test_a_feed_that_never_received_a_batch_counts_from_its_first_run(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """What no format claims is no batch."""
    feed = make_feed(expect_every="12h")
    options = ("--notify", f"json://{webhook.host}/never")
    deliver(feed, "notes.docx", b"not a batch")
    score(capsys, feed, *options)
    assert webhook.got("/never") == []
    age(feed, days=0.6)

    assert "(1 ignored)" in score(capsys, feed, *options)[1]

    assert [told["title"] for told in webhook.got("/never")] == [
        "[critical] line: no batch arrives"
    ]


def test_what_lies_in_the_inbox_and_has_no_receipt_has_arrived(
    make_feed: FeedMaker, line: str, capsys: CaptureFixture[str]
) -> None:
    """A batch that still grows, and one that repeats another, with the times of their originals."""
    feed = make_feed(expect_every="1d", on_duplicate="skip")
    os.utime(deliver(feed, "1.parquet", rows(3)), (0, 0))
    score(capsys, feed)
    age(feed, days=2)
    twin = deliver(feed, "2.parquet", rows(3))
    os.utime(twin, (0, 0))
    assert "(1 duplicate)" in (told := score(capsys, feed)[1])
    assert "arrived since" not in told

    twin.unlink()
    deliver(feed, "3.parquet", rows(4))
    growing = feed.model_copy(update={"settle_seconds": 60})
    assert "(1 unsettled)" in (told := score(capsys, growing)[1])
    assert "arrived since" not in told


def test_a_registry_that_is_away_makes_no_silence(
    make_feed: FeedMaker,
    line: str,
    webhook: Webhook,
    capsys: CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches that cannot be scored have arrived all the same: the run fails, and tells no more."""
    feed = make_feed(expect_every="1d")
    options = ("--notify", f"json://{webhook.host}/away")
    score(capsys, feed, *options)
    age(feed, days=2)
    deliver(feed, "1.parquet", rows(3))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    code, out, _ = score(capsys, feed, *options, "--registry-timeout", "1")

    assert (code, out, webhook.got("/away")) == (3, "", [])


@pytest.mark.parametrize("text", ["0d", "daily", "1", "-1d"])
def test_what_is_no_duration_is_refused(make_feed: FeedMaker, text: str) -> None:
    """With the field's name, and a duration that would do."""
    with pytest.raises(InvalidFeed, match=r"expect_every.*such as"):
        make_feed(expect_every=text)


# ----- what outlives a worker -----


def test_an_alert_outlives_the_worker_that_was_killed_before_it(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """kill -9 between quarantine and the end of the run: the next run alerts, once."""
    feed = make_feed()
    address = f"json://{webhook.host}/killed"
    deliver(feed, "1.parquet", DRIFTED)
    deliver(feed, "2.parquet", OTHERWISE)
    assert score_and_die(feed, "swept") == -9
    (feed.inbox / "2.parquet").unlink()

    code, out, err = score(capsys, feed, "--notify", address, "--json")

    assert (code, json.loads(out)["rows_in"]) == (0, 0)
    assert "from a run that ended early: 1.parquet: quarantined" in err
    (told,) = webhook.got("/killed")
    assert told["title"] == "[critical] line: batch quarantined: 1.parquet"
    assert score(capsys, feed, "--notify", address)[::2] == (0, "")
    assert len(webhook.got("/killed")) == 1


def test_a_run_that_breaks_alerts_about_what_it_did(
    make_feed: FeedMaker,
    line: str,
    webhook: Webhook,
    capsys: CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error that nothing catches exits with 3 and keeps no alert about other batches back."""
    feed = make_feed()
    deliver(feed, "1.parquet", DRIFTED)

    def no_tracking(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("signature_gate.tasks.scoring.feed_run.track_run", no_tracking)
    code, out, err = score(capsys, feed, "--notify", f"json://{webhook.host}/broken")

    assert (code, out) == (3, "")
    assert "unexpected MemoryError" in err
    (told,) = webhook.got("/broken")
    assert told["title"] == "[critical] line: batch quarantined: 1.parquet"


def test_what_cannot_be_recorded_is_told_by_the_next_run(
    make_feed: FeedMaker, line: str, webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """A receipt counts as told only when its alert is delivered, or recorded as due."""
    feed = make_feed()
    options = ("--notify", f"json://{webhook.host}/recorded")
    deliver(feed, "1.parquet", DRIFTED)
    (feed.receipts / ".alerts.json").mkdir(parents=True)
    assert "cannot be recorded" in score(capsys, feed, *options)[2]
    (feed.receipts / ".alerts.json").rmdir()

    score(capsys, feed, *options)

    assert [m["title"].rpartition(" ")[2] for m in webhook.got("/recorded")] == ["1.parquet"]
