"""Who is told what, and how often: by a real Prefect server, and without one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml
from commands import run
from feeds import (
    PLANTED,
    deliver,
    rows,
)
from live_platform import Platform, wait_for
from live_prefect import server, speaking_to  # noqa: F401 - a fixture
from receivers import receiver  # noqa: F401 - a fixture

from signature_gate.tasks.alerts import receivers_of, tell_of_batches
from signature_gate.tasks.feed import Feed
from signature_gate.tasks.lifecycle import score_feed
from signature_gate.tasks.notices import notice_of_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest import CaptureFixture  # noqa: PT013 - a type only
    from receivers import Webhook

    from signature_gate.tasks.summaries import RunSummary

    FeedMaker = Callable[..., Feed]

DRIFTED = rows(3).rename({"n": "N"}).with_columns(a=pl.lit(PLANTED))
OTHERWISE = rows(3).drop("a")
ALERTS = [
    "signature-gate: drift",
    "signature-gate: drift is over",
    "signature-gate: contract changed",
    "signature-gate: batches not passed",
]


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

    notice = notice_of_batch(feed, receipt)

    assert notice.subject == "[critical] line: batch quarantined: july.parquet"
    assert "july.parquet: quarantined\n - " in notice.message
    assert "'a'" in notice.message
    assert "model: models:/line/1" in notice.message
    (report,) = [x for x in notice.message.splitlines() if x.startswith("report: ")]
    with open(report.removeprefix("report: "), encoding="utf-8") as page:  # noqa: PTH123
        assert "july.parquet" in page.read()


@pytest.mark.parametrize(
    "name",
    ["<!channel>.parquet", "@everyone.parquet", "[x](http:evil).parquet", "<@U123> .parquet"],
)
def test_a_name_calls_nobody_where_people_chat(make_feed: FeedMaker, line: str, name: str) -> None:
    """Mentions and links of Slack, Discord, Mattermost and Teams are mere text."""
    feed = make_feed()
    deliver(feed, name, OTHERWISE)
    (receipt,) = score_feed(feed).receipts

    notice = notice_of_batch(feed, receipt)

    for text in (notice.subject, notice.message):
        assert not any(call in text for call in ("<!", "<@", " @e", "]("))
        assert "⟨U+00" in text


# ----- without a server -----


@pytest.fixture(scope="module")
def hundred(line: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Feed, RunSummary]:
    """Score a hundred batches that have one fault; their values are secret."""
    root = tmp_path_factory.mktemp("hundred")
    (root / "inbox").mkdir()
    fields = {"name": "hundred", "model": line, "root": str(root), "settle_seconds": 0}
    feed = Feed.parse({**fields, "policy": {"keep": ["key"], "redact": True}})
    for number in range(100):
        deliver(feed, f"{number:03}.parquet", DRIFTED)
    return feed, score_feed(feed)


def test_a_hundred_batches_with_one_fault_are_told_once(
    hundred: tuple[Feed, RunSummary], webhook: Webhook
) -> None:
    """One message in a window, the first batch's; the next window has one of its own."""
    feed, summary = hundred
    told = receivers_of([f"json://{webhook.host}/once"])
    now = datetime(2026, 1, 1, tzinfo=UTC)

    for hours in (0, 0.5, 0.99, 1.1):
        when = now + timedelta(hours=hours)
        assert tell_of_batches(feed, summary.receipts, told, window=3600, now=when) == []

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
    told = receivers_of([f"json://{webhook.host}/back"])
    now = datetime(2026, 1, 1, tzinfo=UTC)

    for when in (now, now - timedelta(days=365)):
        tell_of_batches(feed, summary.receipts, told, now=when)

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
    assert err.count("1 alert could not be delivered to the json receiver") == 2
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
    assert "nobody is told of faults" in err
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


# ----- on a server -----


@pytest.fixture(scope="module")
def on_server(live_server: Platform) -> Iterator[Platform]:
    with speaking_to(live_server):
        yield live_server


