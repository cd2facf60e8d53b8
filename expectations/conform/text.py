r"""Text that stands for values, read cell by cell by one written grammar.

- Numbers: sign, digits, point, exponent, with spaces around; ``inf`` and ``nan`` for floats.
- Integers: a number that is whole, so ``1.0`` too, which pandas writes for integers with gaps.
- Booleans: ``true``, ``t``, ``1``, ``false``, ``f``, ``0`` in any case, and the policy's words.
- Datetimes: ISO 8601 to nanoseconds, or the policy's format; ``Z``, ``UTC`` or an offset, with or
  without a space before it, only under policy ``timezone: utc``.

Digits are those of ASCII. Integer text for a float type must be exact, as an integer of a typed
source must be. Decimal text is rounded to the nearest value of a float type, as every reader of
text does, and never for an integer type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from ..batch.batch import ParsedText

if TYPE_CHECKING:
    from polars._typing import TimeUnit

    from ..contract.policy import Policy
    from ..contract.types import ScalarName

_INTEGER = r"^[+-]?[0-9]+$"
_WHOLE = r"^([+-]?[0-9]+)(?:\.0*)?$"
_ISO = (
    r"^(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?<hour>[0-9]{2}):(?<minute>[0-9]{2})"
    r"(?::(?<second>[0-9]{2})(?:[.,](?<fraction>[0-9]{1,9}))?)?)?"
    r"(?: ?(?<zone>Z|z|UTC|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?$"
)
_SECONDS = 19  # bytes of an instant to the second
# How most datetimes are written, of years that nanoseconds reach.
_USUAL = r"^(?:1[7-9]|2[01])\d\d-\d\d-\d\d{between}\d\d:\d\d:[0-5]\d(?:\.\d{{1,9}})?$"
# Groups of three digits, and of two as in India, with the last of three.
_GROUPED = r"^[+-]?[0-9]{{1,3}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}(?:[^0-9{mark}].*)?$"

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
# Integers up to these magnitudes survive the way to a float, and decimals of so many digits the
# way to a double and back.
_EXACT_IN_FLOAT = 2**24
_EXACT_IN_DOUBLE = 2**53
_EXACT_DIGITS = 15
# pandas keeps the smallest of the 64-bit integers for NaT.
_NANOSECONDS = (-(2**63) + 1, 2**63 - 1)


# Named expressions over those of the stages before; and what such text looks like. Stages, because
# Polars evaluates a text function again for each mention of it.
Stage = dict[str, pl.Expr]
Reading = tuple[list[Stage], str]
# Where a name of an earlier stage is found.
Place = Callable[[str], pl.Expr]


def parse(cell: pl.Expr, target: ScalarName, policy: Policy) -> ParsedText:
    """Parse cells of text into the model's type."""
    stages, example = PARSERS[target](pl.field, policy)
    parts = pl.struct(cell=cell)
    for stage in stages:
        parts = parts.struct.with_fields(**stage)
    return _parsed(cell, stages, parts.struct.field, example)


def parse_column(
    cell: pl.Expr, target: ScalarName, policy: Policy, prefix: str
) -> tuple[list[Stage], ParsedText]:
    """Parse a column of text into the model's type, by further columns of its frame.

    Returns the further columns, each stage over those before, and the values and masks in terms of
    them; ``prefix`` begins their names, and no other column's. The frame evaluates each stage once;
    fields of structs it would evaluate again for each mention.
    """

    def place(name: str) -> pl.Expr:
        return pl.col(f"{prefix}{name}")

    stages, example = PARSERS[target](place, policy)
    columns = [
        {f"{prefix}{name}": expr for name, expr in stage.items()}
        for stage in ({"cell": cell}, *stages)
    ]
    return columns, _parsed(place("cell"), stages, place, example)


def _parsed(cell: pl.Expr, stages: list[Stage], place: Place, example: str) -> ParsedText:
    names = {name for stage in stages for name in stage}

    def mask(name: str) -> pl.Expr:
        failing = place(name) if name in names else pl.lit(value=False)
        return failing.fill_null(value=False) & cell.is_not_null()

    return ParsedText(
        cell=cell,
        value=place("value"),
        unparseable=mask("unparseable"),
        out_of_range=mask("out_of_range"),
        not_representable=mask("not_representable"),
        example=example,
    )


def _boolean(of: Place, policy: Policy) -> Reading:
    true, false = (sorted(policy.csv.words(truth=truth)) for truth in (True, False))
    cell, words = of("cell"), [*true, *false]
    known = of("word").is_in(words)
    stages: list[Stage] = [
        {"rest": pl.when(~cell.is_in(words)).then(cell)},
        {"word": pl.coalesce(of("rest").str.strip_chars().str.to_lowercase(), cell)},
        {"value": pl.when(known).then(of("word").is_in(true)), "unparseable": ~known},
    ]
    return stages, f"true or false, written {', '.join([*true, *false])}"


