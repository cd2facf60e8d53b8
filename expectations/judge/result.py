"""What ``check`` returns: the verdict on a batch, with its accepted and rejected rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from ..batch.columns import ROW, unused_prefix
from ..batch.growing_parquet import GrowingParquet
from ..batch.query import as_judged, collect, handed_over, is_os_error
from ..batch.statistics import merged_values
from ..batch.streaming import lazy_stream
from ..conform.model_input import concat_model_input, to_model_input
from ..conform.objects.checks import objects_to_hand_over, with_objects
from ..documents import staged
from ..errors import BatchChanged, Misuse
from ..verdict.verdict import BatchRejected, Verdict, Violation
from .rejected_rows import concat_rows, in_columns, rejected_exprs, rejected_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..batch.statistics import ColumnValues
    from ..conform.model_input import ModelInput
    from ..conform.plan import BatchPlan
    from ..contract.contract import Contract
    from ..verdict.verdict import Disposition
    from .file_result import FileResult

    _Plans = list[tuple[FileResult, BatchPlan]]
    _Writer = Callable[[pa.Table], object]

_TOGETHER, _OLDEST = 262_144, pl.CompatLevel.oldest()


@dataclass(frozen=True)
class Chunk:
    """A piece of the accepted rows.

    Attributes:
        rows: ``_row`` and the kept columns.
        model_input: The same rows as ``predict`` receives them.
    """

    rows: pl.DataFrame
    model_input: ModelInput


@dataclass(frozen=True, repr=False)
class CheckResult:
    """The verdict on a batch, with its accepted and rejected rows.

    Attributes:
        verdict: What was found.
        contract: What it was judged by; None if there was no contract.
        judged: When, in UTC.
    """

    verdict: Verdict
    contract: Contract | None = None
    _files: tuple[FileResult, ...] = ()
    judged: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)

    @property
    def passed(self) -> bool:
        """No blocking violation, whatever the policy."""
        return self.verdict.passed

    @property
    def disposition(self) -> Disposition:
        """What the policy makes of the verdict."""
        return self.verdict.disposition

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All violations, blocking or not."""
        return self.verdict.violations

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML page; an older page at the path is replaced."""
        from ..report.batch_report import Surroundings, write_report

        around = Surroundings(judged=self.judged, values=self.values)
        return write_report(path, self.verdict, (), around)

    def __repr__(self) -> str:
        return repr(self.verdict).replace("<Verdict", "<CheckResult", 1)

    def _repr_html_(self) -> str:
        from ..report.batch_report import render_head

        return render_head(self.verdict)

    @cached_property
    def values(self) -> dict[str, ColumnValues]:
        """What is known of the columns without reading them once more, by arriving name.

        That is what a Parquet footer states, and what the scan of CSV and JSON lines saw. Under
        ``redact`` ranges are left out; if a file cannot be read, everything is.
        """
        if self.verdict.rows is None:
            return {}
        files = [file.values() for file in self._files]
        arrived = [name for name, _ in self.verdict.batch.columns]
        everywhere = [name for name in arrived if all(name in file for file in files)]
        known = {name: merged_values([file[name] for file in files]) for name in everywhere}
        if not self.verdict.policy.redact:
            return known
        return {name: values._replace(range=None) for name, values in known.items()}

    @property
    def accepted(self) -> pl.LazyFrame | None:
        """The good rows: ``_row``, the contract's columns in its types and order, kept columns.

        None if rows cannot be told apart, or more of them fail than the policy lets a split drop.
        """
        plans = self._plans()
        if not plans or not self.verdict.separable:
            return None
        rows = None if self.verdict.rows is None else self.verdict.rows - self.verdict.rejected
        return self._handed_over(lambda: _accepted(plans), rows)

    @property
    def rejected(self) -> pl.LazyFrame | None:
        """The bad rows as they arrived, with ``_row`` and the reasons in ``_violations``.

        Python objects stand there as text, unless one type could hold the whole column. After a
        batch-level violation these are all rows; None if the batch cannot be read. To collect what
        was judged by names and types alone reads it first: BatchChanged if it cannot be read.
        """
        if not self._files:
            return None
        rows = self.verdict.rows if self.verdict.whole else self.verdict.rejected
        return self._handed_over(lambda: rejected_rows(self._files, self.verdict), rows)

    def _handed_over(self, read: Callable[[], pl.LazyFrame], rows: int | None) -> pl.LazyFrame:
        verdict = self.verdict
        return _unchanged(lambda: handed_over(read(), rows, redact=verdict.policy.redact), verdict)

    def split(self, accepted: str | Path, rejected: str | Path) -> None:
        """Write ``accepted`` and ``rejected`` to a new Parquet file each, in one pass.

        Neither has its name before both are whole, nor before it is flushed to the disk.

        Args:
            accepted: Path of the good rows.
            rejected: Path of the bad rows.

        Raises:
            BatchRejected: The batch neither passed nor was split.
            BatchChanged: Its values contradict what was judged.
            Misuse: A file would be overwritten, or Parquet has no type for a column.
            OSError: They cannot be written there.
        """
        plans, good, bad = self._to_hand_over(), Path(accepted), Path(rejected)
        if good.exists() or bad.exists() or good == bad:
            msg = f"{good} or {bad} would be overwritten: name two files that are not there yet."
            raise Misuse(msg)
        schema = _accepted(plans).collect_schema()

        def pieces(names: list[str]) -> Iterator[pl.DataFrame]:
            for rows, _ in self._verified(plans, _TOGETHER, file.write):
                yield in_columns(rows, schema)[names]

        try:
            schema.to_frame().write_parquet(BytesIO())  # refuses types before there is any file
            with staged(good) as whole, staged(bad) as apart, GrowingParquet(apart, {}) as file:
                lazy_stream(pieces, schema).sink_parquet(whole)
        except (pl.exceptions.PolarsError, pa.ArrowException) as error:
            msg = f"Parquet lacks a type for one of {schema}. Write both sides as Arrow files."
            raise (OSError(str(error)) if is_os_error(error) else Misuse(msg)) from error

    def model_input(self) -> ModelInput:
        """Return what ``predict`` receives: the accepted rows, whole.

        Returns:
            A frame in the contract's order and dtypes; for tensors an ndarray or, if they are
            named, a dictionary of ndarrays. MLflow's enforcement accepts it.

        Raises:
            BatchRejected: The batch neither passed nor was split.
            BatchChanged: Its values contradict what was judged.
        """
        pieces = [chunk.model_input for chunk in self.chunks(max(self.verdict.accepted, 1))]
        return pieces[0] if len(pieces) == 1 else concat_model_input(pieces)

    def chunks(self, rows: int, rejected: _Writer | None = None) -> Iterator[Chunk]:
        """Yield the accepted rows in pieces, each value verified again as it is read.

        Args:
            rows: Rows in a piece, at most.
            rejected: Called on the way with Arrow tables, which together are the rejected rows.

        Yields:
            At least one piece, which may be empty; together they are the accepted rows, in order.

        Raises:
            BatchRejected: The batch neither passed nor was split.
            BatchChanged: Its values contradict what was judged: the file was altered meanwhile, or
                its footer is wrong.
        """
        plans, frame = self._to_hand_over(), None
        for frame, plan in self._verified(plans, rows, rejected):
            yield self._chunk(frame, plan)
        if frame is None:
            file, plan = plans[0]
            yield self._chunk(collect(file.rows().head(0).select(*_exprs(plan))), plan)

    def raise_if_rejected(self) -> None:
        """Raise if the batch may not be scored.

        Raises:
            BatchRejected: The batch neither passed nor was split.
        """
        if self.disposition not in ("passed", "split"):
            raise BatchRejected(self.verdict)

    def _chunk(self, frame: pl.DataFrame, plan: BatchPlan) -> Chunk:
        columns = [column.column for column in plan.columns]
        named = self.contract is not None and self.contract.named
        model_input = with_objects(to_model_input(frame, columns, named=named), frame, plan)
        return Chunk(frame[[ROW, *(name for name, _ in plan.kept)]], model_input)

    def _plans(self) -> _Plans:
        return [(file, file.plan) for file in self._files if file.plan and not file.unreadable]

    def _to_hand_over(self) -> _Plans:
        self.raise_if_rejected()
        if not (plans := self._plans()):
            raise BatchRejected(self.verdict)
        return plans

    def _verified(
        self, plans: _Plans, rows: int, write: _Writer | None
    ) -> Iterator[tuple[pl.DataFrame, BatchPlan]]:
        row_count = rejected = 0
        columns = rejected_rows(self._files, self.verdict).collect_schema() if write else None
        if write and columns:
            write(columns.to_frame().to_arrow(compat_level=_OLDEST))
        for file, plan in plans:
            _refuse_other_types(file, plan, self.verdict)
            names = (*file.batch.dtypes, *(expr.meta.output_name() for expr in _exprs(plan)))
            mark = unused_prefix(names, "rejected")
            wanted = [pl.all()] if write else _exprs(plan)
            found = file.in_pieces((*wanted, plan.is_rejected().alias(mark)), rows)
            for frame in as_judged(found, redact=self.verdict.policy.redact):
                row_count += frame.height
                rejected += (bad := int(frame[mark].sum()))
                if rejected > self.verdict.rejected:
                    raise _changed(self.verdict, row_count, rejected)
                if write and columns and bad:
                    apart = frame.filter(mark).select(rejected_exprs(file, plan, self.verdict))
                    write(in_columns(apart, columns).to_arrow(compat_level=_OLDEST))
                good = frame.filter(~pl.col(mark)) if bad else frame
                good.drop_in_place(mark)
                good = good.select(_exprs(plan)) if write else good
                if good.height:
                    yield good, plan
        if (row_count, rejected) != (self.verdict.rows, self.verdict.rejected):
            raise _changed(self.verdict, row_count, rejected)


def _accepted(plans: _Plans) -> pl.LazyFrame:
    files = [f.rows().filter(~plan.is_rejected()).select(plan.select_exprs()) for f, plan in plans]
    return concat_rows(files)


def _exprs(plan: BatchPlan) -> tuple[pl.Expr, ...]:
    return (*plan.select_exprs(), *objects_to_hand_over(plan))


def _changed(verdict: Verdict, row_count: int, rejected: int) -> BatchChanged:
    msg = (
        f"{verdict.batch.name} is not what was judged: it has {row_count:,} rows, {rejected:,} of "
        f"them bad, where {verdict.rows:,} rows with {verdict.rejected:,} bad ones were judged. "
        "The file was altered meanwhile, or its statistics are false: deliver it whole, or set "
        "policy trust_statistics: false."
    )
    return BatchChanged(msg)


def _unchanged(read: Callable[[], Any], verdict: Verdict) -> Any:
    return next(as_judged((read() for _ in range(1)), redact=verdict.policy.redact))


def _refuse_other_types(file: FileResult, plan: BatchPlan, verdict: Verdict) -> None:
    """Casts were planned for the types that were judged: they would change values of others."""
    dtypes = _unchanged(lambda: file.batch.scan().collect_schema(), verdict)
    other = [c.column.name for c in plan.columns if dtypes.get(c.source_name) != c.source.dtype]
    if other:
        msg = f"{verdict.batch.name} is not what was judged: {other} are of other types now."
        raise BatchChanged(msg)