@pytest.fixture
def blocks(on_server: Platform, webhook: Webhook) -> tuple[str, str]:
    """Make a notification block and a plain webhook block, one path each."""
    from prefect.blocks.notifications import CustomWebhookNotificationBlock
    from prefect.blocks.webhook import Webhook as WebhookBlock

    message: dict[str, Any] = {"title": "{{subject}}", "message": "{{body}}"}
    address = f"http://{webhook.host}/"
    CustomWebhookNotificationBlock(name="ops", url=f"{address}ops", json_data=message).save(
        "ops", overwrite=True
    )
    WebhookBlock(url=f"{address}plain").save("plain", overwrite=True)
    return "custom-webhook/ops", "webhook/plain"


def install(capsys: CaptureFixture[str], *options: str) -> dict[str, str]:
    """Install alerts, and look up by name what has become of each automation."""
    code, out, err = run(capsys, "alerts", "install", "--json", *options)
    assert (code, err) == (0, "")
    return {entry["name"]: entry["state"] for entry in json.loads(out)}


def automations(platform: Platform) -> list[dict[str, Any]]:
    found = platform.ask("automations/filter")
    return [a for a in found if a["name"].startswith("signature-gate: ")]


def test_installing_again_leaves_one_of_each(
    on_server: Platform, blocks: tuple[str, str], capsys: CaptureFixture[str]
) -> None:
    """Created, then unchanged, then updated; what was paused stays so; removed when asked to."""
    ops, plain = (("--block", block) for block in blocks)
    assert install(capsys, *ops) == dict.fromkeys(ALERTS, "created")
    assert install(capsys, *ops) == dict.fromkeys(ALERTS, "unchanged")
    paused, *_ = automations(on_server)
    copy = {k: v for k, v in paused.items() if k not in {"id", "created", "updated"}}
    on_server.ask("automations/", **copy)  # as two that install at once may do
    assert len(automations(on_server)) == 5
    client_pause(on_server)

    assert install(capsys, *ops, *plain, "--window", "60") == dict.fromkeys(ALERTS, "updated")

    found = {a["name"]: a for a in automations(on_server)}
    assert (len(automations(on_server)), sorted(found)) == (4, sorted(ALERTS))
    assert {a["trigger"]["within"] for a in found.values()} == {60.0}
    assert {len(a["actions"]) for a in found.values()} == {2}
    assert [a["enabled"] for a in found.values()].count(False) == 4
    assert "paused" in run(capsys, "alerts", "list")[1]
    assert run(capsys, "alerts", "remove")[0] == 0
    assert "no alerts are installed" in run(capsys, "alerts", "list")[1]


