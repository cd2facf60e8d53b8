"""Predict piece by piece, and lay the predictions down beside the keys to join them back on."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.errors import GateError, ModelFailed
from ...expectations.escaping import visible
from ...expectations.outputs.check import judge_output
from ...expectations.outputs.violations import mismatch
from .model_calls import call_model, load
from .model_process import CallFailed, ModelProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from ...expectations.batch.growing_parquet import GrowingParquet
    from ...expectations.contract.contract import Contract
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.result import CheckResult, Chunk
    from ...expectations.verdict.verdict import Violation
    from ..storage.intent import Intent
    from ..storage.transaction import Attempt

_log = logging.getLogger("signature_gate.predictions")
_LONGEST_ERROR = 500
_RESERVED = ("_row", "_violations")
_PREFIX = "prediction_"


class OutputMismatch(Exception):
    """The model returned no predictions for the rows it was given: a finding, not an error.

    Attributes:
        violations: The same as a part of a verdict.
    """

    def __init__(self, *violations: Violation) -> None:
        """Keep the violations."""
        super().__init__("\n".join(violation.message for violation in violations))
        self.violations = violations


class Scored(NamedTuple):
    """What was predicted.

    Attributes:
        rows: How many rows have predictions.
        columns: Names of the prediction columns.
    """

    rows: int
    columns: tuple[str, ...]


def score_rows(
    result: CheckResult,
    attempt: Attempt,
    file: GrowingParquet,
    rejected: Callable[[pa.Table], object] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Scored:
    """Score the accepted rows of a batch with the version that judged it.

    Args:
        result: A batch that passed or is split.
        attempt: Says the pinned version, the inference parameters, and the feed's limits.
        file: Takes ``_row``, the kept columns and the predictions.
        rejected: As for ``CheckResult.chunks``.
        watch: Called after each piece with the rows that are scored, and those to be scored.

    Raises:
        BatchChanged: Values contradict what was judged.
        ContractChanged: The version's signature is no longer the one that judged.
        ModelFailed: The model raised, or cannot be loaded.
        OutputMismatch: The model returned something else than predictions for these rows.
        RegistryUnavailable: The model cannot be fetched; ModelNotFound: the version is gone.
    """
    intent, feed = attempt.intent, attempt.feed
    contract, redact = intent.contract, intent.policy.redact
    model = load(intent.model, contract.fingerprint, feed.predict_timeout, redact=redact)
    rows, columns = 0, tuple[str, ...]()
    for chunk in result.chunks(feed.chunk_rows, rejected):
        table = _scored(model, chunk, contract, intent)
        _append(file, table)
        rows += table.num_rows
        columns = tuple(table.column_names[chunk.rows.width :])
        if watch:
            watch(rows, result.verdict.accepted)
    return Scored(rows, columns)


def provenance(attempt: Attempt) -> dict[str, str]:
    """Say in a file's own metadata which batch and which model its predictions are of."""
    intent = attempt.intent
    superseded = {"signature_gate.supersedes": attempt.supersedes} if attempt.supersedes else {}
    return {
        "signature_gate.batch": attempt.batch.id,
        "signature_gate.model": intent.model.pinned,
        "signature_gate.version": intent.version,
        "signature_gate.fingerprint": intent.contract.fingerprint,
        **superseded,
    }


def _append(file: GrowingParquet, table: pa.Table) -> None:
    import pyarrow as pa

    try:
        file.write(table)
    except pa.ArrowException as error:
        expected = "predictions of one type"
        observed = f"types that differ from piece to piece: {type(error).__name__}"
        raise OutputMismatch(mismatch(expected, observed)) from None


def _scored(model: Any, chunk: Chunk, contract: Contract, intent: Intent) -> pa.Table:
    import polars as pl

    known = chunk.rows.to_arrow(compat_level=pl.CompatLevel.oldest())
    if not known.num_rows:
        return known
    returned = _predict(model, chunk, intent)
    predicted = named_columns(
        returned, contract, rows=known.num_rows, taken=known.column_names, policy=intent.policy
    )
    for name, values in predicted.items():
        known = known.append_column(name, values)
    return known


def _predict(model: Any, chunk: Chunk, intent: Intent) -> Any:
    redact = intent.policy.redact
    if redact:
        # MLflow puts rows of the batch into the errors of its own enforcement.
        os.environ["MLFLOW_DISABLE_SCHEMA_DETAILS"] = "true"
    params = intent.params or None
    returned, error = call_model(lambda: model.predict(chunk.model_input, params=params))
    if error is None:
        return returned
    if isinstance(model, ModelProcess) and isinstance(error, GateError | OSError):
        raise error
    _log.debug("%s raised", intent.model, exc_info=not redact and error)
    # Under redact not even the chain of causes carries the model's words.
    raise _failure(error, chunk, intent) from (None if redact else error)


def _failure(error: BaseException, chunk: Chunk, intent: Intent) -> ModelFailed:
    first, last = chunk.rows["_row"][0], chunk.rows["_row"][-1]
    what = error.what if isinstance(error, CallFailed) else f"raised {type(error).__name__}"
    words = f": {visible(error, limit=_LONGEST_ERROR)}" if str(error) else ""
    if intent.policy.redact and words:
        words = " (its words are withheld by policy redact)"
    msg = (
        f"{intent.model} {what} while it predicted rows {first} to {last}{words}. The rows meet "
        "its signature: mend the model, or log it with the signature that it really needs."
    )
    return ModelFailed(msg)


def named_columns(
    returned: Any, contract: Contract, *, rows: int, taken: Sequence[str], policy: Policy
) -> dict[str, pa.Array[Any]]:
    """Turn what ``predict`` returned into the columns to publish, of ``rows`` values each.

    Names are those of the output schema; else the returned frame's own; else ``prediction``, or
    ``prediction_0``, ``prediction_1`` … A name that is taken gets the prefix ``prediction_``. Other
    rows, columns or types than the output schema's raise OutputMismatch.
    """
    output = judge_output(returned, contract, rows, policy)
    blocking = [v for v in output.violations if v.severity == "critical"]
    if blocking:
        raise OutputMismatch(*blocking)
    free: dict[str, pa.Array[Any]] = {}
    for name, values in output.columns.items():
        free[_free_name(name, {*taken, *_RESERVED, *free})] = values
    return free


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{_PREFIX}{name}"
    return name