def _number(text: pl.Expr, policy: Policy) -> pl.Expr:
    dialect = policy.csv
    if dialect.thousands:
        grouped = text.str.contains(_GROUPED.format(mark=re.escape(dialect.thousands)))
        plain = text.str.replace_all(dialect.thousands, "", literal=True)
        text = pl.when(grouped).then(plain).otherwise(text)
    if dialect.decimal == ".":
        return text
    # A point that is left beside a decimal comma has no meaning in the grammar.
    pointed = text.str.contains(".", literal=True)
    return pl.when(pointed).then(pl.lit("")).otherwise(text.str.replace(",", ".", literal=True))


def _integer(
    of: Place,
    policy: Policy,
    *,
    dtype: type[pl.DataType] = pl.Int64,
    bounds: tuple[int, int] = _INT64,
) -> Reading:
    plain, rest, digits = map(of, ("plain", "rest", "digits"))
    whole, wide, known = map(of, ("whole", "wide", "known"))
    exact = pl.when(whole.abs() <= _EXACT_IN_DOUBLE).then(whole)
    inside = wide.is_between(*bounds).fill_null(value=False)
    stages: list[Stage] = [
        {"plain": _number(of("cell"), policy).cast(dtype, strict=False)},
        # Nearly every cell is plain digits; only the others are looked at more closely.
        {"rest": _number(pl.when(plain.is_null()).then(of("cell")).str.strip_chars(), policy)},
        {"digits": rest.str.extract(_WHOLE), "float": rest.cast(pl.Float64, strict=False)},
        {"whole": pl.when(_is_whole(of)).then(of("float"))},
        # Digits are read as integers, never through a float, which would round them.
        {"wide": pl.coalesce(part.cast(pl.Int128, strict=False) for part in (digits, exact))},
        {"known": plain.is_not_null() | digits.is_not_null() | whole.is_not_null()},
        {
            "value": pl.coalesce(plain, pl.when(inside).then(wide).cast(dtype)),
            "unparseable": ~known,
            "out_of_range": known & plain.is_null() & ~inside,
        },
    ]
    return stages, "an integer, e.g. 42"


def _is_whole(of: Place) -> pl.Expr:
    number = of("float")
    digits = of("rest").str.replace_all(r"[eE].*$|[^0-9]", "").str.strip_chars("0")
    # With more digits, or where it underflows, a double may be whole though the number is not.
    faithful = digits.str.len_chars().is_between(1, _EXACT_DIGITS) & (number != 0)
    zero = (digits == "") & (number == 0)
    return (number.floor() == number) & (faithful | zero)


def _floating(
    of: Place,
    policy: Policy,
    *,
    dtype: type[pl.DataType] = pl.Float64,
    limit: int = _EXACT_IN_DOUBLE,
) -> Reading:
    plain, nearest, large, beyond, lossy = map(
        of, ("plain", "nearest", "large", "out_of_range", "not_representable")
    )
    back = nearest.cast(pl.Float64).cast(pl.Int128, strict=False)
    rounded = (back != large.cast(pl.Int128, strict=False)).fill_null(value=True)
    strict = pl.lit(policy.lossy_floats == "forbid")
    outsized = pl.when(nearest.abs() >= limit).then(of("cell"))
    stages: list[Stage] = [
        # Polars reads the grammar's numbers and words, without spaces, and nothing else.
        {"plain": _number(of("cell"), policy).cast(dtype, strict=False)},
        {"rest": _number(pl.when(plain.is_null()).then(of("cell")).str.strip_chars(), policy)},
        {"nearest": pl.coalesce(plain, of("rest").cast(dtype, strict=False))},
        {"large": _number(outsized.str.strip_chars(), policy)},
        {
            "unparseable": nearest.is_null(),
            "out_of_range": (nearest.is_infinite() & large.str.contains("[0-9]")).fill_null(False),
        },
        {"not_representable": strict & large.str.contains(_INTEGER) & rounded & ~beyond},
        {"value": pl.when(~beyond & ~lossy.fill_null(value=False)).then(nearest)},
    ]
    return stages, "a number, e.g. 4.2"


def _datetime(of: Place, policy: Policy) -> Reading:
    return (_iso if policy.csv.datetime_format is None else _formatted)(of, policy)


