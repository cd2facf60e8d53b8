"""What lies in a feed's quarantine: folders, each with a batch or rejected rows, and reports.

- ``<batch>/``, ``<batch>@<version>.<attempt>/``: quarantined when the batch was judged
- ``<batch>.release-<n>/``: rows that were still rejected when the batch was released
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError
from rapidfuzz import fuzz, process

from ...expectations.errors import BatchNotFound, Misuse
from ...expectations.escaping import visible
from ...expectations.verdict.verdict import Verdict
from ..feed.identity import stem_of
from ..feed.receipt_files import receipt_place
from ..feed.receipt_store import ReceiptStore
from ..scoring.evidence import REPORT, VERDICT
from ..scoring.outcome import REJECTED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..feed.feed import Feed
    from ..feed.receipt import EntryContent, Receipt

_SUFFIX = re.compile(r"(@.*|\.release-\d+)$")
_NUMBERED = re.compile(r"verdict\.release-(\d+)\.json")
_SHOWN = 8
_NEAR = 60  # of 100
_CUT = "…"


class QuarantineEntry(NamedTuple):
    """One folder of the quarantine.

    Attributes:
        name: The folder's name.
        path: The folder.
        batch: Id of the batch.
        content: The batch, or the file of rejected rows; None if only reports lie there.
        holds: Which of the two.
        since: When it was quarantined, in UTC.
        verdict: The latest one; None if none can be read.
        report: Its page.
    """

    name: str
    path: Path
    batch: str
    content: Path | None
    holds: EntryContent
    since: datetime
    verdict: Verdict | None
    report: Path

    @property
    def kinds(self) -> list[str]:
        """The kinds of the blocking violations, each once."""
        return list(dict.fromkeys(v.kind for v in self.verdict.blocking)) if self.verdict else []

    @property
    def rejected(self) -> int | None:
        """Rows that break a rule; all of them after a violation of the batch as a whole."""
        if self.verdict is None:
            return None
        return self.verdict.rows if self.verdict.whole else self.verdict.rejected


def entry_names(feed: Feed) -> list[str]:
    """List the entries of a feed's quarantine by name; none if there is no quarantine."""
    home = feed.quarantined("")
    if not home.is_dir():
        return []
    return sorted(p.name for p in home.iterdir() if not p.name.startswith(".") and p.is_dir())


def entries(feed: Feed) -> list[QuarantineEntry]:
    """Read the entries of a feed's quarantine, the oldest first; no receipt is opened."""
    found = list[QuarantineEntry]()
    for name in entry_names(feed):
        # Another worker may take it up between the listing and the look at it.
        with suppress(FileNotFoundError):
            found.append(read_entry(feed, name))
    return sorted(found, key=lambda entry: (entry.since, entry.name))


def read_entry(feed: Feed, name: str) -> QuarantineEntry:
    """Read one entry by the folder's name."""
    folder = feed.quarantined(name)
    files = {path.name: path for path in folder.iterdir()}
    batch = batch_of(name)
    whole = (path for file, path in files.items() if file == batch or file.startswith(f"{batch}."))
    rows = files.get(REJECTED)
    first = files.get(VERDICT, folder)
    verdict, report = _latest_report(folder, set(files))
    return QuarantineEntry(
        name=name,
        path=folder,
        batch=batch,
        content=rows or next(whole, None),
        holds="rows" if rows else "batch",
        since=datetime.fromtimestamp(first.stat().st_mtime, UTC),
        verdict=_read_verdict(verdict),
        report=report,
    )


def batch_of(name: str) -> str:
    """Get the id of the batch from the name of an entry."""
    return _SUFFIX.sub("", name)


def report_names(number: int, *, repaired: bool = False) -> tuple[str, str]:
    """Name verdict and report of a release that did not pass; repaired files get their own."""
    kind = f"release-{number}.repaired" if repaired else f"release-{number}"
    verdict, report = PurePath(VERDICT), PurePath(REPORT)
    return f"{verdict.stem}.{kind}{verdict.suffix}", f"{report.stem}.{kind}{report.suffix}"


