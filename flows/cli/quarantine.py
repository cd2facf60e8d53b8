"""``signature-gate quarantine``: list, show, release and discard."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..terminal import console as terminal
from ..terminal.quarantine import show_discard, show_entries, show_entry, show_release
from .options import NOT_PASSED, PASSED, AsJson, FeedFile, PolicyFile, Timeout, stdout_to_stderr

if TYPE_CHECKING:
    from ...tasks.feed.feed import Feed
    from ...tasks.quarantine.entries import QuarantineEntry

app = typer.Typer(
    help="Review what lies in quarantine: show, release or discard it. Nothing is deleted.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Batch = Annotated[
    str,
    typer.Argument(help="As `list` shows it, or its beginning or end; or its name as it arrived."),
]


@app.command(name="list")
def list_quarantined(
    feeds: Annotated[list[Path], typer.Argument(help="YAML files of feeds.")],
    as_json: AsJson = False,
) -> None:
    """List what lies in quarantine, the oldest first."""
    from ...tasks.feed.feed import Feed
    from ...tasks.quarantine.entries import entries
    from ...tasks.stores.feed_runs import at_hand

    loaded = [at_hand(Feed.load(file)) for file in feeds]
    pairs = [(feed, entry) for feed in loaded for entry in entries(feed)]
    pairs.sort(key=lambda pair: pair[1].since)
    if as_json:
        typer.echo(json.dumps([_as_json(feed, entry) for feed, entry in pairs], indent=2))
    elif pairs:
        show_entries([(feed.name, entry) for feed, entry in pairs])
    else:
        terminal.print_line(
            f"nothing lies in quarantine: {', '.join(feed.name for feed in loaded)}"
        )


@app.command()
def show(feed: FeedFile, batch: Batch, as_json: AsJson = False) -> None:
    """Show the verdict on a batch, its history, and what can be done."""
    from ...tasks.feed.feed import Feed
    from ...tasks.quarantine.entries import find_entry, history, read_entry, receipts_about
    from ...tasks.quarantine.row_counts import count_rows
    from ...tasks.stores.feed_runs import at_hand

    loaded = at_hand(Feed.load(feed))
    entry = read_entry(loaded, find_entry(loaded, batch))
    receipts = history(loaded, entry)
    state = count_rows(receipts, receipts_about(loaded, entry, receipts)[-1].file)
    if as_json:
        verdict = entry.verdict
        document = {
            **_as_json(loaded, entry),
            "standing": state.model_dump(),
            "verdict": verdict and verdict.model_dump(mode="json"),
            "receipts": [receipt.model_dump(mode="json") for receipt in receipts],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    show_entry(str(feed), entry, receipts, state)


@app.command()
def release(
    feed: FeedFile,
    batch: Batch,
    model: Annotated[
        str | None, typer.Option(help="MLflow URI of the version to judge and score by.")
    ] = None,
    policy: PolicyFile = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Repaired file to judge in its place; it is copied. For rejected rows it holds "
            "the same rows, with their `_row`."
        ),
    ] = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Judge a batch again, and score what fits; the rest stays."""
    from ...tasks.feed.feed import Feed
    from ...tasks.feed.untold import mark_told
    from ...tasks.quarantine.release import ReleaseOptions, release_batch

    loaded = Feed.load(feed)
    with terminal.spinner(f"releasing {batch}"), stdout_to_stderr():
        receipt = release_batch(loaded, batch, ReleaseOptions(model, policy, file), timeout)
    if as_json:
        terminal.print_json(receipt.model_dump_json(indent=2))
    else:
        show_release(loaded, receipt)
    mark_told(loaded, [receipt])
    raise typer.Exit(PASSED if receipt.disposition == "passed" else NOT_PASSED)


@app.command()
def discard(
    feed: FeedFile,
    batch: Batch,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Move a quarantined batch to the archive, with a receipt."""
    from ...tasks.feed.feed import Feed
    from ...tasks.feed.untold import mark_told
    from ...tasks.quarantine.discard import discard_batch

    loaded = Feed.load(feed)
    receipt = discard_batch(loaded, batch, reason)
    if as_json:
        terminal.print_json(receipt.model_dump_json(indent=2))
    else:
        show_discard(loaded, receipt)
    mark_told(loaded, [receipt])


def _as_json(feed: Feed, entry: QuarantineEntry) -> dict[str, Any]:
    return {
        "feed": feed.name,
        "entry": entry.name,
        "batch": entry.batch,
        "since": entry.since.isoformat(),
        "holds": entry.holds,
        "kinds": entry.kinds,
        "rejected": entry.rejected,
        "rows": entry.rows,
        "content": str(entry.content) if entry.content else None,
        "report": str(entry.report),
    }
