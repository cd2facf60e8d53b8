"""Users' own rules: GX expectations over conformed values.

Polars judges a rule that ``ROW_RULES``, ``TABLE_RULES`` or ``SHAPE_RULES`` knows. Any other is
judged by stock GX, on just the columns that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import polars as pl

from ..conform.conversions import PANDAS_DTYPES
from ..contract.types import Scalar
from ..errors import InvalidRules
from ..verdict.explain import percent
from .aggregate_rules import TABLE_RULES
from .conditions import in_words, mask_of
from .operands import Operand, RuleOperands
from .row_rules import ROW_RULES
from .schema_rules import SHAPE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..contract.contract import Column
    from ..gx.results import Expectation
    from ..verdict.verdict import Severity
    from .condition_parser import Condition

Engine = Literal["polars", "gx"]

# GX's severities -> ours.
SEVERITIES: dict[str, Severity] = {"critical": "critical", "warning": "warning", "info": "warning"}
_COLUMN, _PAIR, _LIST = ("column",), ("column_A", "column_B"), ("column_list",)
SUBJECTS = (*_COLUMN, *_PAIR, *_LIST)
_IN_A_LIST = ("expect_compound_", "expect_select_", "expect_multicolumn_")
_CONDITION = {"row_condition", "condition_parser"}
_NONE = pl.lit(value=None)
_Skip = Callable[[list[pl.Expr]], pl.Expr]
# Which rows an expectation on several columns leaves out; the first of each is GX's default.
_IGNORING: dict[tuple[str, ...], dict[str, _Skip]] = {
    _PAIR: {
        "both_values_are_missing": pl.all_horizontal,
        "either_value_is_missing": pl.any_horizontal,
        "neither": lambda _: pl.lit(value=False),
    },
    _LIST: {
        "all_values_are_missing": pl.all_horizontal,
        "any_value_is_missing": pl.any_horizontal,
        "never": lambda _: pl.lit(value=False),
    },
}


def refused(origin: str, rule: str, reason: str, remedy: str) -> InvalidRules:
    """State why no batch is judged by a rule."""
    return InvalidRules(f"{origin} has a rule that cannot be judged: {rule}: {reason}. {remedy}.")


@dataclass(frozen=True)
class Rule:
    """One expectation of a user's.

    Attributes:
        stated: The expectation in plain form, as GX and the verdict hold it.
        subjects: The columns that it is about.
        columns: The columns without which it cannot be judged: those, and its condition's.
        engine: What can judge it.
        origin: Where it was written, for remedies.
        condition: The rows that it is about; None for all.
    """

    stated: Expectation
    subjects: tuple[str, ...]
    columns: tuple[str, ...]
    engine: Engine
    origin: str
    condition: Condition | None = field(default=None, compare=False)

    @property
    def type(self) -> str:
        """The expectation's type."""
        return self.stated["type"]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The expectation's arguments."""
        return self.stated["kwargs"]

    @property
    def without_condition(self) -> Expectation:
        """The expectation for rows that are already chosen."""
        kwargs = {key: value for key, value in self.kwargs.items() if key not in _CONDITION}
        return {**self.stated, "kwargs": kwargs}

    @property
    def severity(self) -> Severity:
        """Whether breaking it blocks: GX's ``warning`` and ``info`` are only reported."""
        return SEVERITIES[self.stated.get("severity", "critical")]

    @property
    def mostly(self) -> float:
        """Share of the rows looked at, from 0 to 1, that must keep it."""
        return float(self.kwargs.get("mostly", 1))

    @property
    def column(self) -> str | None:
        """The only column that it is about; None if there are several or none."""
        return self.subjects[0] if len(self.subjects) == 1 else None

    def about(self, operands: dict[str, Operand], good: pl.Expr) -> RuleOperands:
        """Choose the conformed columns that the rule is about, and the good rows."""
        rows = mask_of(self.condition, operands) if self.condition else None
        chosen = tuple(operands[name] for name in self.subjects)
        return RuleOperands(chosen, self.kwargs, good if rows is None else good & rows)

    @property
    def expected(self) -> str:
        """What the rule asks for, in words."""
        text = self._asked()
        if self.mostly < 1:
            text += f" in at least {percent(self.mostly)} of the rows"
        return f"{text}, where {in_words(self.condition)}" if self.condition else text

    def _asked(self) -> str:
        subjects = tuple(Operand(name, "", _NONE) for name in self.subjects)
        operands = RuleOperands(subjects, self.kwargs, _NONE)
        try:
            if self.type in SHAPE_RULES:
                return SHAPE_RULES[self.type].expected(self.kwargs)
            known = ROW_RULES.get(self.type) or TABLE_RULES[self.type]
            return known.expected(operands)
        except (LookupError, TypeError, ValueError, AttributeError):
            shared = {*SUBJECTS, *_CONDITION, "mostly", "ignore_row_if"}
            others = {key: value for key, value in self.kwargs.items() if key not in shared}
            return f"what {self.type} asks for" + (f" with {others}" if others else "")


