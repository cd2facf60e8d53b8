"""Set a batch that does not fit apart, with the reasons beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from ..feed.inbox import identify
from ..scoring.evidence import explain
from ..storage.atomic import flush, lexists, make_folder, move, remove
from .options import TASK

if TYPE_CHECKING:
    from ...expectations.verdict.verdict import Verdict


def quarantine(batch: str | Path, verdict: Verdict, folder: str | Path) -> Path:
    """Move a batch into quarantine; killed at any instant, the same call completes it.

    Args:
        batch: The file or folder.
        verdict: Why it may not be scored.
        folder: The quarantine.

    Returns:
        The batch's own folder there, with ``verdict.json`` and ``report.html``.

    Raises:
        FileNotFoundError: There is no such batch.
        OSError: It cannot be moved; then it lies where it did.
    """
    from ...expectations.report.batch_report import Destination

    source, home = Path(batch), Path(folder)
    known = identify(source, source.name)
    place, staged = home / known.id, home / f".{known.id}.partial"
    if not lexists(place):
        remove(staged)
        make_folder(home)
        explain(staged, verdict, [Destination("The batch", known.file, verdict.rows)])
        staged.rename(place)
        flush(home)
    # Last of all, so that the batch is never out of sight.
    move(source, place / known.file)
    return place


@task(**TASK)
def quarantine_batch(batch: str | Path, verdict: Verdict, folder: str | Path) -> Path:
    """Move a batch that does not fit into quarantine.

    Args:
        batch: The file or folder.
        verdict: Why it may not be scored.
        folder: The quarantine.

    Returns:
        The batch's own folder there, with ``verdict.json`` and ``report.html``.
    """
    place = quarantine(batch, verdict, folder)
    get_run_logger().warning("%s is quarantined in %s", batch, place)
    return place