def _formatted(of: Place, policy: Policy) -> Reading:
    pattern = policy.csv.datetime_format or ""
    # Polars writes fractions of any length so, and counts nanoseconds by %f.
    chrono = re.sub(r"[.,]%f", "%.f", pattern)

    def instant(unit: TimeUnit) -> pl.Expr:
        parsed = of("text").str.to_datetime(chrono, time_unit=unit, strict=False)
        return parsed.dt.replace_time_zone(None) if "%z" in pattern else parsed

    # Beyond the range of nanoseconds they wrap around, where microseconds do not.
    last = _NANOSECONDS[1] // 1000
    inside = of("microseconds").to_physical().is_between(-last, last)
    stages: list[Stage] = [
        {"text": of("cell").str.strip_chars()},
        {"microseconds": instant("us"), "nanoseconds": instant("ns")},
        {
            "value": pl.when(inside).then(of("nanoseconds")),
            "unparseable": of("microseconds").is_null(),
            "out_of_range": of("microseconds").is_not_null() & ~inside,
        },
    ]
    return stages, f"datetimes as {pattern}, e.g. {_INSTANT.strftime(pattern)}"


def usual_instants(cell: pl.Expr, policy: Policy) -> pl.Expr:
    """Read datetimes like 2013-07-01T05:00:00.25; null for any other, which `_iso` may read."""
    read = [pl.lit(None, pl.Datetime("ns"))]
    for between in () if policy.csv.datetime_format else ("T", " "):
        usual = pl.when(cell.str.contains(_USUAL.format(between=between))).then(cell)
        whole = pl.when(usual.str.len_bytes() == _SECONDS).then(usual + ".").otherwise(usual)
        # With digits of a fixed number Polars needs a third of the time.
        pattern = f"%Y-%m-%d{between}%H:%M:%S.%9f"
        padded = whole.str.pad_end(_SECONDS + 10, "0")
        read.append(padded.str.to_datetime(pattern, time_unit="ns", strict=False))
    return pl.coalesce(read)


def _iso(of: Place, policy: Policy) -> Reading:
    day, hour, minute, second, zone = map(of, ("day", "hour", "minute", "second", "zone"))
    on_the_clock = (hour <= 23) & (minute <= 59) & (second <= 59)  # noqa: PLR2004 - a clock
    zone_fits = zone.is_null() if policy.timezone == "forbid" else pl.lit(value=True)
    seconds = day * 86_400 + (hour * 60 + minute - of("east")) * 60 + second
    known, instant = of("known"), of("instant")
    inside = instant.is_between(*_NANOSECONDS).fill_null(value=False)
    usual = of("usual")
    stages: list[Stage] = [
        {"usual": usual_instants(of("cell"), policy)},
        {"rest": pl.when(usual.is_null()).then(of("cell"))},
        {"part": of("rest").str.strip_chars().str.extract_groups(_ISO)},
        {name: of("part").struct.field(name) for name in ("date", *_CLOCK, "fraction", "zone")},
        {
            "day": of("date").str.to_date("%Y-%m-%d", strict=False).to_physical().cast(pl.Int64),
            **{name: of(name).cast(pl.Int64).fill_null(0) for name in _CLOCK},
            "nanosecond": of("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0),
            "east": _minutes_east(zone),
        },
        # 128 bits, because the instants that 64 bits cannot hold are the ones to find.
        {"instant": seconds.cast(pl.Int128) * 1_000_000_000 + of("nanosecond")},
        {"known": (day.is_not_null() & on_the_clock & zone_fits).fill_null(value=False)},
        {"other": pl.when(known & inside).then(instant).cast(pl.Int64).cast(pl.Datetime("ns"))},
        {
            "value": pl.coalesce(usual, of("other")),
            "unparseable": usual.is_null() & ~known,
            "out_of_range": known & ~inside,
        },
    ]
    offset = "" if policy.timezone == "utc" else ", without offset"
    return stages, f"ISO 8601, e.g. 2013-07-01T05:00:00{offset}"


_CLOCK = ("hour", "minute", "second")
_INSTANT = datetime(2013, 7, 1, 5, tzinfo=UTC)


def _minutes_east(zone: pl.Expr) -> pl.Expr:
    digits = zone.str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    return (sign * (hours * 60 + minutes)).fill_null(0)


PARSERS: dict[ScalarName, Callable[[Place, Policy], Reading]] = {
    "boolean": _boolean,
    "integer": partial(_integer, dtype=pl.Int32, bounds=_INT32),
    "long": _integer,
    "float": partial(_floating, dtype=pl.Float32, limit=_EXACT_IN_FLOAT),
    "double": _floating,
    "datetime": _datetime,
}