def applies_to(rule: Rule, operands: RuleOperands) -> pl.Expr:
    """Find the rows that a row-level rule looks at.

    Returns:
        True in rows that meet its condition and are not left out for missing values.
    """
    domain = _domain(rule.type)
    if domain == _COLUMN:
        there = None if ROW_RULES[rule.type].missing else operands.value.is_not_null()
        return operands.rows if there is None else operands.rows & there
    missing = [column.value.is_null() for column in operands.columns]
    ways = _IGNORING[domain]
    return operands.rows & ~ways[rule.kwargs.get("ignore_row_if", next(iter(ways)))](missing)


def columns_in_reach(rule: Rule, names: list[str]) -> list[str]:
    """Find the columns that stock GX needs: those that the rule names; all if it names none."""
    named = {*rule.subjects, *_named(rule.without_condition["kwargs"], names)}
    return [name for name in names if name in named] or names


def _named(value: Any, names: list[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in cast("dict[str, Any]", value).values():
            yield from _named(inner, names)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _named(inner, names)
    elif isinstance(value, str) and value in names:
        yield value


def polars_knows(rule: Rule, columns: Mapping[str, Column]) -> bool:
    """Tell whether Polars can judge a rule, with the meaning that it has in GX on pandas."""
    about = [columns[name] for name in rule.columns]
    own = set(rule.kwargs) - set(SUBJECTS if rule.type in SHAPE_RULES else _domain(rule.type))
    if rule.type in SHAPE_RULES:
        shape = SHAPE_RULES[rule.type]
        return own <= shape.kwargs and shape.fits(rule.kwargs, pandas_types(about))
    if not _has_subjects(rule):
        return False
    if rule.type in TABLE_RULES:
        known, own = TABLE_RULES[rule.type], own - _CONDITION
    elif rule.type in ROW_RULES:
        known, own = ROW_RULES[rule.type], own - {*_CONDITION, "mostly", *_ignoring(rule)}
    else:
        return False
    if own - known.kwargs:
        return False
    return known.fits(rule.about(placeholders(about), pl.lit(value=True)))


def _ignoring(rule: Rule) -> set[str]:
    ways = _IGNORING.get(_domain(rule.type), {})
    return {"ignore_row_if"} if rule.kwargs.get("ignore_row_if") in ways else set()


def _domain(kind: str) -> tuple[str, ...]:
    if kind.startswith("expect_table_"):
        return ()
    if kind.startswith("expect_column_pair_"):
        return _PAIR
    return _LIST if kind.startswith(_IN_A_LIST) else _COLUMN


def _has_subjects(rule: Rule) -> bool:
    domain = _domain(rule.type)
    if {key for key in SUBJECTS if key in rule.kwargs} != set(domain):
        return False
    return domain != _LIST or len(rule.subjects) > 1


def placeholders(columns: Iterable[Column]) -> dict[str, Operand]:
    """State the types of columns to what compares them, without a batch."""
    return {column.name: Operand.of(column, column.name) for column in columns}


def _pandas_type(column: Column) -> str:
    return PANDAS_DTYPES[column.type.name] if isinstance(column.type, Scalar) else "nested"


def pandas_types(columns: Iterable[Column]) -> dict[str, str]:
    """Name the pandas types of conformed columns; nested ones share one."""
    return {column.name: _pandas_type(column) for column in columns}
