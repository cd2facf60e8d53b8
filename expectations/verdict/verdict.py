"""The verdict on a batch: plain data that can be explained, merged, and stored as JSON."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, computed_field

from ..contract.model_version import ModelVersion
from ..contract.policy import Policy
from ..errors import GateError
from ..escaping import visible
from ..wording import counted, listed
from .cause import Cause
from .conversion import Conversion
from .rule_result import Engine, RuleResult

if TYPE_CHECKING:
    import polars as pl

Kind = Literal[
    "missing_column",
    "extra_column",
    "duplicate_column",
    "column_order",
    "type_mismatch",
    "null",
    "out_of_range",
    "not_representable",
    "unparseable",
    "non_finite",
    "shape_mismatch",
    "nested_mismatch",
    "row_count",
    "malformed_row",
    "rule",
    "value",
    "shift",
    "unreadable",
    "no_contract",
    "output_mismatch",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Disposition = Literal["passed", "split", "quarantined", "failed"]
Evidence = Literal["schema", "table", "footer", "scan"]
Severity = Literal["critical", "warning"]
# Read once: it is looked up on disk, which takes longer than a small batch.
GATE_VERSION = version("signature-gate")
_FILES_NAMED, _LISTED, _TIMES = 5, 20, "\N{MULTIPLICATION SIGN}"


class Violation(BaseModel):
    """One deviation of a batch from the contract.

    Attributes:
        kind: One of the twenty kinds.
        column: The column's name as the contract has it; None where the batch as a whole is meant.
        expected: What the contract or the policy asks for.
        observed: What arrived.
        remedy: What to do about it, as one imperative sentence.
        because: The policy field or conversion rule that makes it a violation.
        count: Rows that have it, for row-level violations; None for batch-level ones.
        rows: Positions, from 0, of the first such rows.
        sample: Distinct values in the first hundred of them, as text; empty under ``redact``.
        sample_counts: How many of these hundred rows of each file have each of them.
        kept: Cells of the columns of policy ``keep`` in ``rows``, as text; empty under ``redact``.
        severity: ``critical`` blocks, ``warning`` is only reported.
        expectation: The GX expectation that failed: its ``type`` and ``kwargs``.
        files: The files of a folder that have it; empty for a batch of one file.
        engine: What judged it.
        statistic: What was learned of the column and is not kept: ``bounds``, ``null`` …
        limits: Between which a batch's statistic was expected; None under ``redact``.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    column: str | None = None
    expected: str
    observed: str
    remedy: str
    because: str = ""
    count: int | None = None
    rows: tuple[int, ...] = ()
    sample: tuple[str, ...] = ()
    sample_counts: tuple[int, ...] = ()
    kept: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    severity: Severity = "critical"
    expectation: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    engine: Engine = "polars"
    statistic: str = ""
    limits: tuple[float, float] | None = None

    @property
    def level(self) -> Literal["batch", "row"]:
        """Whether it concerns single rows, which a split can reject, or the whole batch."""
        return "batch" if self.count is None else "row"

    @computed_field
    @property
    def message(self) -> str:
        """The whole violation as one sentence: where, expected, observed, rows, remedy."""
        where = f"{self.kind} in column {self.column!r}" if self.column else self.kind
        shown = f" ({', '.join(self.samples)})" if any(v != "null" for v in self.sample) else ""
        found = f"expected {self.expected}, observed {self.observed}{shown}{self._at}"
        return f"{where}: {found}{self._among}. {self.remedy}"

    @property
    def samples(self) -> tuple[str, ...]:
        """The sample, each value with the number of rows that have it where it is not one."""
        counts = self.sample_counts or (1,) * len(self.sample)
        pairs = zip(self.sample, counts, strict=True)
        return tuple(f"{value} {_TIMES}{count:,}" if count > 1 else value for value, count in pairs)

    @property
    def _among(self) -> str:
        return f" in {listed(self.files, _FILES_NAMED)}" if self.files else ""

    @property
    def _at(self) -> str:
        first = f" (first: {', '.join(map(str, self.rows))})" if self.rows else ""
        return "" if self.count is None else f" in {counted(self.count, 'row')}{first}"


