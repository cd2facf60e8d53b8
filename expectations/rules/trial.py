"""Rules are tried on three typical rows when they are read, before any batch.

What pandas does not compare, what GX refuses only once it judges, and what needs a database is
found so: it is the rule that is at fault then, and not a batch.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import polars as pl

from ..conform.conversions import PANDAS_DTYPES
from ..conform.source import POLARS_DTYPES
from ..contract.types import Scalar
from .aggregate_rules import TABLE_RULES
from .pattern_timer import SLOW, are_slow
from .row_checks import masks
from .row_rules import ROW_RULES
from .rule import SUBJECTS, pandas_types, placeholders
from .schema_rules import SHAPE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..contract.contract import Column
    from .rule import Rule

_NEEDS_SQL = {
    "unexpected_rows_expectation",
    "expect_query_results_to_match_comparison",
    "expect_table_row_count_to_equal_other_table",
}
_REFERENCES = {"$ref", "$dynamicRef", "$recursiveRef"}
_DAYS = [dt.datetime(2020, 1, day) for day in (1, 2, 3)]  # noqa: DTZ001 - the model's have no zone
_SAMPLES: dict[str, list[Any]] = {
    "boolean": [True, False, True],
    "string": ["1", "2", "3"],
    "binary": [b"1", b"2", b"3"],
    "datetime": _DAYS,
}
_NUMBERS = [1, 2, 3]


def why_unjudgeable(rule: Rule, columns: Mapping[str, Column]) -> str | None:
    """Say why no batch could be judged by a rule; None if it can be."""
    if rule.type in _NEEDS_SQL:
        return "it needs a database, and a batch is none"
    if foreign := next(_foreign_references(rule.kwargs), None):
        return f"its schema refers to {foreign!r}, which is outside of it"
    try:
        return _try_polars(rule, columns) if rule.engine == "polars" else _try_gx(rule, columns)
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - whatever it raises
        return " ".join(str(error).split()) or type(error).__name__


def _foreign_references(value: Any) -> Iterator[str]:
    """References that GX's JSON schema validator would fetch from disk or network."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _REFERENCES and not str(inner).startswith("#"):
                yield str(inner)
            yield from _foreign_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _foreign_references(inner)


@dataclass(frozen=True)
class _Form:
    """What a trial depends on: not the names of the columns that a rule is about.

    Attributes:
        type: The expectation's type.
        arguments: All others in writing; so those of a rule about shapes name its columns.
        kinds: The types of its subjects, then those of all columns that it needs.
    """

    type: str
    arguments: str
    kinds: tuple[str, ...]
    rule: Rule = field(compare=False)
    about: tuple[Column, ...] = field(compare=False)


def _try_polars(rule: Rule, columns: Mapping[str, Column]) -> None:
    # Of a wide contract only what the rule is about: each of its rules is tried.
    about = tuple(columns[name] for name in (*rule.subjects, *rule.columns))
    unnamed = () if rule.type in SHAPE_RULES else SUBJECTS
    arguments = repr({k: v for k, v in rule.kwargs.items() if k not in unnamed})
    kinds = tuple(str(column.type) for column in about)
    _try_form(_Form(rule.type, arguments, kinds, rule, about))


@lru_cache(maxsize=1_024)
def _try_form(form: _Form) -> None:
    rule = form.rule
    if rule.type in SHAPE_RULES:
        SHAPE_RULES[rule.type].conclude(rule.kwargs, pandas_types(form.about))
        return
    operands = placeholders(form.about)
    frame = pl.DataFrame({name: _typical(operand.kind) for name, operand in operands.items()})
    subject = rule.about(operands, pl.lit(value=True))
    if rule.type in ROW_RULES:
        frame.select(*(mask.alias(str(n)) for n, mask in enumerate(masks(rule, subject))))
        return
    known = TABLE_RULES[rule.type]
    measures = [expr.alias(str(number)) for number, expr in enumerate(known.measure(subject))]
    known.conclude(subject, list(frame.select(measures).row(0)))


@cache
def _typical(kind: str) -> pl.Series:
    return pl.Series(_sample(kind), dtype=POLARS_DTYPES.get(kind))  # type: ignore[arg-type]


def _sample(kind: str) -> list[Any]:
    return _SAMPLES.get(kind, _NUMBERS) if kind else [None] * len(_NUMBERS)


def _try_gx(rule: Rule, columns: Mapping[str, Column]) -> str | None:
    if not all(isinstance(columns[name].type, Scalar) for name in rule.subjects):
        return None  # of nested values there is no typical one
    kinds = ((name, str(c.type)) for name, c in columns.items() if isinstance(c.type, Scalar))
    stated = json.dumps(rule.without_condition, default=str)
    return _gx_error(stated, tuple(kinds))


@lru_cache(maxsize=1_024)
def _gx_error(expectation: str, kinds: tuple[tuple[str, str], ...]) -> str | None:
    import pandas as pd

    from ..gx.engine import judge_frame

    stated = json.loads(expectation)
    if are_slow(stated["kwargs"], _SAMPLES["string"]):
        return SLOW
    frame = pd.DataFrame(
        {name: pd.Series(_sample(kind), dtype=PANDAS_DTYPES[kind]) for name, kind in kinds}  # type: ignore[index]
    )
    (result,) = judge_frame(frame, [stated])
    return result.error
