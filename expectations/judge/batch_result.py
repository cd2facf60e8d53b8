"""The results of all files of a batch, merged as if they were one file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from ..rules.schema_rules import SHAPE_RULES
from ..verdict.verdict import Evidence, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..batch.batch import UnreadableError
    from ..conform.row_check import RowCheck
    from ..rules.row_checks import RuleState
    from ..rules.rule import Rule
    from ..verdict.conversion import Conversion
    from ..verdict.rule_result import RuleResult
    from .file_result import FileResult

_STAGES: tuple[Evidence, ...] = get_args(Evidence)
_CheckKey = tuple[str, str | None, str, str]
_ViolationKey = tuple[str, str | None, str, str, str]


def furthest(stages: Iterable[Evidence]) -> Evidence:
    """Name the last of some stages."""
    return _STAGES[max(map(_STAGES.index, stages))]


@dataclass(frozen=True)
class BatchResult:
    """A batch with the result of each stage.

    Attributes:
        files: Its files, in order; one for a frame or a single file.
        unopened: Name of each file of a folder that could not be opened, and why.
        rules: The state of each of the user's rules.
        violations: What the batch as a whole breaks, by its rules or by the shape of its tensors.
        enough_rows: Whether GX finds enough rows; None if GX did not judge.
        values: Statistics that were compared with learned ones, by column.
    """

    files: tuple[FileResult, ...]
    unopened: tuple[tuple[str, UnreadableError], ...] = ()
    rules: tuple[tuple[Rule, RuleState], ...] = ()
    violations: tuple[Violation, ...] = ()
    enough_rows: bool | None = None
    values: dict[str, dict[str, float]] = field(default_factory=dict[str, Any])

    @property
    def planned(self) -> bool:
        """Whether the rows of every file can be judged, by names and types."""
        return all(file.plan is not None for file in self.files)

    @property
    def unreadable(self) -> tuple[tuple[str, UnreadableError], ...]:
        """Name of each file that could not be read, and why."""
        broken = ((file.name, file.unreadable) for file in self.files if file.unreadable)
        return (*self.unopened, *broken)

    @property
    def row_count(self) -> int | None:
        """Rows of all files; None if one cannot be read."""
        counts = [file.row_count for file in self.files if file.row_count is not None]
        return None if self.unreadable or len(counts) < len(self.files) else sum(counts)

    @property
    def rejected(self) -> int:
        """Rows that break a blocking check."""
        return sum(file.rejected for file in self.files)

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        """The conversions of all files, each once."""
        found = (c for file in self.files for c in file.conversions)
        return tuple(dict.fromkeys(found)) if self.planned else ()

    @property
    def evidence(self) -> dict[str, Evidence]:
        """For each column, the furthest stage that any file or rule needed."""
        stages = dict[str, Evidence]()
        for name, stage in (*self._evidence_of_files(), *self._evidence_of_rules()):
            stages[name] = furthest((stage, stages.get(name, stage)))
        return stages

    def _evidence_of_files(self) -> Iterator[tuple[str, Evidence]]:
        for file in self.files:
            yield from file.evidence.items()

    def _evidence_of_rules(self) -> Iterator[tuple[str, Evidence]]:
        for rule, state in self.rules:
            judged = state.ruling.success is not None and rule.type not in SHAPE_RULES
            # What a check of one column needed is among the evidence of files.
            if judged or (state.scanned and rule.columns != (rule.column,)):
                for name in rule.columns:
                    yield name, "scan"

    @property
    def rule_results(self) -> tuple[RuleResult, ...]:
        """The result of each rule; if a file was unreadable, only whether the rule is broken."""
        applied, broken = Counter[int](), Counter[int]()
        for file in self.files:
            for key, counts in file.rule_counts.items():
                applied[key] += counts.element_count
                broken[key] += counts.unexpected_count
        return tuple(
            self._counted(state.ruling, applied[key], broken[key])
            if key in applied and state.ruling.success is None
            else state.ruling
            for key, (_, state) in enumerate(self.rules)
        )

    def _counted(self, result: RuleResult, applied: int, broken: int) -> RuleResult:
        kept = None if self.unreadable else True
        return result.model_copy(
            update={
                "success": False if broken else kept,
                "element_count": applied,
                "unexpected_count": broken,
            }
        )

    def schema_violations(self) -> tuple[Violation, ...]:
        """Merge the violations of names and types."""
        found = [(file, v) for file in self.files for v in file.schema_violations]
        return tuple(self._merged(found, sample_rows=0))

    def row_violations(self, sample_rows: int) -> tuple[Violation, ...]:
        """Merge the violations of rows, in the order of the checks of a single file."""
        found = [(file, v) for file in self.files for v in file.row_violations]
        if not found:
            return ()
        plans = [file.plan for file in self.files if file.plan]
        keys = dict.fromkeys(_check_key(check) for plan in plans for check in plan.row_checks)
        order = {key: position for position, key in enumerate(keys)}
        merged = self._merged(found, sample_rows)
        return tuple(sorted(merged, key=lambda v: order.get(_check_key(v), -1)))

    def _merged(
        self, found: Sequence[tuple[FileResult, Violation]], sample_rows: int
    ) -> Iterable[Violation]:
        """Merge equal violations into one that names its files."""
        merged = dict[_ViolationKey, Violation]()
        for file, violation in found:
            placed = violation.model_copy(
                update={
                    "rows": tuple(row + file.first_row for row in violation.rows),
                    "files": (file.name,) if len(self.files) > 1 else (),
                }
            )
            key = _violation_key(placed)
            merged[key] = _sum(merged[key], placed, sample_rows) if key in merged else placed
        return merged.values()


def _check_key(check: RowCheck | Violation) -> _CheckKey:
    return check.kind, check.column, check.expected, check.observed


def _violation_key(violation: Violation) -> _ViolationKey:
    words = f"{violation.observed} {violation.because}"
    # Rules of one type on one column may differ in what their words leave out.
    own = (
        f"{violation.expectation} {violation.severity}"
        if violation.kind in ("rule", "value")
        else ""
    )
    return violation.kind, violation.column, violation.expected, words, own


def _sum(one: Violation, other: Violation, sample_rows: int) -> Violation:
    samples = Counter[str]()
    for violation in (one, other):
        for value, times in zip(violation.sample, violation.sample_counts, strict=True):
            samples[value] += times
    return one.model_copy(
        update={
            "count": None if one.count is None else one.count + (other.count or 0),
            "rows": (*one.rows, *other.rows)[:sample_rows],
            "sample": tuple(samples)[:sample_rows],
            "sample_counts": tuple(samples.values())[:sample_rows],
            "kept": {
                name: (*one.kept.get(name, ()), *other.kept.get(name, ()))[:sample_rows]
                for name in {**one.kept, **other.kept}
            },
            "files": (*one.files, *other.files),
        }
    )