class BatchInfo(BaseModel):
    """What is known of a batch without judging it.

    Attributes:
        name: File or folder name, or the kind of object.
        uri: Its location; None for objects in memory.
        format: ``parquet``, ``csv``, ``pandas``, ``polars``, ``arrow`` …
        bytes: Size on disk; None for objects in memory.
        columns: Arriving names and types, in order.
        arrow_schema: The same, serialized, in base64; receipts keep it, verdicts do not.
        files: How many files a folder has; None for anything else.
        ignored: Files of a folder that no format claims, such as checksums; they are not read.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    format: str
    uri: str | None = None
    bytes: int | None = None
    columns: tuple[tuple[str, str], ...] = ()
    arrow_schema: str = Field(default="", exclude=True, repr=False)
    files: int | None = None
    ignored: tuple[str, ...] = ()


class Verdict(BaseModel):
    """The judgement on one batch under one contract and policy.

    Attributes:
        batch: What was judged.
        model: The pinned model version; None where the contract came from a bare signature.
        contract: Fingerprint of the contract.
        policy: The policy in force.
        rows: Rows that arrived; None if the batch could not be read so far.
        rejected: Rows with at least one blocking row-level violation.
        violations: All of them, blocking or not.
        causes: What nearly all rejected rows and few others have in common; three at most.
        conversions: Lossless conversions made.
        evidence: For each column, the stage that decided it.
        rules: The result of each of the user's rules.
        signature: The signature's own JSON; empty where there was none.
        values: Statistics of the batch's values that were compared with learned ones, by column.
        engine: What judged: ``polars``, ``gx``, or ``polars+gx`` where GX had to judge some rules.
        gate_version: The version of signature-gate that judged.
    """

    model_config = ConfigDict(frozen=True)

    batch: BatchInfo
    model: ModelVersion | None = None
    contract: str = ""
    policy: Policy = Field(default_factory=Policy)
    rows: int | None = None
    rejected: int = 0
    violations: tuple[Violation, ...] = ()
    causes: tuple[Cause, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    evidence: dict[str, Evidence] = Field(default_factory=dict)
    rules: tuple[RuleResult, ...] = ()
    signature: dict[str, str | None] = Field(default_factory=dict)
    values: dict[str, dict[str, float]] = Field(default_factory=dict)
    engine: str = "polars"
    gate_version: str = ""

    @property
    def blocking(self) -> tuple[Violation, ...]:
        """The violations that keep the batch, or rows of it, from the model."""
        return tuple(v for v in self.violations if v.severity == "critical")

    @computed_field
    @property
    def passed(self) -> bool:
        """No blocking violation, whatever the policy."""
        return not self.blocking

    @property
    def separable(self) -> bool:
        """Whether the good rows can be separated from the bad ones and scored without them.

        Values that a type cannot hold are never dropped: leaving them out would bias the scores.
        """
        return (
            all(v.level == "row" and v.kind != "not_representable" for v in self.blocking)
            and self.rejected_share <= self.policy.max_rejected
        )

    @computed_field
    @property
    def disposition(self) -> Disposition:
        """What the policy makes of the verdict."""
        if self.passed:
            return "passed"
        if self.policy.on_mismatch == "fail":
            return "failed"
        return "split" if self.policy.on_mismatch == "split" and self.separable else "quarantined"

    @property
    def whole(self) -> bool:
        """Whether a blocking violation concerns the batch as a whole."""
        return any(v.level == "batch" for v in self.blocking)

    @property
    def accepted(self) -> int:
        """Rows without a blocking violation; 0 where rows cannot be separated."""
        return 0 if self.whole or self.rows is None else self.rows - self.rejected

    @property
    def rejected_share(self) -> float:
        """Rejected rows per arrived row, from 0 to 1."""
        return self.rejected / self.rows if self.rows else 0.0

    def summary(self) -> str:
        """Describe the outcome in one line, then causes and violations, twenty at most."""
        stated = (*self.causes, *self._worst_first)
        more = len(stated) - _LISTED
        rest = [f"and {more:,} more, all of them in the verdict"] if more > 0 else []
        return "\n - ".join([self._headline, *(e.message for e in stated[:_LISTED]), *rest])

    @property
    def _headline(self) -> str:
        of = "" if self.rows is None else f" of {self.rows:,} rows"
        rejected = f", {self.rejected:,} rejected" if self.rejected else ""
        return f"{self.batch.name}{of}: {self.disposition}{rejected}"

    @property
    def _worst_first(self) -> list[Violation]:
        return sorted(self.violations, key=lambda v: v.severity != "critical")

    def __repr__(self) -> str:
        worst = self._worst_first
        first = listed([v.message.partition(": ")[0] for v in worst[:1]], 1, len(worst))
        return f"<Verdict {visible('; '.join(filter(None, (self._headline, first))))}>"

    def _repr_html_(self) -> str:
        from ..report.batch_report import render_head

        return render_head(self)

    def to_frame(self) -> pl.DataFrame:
        """Return the violations as a frame, a row each; its columns and types never change."""
        from .frames import violations_frame

        return violations_frame([v.model_dump() for v in self.violations])

    def to_json(self) -> str:
        """Return the verdict as one JSON document that ``from_json`` reads back."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a verdict that ``to_json`` wrote.

        Raises:
            pydantic.ValidationError: The text is not such a document.
        """
        return cls.model_validate_json(text)


class BatchRejected(GateError):
    """The batch may not be scored.

    Attributes:
        verdict: The verdict, with every violation and its remedy.
    """

    def __init__(self, verdict: Verdict) -> None:
        """Use the verdict's own summary as the message."""
        super().__init__(verdict.summary())
        self.verdict = verdict

    def __reduce__(self) -> tuple[type[BatchRejected], tuple[Verdict]]:
        """Pickle by verdict: Prefect carries exceptions between processes."""
        return type(self), (self.verdict,)