def client_pause(platform: Platform) -> None:
    """Pause all of ours."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for automation in automations(platform):
            client.pause_automation(automation["id"])


def test_the_server_tells_once_per_fault_and_window(
    on_server: Platform,
    blocks: tuple[str, str],
    hundred: tuple[Feed, RunSummary],
    webhook: Webhook,
    capsys: CaptureFixture[str],
) -> None:
    """A hundred events of equal batches give one message, in the words of the command line."""
    from signature_gate.tasks.publishing import announce

    feed, summary = hundred
    install(capsys, "--block", blocks[0], "--block", blocks[1])
    for receipt in summary.receipts:
        announce(feed, receipt)
    wait_for(lambda: webhook.got("/ops"), "the first message")
    deliver(feed, "other.parquet", OTHERWISE)
    (other,) = score_feed(feed).receipts

    announce(feed, other)

    wait_for(lambda: len(webhook.got("/ops")) > 1, "the second message")
    wait_for(lambda: len(webhook.got("/plain")) > 1, "the second call")
    told = {notice_of_batch(feed, r).message for r in summary.receipts}
    first, second = webhook.got("/ops")
    assert first["message"] in told
    assert "model: models:/line/1" in first["message"]
    assert f"report: {feed.root}/quarantine/" in first["message"]
    assert PLANTED not in str(first)
    assert second["title"] == "[critical] hundred: batch quarantined: other.parquet"
    called = [(c["feed"], c["event"], c["severity"]) for c in webhook.got("/plain")]
    assert called == [("hundred", "signature-gate.batch.quarantined", "critical")] * 2
    assert [c["message"] for c in webhook.got("/plain")] == [first["message"], second["message"]]


def test_the_server_tells_of_drift_and_its_end(
    on_server: Platform,
    blocks: tuple[str, str],
    make_feed: FeedMaker,
    line: str,
    webhook: Webhook,
    capsys: CaptureFixture[str],
) -> None:
    """Watching flows on a schedule tell a drift once, its end once, and the next drift again."""
    from signature_gate.flows.watching import watch_schema

    feed = make_feed("watched")
    install(capsys, "--block", blocks[0])
    sound = rows(3)
    for number, batch in enumerate((sound, sound, OTHERWISE, sound, DRIFTED, sound)):
        deliver(feed, f"{number}.parquet", batch)
        score_feed(feed)
        watch_schema(feed)

    wait_for(lambda: len(webhook.got("/ops")) > 3, "four messages")
    titles = sorted(message["title"] for message in webhook.got("/ops"))
    assert titles == [
        "[critical] watched: what arrives has changed",
        "[critical] watched: what arrives has changed",
        "[info] watched: the drift is over",
        "[info] watched: the drift is over",
    ]
    assert "breaking: column 'a' removed" in str(webhook.got("/ops"))


def test_a_receiver_that_is_down_is_an_event_of_the_servers(
    on_server: Platform,
    make_feed: FeedMaker,
    line: str,
    webhook: Webhook,
    capsys: CaptureFixture[str],
) -> None:
    """The flow runs on as ever; that nobody could be told stands among the server's events."""
    from prefect.blocks.notifications import MattermostWebhook

    from signature_gate.flows.scoring import score_batches

    host, port = webhook.host.split(":")
    mattermost: Any = MattermostWebhook(hostname=host, port=int(port), token="t" * 26)
    mattermost.save("chat", overwrite=True)
    install(capsys, "--block", "mattermost-webhook/chat")
    feed = make_feed("unheard")
    webhook.answers = HTTPStatus.SERVICE_UNAVAILABLE
    deliver(feed, "1.parquet", OTHERWISE)
    state = score_batches(feed, return_state=True)

    assert state.name == "Quarantined"
    failed = {"event": {"name": ["prefect.automation.action.failed"]}}
    wait_for(lambda: on_server.ask("events/filter", filter=failed)["events"], "the failed action")
    assert webhook.got(f"/hooks/{'t' * 26}") == []

    webhook.answers = HTTPStatus.OK
    deliver(feed, "2.parquet", DRIFTED)
    score_batches(feed, return_state=True)
    wait_for(lambda: webhook.got(f"/hooks/{'t' * 26}"), "the next fault's message")


def test_what_cannot_be_installed_is_said_with_its_remedy(
    on_server: Platform,
    blocks: tuple[str, str],
    capsys: CaptureFixture[str],
) -> None:
    """No such block, one that notifies nobody, half a name; and those that there are."""
    from prefect.blocks.system import Secret

    Secret(value="x").save("ops", overwrite=True)
    for block, said in {
        "slack-webhook/ops": "no such block",
        "secret/ops": "notifies nobody",
        "ops": "TYPE/NAME",
    }.items():
        code, out, err = run(capsys, "alerts", "install", "--block", block)
        assert (code, out) == (2, "")
        assert said in err
        assert "tell somebody: custom-webhook/ops, " in err
        assert "secret/ops" not in err.partition("Those")[2]


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [(None, 2, "PREFECT_API_URL"), ("http://127.0.0.1:1/api", 3, "http://127.0.0.1:1/api")],
)
def test_without_a_server_nothing_can_be_installed(
    capsys: CaptureFixture[str], address: str | None, code: int, said: str
) -> None:
    """None is named, or none answers; either is one sentence, with what to do about it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: address}):
        told = run(capsys, "alerts", "install", "--block", "slack-webhook/ops")

    assert told[0] == code
    assert said in told[2]
    assert "Traceback" not in told[2]
