"""What lies in a feed's quarantine: folders, each with a batch or rejected rows, and reports.

- ``<batch>/``, ``<batch>@<version>.<attempt>/``: quarantined when the batch was judged
- ``<batch>.release-<n>/``: rows that were still rejected when the batch was released
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ValidationError

from ...expectations.errors import BatchNotFound, Misuse
from ...expectations.escaping import visible
from ...expectations.verdict.verdict import Verdict
from ..feed.identity import stem_of
from ..feed.receipt import REJECTED
from ..feed.receipt_files import receipt_place
from ..feed.receipt_store import ReceiptStore
from ..scoring.evidence import REPORT, VERDICT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..feed.feed import Feed
    from ..feed.receipt import EntryContent, Receipt

_SUFFIX = re.compile(r"(\.release-\d+)?(@.*)?$")
_NUMBERED = re.compile(r"verdict\.release-(\d+)\.json")
_SHOWN = 8
_NEAR = 60  # of 100
_CUT = "…"


class _BriefViolation(BaseModel):
    kind: str
    severity: str
    count: int | None = None


class _BriefVerdict(BaseModel):
    """What lists show of a verdict: a whole one takes ten times as long to read."""

    rows: int | None
    rejected: int
    violations: tuple[_BriefViolation, ...]

    def counts(self) -> tuple[int | None, int | None, list[str]]:
        """Return rows, rejected rows, and the kinds of blocking violations, each once."""
        blocking = [violation for violation in self.violations if violation.severity == "critical"]
        whole = any(violation.count is None for violation in blocking)
        kinds = list(dict.fromkeys(violation.kind for violation in blocking))
        return self.rows, self.rows if whole else self.rejected, kinds


class QuarantineEntry(NamedTuple):
    """One folder of the quarantine.

    Attributes:
        path: The folder.
        since: When it was quarantined, in UTC.
        rows: Rows that arrived, by the latest verdict; None if that, or the batch, cannot be read.
        rejected: Rows that break a rule; all of them after a violation of the batch as a whole.
        kinds: The kinds of the blocking violations, each once.
        content_name: Name of the batch, or of the file of rejected rows; None if only reports are
            there.
        report_names: Names of the latest verdict and its page.
    """

    path: Path
    since: datetime
    rows: int | None
    rejected: int | None
    kinds: list[str]
    content_name: str | None
    report_names: tuple[str, str]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def batch(self) -> str:
        """Id of the batch."""
        return batch_of(self.name)

    @property
    def content(self) -> Path | None:
        """The batch, or the file of rejected rows; None if only reports lie there."""
        return self.path / self.content_name if self.content_name else None

    @property
    def holds(self) -> EntryContent:
        """Which of the two."""
        return "rows" if self.content_name == REJECTED else "batch"

    @property
    def report(self) -> Path:
        """The page of the latest verdict."""
        return self.path / self.report_names[1]

    @property
    def verdict(self) -> Verdict | None:
        """The latest verdict, read now; None if it cannot be read."""
        try:
            return Verdict.from_json((self.path / self.report_names[0]).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError):
            return None


def entry_names(feed: Feed) -> list[str]:
    """List the entries of a feed's quarantine by name; none if there is no quarantine."""
    home = feed.quarantined("")
    if not home.is_dir():
        return []
    with os.scandir(home) as found:
        return sorted(e.name for e in found if not e.name.startswith(".") and e.is_dir())


def entries(feed: Feed) -> list[QuarantineEntry]:
    """Read the entries of a feed's quarantine, the oldest first; no receipt is opened."""
    found, home = list[QuarantineEntry](), feed.quarantined("")
    for name in entry_names(feed):
        # Another worker may take it up between the listing and the look at it.
        with suppress(FileNotFoundError):
            found.append(_read_folder(home / name))
    return sorted(found, key=lambda entry: (entry.since, entry.name))


def read_entry(feed: Feed, name: str) -> QuarantineEntry:
    """Read one entry by the folder's name."""
    return _read_folder(feed.quarantined(name))


def _read_folder(folder: Path) -> QuarantineEntry:
    place = str(folder)  # thousands of paths made of parts take longer than the files themselves
    files, batch = set(os.listdir(place)), batch_of(folder.name)  # noqa: PTH208 - bare names
    whole = next((file for file in files if file == batch or file.startswith(f"{batch}.")), None)
    first = f"{place}/{VERDICT}" if VERDICT in files else place
    names = _latest_report(files)
    rows, rejected, kinds = _counts_in(f"{place}/{names[0]}")
    return QuarantineEntry(
        path=folder,
        since=datetime.fromtimestamp(os.stat(first).st_mtime, UTC),  # noqa: PTH116
        rows=rows,
        rejected=rejected,
        kinds=kinds,
        content_name=REJECTED if REJECTED in files else whole,
        report_names=names,
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


def _latest_report(files: set[str]) -> tuple[str, str]:
    numbers = [int(found[1]) for file in files if (found := _NUMBERED.fullmatch(file))]
    return report_names(max(numbers)) if numbers else (VERDICT, REPORT)


def _counts_in(verdict: str) -> tuple[int | None, int | None, list[str]]:
    try:
        with open(verdict, "rb") as file:  # noqa: PTH123
            return _BriefVerdict.model_validate_json(file.read()).counts()
    except (OSError, ValidationError):
        return None, None, []


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
    from rapidfuzz import fuzz, process

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