def find_entry(feed: Feed, text: str, names: Sequence[str] | None = None) -> str:
    """Find the entry that ``text`` names.

    Args:
        feed: The feed.
        text: The entry's name; or the name of the batch as it arrived; or the beginning of the
            entry's name, its end, or both with ``…`` between, if only one entry fits.
        names: The names to choose from; by default those in the quarantine.

    Raises:
        BatchNotFound: None fits; the message lists near matches.
        Misuse: Several fit; the message lists them.
    """
    names = entry_names(feed) if names is None else list(names)
    if text in names:
        return text
    fitting = _fitting(feed, text, names)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        listed = ", ".join(fitting[:_SHOWN]) + (" …" if len(fitting) > _SHOWN else "")
        msg = f"{visible(text)!r} fits {len(fitting)} batches of feed {feed.name}: {listed}."
        raise Misuse(msg)
    raise BatchNotFound(_not_found(feed, text, names))


def history(feed: Feed, entry: QuarantineEntry) -> list[Receipt]:
    """Read the receipts of an entry's batch, the oldest first."""
    return ReceiptStore(feed).for_batch(entry.batch)


def receipts_about(
    feed: Feed, entry: QuarantineEntry, receipts: Sequence[Receipt]
) -> list[Receipt]:
    """Find the receipt that put an entry into quarantine, and those of releases that left it there.

    Raises:
        Misuse: There is none: this feed did not put it there.
    """
    place = feed.relative(entry.path)
    about = [r for r in receipts if r.final and r.outputs.quarantine == place]
    if about:
        return about
    msg = (
        f"no receipt of feed {feed.name} is about {entry.name} in its quarantine. Deliver "
        f"it to {feed.inbox}, or move it away by hand."
    )
    raise Misuse(msg)


def _latest_report(folder: Path, files: set[str]) -> tuple[Path, Path]:
    numbers = [int(found[1]) for file in files if (found := _NUMBERED.fullmatch(file))]
    verdict, report = report_names(max(numbers)) if numbers else (VERDICT, REPORT)
    return folder / verdict, folder / report


def _read_verdict(path: Path) -> Verdict | None:
    try:
        return Verdict.from_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None


def _fitting(feed: Feed, text: str, names: Sequence[str]) -> list[str]:
    arrived = _arrived_as(feed, text, names)
    return arrived or [name for name in names if _is_short_for(text, name)]


def _arrived_as(feed: Feed, text: str, names: Sequence[str]) -> list[str]:
    if not text:
        return []
    stem = stem_of(text)
    near = [name for name in names if batch_of(name).rpartition("-")[0] == stem]
    store = ReceiptStore(feed)
    return [n for n in near if any(r.batch.name == text for r in store.for_batch(batch_of(n)))]


def _is_short_for(text: str, name: str) -> bool:
    if _CUT in text:
        start, _, end = text.partition(_CUT)
        return bool(start or end) and name.startswith(start) and name.endswith(end)
    return bool(text) and (name.startswith(text) or name.endswith(f"-{text}"))


def _not_found(feed: Feed, text: str, names: Sequence[str]) -> str:
    shown = visible(text, limit=100)
    msg = f"no batch {shown!r} lies in the quarantine of feed {feed.name}"
    store = ReceiptStore(feed)
    past = _fitting(feed, batch_of(text), store.batches())
    if len(past) == 1:
        latest = receipt_place(feed.receipts / store.for_batch(past[0])[-1].file)
        return f"{msg}; its latest receipt is {latest}."
    near = process.extract(text, names, scorer=fuzz.partial_ratio, limit=_SHOWN, score_cutoff=_NEAR)
    if near:
        return f"{msg}. Near: {', '.join(name for name, *_ in near)}."
    hint = "See `signature-gate quarantine list`." if names else "It is empty."
    return f"{msg}. {hint}"
