"""What a run shows of itself in Prefect: two artifacts for people, one event per batch.

Both are capped, for Prefect keeps them in its database; the whole story is in the receipts and
reports. Every name and value in them may come from data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.events import emit_event

from ...expectations.escaping import for_markdown, for_table, slug, visible
from ..alerts.message import notice_of_batch
from ..scoring.evidence import REPORT
from ..scoring.mlflow_runs import track_run
from .options import TASK
from .run_tables import address_of_report, tabulate, worst_first

if TYPE_CHECKING:
    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..feed.run_summary import RunSummary

_BATCHES = 50  # told in words
_VIOLATIONS = 20  # of one batch
_LONGEST = 300  # characters of one violation
_MARKDOWN = 64_000  # characters of the whole


def announce(feed: Feed, receipt: Receipt) -> None:
    """Emit ``signature-gate.batch.<disposition>`` for a batch.

    Equal faults carry equal fingerprints, by which an automation tells one alert from the next.
    """
    emit_event(
        event=f"signature-gate.batch.{receipt.disposition}",
        resource={
            "prefect.resource.id": f"signature-gate.feed.{receipt.feed}",
            "prefect.resource.name": receipt.feed,
            "signature-gate.fingerprint": receipt.fingerprint,
            "signature-gate.model": receipt.model.pinned,
        },
        payload={
            **notice_of_batch(feed, receipt).payload,
            "batch": receipt.batch.id,
            "receipt": receipt.file,
            "rows": receipt.rows_in,
            "scored": receipt.outputs.scored,
            "rejected": receipt.outputs.rejected,
            "predictions": receipt.outputs.predictions,
            "quarantine": receipt.outputs.quarantine,
            "summary": visible(receipt.reason, limit=_LONGEST),
            "violations": _violations(receipt.verdict),
        },
    )


def announce_verdict(verdict: Verdict, model: str) -> None:
    """Emit ``signature-gate.batch.<disposition>`` for a batch that belongs to no feed."""
    name = verdict.model.name if verdict.model and verdict.model.name else model
    emit_event(
        event=f"signature-gate.batch.{verdict.disposition}",
        resource={
            "prefect.resource.id": f"signature-gate.model.{slug(name)}",
            "prefect.resource.name": slug(name),
            "signature-gate.fingerprint": verdict.contract or "none",
        },
        payload={
            "batch": visible(verdict.batch.name, limit=_LONGEST),
            "rows": verdict.rows,
            "rejected": verdict.rejected,
            "violations": _violations(verdict),
        },
    )


@task(**TASK)
def publish_run(summary: RunSummary) -> None:
    """Publish what a run did for a feed as one Markdown and one table artifact.

    Where reports are served, a link leads to the one on the batch that fared worst.

    Args:
        summary: What it did.
    """
    key = artifact_key(summary.feed)
    title = f"What became of the batches of {summary.feed}"
    create_markdown_artifact(key=key, markdown=describe_run(summary), description=title)
    create_table_artifact(key=f"{key}-batches", table=tabulate(summary), description=title)
    _link_report(key, summary)


def _link_report(key: str, summary: RunSummary) -> None:
    for receipt in worst_first(summary):
        if url := address_of_report(receipt):
            # Prefect makes Markdown of it, in which a slug is always itself.
            of = f"The report on {slug(receipt.batch.name)}"
            create_link_artifact(key=f"{key}-report", link=url, link_text=of, description=of)
            return


@task(**TASK)
def log_in_mlflow(feed: Feed, summary: RunSummary) -> None:
    """Log what a run did as a run of MLflow, if the feed names an experiment.

    Args:
        feed: The feed.
        summary: What the run did.
    """
    if run := track_run(feed, summary):
        get_run_logger().info("logged in MLflow's experiment %s as run %s", feed.experiment, run)


@task(**TASK)
def publish_verdict(verdict: Verdict, model: str) -> None:
    """Publish the verdict on one batch as one Markdown and one table artifact, and its event.

    Args:
        verdict: What was found.
        model: The model's URI.
    """
    key = artifact_key(verdict.model.name if verdict.model and verdict.model.name else model)
    title = f"The verdict on {slug(verdict.batch.name)}"
    create_markdown_artifact(key=key, markdown=describe_verdict(verdict), description=title)
    violations = [
        {name: for_table(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in _violations(verdict)
    ]
    create_table_artifact(key=f"{key}-violations", table=violations, description=title)
    announce_verdict(verdict, model)


def artifact_key(name: str) -> str:
    """Make one of the keys that Prefect takes: small letters, digits and hyphens."""
    plain = "".join(c if c.isalnum() else "-" for c in slug(name).lower())
    return f"signature-gate-{plain}"


def describe_run(summary: RunSummary) -> str:
    """Tell in Markdown what a run did.

    Args:
        summary: What it did.

    Returns:
        At most 64,000 characters.
    """
    rows = (
        f"- rows in: {summary.rows_in:,}; scored: {summary.rows_scored:,}; "
        f"rejected: {summary.rows_rejected:,}"
    )
    head = [
        f"# {for_markdown(summary.feed)}",
        "",
        for_markdown(summary.message()),
        "",
        f"- model: {for_markdown(summary.model or 'not asked for')}",
        rows,
        f"- batches that could not be read: {len(summary.unreadable)}",
        f"- batches settled before: {summary.done:,}",
    ]
    troubled = [r for r in summary.receipts if r.disposition != "passed"]
    told = [line for receipt in troubled[:_BATCHES] for line in _told(receipt)]
    untold = len(troubled) - _BATCHES
    more = ["", f"… and {untold:,} more batches: see their receipts."] if untold > 0 else []
    left = [f"- {for_markdown(e.batch)}: {for_markdown(e.detail)}" for e in summary.left[:_BATCHES]]
    alone = ["", "## Left alone", "", *left] if left else []
    return "\n".join([*head, *told, *more, *alone])[:_MARKDOWN]


def describe_verdict(verdict: Verdict) -> str:
    """Tell in Markdown what was found in one batch.

    Args:
        verdict: What was found.

    Returns:
        At most 64,000 characters.
    """
    head = f"# {for_markdown(verdict.batch.name)}: {verdict.disposition}"
    rows = "unknown" if verdict.rows is None else f"{verdict.rows:,}"
    facts = f"- model: {for_markdown(verdict.model or 'none')}\n- rows: {rows}"
    counted = f"{facts}\n- rejected: {verdict.rejected:,}"
    return "\n".join([head, "", counted, "", *_listed(verdict)])[:_MARKDOWN]


def _told(receipt: Receipt) -> list[str]:
    head = ["", f"## {for_markdown(receipt.batch.name)}: {receipt.disposition}", ""]
    if receipt.error:
        return [*head, for_markdown(receipt.reason, limit=_LONGEST)]
    place = receipt.outputs.quarantine
    report = [f"- report: {_place_of_report(place, receipt)}"] if place else []
    return [*head, *(_listed(receipt.verdict) if receipt.verdict else []), *report]


def _place_of_report(folder: str, receipt: Receipt) -> str:
    place, url = for_markdown(f"{folder}/{REPORT}"), address_of_report(receipt)
    # Within a link's text Prefect's older pages show escapes as they are written.
    return f"{place} ([open]({url}))" if url else place


def _listed(verdict: Verdict) -> list[str]:
    lines = [
        f"- {for_markdown(violation.message, limit=_LONGEST)}"
        for violation in verdict.violations[:_VIOLATIONS]
    ]
    untold = len(verdict.violations) - _VIOLATIONS
    return [*lines, f"- … and {untold:,} more"] if untold > 0 else lines


def _violations(verdict: Verdict | None) -> list[dict[str, Any]]:
    return [
        {
            "kind": violation.kind,
            "column": visible(violation.column or "", limit=_LONGEST),
            "rows": violation.count,
            "severity": violation.severity,
            "message": visible(violation.message, limit=_LONGEST),
        }
        for violation in (verdict.violations if verdict else ())[:_VIOLATIONS]
    ]
