"""Write the verdict, for machines, and the report, for people, into a quarantine folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..storage.atomic import flush_tree, make_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...expectations.report.batch_report import Destination
    from ...expectations.report.cooccurrence import Overlaps
    from ...expectations.report.feed_history import FeedHistory
    from ...expectations.verdict.verdict import Verdict

VERDICT = "verdict.json"
REPORT = "report.html"
REJECTED = "rejected.parquet"  # rows of a batch that was split


def explain(
    folder: Path,
    verdict: Verdict,
    became: Sequence[Destination],
    past: FeedHistory | None = None,
    overlaps: Overlaps | None = None,
) -> None:
    """Write ``verdict.json`` and ``report.html``, and flush the folder with all that is in it.

    Args:
        folder: The folder; it is made if it does not exist.
        verdict: The verdict.
        became: Where the batch and its rows are now.
        past: The feed's last batches, this one last.
        overlaps: Which violations fall on the same rows.

    Raises:
        OSError: They cannot be written there.
    """
    from ...expectations.report.batch_report import write_report

    make_folder(folder)
    (folder / VERDICT).write_text(verdict.to_json(), "utf-8")
    write_report(folder / REPORT, verdict, became, past, overlaps)
    flush_tree(folder)
