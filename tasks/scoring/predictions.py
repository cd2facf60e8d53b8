"""Predict piece by piece, and lay the predictions down beside the keys to join them back on."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.errors import ModelFailed
from ...expectations.escaping import visible
from ...expectations.outputs.check import judge_output
from ...expectations.outputs.violations import mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from ...expectations.contract.contract import Contract
    from ...expectations.contract.model_version import ModelVersion
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.result import CheckResult, Chunk
    from ...expectations.verdict.verdict import Violation
    from ..storage.intent import Intent
    from .parquet_writer import GrowingParquet

_log = logging.getLogger("signature_gate.predictions")

# Few models promise to be safe in threads, and batches of one feed share the model.
_one_at_a_time = Lock()
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
    intent: Intent,
    file: GrowingParquet,
    chunk_rows: int,
    watch: Callable[[int, int], None] | None = None,
) -> Scored:
    """Score the accepted rows of a batch with the version that judged it.

    Args:
        result: A batch that passed or is split.
        intent: The pinned version, and the inference parameters.
        file: Takes ``_row``, the kept columns and the predictions.
        chunk_rows: Rows handed to the model at a time.
        watch: Told after each piece how many rows are scored, and how many are to be.

    Returns:
        How many rows were scored, and the names of the prediction columns.

    Raises:
        BatchChanged: Values contradict what was judged.
        ContractChanged: The version's signature is no longer the one that judged.
        ModelFailed: The model raised, or cannot be loaded.
        ModelNotFound: The version is gone.
        OutputMismatch: The model returned something else than predictions for these rows.
        RegistryUnavailable: The model cannot be fetched.
        OSError: The file cannot be written.
    """
    contract = intent.contract
    model = _loaded(intent.model, contract.fingerprint)
    rows, columns = 0, tuple[str, ...]()
    for chunk in result.chunks(chunk_rows):
        table = _scored(model, chunk, contract, intent)
        _append(file, table)
        rows += table.num_rows
        columns = tuple(table.column_names[chunk.rows.width :])
        if watch:
            watch(rows, result.verdict.accepted)
    return Scored(rows, columns)


def provenance(batch: str, intent: Intent) -> dict[str, str]:
    """Say in a file's own metadata which batch and which model its predictions are of."""
    return {
        "signature_gate.batch": batch,
        "signature_gate.model": intent.model.pinned,
        "signature_gate.version": intent.version,
        "signature_gate.fingerprint": intent.contract.fingerprint,
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
    if _redact(intent):
        # MLflow puts rows of the batch into the errors of its own enforcement.
        os.environ["MLFLOW_DISABLE_SCHEMA_DETAILS"] = "true"
    try:
        with _one_at_a_time:
            return model.predict(chunk.model_input, params=intent.params or None)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        _log.debug("%s raised", intent.model, exc_info=not _redact(intent))
        raised = error
    # Out here, so that under redact not even the chain of causes carries the model's words.
    raise _failure(raised, chunk, intent) from (None if _redact(intent) else raised)


def _failure(error: Exception, chunk: Chunk, intent: Intent) -> ModelFailed:
    first, last = chunk.rows["_row"][0], chunk.rows["_row"][-1]
    words = " (its words are withheld by policy redact)"
    if not _redact(intent):
        words = f": {visible(error, limit=_LONGEST_ERROR)}"
    msg = (
        f"{intent.model} raised {type(error).__name__} while it predicted rows {first} to {last}"
        f"{words}. The rows meet its signature: mend the model, or log it with the signature "
        "that it really needs."
    )
    return ModelFailed(msg)


def _loaded(model: ModelVersion, fingerprint: str) -> Any:
    with _one_at_a_time:
        # Pydantic makes frozen models hashable, which type checkers do not see.
        return _load_once(model, fingerprint)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=2)
def _load_once(model: ModelVersion, fingerprint: str) -> Any:
    from ...expectations.registry.client import load_model

    return load_model(model, fingerprint)


def _redact(intent: Intent) -> bool:
    return intent.policy.redact


def named_columns(
    returned: Any, contract: Contract, *, rows: int, taken: Sequence[str], policy: Policy
) -> dict[str, pa.Array[Any]]:
    """Turn what ``predict`` returned into the columns to publish.

    Names are those of the output schema; else the returned frame's own; else ``prediction``, or
    ``prediction_0``, ``prediction_1`` … A name that is taken gets the prefix ``prediction_``.

    Args:
        returned: A frame or series, an array, a list, or a dict of arrays.
        contract: Its output schema says which columns there are, and of which types.
        rows: How many rows the model was given.
        taken: Names that stand beside the predictions.
        policy: What the output schema leaves open; it also says whether values may be shown.

    Returns:
        Columns of ``rows`` values each, in the output schema's order and types.

    Raises:
        OutputMismatch: Other rows, other columns, other types, or null where none may be.
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
