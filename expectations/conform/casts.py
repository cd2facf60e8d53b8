"""Cells cast to the model's scalar types: one cast for each ``How`` of the conversion table.

Every cast is verified against its source. ``cast(strict=False)`` turns what cannot be held into
null, and what is merely rounded is found by casting back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ..batch.arrow_types import digits_of
from .cast_plan import CastPlan, Incompatible
from .conversions import CONFORMS, How
from .row_check import RowCheck, value_check
from .source import POLARS_DTYPES, SourceColumn
from .text import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..batch.statistics import ColumnStatistics
    from ..contract.policy import Policy
    from ..contract.types import ScalarName

_RANGES: dict[ScalarName, tuple[int, int]] = {
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
# A whole float beyond 2^53 may already have been rounded where it was made.
_WHOLE_FLOATS: dict[ScalarName, tuple[int, int]] = {
    "integer": _RANGES["integer"],
    "long": (-(2**53), 2**53),
}
# Integers up to these magnitudes, and decimals of so many digits, survive the way there and back.
_EXACT_INTEGERS: dict[ScalarName, int] = {"float": 2**24, "double": 2**53}
_EXACT_DIGITS: dict[ScalarName, int] = {"float": 6, "double": 15}

_LAST_NANOSECOND = 2**63 - 1
_NANOSECONDS = {"ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9
_YEARS_WITHIN = (1678, 2261)


def plan_scalar(
    source: SourceColumn, target: ScalarName, policy: Policy
) -> CastPlan | Incompatible:
    """Plan how cells are cast to a scalar type, or say that the table lists no cast."""
    if source.kind == "null":
        return CastPlan(source.expr.cast(POLARS_DTYPES[target]), POLARS_DTYPES[target])
    if source.kind == "string" and source.text and target not in ("string", "binary"):
        return _parsed(source, target, policy)
    if source.kind == "string" and source.base64 and target == "binary":
        return _decoded(source, source.expr.str.decode("base64", strict=False), target)
    if source.kind == "binary" and target == "string" and policy.binary_as_text == "allow":
        texts = source.expr.map_batches(_as_text, return_dtype=pl.String, is_elementwise=True)
        return _decoded(source, texts, target)
    how = CONFORMS[target].get(source.kind)
    if how is None or (how is How.IN_UTC and policy.timezone == "forbid"):
        return Incompatible()
    plan = _CASTS[how](source, target, policy)
    checks = (replace(check, fails=check.fails & source.present) for check in plan.checks)
    return CastPlan(plan.value, plan.dtype, tuple(checks))


# ----- text and bytes that stand for values -----


def _parsed(source: SourceColumn, target: ScalarName, policy: Policy) -> CastPlan:
    parsed = source.parsed or parse(source.expr, target, policy)
    grammar = (parsed.example, f"text that is not {_NOUNS[target]}")
    beyond = (f"magnitudes that {target} can hold", "a magnitude beyond them")
    rounded = (f"integers that {target} represents exactly", "an integer that it has to round")
    checks = (
        value_check(source, target, "unparseable", parsed.unparseable, grammar),
        value_check(source, target, "out_of_range", parsed.out_of_range, beyond),
        value_check(source, target, "not_representable", parsed.not_representable, rounded),
    )
    value = parsed.value.cast(POLARS_DTYPES[target], strict=False)
    present = (replace(check, fails=check.fails & source.present) for check in checks)
    return CastPlan(value, POLARS_DTYPES[target], tuple(present))


_NOUNS: dict[ScalarName, str] = {
    "boolean": "one of these words",
    **dict.fromkeys(("integer", "long"), "an integer"),
    **dict.fromkeys(("float", "double"), "a number"),
    "datetime": "a datetime",
}


def _decoded(source: SourceColumn, value: pl.Expr, target: ScalarName) -> CastPlan:
    wrong = value.is_null() & source.present
    words = _DECODED[target]
    return CastPlan(
        value,
        POLARS_DTYPES[target],
        (value_check(source, target, "unparseable", wrong, words),),
    )


def _as_text(cells: pl.Series) -> pl.Series:
    try:
        return cells.cast(pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(cells.name, map(_utf8, cells.cast(pl.Binary).to_list()), pl.String)


def _utf8(cell: bytes | None) -> str | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return None


_DECODED: dict[ScalarName, tuple[str, str]] = {
    "binary": ("bytes in base64", "text that is not base64"),
    "string": ("bytes in UTF-8", "bytes that are not UTF-8"),
}


# ----- one cast for each How -----


def _as_is(source: SourceColumn, target: ScalarName, _: Policy) -> CastPlan:
    dtype = POLARS_DTYPES[target]
    same = source.dtype == dtype
    return CastPlan(source.expr if same else source.expr.cast(dtype, strict=False), dtype)


def _in_range(source: SourceColumn, target: ScalarName, _: Policy) -> CastPlan:
    low, high = _RANGES[target]
    value = source.expr.cast(POLARS_DTYPES[target], strict=False)
    words = (f"{target}, from {low} to {high}", f"{source.kind} beyond it")
    check = value_check(source, target, "out_of_range", value.is_null(), words)
    check = replace(check, ruled_out_by=lambda known: _within(known, low, high))
    return CastPlan(value, POLARS_DTYPES[target], (check,))


def _whole(source: SourceColumn, target: ScalarName, _: Policy) -> CastPlan:
    decimal = source.kind == "decimal"
    low, high = (_RANGES if decimal else _WHOLE_FLOATS)[target]
    is_whole, wide = (_whole_decimal if decimal else _whole_float)(source.expr)
    inside = wide.is_between(low, high).fill_null(value=False)
    value = pl.when(is_whole & inside).then(wide).cast(POLARS_DTYPES[target], strict=False)
    fraction = (f"whole numbers for {target}", "a fraction")
    beyond = (f"{target}, from {source.kind} between {low} and {high}", "a number beyond them")
    return CastPlan(
        value,
        POLARS_DTYPES[target],
        (
            value_check(source, target, "not_representable", ~is_whole, fraction),
            value_check(source, target, "out_of_range", is_whole & ~inside, beyond),
        ),
    )


def _whole_decimal(expr: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    # Casting a decimal to an integer truncates; its text ends in zeros exactly if it is whole.
    digits = expr.cast(pl.String).str.extract(r"^(-?\d+)(?:\.0*)?$")
    return digits.is_not_null(), digits.cast(pl.Int128, strict=False)


def _whole_float(expr: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    number = expr.cast(pl.Float64)
    return number.floor() == number, number.cast(pl.Int128, strict=False)


def _exact(source: SourceColumn, target: ScalarName, policy: Policy) -> CastPlan:
    value, lossy = _EXACT.get(source.kind, _exact_integer)(source, target)
    checks = list[RowCheck]()
    if source.kind == "float64":
        overflow = value.is_infinite() & source.expr.is_finite()
        lossy &= ~overflow
        words = (f"magnitudes that {target} can hold", "a magnitude beyond them")
        checks.append(value_check(source, target, "out_of_range", overflow, words))
    if policy.lossy_floats == "forbid":
        checks.append(_inexact(source, target, lossy))
    return CastPlan(value, POLARS_DTYPES[target], tuple(checks))


def _inexact(source: SourceColumn, target: ScalarName, lossy: pl.Expr) -> RowCheck:
    words = (f"numbers that {target} represents exactly", f"{source.kind} that it has to round")
    check = value_check(source, target, "not_representable", lossy, words)
    limit = _EXACT_INTEGERS[target]
    short = source.kind == "decimal" and digits_of(source.arrow) <= _EXACT_DIGITS[target]

    def ruled_out_by(known: ColumnStatistics) -> bool:
        return short or ("int" in source.kind and _within(known, -limit, limit))

    return replace(check, ruled_out_by=ruled_out_by)


def _exact_integer(source: SourceColumn, target: ScalarName) -> tuple[pl.Expr, pl.Expr]:
    value = source.expr.cast(POLARS_DTYPES[target], strict=False)
    back = value.cast(pl.Float64).cast(source.dtype, strict=False)
    return value, (back != source.expr).fill_null(value=True)


def _exact_float(source: SourceColumn, target: ScalarName) -> tuple[pl.Expr, pl.Expr]:
    value = source.expr.cast(POLARS_DTYPES[target], strict=False)
    return value, value.cast(pl.Float64) != source.expr


def _exact_decimal(source: SourceColumn, target: ScalarName) -> tuple[pl.Expr, pl.Expr]:
    text = source.expr.cast(pl.String)
    value = text.cast(POLARS_DTYPES[target], strict=False)
    digits = text.str.replace_all(r"[-.]", "").str.strip_chars_start("0").str.strip_chars_end("0")
    back = value.cast(pl.Float64).cast(source.dtype, strict=False)
    short = digits.str.len_chars() <= _EXACT_DIGITS[target]
    return value, ~short & (back != source.expr).fill_null(value=True)


_EXACT: dict[str, Callable[[SourceColumn, ScalarName], tuple[pl.Expr, pl.Expr]]] = {
    "float64": _exact_float,
    "decimal": _exact_decimal,
}


def _in_nanoseconds(source: SourceColumn, target: ScalarName, _: Policy) -> CastPlan:
    unit = _NANOSECONDS[source.dtype.time_unit] if isinstance(source.dtype, pl.Datetime) else _DAY
    # pandas keeps the smallest of the 64-bit integers for NaT, so the bounds are symmetric.
    last = _LAST_NANOSECOND // unit
    inside = source.expr.to_physical().is_between(-last, last)
    value = pl.when(inside).then(source.expr.cast(pl.Datetime("ns"), strict=False))
    words = (How.IN_NANOSECONDS.value, "an instant beyond them")
    check = value_check(source, target, "out_of_range", ~inside, words)
    return CastPlan(value, POLARS_DTYPES[target], (replace(check, ruled_out_by=_within_years),))


def _in_utc(source: SourceColumn, target: ScalarName, policy: Policy) -> CastPlan:
    utc = source.expr.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    naive = replace(source, expr=utc, dtype=pl.Datetime(getattr(source.dtype, "time_unit", "us")))
    return _in_nanoseconds(naive, target, policy)


_CASTS: dict[How, Callable[[SourceColumn, ScalarName, Policy], CastPlan]] = {
    How.AS_IS: _as_is,
    How.IN_RANGE: _in_range,
    How.WHOLE: _whole,
    How.EXACT: _exact,
    How.IN_NANOSECONDS: _in_nanoseconds,
    How.IN_UTC: _in_utc,
}


# ----- what statistics prove -----


def _within(known: ColumnStatistics, low: int, high: int) -> bool:
    return known.bounds is not None and low <= known.bounds[0] and known.bounds[1] <= high


def _within_years(known: ColumnStatistics) -> bool:
    first, last = _YEARS_WITHIN
    return known.bounds is not None and all(
        first <= getattr(bound, "year", 0) <= last for bound in known.bounds
    )
