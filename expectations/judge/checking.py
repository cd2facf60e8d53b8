"""The public call: a batch and a contract in, a verdict and the rows out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..batch.batch import UnreadableError
from ..batch.query import unavailable
from ..contract.policy import Policy
from ..readers.open import describe_batch, open_batch
from ..values.expectations import learned_statistic
from ..verdict.verdict import GATE_VERSION, Verdict, Violation
from ..wording import counted
from .batch_result import BatchResult
from .column_matching import withhold_names
from .request import check_request
from .result import CheckResult
from .rule_stage import apply_rules, unjudged_rules
from .scan_stage import scan_files
from .schema_stage import plan_files
from .tensor_shapes import shape_violations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from ..batch.batch import OpenedBatch
    from ..contract.contract import Contract
    from ..errors import NoContract
    from ..verdict.cause import Cause
    from ..verdict.rule_result import Engine
    from ..verdict.verdict import BatchInfo
    from .request import CheckRequest


def check(
    batch: Any,
    contract: Contract | str | PathLike[str],
    policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
    engine: Engine = "polars",
    workers: Any = None,
) -> CheckResult:
    """Judge a batch by a model's contract, before the model sees a row.

    Args:
        batch: A path or ``file://`` URL of a file (Parquet, CSV, JSON lines, Arrow IPC, ``.npy``,
            ``.npz``) or of a folder of such files; a table of a lake, as ``delta://PATH@VERSION``,
            its folder, or ``iceberg://CATALOG/namespace.table@SNAPSHOT``; a pandas, Polars or Arrow
            frame, an ndarray, or a dictionary of ndarrays.
        contract: What the model expects, or what ``Contract.load`` takes: a model URI or a path.
        policy: What the contract leaves open, as an object, as a dictionary of its fields, or as
            the path of a YAML file; by default the one saved with the contract's suite,
            else ``Policy()``.
        engine: Polars, with GX for the rules that only GX knows; or stock GX, the slow reference.
        workers: Who scans the files of a folder: by default this process; a number of processes,
            ``dask://host:8786``, ``ray://host:10001``, or a Dask client. The verdict is the same.

    Returns:
        The verdict and the rows. Bad data, corrupt content included, is a verdict.

    Raises:
        BatchNotFound: No such file.
        UnsupportedBatch: An object or a format that the gate does not read.
        Misuse: A rule of the contract's or the policy's that cannot be meant, no such engine or
            workers, or an object of another type.
        InvalidPolicy: A policy with an unknown field, or a column that is not the model's.
        NoContract: The model that the URI names has no usable signature.
        BatchUnavailable: A disk, a network or a permission keeps the batch from being read.
        WorkerDied: Workers died again and again.
    """
    request = check_request(contract, policy, engine, workers)
    try:
        return _check(batch, request)
    except OSError as error:
        raise unavailable(error) from error


def _check(batch: Any, request: CheckRequest) -> CheckResult:
    try:
        opened = open_batch(batch, request.contract, request.policy)
    except UnreadableError as error:
        return _unreadable(describe_batch(batch), request, error)
    return _check_opened(opened, request)


def refuse(batch: Any, error: NoContract, policy: Policy | None = None) -> CheckResult:
    """Turn away a batch, unopened, whose model has no usable contract; there are no rows."""
    violation = Violation(
        kind="no_contract",
        expected=f"a signature on {error.model} that decides what fits",
        observed=error.reason,
        remedy=error.remedy,
        because="what cannot be judged is not scored",
    )
    return CheckResult(
        Verdict(
            batch=describe_batch(batch),
            policy=policy or Policy(),
            violations=(violation,),
            gate_version=GATE_VERSION,
        )
    )


def _check_opened(opened: OpenedBatch, request: CheckRequest) -> CheckResult:
    try:
        result = _judge(opened, request)
    except UnreadableError as error:
        return _unreadable(opened.info, request, error)
    verdict = verdict_of(opened.info, request, result, _causes(result, request.policy))
    readable = tuple(file for file in result.files if not file.unreadable)
    return CheckResult(verdict, request.contract, readable)


def _judge(opened: OpenedBatch, request: CheckRequest) -> BatchResult:
    """Judge names and types, then the footer, then by one scan the columns still undecided.

    Each file of a folder is judged on its own, and the results are merged, so that any partition of
    the same rows into files gives the same verdict.
    """
    ruled = plan(opened, request)
    if not ruled.planned:
        return scan_files(ruled, request.policy)
    scanned = _with_values(ruled, request) if request.values else _scan(ruled, request)
    if scanned.unreadable:
        return scanned
    return replace(scanned, violations=(*shape_violations(scanned), *scanned.violations))


def plan(opened: OpenedBatch, request: CheckRequest) -> BatchResult:
    """Judge names and types, and plan what the scan looks at; rules about the whole are settled."""
    files = tuple(plan_files(opened.files, request.contract, request.policy))
    planned = BatchResult(files, opened.unreadable, unjudged_rules(request))
    return apply_rules(planned, request) if planned.planned else planned


def _scan(ruled: BatchResult, request: CheckRequest) -> BatchResult:
    if request.workers is None:
        return scan_files(ruled, request.policy)
    from .scan.divided import scan_divided

    return scan_files(ruled, request.policy, partial(scan_divided, request.workers))


def _with_values(ruled: BatchResult, request: CheckRequest) -> BatchResult:
    """Scan a batch, and compare a sample of it with what was learned of values."""
    from .learned.sample import Sampler
    from .learned.stage import judge_values

    assert request.values is not None  # noqa: S101 - there is nothing to compare otherwise
    sampler = Sampler(request.values, (file.batch for file in ruled.files))
    ruled = replace(ruled, files=tuple(replace(f, sampler=sampler) for f in ruled.files))
    scanned = _scan(ruled, request)
    if scanned.unreadable:
        return scanned
    shifts, values = judge_values(sampler.frame(), request)
    return replace(scanned, violations=(*scanned.violations, *shifts), values=values)


def _unreadable(info: BatchInfo, request: CheckRequest, error: UnreadableError) -> CheckResult:
    violation = unreadable_violation(error, info.format, (), request.policy)
    result = BatchResult((), ((info.name, error),), unjudged_rules(request))
    verdict = verdict_of(info, request, result).model_copy(update={"violations": (violation,)})
    return CheckResult(verdict, request.contract)


def verdict_of(
    info: BatchInfo, request: CheckRequest, result: BatchResult, causes: tuple[Cause, ...] = ()
) -> Verdict:
    """State what the stages found."""
    rules = tuple(r for r in result.rule_results if not learned_statistic(r.expectation))
    gx_helped = request.engine == "polars" and any(rule.engine == "gx" for rule in rules)
    return Verdict(
        batch=withhold_names(info, request.contract, request.policy),
        model=request.contract.model,
        contract=request.contract.fingerprint,
        policy=request.policy,
        rows=result.row_count,
        rejected=result.rejected,
        violations=tuple(_violations(result, request.policy)),
        causes=causes,
        conversions=result.conversions,
        evidence=result.evidence,
        rules=rules,
        signature=request.contract.signature,
        values=result.values,
        engine="polars+gx" if gx_helped else request.engine,
        gate_version=GATE_VERSION,
    )


def _causes(result: BatchResult, policy: Policy) -> tuple[Cause, ...]:
    if not result.rejected:
        return ()
    from .causes import find_causes

    return find_causes(result, redact=policy.redact)


def _violations(result: BatchResult, policy: Policy) -> Iterator[Violation]:
    yield from result.schema_violations()
    for name, error in result.unreadable:
        yield unreadable_violation(error, "file in the", (name,), policy)
    if result.planned:
        yield from _too_few_rows(result, policy)
    yield from result.row_violations(policy.sample_rows)
    yield from result.violations


def unreadable_violation(
    error: UnreadableError, format_name: str, files: Sequence[str], policy: Policy
) -> Violation:
    """State that content cannot be read."""
    return Violation(
        kind=error.kind,
        expected=f"a whole {format_name} batch",
        observed=error.describe(redact=policy.redact),
        remedy=error.remedy,
        because="what cannot be read cannot be judged",
        files=tuple(files),
    )


def _too_few_rows(result: BatchResult, policy: Policy) -> Iterator[Violation]:
    by_gx, rows = result.enough_rows, result.row_count
    if rows is None or (rows >= policy.min_rows if by_gx is None else by_gx):
        return
    yield Violation(
        kind="row_count",
        expected=f"at least {counted(policy.min_rows, 'row')}",
        observed=f"{rows:,}",
        remedy="Find out why the feed ran dry, or accept such batches by policy min_rows.",
        because=f"policy min_rows: {policy.min_rows}",
        expectation={
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": policy.min_rows},
        },
        engine="polars" if by_gx is None else "gx",
    )
