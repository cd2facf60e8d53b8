"""Release from quarantine: judge the content again, or a repaired file, and score what fits.

A release writes in the order that ``storage.journal`` explains. If it dies before its plan is
written, the next run drops it; if it dies later, the next run completes it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.contract.policy import Policy
from ...expectations.errors import BatchNotFound, GateError, Misuse
from ..feed.feed import Feed
from ..feed.identity import Identity, identify, is_same
from ..feed.receipt import Receipt, Release
from ..feed.receipt_store import ReceiptStore
from ..scoring.attempt import AttemptResult, score_accepted
from ..scoring.feed_run import current_intent
from ..scoring.outcome import receipt_for
from ..storage.atomic import flush_tree
from ..storage.journal import clean_up, is_planned
from ..storage.transaction import begin_attempt, commit
from .checkout import CheckedOut, checkout, fetched, resolve_entry
from .recheck import judge_again
from .release_outputs import ReleaseJob, stage_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..storage.intent import Intent


class ReleaseOptions(NamedTuple):
    """What a release does otherwise than the feed says.

    Attributes:
        model: MLflow URI of the version to judge and score by; None for the feed's.
        policy: The policy, or the path of its YAML file; None for the feed's.
        file: A repaired file or folder to judge in place of the content; it is copied. In place of
            rejected rows it holds the same rows, with their ``_row``.
    """

    model: str | None = None
    policy: Policy | str | Path | None = None
    file: str | Path | None = None

    def intent(self, feed: Feed, entry: str, timeout: float | None = None) -> Intent:
        """Resolve the model, and pin the release of an entry to its version."""
        chosen = self.policy
        if not isinstance(chosen, Policy | None):
            chosen = Policy.load(chosen)
        asked = {"model": self.model or feed.model, "policy": chosen or feed.policy}
        intent = current_intent(feed.model_copy(update=asked), timeout)
        return intent.model_copy(update={"entry": entry})

    def existing_file(self) -> Path | None:
        """Return the repaired file as an absolute path.

        Raises:
            BatchNotFound: It does not exist.
        """
        if self.file is None or Path(self.file).exists():
            return None if self.file is None else Path(self.file).absolute()
        msg = f"there is no file {self.file}. Check the path; relative ones start at {Path.cwd()}."
        raise BatchNotFound(msg)


AS_THE_FEED_SAYS = ReleaseOptions()


def release_batch(
    feed: Feed | str | Path,
    batch: str,
    options: ReleaseOptions = AS_THE_FEED_SAYS,
    timeout: float | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Receipt:
    """Judge a quarantine entry again, and score what fits.

    Args:
        feed: The feed, or the path of its YAML file.
        batch: The entry, as ``find_entry`` takes it.
        options: Another version or policy than the feed's, or a repaired file.
        timeout: Seconds to go on trying while the registry does not answer.
        watch: Called after each chunk with the rows scored so far and the rows to score.

    Returns:
        The final receipt. ``passed`` or ``split``: the rows that fit are scored, with ``_row`` as
        their position in the batch as it arrived, or in a repaired file that stands for the whole
        batch. Otherwise everything stays in quarantine.

    Raises:
        BatchNotFound: There is no such entry, or no such file.
        GateError: Another worker has it, or machinery broke; it stays in quarantine.
        Misuse: ``batch`` names several entries, or the file cannot stand for the content.
        OSError: A file or disk failed. Once the plan is written, the next run completes it.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    if feed.url:
        with fetched(feed, batch) as (here, name):
            return release_batch(here, name, options, timeout, watch)
    return _release_on_disk(feed, batch, options, timeout, watch)


def _release_on_disk(
    feed: Feed,
    batch: str,
    options: ReleaseOptions,
    timeout: float | None,
    watch: Callable[[int, int], None] | None,
) -> Receipt:
    name = resolve_entry(feed, batch)
    if isinstance(name, Receipt):
        return name
    file = options.existing_file()
    intent = options.intent(feed, name, timeout)
    with checkout(feed, name) as taken:
        try:
            return _release(_begin(taken, intent, file), watch)
        except Exception as error:  # noqa: BLE001 - a model or a library may raise anything
            failed = _failed_release(taken, error, redact=intent.policy.redact)
        # Not in the except block: under redact the error carries no context from a library.
        raise failed


def _release(job: ReleaseJob, watch: Callable[[int, int], None] | None) -> Receipt:
    checked = judge_again(job)
    # A split scores at least one row.
    fits = checked.passed or checked.verdict.accepted > 0
    result = score_accepted(job.attempt, checked, watch) if fits else AttemptResult(checked.verdict)
    moves, outputs = stage_release(job, result, checked)
    # Drift is not read from a part of the rows of a batch.
    whole = None if job.of_rows else checked
    receipt = receipt_for(job.attempt, result.verdict, outputs, whole)
    return commit(job.attempt, moves, _released(job, receipt))


def _failed_release(taken: CheckedOut, error: Exception, *, redact: bool) -> Exception:
    """Remove what a failed release staged, and return the error to raise."""
    # After the plan stands, only recovery may touch it.
    if not is_planned(taken.feed, taken.entry.batch):
        clean_up(taken.feed, taken.entry.batch)
    failed, cause = error, error.__cause__
    if not isinstance(error, GateError | OSError):
        words = "its text is withheld by policy redact" if redact else str(error)
        msg = f"{taken.entry.name} cannot be released: {type(error).__name__}: {words}"
        failed, cause = GateError(msg), error
    failed.__cause__ = None if redact else cause
    if redact:
        failed.__context__ = None
    return failed


def _begin(taken: CheckedOut, intent: Intent, file: Path | None) -> ReleaseJob:
    entry, batch = taken.entry, taken.origin.batch.identity
    content = entry.content
    if content is None and (file is None or taken.origin.disposition == "split"):
        msg = f"{entry.path} holds only reports. Put its content back, or discard it."
        raise Misuse(msg)
    if content and entry.holds == "batch" and not file:
        _refuse_altered(content, batch)
    store = ReceiptStore(taken.feed).indexed(anew=False)
    attempt = begin_attempt(store, batch, content or entry.path, intent, datetime.now(UTC))
    if file:
        attempt = replace(attempt, path=_copied(file, attempt.staging))
    judged = identify(attempt.path, batch.path)
    return ReleaseJob(taken, replace(attempt, judged=judged), file)


def _refuse_altered(content: Path, batch: Identity) -> None:
    if not is_same(content, batch, moved=True):
        msg = f"{content} is not what was quarantined. Hand in what you repaired as a file."
        raise Misuse(msg)


def _copied(file: Path, staging: Path) -> Path:
    known = Identity(path=file.name, bytes=0, stamp=0, digest="")
    copy = staging / f"repaired{known.file.removeprefix(known.id)}"
    if file.is_dir():
        shutil.copytree(file, copy)
    else:
        shutil.copy2(file, copy)
    flush_tree(copy)
    return copy


def _released(job: ReleaseJob, receipt: Receipt) -> Receipt:
    entry = job.taken.entry
    published = receipt.outputs.predictions
    record = Release(
        entry=entry.name,
        holds=entry.holds,
        number=job.taken.number,
        receipt=job.taken.latest.file,
        archive=job.attempt.feed.relative(job.archive) if published else None,
        file=job.file.name if job.file else None,
    )
    changed: dict[str, Any] = {}
    if receipt.disposition == "split" and not published:
        changed["disposition"] = "quarantined"
    return receipt.model_copy(update={"release": record, **changed})
