"""Learning the profile of values from data, in the model's types and one pass."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ...batch.batch import UnreadableError
from ...batch.query import READ_ERRORS
from ...batch.reading import Reading, tell
from ...contract.contract import Contract
from ...contract.policy import Policy
from ...errors import GateError, Misuse
from ...readers.open import open_batch
from ...values.blocks import FEWEST_BLOCKS
from ...values.learner import BLOCK_ROWS, Learner
from ...values.measures import kind_of
from ...verdict.verdict import GATE_VERSION, BatchRejected
from ..checking import check
from ..request import as_policy
from ..schema_stage import plan_files

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from os import PathLike

    from ...batch.batch import Batch
    from ...values.profile import ValueProfile
    from ..file_result import FileResult

_PIECE = 65_536
# How values of a type without a contract are looked at -> the type that MLflow would infer.
_TYPES: dict[str, str] = {
    "number": "double",
    "truth": "boolean",
    "time": "datetime",
    "text": "string",
}
# Gaps are part of what is learned; all else is as the policy has it.
_LENIENT = {
    "nulls": "allow",
    "min_rows": 0,
    "extra_columns": "ignore",
    "missing_optional": "ignore",
    "values": "ignore",
    "values_of": {},
}


def learn(
    *data: Any,
    contract: Contract | str | PathLike[str] | None = None,
    policy: Policy | Mapping[str, Any] | None = None,
    redact: bool = False,
    block_rows: int = BLOCK_ROWS,
) -> ValueProfile:
    """Learn what the values of each column are, from the data that a model is trained on.

    Args:
        *data: Batches, in the order of time: what ``check`` takes. Rows that do not fit the
            contract are left out.
        contract: The model's contract, or what ``Contract.load`` takes; by default all columns of
            a frame or typed file are learned in their own types.
        policy: How files are written and text is understood; by default the contract's.
        redact: Leave out domains and patterns, and round numbers.
        block_rows: Rows of a usual batch: how values vary is learned between so many.

    Returns:
        The profile, to be saved or logged beside the model: ``learn(X).log_to(model_info)``.

    Raises:
        BatchRejected: Data whose columns do not fit the contract, or that cannot be read.
        Misuse: No rows to learn from, or data without types and no contract.
    """
    if not data:
        msg = "there is nothing to learn from: give the data that the model was trained on."
        raise Misuse(msg)
    known = _contract(data[0], contract)
    chosen = as_policy(policy, known).model_copy(update=_LENIENT)
    learner = _learned(data, known, chosen, block_rows)
    if learner is None or not learner.rows:
        msg = "there are no rows to learn from: none arrived that fits the contract."
        raise Misuse(msg)
    profile = learner.profile(GATE_VERSION)
    return profile.redact() if redact or chosen.redact else profile


def fits(batch: Any, contract: Contract, policy: Policy) -> bool:
    """Whether names and types of a batch are such that its rows can be learned from."""
    try:
        return bool(_files(batch, contract, policy.model_copy(update=_LENIENT)))
    except (GateError, UnreadableError, *READ_ERRORS):
        return False


def _learned(
    data: Sequence[Any], contract: Contract, policy: Policy, block_rows: int
) -> Learner | None:
    """Read all rows that fit; where there are many batches, or files of one, each is a block."""
    learner: Learner | None = None
    for batch in data:
        with _refused_as_judged(batch, contract, policy):
            files = _files(batch, contract, policy)
            each_file = len(data) == 1 and len(files) >= FEWEST_BLOCKS
            by_batch = each_file or len(data) >= FEWEST_BLOCKS
            for file in files:
                for rows in _rows(file):
                    learner = learner or Learner(rows.schema, block_rows, by_batch=by_batch)
                    learner.add(rows)
                if learner and each_file:
                    learner.end_batch()
        if learner:
            learner.end_batch()
    return learner


@contextmanager
def _refused_as_judged(batch: Any, contract: Contract, policy: Policy) -> Generator[None]:
    """Refuse what cannot be read by the verdict on it."""
    try:
        yield
    except (UnreadableError, *READ_ERRORS):
        check(batch, contract, policy).raise_if_rejected()
        raise


def _files(batch: Any, contract: Contract, policy: Policy) -> list[FileResult]:
    opened = open_batch(batch, contract, policy)
    files = list(plan_files(opened.files, contract, policy))
    if opened.unreadable or any(file.plan is None for file in files):
        raise BatchRejected(check(batch, contract, policy).verdict)
    return files


def _rows(file: FileResult) -> Iterator[pl.DataFrame]:
    """Yield the rows that fit, in the model's types."""
    assert file.plan is not None  # noqa: S101 - refused before
    values, done = [column.value for column in file.plan.columns], 0
    names = [column.column.name for column in file.plan.columns]
    rejected = "\x1f" * (1 + max(map(len, names), default=0))  # is no column's name
    wanted = [*values, file.plan.is_rejected().alias(rejected)]
    for piece in file.in_pieces(wanted, _PIECE):
        done += piece.height
        if file.batch.info.uri:
            tell(Reading(Path(file.batch.info.uri), done, file.batch.rows))
        yield (
            piece.filter(~pl.col(rejected)).drop(rejected)
            if piece[rejected].any()
            else piece.drop(rejected)
        )


# ----- without a model -----


def _contract(first: Any, given: Contract | str | PathLike[str] | None) -> Contract:
    if isinstance(given, Contract):
        return given
    return Contract.load(given) if given is not None else _contract_of(first)  # type: ignore[arg-type]


def _contract_of(batch: Any) -> Contract:
    """State the types of typed data as a contract, all of whose columns are optional."""
    anything = Contract.from_signature({"inputs": '[{"type": "any", "name": "#"}]'})
    (first, *_) = open_batch(batch, anything, Policy()).files
    if first.is_parsed:
        msg = f"{first.info.name} has no types of its own: name the model too, by contract=…"
        raise Misuse(msg)
    import json

    columns = [
        {"name": name, "type": kind, "required": False}
        for name, kind in zip(first.schema.names, _kinds(first), strict=True)
        if kind
    ]
    return Contract.from_signature({"inputs": json.dumps(columns)})


def _kinds(batch: Batch) -> Iterator[str]:
    for source in batch.sources:
        dtype = batch.dtypes[source]
        yield "long" if dtype.is_integer() else _TYPES.get(kind_of(dtype), "")
