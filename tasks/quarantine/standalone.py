"""Quarantine one batch that belongs to no feed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..feed.identity import identify
from ..scoring.evidence import explain
from ..storage.atomic import flush, lexists, make_folder, move, remove

if TYPE_CHECKING:
    from ...expectations.verdict.verdict import Verdict


def quarantine(batch: str | Path, verdict: Verdict, folder: str | Path) -> Path:
    """Move a batch into its own folder in quarantine; after a crash the same call completes it."""
    from ...expectations.report.batch_report import Destination, Surroundings

    source, home = Path(batch), Path(folder)
    known = identify(source, source.name)
    place, staged = home / known.id, home / f".{known.id}.partial"
    if not lexists(place):
        remove(staged)
        make_folder(home)
        became = [Destination("The batch", known.file, verdict.rows)]
        explain(staged, verdict, became, Surroundings(judged=datetime.now(UTC)))
        staged.rename(place)
        flush(home)
    # Last of all, so that the batch is never out of sight.
    move(source, place / known.file)
    return place
