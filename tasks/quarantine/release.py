"""Release from quarantine: judge again what lies there, or what was repaired, and score what fits.

It follows the order of writes that ``journal`` explains. The next worker drops a release that died
before its plan was written, and completes one that died later.
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
from ..feed.inbox import Identity, identify
from ..feed.receipt import Receipt, Release
from ..scoring.attempt import AttemptResult, score_accepted
from ..scoring.feed_run import current_intent
from ..scoring.outcome import receipt_for
from ..storage.atomic import flush_tree
from ..storage.journal import clean_up, is_planned
from ..storage.transaction import begin_attempt, commit
from .checkout import CheckedOut, checkout, resolve_entry
from .recheck import judge_again
from .release_outputs import ReleaseJob, stage_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...expectations.verdict.verdict import Verdict
    from ..feed.receipt import Outputs
    from ..storage.intent import Intent


class ReleaseOptions(NamedTuple):
    """What is different this time.

    Attributes:
        model: MLflow URI of the version to judge and score by; None for the feed's.
        policy: The policy, or the path of its YAML file; None for the feed's.
        file: A repaired file, or folder, to judge in place of what lies there; it is copied. In
            place of rejected rows it holds the same rows, with their ``_row``.
    """

    model: str | None = None
    policy: Policy | str | Path | None = None
    file: str | Path | None = None

    def intent(self, feed: Feed, entry: str, timeout: float | None = None) -> Intent:
        """Resolve the model, and bind the release of an entry to its version.

        Raises:
            GateError: As ``lifecycle.current_intent`` does.
        """
        chosen = self.policy
        if not isinstance(chosen, Policy | None):
            chosen = Policy.load(chosen)
        asked = {"model": self.model or feed.model, "policy": chosen or feed.policy}
        intent = current_intent(feed.model_copy(update=asked), timeout)
        return intent.model_copy(update={"entry": entry})

    def existing_file(self) -> Path | None:
        """Look whether what is to be handed in is there.

        Raises:
            BatchNotFound: It is not.
        """
        if self.file is None or Path(self.file).exists():
            return None if self.file is None else Path(self.file).absolute()
        msg = f"there is no file {self.file}. Check the path; relative ones start at {Path.cwd()}."
        raise BatchNotFound(msg)


AS_THE_FEED_SAYS = ReleaseOptions()


def release_batch(
    feed: Feed | str | Path,
    batch: str,
    terms: ReleaseOptions = AS_THE_FEED_SAYS,
    timeout: float | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Receipt:
    """Judge again what lies in quarantine, and score what fits.

    Args:
        feed: The feed, or the path of its YAML file.
        batch: The entry, as ``quarantined.find_entry`` takes it.
        terms: Another version or policy than the feed's, or a repaired file.
        timeout: Seconds to go on trying while the registry does not answer.
        watch: Told after each piece how many rows are scored, and how many are to be.

    Returns:
        The final receipt. ``passed`` or ``split``: the rows that fit are scored, with ``_row``
        as their position in the batch as it arrived, or in the repaired file that stands for the
        whole of it. Else everything stays in quarantine.

    Raises:
        BatchNotFound: There is no such entry, or no such file.
        GateError: Another worker has it, or machinery broke; it stays in quarantine.
        Misuse: More than one entry may be meant, or the file cannot stand for what lies there.
        NoContract: The model's signature decides nothing.
        RegistryUnavailable: No answer within the timeout.
        OSError: A file or disk failed. After the plan stands, whoever comes next completes it.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    name = resolve_entry(feed, batch)
    if isinstance(name, Receipt):
        return name
    file = terms.existing_file()
    intent = terms.intent(feed, name, timeout)
    with checkout(feed, name) as taken:
        try:
            return _released(_begun(taken, intent, file), watch)
        except Exception as error:  # noqa: BLE001 - a model or a library may raise anything
            failed = _swept(taken, error, redact=intent.policy.redact)
        # Out here, so that under redact it takes nothing along that a library said.
        raise failed


def _released(job: ReleaseJob, watch: Callable[[int, int], None] | None) -> Receipt:
    result = judge_again(job)
    # A split that would leave all rows behind is none.
    fits = result.passed or result.verdict.accepted > 0
    finding = score_accepted(job.attempt, result, watch) if fits else AttemptResult(result.verdict)
    moves, outputs = stage_release(job, finding)
    return commit(job.attempt, moves, _receipt(job, finding.verdict, outputs))


def _swept(taken: CheckedOut, error: Exception, *, redact: bool) -> Exception:
    """Leave no trace of a release that came to nothing, and tell what broke in words."""
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


def _begun(taken: CheckedOut, intent: Intent, file: Path | None) -> ReleaseJob:
    entry, batch = taken.entry, taken.origin.batch.identity
    content = entry.content
    if content is None and (file is None or taken.origin.disposition == "split"):
        msg = f"nothing but papers lies in {entry.path}. Put back what lay there, or discard it."
        raise Misuse(msg)
    if content and entry.holds == "batch" and not file:
        _refuse_altered(content, batch)
    attempt = begin_attempt(taken.feed, batch, content or entry.path, intent, datetime.now(UTC))
    if file:
        attempt = replace(attempt, path=_copied(file, attempt.staging))
    judged = identify(attempt.path, batch.path)
    return ReleaseJob(taken, replace(attempt, judged=judged), file)


def _refuse_altered(content: Path, batch: Identity) -> None:
    found = identify(content, batch.path)
    # Stamps may differ: a quarantine on another disk may keep coarser ones.
    if (found.bytes, found.digest) != (batch.bytes, batch.digest):
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


def _receipt(job: ReleaseJob, verdict: Verdict, outputs: Outputs) -> Receipt:
    receipt = receipt_for(job.attempt, verdict, outputs)
    entry = job.taken.entry
    record = Release(
        entry=entry.name,
        holds=entry.holds,
        number=job.taken.number,
        receipt=job.taken.told.file,
        archive=job.attempt.feed.relative(job.archive) if outputs.predictions else None,
        file=job.file.name if job.file else None,
    )
    # Some rows of a batch are no arrival that drift could be read from.
    batch = receipt.batch.model_copy(update={"null_counts": {}, "ranges": {}})
    changed: dict[str, Any] = {"batch": batch} if job.of_rows else {}
    if receipt.disposition == "split" and not outputs.predictions:
        changed["disposition"] = "quarantined"
    return receipt.model_copy(update={"release": record, **changed})
