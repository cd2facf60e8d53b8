"""The pages of docs/how-to/ that need a Prefect server do what they say on one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from live_platform import Platform, wait_for
from live_prefect import server, speaking_to  # noqa: F401 - a fixture
from page_commands import blocks_in, follow
from webhook import receiver  # noqa: F401 - a fixture

from signature_gate.flows.cli.options import NOT_PASSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from webhook import Webhook

    Execute = Callable[..., str]

pytest_plugins = ["page_commands", "page_workplace"]


@pytest.fixture(name="platform")
def on_server(live_server: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Send what this process and its commands say to the live server."""
    monkeypatch.setenv("PREFECT_API_URL", live_server.api)
    monkeypatch.setenv("PREFECT_HOME", live_server.environment["PREFECT_HOME"])
    with speaking_to(live_server):
        yield live_server


def test_people_are_notified_with_and_without_a_server(
    platform: Platform,
    workplace: Path,
    webhook: Webhook,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """notifications.md: both ways reach the receiver, and the blocks are made as it says."""
    monkeypatch.setenv("RECEIVER", webhook.host)
    monkeypatch.setenv("SLACK_URL", f"http://{webhook.host}/slack")
    bad = workplace / "feeds" / "flights" / "inbox" / "2013-07-13.csv"
    bad.write_text(bad.with_name("2013-07-12.csv").read_text("utf-8").replace(",", ";"), "utf-8")

    printed = follow("how-to/notifications.md", lambda command: execute(command, NOT_PASSED))

    assert "signature-gate: batches not passed" in printed
    server_told = {"title": "trial: a test", "message": "Nothing is wrong."}
    wait_for(lambda: server_told in webhook.got("/ops"), "the server's message", seconds=60)
    first, *tests, last = webhook.got("/ops")
    assert first["title"] == "[critical] flights: batch quarantined: 2013-07-13.csv"
    assert last == server_told
    assert tests


def test_an_event_starts_a_scoring_and_a_scoring_starts_a_flow(
    platform: Platform, workplace: Path, execute: Execute
) -> None:
    """events.md: producers' events arrive, and the flow that is served runs for what is scored."""
    (code,) = [block.text for block in blocks_in("how-to/events.md") if block.title]
    (workplace / "after_scoring.py").write_text(code, "utf-8")
    served = f"{sys.executable} {workplace / 'after_scoring.py'}"
    with platform.running(served):
        wait_for(lambda: platform.ask("deployments/filter"), "the deployment")

        follow("how-to/events.md", execute)

        arrived = wait_for(lambda: _arrivals(platform)[1:], "both events")
        assert len(arrived) == 1
        runs = wait_for(lambda: platform.runs_of("load/after-scoring")[1:], "a run for each batch")
        assert len(runs) == 1
    for run in platform.runs_of("load/after-scoring"):
        assert (workplace / "feeds" / "flights" / run["parameters"]["predictions"]).is_file()


def _arrivals(platform: Platform) -> list[dict[str, Any]]:
    named = {"event": {"name": ["batch.arrived"]}}
    return platform.ask("events/filter", filter=named)["events"]
