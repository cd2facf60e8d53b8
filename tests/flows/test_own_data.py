"""docs/tutorial.md, from a model to a schedule, on a server and with a worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from live_platform import Platform, wait_for
from live_prefect import server, speaking_to  # noqa: F401 - a fixture
from page_commands import follow

from signature_gate.flows.cli.options import NOT_PASSED
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.receipt_store import ReceiptStore

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("vega_datasets", reason="the tutorial's data")
pytest_plugins = ["page_commands"]


def test_the_tutorial_ends_in_predictions_on_a_schedule(
    live_server: Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    execute: Callable[..., str],
) -> None:
    """tutorial.md: its commands do what it shows, and the worker scores the second month."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", live_server.environment["PREFECT_HOME"])
    monkeypatch.setenv("PWD", str(tmp_path))

    def act(command: str) -> str:
        command = command.replace("http://127.0.0.1:4200/api", live_server.api)
        return execute(command, *((NOT_PASSED,) if " score " in command else ()))

    with speaking_to(live_server):
        printed = follow("tutorial.md", act)
        registry = os.environ["MLFLOW_TRACKING_URI"]
        monkeypatch.setitem(live_server.environment, "MLFLOW_TRACKING_URI", registry)
        feed = Feed.load("feeds/weather.yaml")
        with live_server.running("prefect worker start --pool signature-gate"):
            wait_for(lambda: len(ReceiptStore(feed).batches()) > 1, "the second month")

    page = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")
    (fitted,) = (block for block in page.split("```text\n") if block.startswith("before"))
    assert fitted.partition("```")[0] in printed
    assert "31 in, 28 scored, 3 rejected" in printed
    assert pl.read_parquet("feeds/weather/scored/**/*.parquet").height > 28
