"""Write the verdict, for machines, and the report, for people, into a quarantine folder."""

from __future__ import annotations

import shlex
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...expectations.judge.result import CheckResult
    from ...expectations.report.batch_report import Destination, Surroundings
    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed

VERDICT = "verdict.json"
REPORT = "report.html"
# The page of the Prefect run at work. Its task sets it: no attempt has to know of Prefect.
RUN_PAGE: ContextVar[str | None] = ContextVar("RUN_PAGE", default=None)
_ANY_FILE = "FEED.yaml"  # of a feed that was made in Python


def shell_command(command: str, feed_file: str | None, *arguments: str) -> str:
    """Write a command about a feed as a shell takes it."""
    words = ["signature-gate", *command.split(), feed_file or _ANY_FILE, *arguments]
    return shlex.join(words)


def desk_command(verb: str, feed_file: str | None, entry: str) -> str:
    """Write a command of the quarantine desk as a shell takes it."""
    return shell_command(f"quarantine {verb}", feed_file, entry)


def desk_commands(feed: Feed, entry: str) -> tuple[tuple[str, str], ...]:
    """List how to go on from an entry of a feed's quarantine, each in words and as a command."""
    return (
        ("Judge it again", desk_command("release", feed.source, entry)),
        ("Discard it", desk_command("discard", feed.source, entry)),
    )


def surroundings_of(feed: Feed, entry: str, judged: CheckResult | None) -> Surroundings:
    """Say what a report on an entry of a feed's quarantine tells beside the verdict."""
    from ...expectations.report.batch_report import Destination, Surroundings

    run = RUN_PAGE.get()
    return Surroundings(
        judged=datetime.now(UTC),
        feed=feed.name,
        links=(Destination("Prefect run", run),) if run else (),
        commands=desk_commands(feed, entry),
        values=judged.values if judged else {},
    )


def explain(
    folder: Path, verdict: Verdict, became: Sequence[Destination], around: Surroundings
) -> None:
    """Write ``verdict.json`` and ``report.html``, and flush the folder with all that is in it."""
    from ...expectations.report.batch_report import write_report
    from ..storage.atomic import flush_tree, make_folder

    make_folder(folder)
    (folder / VERDICT).write_text(verdict.to_json(), "utf-8")
    write_report(folder / REPORT, verdict, became, around)
    flush_tree(folder)
