"""What an attempt leaves behind: outputs laid ready, the steps that publish them, its receipt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...expectations.credentials import masked
from ...expectations.errors import (
    BatchChanged,
    BatchUnavailable,
    ContractChanged,
    GateError,
    ModelNotFound,
    RegistryUnavailable,
    TableUnavailable,
)
from ...expectations.escaping import slug
from ...expectations.verdict.verdict import GATE_VERSION, BatchInfo
from ..feed.receipt import REJECTED, Failure, Outputs, Receipt, ScoredBatch
from ..storage.atomic import lexists
from ..storage.transaction import PREDICTIONS, QUARANTINE, Attempt
from .evidence import explain, surroundings_of
from .feed_history import past_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl

    from ...expectations.batch.statistics import ColumnValues
    from ...expectations.judge.result import CheckResult
    from ...expectations.report.batch_report import Destination, Surroundings
    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from .predictions import Scored

# Not the batch's fault, however often it happens: these never park a batch.
_MACHINERY = (
    OSError,
    BatchUnavailable,
    RegistryUnavailable,
    TableUnavailable,
    ModelNotFound,
    ContractChanged,
)
# What receipts keep of the values of columns, by their own names for it.
_KEPT_VALUES = {
    "null_counts": "nulls",
    "ranges": "range",
    "nan_counts": "nans",
    "infinity_counts": "infinities",
}


def stage_outputs(
    attempt: Attempt, verdict: Verdict, scored: Scored | None, judged: CheckResult | None = None
) -> tuple[list[tuple[Path, Path]], Outputs]:
    """Complete the staging folder, and name the moves that publish it, each to a free place.

    ``judged``, from which the verdict was made, is to look into its rejected rows once more.
    """
    feed, file = attempt.feed, attempt.batch.file
    moves: list[tuple[Path, Path]] = []
    place, published, folder = attempt.path, None, None
    if scored:
        published = _published(attempt)
        moves.append((attempt.staging / PREDICTIONS, published))
    if verdict.disposition != "passed":
        folder = _free_quarantine(attempt)
        if not scored:
            place = folder / file
            moves.append((attempt.path, attempt.staging / QUARANTINE / file))
        became = _became(attempt, verdict, scored, published)
        around = _surroundings(attempt, verdict, folder.name, judged)
        explain(attempt.staging / QUARANTINE, verdict, became, around)
        moves.append((attempt.staging / QUARANTINE, folder))
    if scored and feed.archive and attempt.path.is_relative_to(feed.inbox):
        place = feed.archived(file)
        moves.append((attempt.path, place))
    return moves, Outputs(
        batch=feed.relative(place),
        predictions=feed.relative(published) if published else None,
        columns=scored.columns if scored else (),
        quarantine=feed.relative(folder) if folder else None,
        scored=scored.rows if scored else 0,
        rejected=verdict.rejected if scored else verdict.rows,
    )


def _published(attempt: Attempt) -> Path:
    model = attempt.intent.model.name or attempt.feed.name
    return attempt.feed.predictions(attempt.batch.id, model, attempt.intent.version)


def _free_quarantine(attempt: Attempt) -> Path:
    """Stand beside what another version has quarantined of the same batch."""
    folder = attempt.feed.new_entry(attempt.batch.id)
    if not lexists(folder):
        return folder
    version = slug(attempt.intent.version)
    return folder.with_name(f"{folder.name}@{version}.{attempt.number}")


def _became(
    attempt: Attempt, verdict: Verdict, scored: Scored | None, published: Path | None
) -> list[Destination]:
    from ...expectations.report.batch_report import Destination

    if not (scored and published):
        return [Destination("The batch", attempt.batch.file, verdict.rows)]
    return [
        Destination("Predictions", attempt.feed.address(published), scored.rows),
        Destination("Rejected rows", REJECTED, verdict.rejected),
    ]


def _surroundings(
    attempt: Attempt, verdict: Verdict, entry: str, judged: CheckResult | None
) -> Surroundings:
    from ...expectations.report.cooccurrence import overlaps_in

    rejected = _rejected(attempt.staging / QUARANTINE, judged)
    return replace(
        surroundings_of(attempt.feed, entry, judged),
        past=past_of(attempt.feed, receipt_for(attempt, verdict, Outputs(), judged)),
        overlaps=overlaps_in(rejected, verdict),
    )


def _rejected(folder: Path, judged: CheckResult | None) -> pl.LazyFrame | None:
    """What is rejected, from where it costs least to read."""
    import polars as pl

    written = folder / REJECTED
    if lexists(written):
        return pl.scan_parquet(written, use_statistics=False)
    return judged.rejected if judged else None


# ----- the receipt -----


def receipt_for(
    attempt: Attempt, verdict: Verdict | None, outputs: Outputs, judged: CheckResult | None = None
) -> Receipt:
    """Make the receipt of an attempt, which is final if there is a verdict.

    ``judged`` is what the verdict was made from: it knows more of the columns.
    """
    intent = attempt.intent
    return Receipt(
        feed=attempt.feed.name,
        batch=_scored_batch(attempt, verdict, judged),
        model=intent.model,
        contract=intent.contract.fingerprint,
        policy=intent.policy_fingerprint,
        profile=intent.profile,
        verdict=_as_it_is_written(verdict) if verdict else None,
        disposition=verdict.disposition if verdict else "errored",
        final=verdict is not None,
        attempt=attempt.number,
        previous=attempt.previous,
        supersedes=attempt.supersedes,
        same_as=attempt.same_as,
        outputs=outputs,
        started=attempt.started,
        finished=datetime.now(UTC),
        gate_version=GATE_VERSION,
    )


def _as_it_is_written(verdict: Verdict) -> Verdict:
    # A receipt that was just made equals the one that is read; its batch has the schema.
    batch = verdict.batch.model_copy(update={"arrow_schema": ""})
    return verdict.model_copy(update={"batch": batch})


def errored(attempt: Attempt, error: BaseException) -> Receipt:
    """Make the receipt of an attempt that failed: not final, with a time for the next one."""
    now = datetime.now(UTC)
    failure = Failure(
        kind=type(error).__name__,
        message=_message(error, redact=attempt.intent.policy.redact),
        counts=not isinstance(error, _MACHINERY),
    )
    return receipt_for(
        attempt, None, Outputs(batch=attempt.feed.relative(attempt.path))
    ).model_copy(
        update={
            "error": failure,
            "finished": now,
            "try_again": next_try(attempt.feed, max(attempt.number, 1), now),
        }
    )


def next_try(feed: Feed, attempts: int, failed: datetime) -> datetime:
    """Say when a batch is worth another attempt, after so many failed, the last one then."""
    # The exponent is bounded, or a feed that is down for weeks would overflow a float.
    pause = feed.backoff_seconds * 2 ** min(attempts - 1, 30)
    return failed + timedelta(seconds=min(pause, feed.max_backoff_seconds))


def _scored_batch(
    attempt: Attempt, verdict: Verdict | None, judged: CheckResult | None
) -> ScoredBatch:
    facts = verdict.batch if verdict else facts_of(attempt)
    values = judged.values if judged else {}
    told: dict[str, Any] = {field: _known(values, what) for field, what in _KEPT_VALUES.items()}
    return ScoredBatch(
        **facts.model_dump(exclude={"name"}),
        name=attempt.batch.path,
        id=attempt.batch.id,
        identity=attempt.batch,
        arrow_schema=facts.arrow_schema,
        rows=verdict.rows if verdict else None,
        **told,
    )


def _known(values: Mapping[str, ColumnValues], what: str) -> dict[str, Any]:
    found = ((column, getattr(known, what)) for column, known in values.items())
    return {column: fact for column, fact in found if fact is not None}


def facts_of(attempt: Attempt) -> BatchInfo:
    """Say of a batch what can be said without opening it."""
    return BatchInfo(
        name=attempt.batch.path,
        format=attempt.path.suffix.lstrip(".") or "unknown",
        uri=attempt.feed.address(attempt.path),
        bytes=attempt.batch.bytes,
    )


def _message(error: BaseException, *, redact: bool) -> str:
    """An error's text; under redact only where it is known to hold nothing from the batch."""
    if isinstance(error, OSError):
        return (
            f"{error}. The batch is tried again: look after the disk, its room and its permissions."
        )
    if isinstance(error, GateError) and not (redact and isinstance(error, BatchChanged)):
        return str(error)
    return "its text is withheld by policy redact" if redact else masked(str(error))
