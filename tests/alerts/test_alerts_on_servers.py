"""Alerts on a real Prefect server: who installs them, and who is told what, how often."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from drifted_batches import (
    DRIFTED,
    OTHERWISE,
    hundred_batches,  # noqa: F401 - a fixture
)
from feeds import (
    PLANTED,
    age,
    deliver,
    rows,
)
from live_platform import Platform, wait_for
from live_prefect import server, speaking_to  # noqa: F401 - a fixture
from webhook import receiver  # noqa: F401 - a fixture

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.tasks.alerts.alert import alert_of_batch
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest import CaptureFixture  # noqa: PT013 - a type only
    from webhook import Webhook

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.run_summary import RunSummary

    FeedMaker = Callable[..., Feed]

ALERTS = [
    "signature-gate: drift",
    "signature-gate: drift is over",
    "signature-gate: contract changed",
    "signature-gate: batches not passed",
    "signature-gate: feed is silent",
    "signature-gate: feed is no longer silent",
    "signature-gate: runs failed or late",
]


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
    assert len(automations(on_server)) == len(ALERTS) + 1
    client_pause(on_server)

    assert install(capsys, *ops, *plain, "--window", "60") == dict.fromkeys(ALERTS, "updated")

    found = {a["name"]: a for a in automations(on_server)}
    assert (len(automations(on_server)), sorted(found)) == (len(ALERTS), sorted(ALERTS))
    assert {a["trigger"]["within"] for a in found.values()} == {60.0}
    assert {len(a["actions"]) for a in found.values()} == {2}
    assert [a["enabled"] for a in found.values()].count(False) == len(ALERTS)
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
    from signature_gate.tasks.prefect_tasks.events import announce

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
    told = {alert_of_batch(feed, r).body for r in summary.receipts}
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


def test_the_server_tells_of_a_silent_feed_and_of_its_end(
    on_server: Platform,
    blocks: tuple[str, str],
    make_feed: FeedMaker,
    line: str,
    webhook: Webhook,
    capsys: CaptureFixture[str],
) -> None:
    """Runs that find nothing tell it once, by their state too; the next batch ends it, once."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed("quiet", expect_every="1d")
    install(capsys, "--block", blocks[0], "--block", blocks[1])
    deliver(feed, "1.parquet", rows(3))
    score_batches(feed)
    age(feed, days=2)

    found = [score_batches(feed, return_state=True) for _ in range(2)]
    deliver(feed, "2.parquet", rows(4))
    score_batches(feed)
    score_batches(feed)

    assert all("no new one has arrived since" in str(state.message) for state in found)
    wait_for(lambda: len(webhook.got("/ops")) > 1, "both messages")
    silent = {"event": {"name": ["signature-gate.feed.silent", "signature-gate.feed.resumed"]}}
    events = partial(on_server.ask, "events/filter", filter=silent)
    wait_for(lambda: len(events()["events"]) > 1, "both events")
    assert len(events()["events"]) == 2
    told = {message["title"]: message["message"] for message in webhook.got("/ops")}
    assert set(told) == {
        "[critical] quiet: no batch arrives",
        "[info] quiet: batches arrive again",
    }
    assert "the feed expects one every 1d" in told["[critical] quiet: no batch arrives"]
    wait_for(lambda: len(webhook.got("/plain")) > 1, "both calls")
    assert {called["feed"] for called in webhook.got("/plain")} == {"quiet"}


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


def test_a_test_alert_goes_through_the_installed_blocks_and_named_ones(
    on_server: Platform, blocks: tuple[str, str], webhook: Webhook, capsys: CaptureFixture[str]
) -> None:
    """Of two kinds, each once; one that fails is told with its reason, without secrets."""
    from prefect.blocks.notifications import MattermostWebhook

    install(capsys, "--block", blocks[0], "--block", blocks[1])
    code, out, err = run(capsys, "alerts", "test")
    assert (code, err, out.count("sent ")) == (0, "", 2)
    (told,), (called,) = webhook.got("/ops"), webhook.got("/plain")
    assert told["title"] == called["subject"] == "[test] signature-gate: this is a test alert"
    assert called["event"] == "signature-gate.alerts.test"

    host, port = webhook.host.split(":")
    mattermost: Any = MattermostWebhook(hostname=host, port=int(port), token="t" * 26)
    mattermost.save("chat", overwrite=True)
    webhook.answers = HTTPStatus.SERVICE_UNAVAILABLE
    named = ("mattermost-webhook/chat", *blocks)
    options = (part for name in named for part in ("--block", name))
    code, out, err = run(capsys, "alerts", "test", "--json", *options)

    entries = json.loads(out)
    assert code == 3
    assert [entry["receiver"] for entry in entries] == list(named)
    assert all("503" in entry["reason"] for entry in entries), entries
    assert all("page Blocks" in entry["remedy"] for entry in entries)
    assert "t" * 26 not in out + err
    assert run(capsys, "alerts", "test", "--block", "slack-webhook/none")[0] == 2


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


def test_the_server_tells_of_runs_that_fail_before_any_batch(
    on_server: Platform,
    blocks: tuple[str, str],
    tmp_path: Path,
    webhook: Webhook,
    capsys: CaptureFixture[str],
) -> None:
    """A feed's file that cannot be read has no receipts: the run itself is what alerts."""
    from prefect import tags

    from signature_gate.flows.scoring import score_batches

    install(capsys, "--block", blocks[0], "--block", blocks[1])
    with tags("signature-gate"), pytest.raises(InvalidFeed):
        score_batches(tmp_path / "gone.yaml")

    wait_for(lambda: webhook.got("/ops") and webhook.got("/plain"), "both messages")
    (told,), (called,) = webhook.got("/ops"), webhook.got("/plain")
    assert told["title"].startswith("gone ")
    assert told["title"].endswith(": the run is Failed")
    assert "cannot read the feed" in told["message"]
    assert (called["event"], called["severity"]) == ("prefect.flow-run.Failed", "critical")
    assert called["message"] == told["message"]
