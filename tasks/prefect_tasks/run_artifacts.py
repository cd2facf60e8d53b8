"""Artifacts of a run: Markdown, a table, and a link to the worst report where one is served.

All are capped, because Prefect keeps them in its database; receipts and reports hold everything.
Every name and value in them may come from data.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from prefect import get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from ...expectations.escaping import for_markdown, for_table, slug
from ..alerts.alert import violations_of
from ..scoring.evidence import REPORT
from ..scoring.mlflow_runs import track_run
from .events import announce_verdict
from .options import TASK

if TYPE_CHECKING:
    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from ..feed.receipt import Cell, Receipt
    from ..feed.run_summary import RunSummary

_BATCHES = 50  # described in Markdown
_VIOLATIONS = 20  # of one batch
_LONGEST = 300  # characters of one violation
_MARKDOWN = 64_000  # characters in all
_ROWS = 200
_CELL = 48  # characters of a name or reason: the pages break no line within a table
_WORST_FIRST = ("errored", "failed", "quarantined", "discarded", "split", "passed")


@task(**TASK)
def publish_run(summary: RunSummary) -> None:
    """Publish what a run did for a feed as one Markdown and one table artifact."""
    key = artifact_key(summary.feed)
    title = f"What became of the batches of {summary.feed}"
    worst_first = sorted(summary.receipts, key=lambda r: _WORST_FIRST.index(r.disposition))
    table = [_table_row(receipt) for receipt in worst_first[:_ROWS]]
    create_markdown_artifact(key=key, markdown=_describe_run(summary), description=title)
    create_table_artifact(key=f"{key}-batches", table=table, description=title)
    served = ((receipt, url) for receipt in worst_first if (url := _report_url(receipt)))
    for receipt, url in served:
        # Prefect renders the text as Markdown, in which a slug means itself.
        text = f"The report on {slug(receipt.batch.name)}"
        create_link_artifact(key=f"{key}-report", link=url, link_text=text, description=text)
        return


@task(**TASK)
def log_in_mlflow(feed: Feed, summary: RunSummary) -> None:
    """Log what a run did as a run of MLflow, if the feed names an experiment."""
    if run := track_run(feed, summary):
        get_run_logger().info("logged in MLflow's experiment %s as run %s", feed.experiment, run)


@task(**TASK)
def publish_verdict(verdict: Verdict, model: str) -> None:
    """Publish the verdict on one batch as one Markdown and one table artifact, and its event.

    Args:
        verdict: The verdict.
        model: The model's URI.
    """
    key = artifact_key(verdict.model.name if verdict.model and verdict.model.name else model)
    title = f"The verdict on {slug(verdict.batch.name)}"
    create_markdown_artifact(key=key, markdown=_describe_verdict(verdict), description=title)
    violations = [
        {name: for_table(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in violations_of(verdict)
    ]
    create_table_artifact(key=f"{key}-violations", table=violations, description=title)
    announce_verdict(verdict, model)


def artifact_key(name: str) -> str:
    """Make a key as Prefect demands it: small letters, digits and hyphens."""
    plain = "".join(c if c.isalnum() else "-" for c in slug(name).lower())
    return f"signature-gate-{plain}"


# ----- Markdown -----


def _describe_run(summary: RunSummary) -> str:
    rows = (
        f"- rows in: {summary.rows_in:,}; scored: {summary.rows_scored:,}; "
        f"rejected: {summary.rows_rejected:,}"
    )
    head = [
        f"# {for_markdown(summary.feed)}",
        "",
        for_markdown(summary.message()),
        "",
        f"- model: {for_markdown(summary.model or 'not needed')}",
        rows,
        f"- batches that could not be read: {len(summary.unreadable)}",
        f"- batches done before: {summary.done:,}",
    ]
    not_passed = [r for r in summary.receipts if r.disposition != "passed"]
    described = [line for receipt in not_passed[:_BATCHES] for line in _describe_batch(receipt)]
    more = len(not_passed) - _BATCHES
    others = ["", f"… and {more:,} more batches: see their receipts."] if more > 0 else []
    left = [f"- {for_markdown(e.batch)}: {for_markdown(e.detail)}" for e in summary.left[:_BATCHES]]
    skipped = ["", "## Left alone", "", *left] if left else []
    return "\n".join([*head, *described, *others, *skipped])[:_MARKDOWN]


def _describe_verdict(verdict: Verdict) -> str:
    head = f"# {for_markdown(verdict.batch.name)}: {verdict.disposition}"
    rows = "unknown" if verdict.rows is None else f"{verdict.rows:,}"
    facts = f"- model: {for_markdown(verdict.model or 'none')}\n- rows: {rows}"
    counted = f"{facts}\n- rejected: {verdict.rejected:,}"
    return "\n".join([head, "", counted, "", *_list_violations(verdict)])[:_MARKDOWN]


def _describe_batch(receipt: Receipt) -> list[str]:
    head = ["", f"## {for_markdown(receipt.batch.name)}: {receipt.disposition}", ""]
    if receipt.error:
        return [*head, for_markdown(receipt.reason, limit=_LONGEST)]
    folder = receipt.outputs.quarantine
    report = [f"- report: {_report_place(folder, receipt)}"] if folder else []
    return [*head, *(_list_violations(receipt.verdict) if receipt.verdict else []), *report]


def _list_violations(verdict: Verdict) -> list[str]:
    lines = [
        f"- {for_markdown(each.message, limit=_LONGEST)}"
        for each in (*verdict.causes, *verdict.violations[:_VIOLATIONS])
    ]
    more = len(verdict.violations) - _VIOLATIONS
    return [*lines, f"- … and {more:,} more"] if more > 0 else lines


def _report_place(folder: str, receipt: Receipt) -> str:
    place, url = for_markdown(f"{folder}/{REPORT}"), _report_url(receipt)
    # Within a link's text older pages of Prefect show escapes as they are written.
    return f"{place} ([open]({url}))" if url else place


def _report_url(receipt: Receipt) -> str | None:
    """Find the report below SIGNATURE_GATE_REPORTS_URL: browsers follow no link to a file."""
    base, folder = os.environ.get("SIGNATURE_GATE_REPORTS_URL"), receipt.outputs.quarantine
    if not base or not folder or folder.startswith("/"):
        return None
    return f"{base.rstrip('/')}/{quote(f'{receipt.feed}/{folder}/{REPORT}')}"


# ----- the table -----


def _table_row(receipt: Receipt) -> dict[str, Cell]:
    quarantine = receipt.outputs.quarantine
    return {
        "batch": for_table(receipt.batch.name, limit=_CELL),
        "disposition": receipt.disposition,
        "reason": for_table(_brief_reason(receipt), limit=_CELL),
        "rows": receipt.rows_in,
        "scored": receipt.outputs.scored,
        "rejected": receipt.outputs.rejected,
        "version": for_table(receipt.version, limit=_CELL),
        "report": for_table(f"{quarantine}/{REPORT}") if quarantine else None,
    }


def _brief_reason(receipt: Receipt) -> str:
    if receipt.error:
        return receipt.error.kind
    blocking = receipt.verdict.blocking if receipt.verdict else ()
    if receipt.discard or not blocking:
        return receipt.reason
    first, more = blocking[0], len(blocking) - 1
    where = f" in {first.column}" if first.column else ""
    return f"{first.kind}{where}{f' and {more:,} more' if more else ''}"
