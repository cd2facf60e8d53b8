r"""Text that stands for values, read cell by cell by one written grammar.

- Numbers: sign, digits, point, exponent, with spaces around; ``inf`` and ``nan`` for floats.
- Integers: a number that is whole, so ``1.0`` too, which pandas writes for integers with gaps.
- Booleans: ``true``, ``false``, ``1``, ``0`` in any case.
- Datetimes: ISO 8601 to nanoseconds; ``Z`` or an offset only under policy ``timezone: utc``.

Integer text for a float type must be exact, as an integer of a typed source must be. Decimal text
is rounded to the nearest value of the type, as every reader of text does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from .policy import Policy
    from .types import ScalarName

_INTEGER = r"^[+-]?\d+$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WHOLE_DECIMAL = r"^([+-]?\d+)\.0*$"
_WORD = r"^[+-]?(?i:inf|infinity|nan)$"
_DATE = r"^(\d{4}-\d{2}-\d{2})"
_TIME = r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
_OFFSET = r"(Z|z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?$"
_ISO = _DATE + _TIME + _OFFSET

_EXACT_IN_DOUBLE = 2**53
_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
# pandas keeps the smallest of the 64-bit integers for NaT.
_NANOSECONDS = (-(2**63) + 1, 2**63 - 1)
_DAY = 86_400_000_000_000


class Parsed(NamedTuple):
    """Cells of text as values.

    Attributes:
        value: The value in the model's type; null where the cell holds none.
        unparseable: True where the text is not of the type's grammar.
        out_of_range: True where the type has no such magnitude.
        not_representable: True where the type would have to round an integer.
        example: What such text looks like.
    """

    value: pl.Expr
    unparseable: pl.Expr
    out_of_range: pl.Expr
    not_representable: pl.Expr
    example: str


def parse(cell: pl.Expr, target: ScalarName, policy: Policy) -> Parsed:
    """Parse a column of text into the model's type.

    Args:
        cell: A text column, null where the cell is null.
        target: A scalar type other than string and binary.
        policy: Says whether datetimes may carry an offset, and how decimals are written.

    Returns:
        The values and the masks of cells that have none.
    """
    return PARSERS[target](cell, policy)


_NOTHING = pl.lit(value=False)


def _boolean(cell: pl.Expr, _: Policy) -> Parsed:
    word = cell.str.strip_chars().str.to_lowercase()
    known = word.is_in(["true", "false", "1", "0"])
    return Parsed(
        pl.when(known).then(word.is_in(["true", "1"])),
        ~known,
        _NOTHING,
        _NOTHING,
        "true, false, 1 or 0",
    )


def _number(cell: pl.Expr, policy: Policy) -> pl.Expr:
    stripped = cell.str.strip_chars()
    point = policy.csv.decimal
    return stripped if point == "." else stripped.str.replace(point, ".", literal=True)


def _integer(dtype: type[pl.DataType], bounds: tuple[int, int]) -> Callable[..., Parsed]:
    def parser(cell: pl.Expr, policy: Policy) -> Parsed:
        text = _number(cell, policy)
        number = text.str.contains(_NUMBER)
        # Digits are read as integers, never through a float, which would round them.
        digits = pl.coalesce(text.str.extract(_WHOLE_DECIMAL), text)
        is_digits = digits.str.contains(_INTEGER)
        exact = digits.cast(pl.Int128, strict=False)
        floating = text.cast(pl.Float64, strict=False)
        whole = is_digits | (floating.floor() == floating)
        through_float = pl.when(floating.abs() <= _EXACT_IN_DOUBLE).then(floating)
        wide = pl.when(is_digits).then(exact).otherwise(through_float.cast(pl.Int128, strict=False))
        inside = wide.is_between(*bounds).fill_null(value=False)
        value = pl.when(number & whole & inside).then(wide).cast(dtype, strict=False)
        return Parsed(
            value, ~number | ~whole, number & whole & ~inside, _NOTHING, "digits such as 42 or 42.0"
        )

    return parser


def _float(dtype: type[pl.DataType]) -> Callable[..., Parsed]:
    def parser(cell: pl.Expr, policy: Policy) -> Parsed:
        text = _number(cell, policy)
        word = text.str.contains(_WORD)
        number = text.str.contains(_NUMBER)
        value = text.cast(dtype, strict=False)
        integer = text.str.contains(_INTEGER)
        exact = text.cast(pl.Int128, strict=False)
        back = value.cast(pl.Float64).cast(pl.Int128, strict=False)
        overflow = number & value.is_infinite()
        lossy = integer & ~overflow & (back != exact).fill_null(value=True)
        if policy.lossy_floats == "allow":
            lossy = _NOTHING
        good = (word | number) & ~overflow & ~lossy
        return Parsed(
            pl.when(good).then(value), ~(word | number), overflow, lossy, "a number such as 4.2e1"
        )

    return parser


def _datetime(cell: pl.Expr, policy: Policy) -> Parsed:
    text = cell.str.strip_chars()
    part = text.str.extract_groups(_ISO).struct
    date = part.field("1").str.to_date("%Y-%m-%d", strict=False)
    hour, minute, second = (part.field(str(i)).cast(pl.Int64).fill_null(0) for i in (2, 3, 4))
    fraction = part.field("5").str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    offset = _offset_minutes(part.field("6"))
    on_the_clock = (hour <= 23) & (minute <= 59) & (second <= 59)  # noqa: PLR2004 - a clock
    zone_ok = part.field("6").is_null() if policy.timezone == "forbid" else pl.lit(value=True)
    known = text.str.contains(_ISO) & date.is_not_null() & on_the_clock & zone_ok
    minutes = hour * 60 + minute - offset
    # 128 bits, because the instants that 64 bits cannot hold are the ones to find.
    instant = (
        date.to_physical().cast(pl.Int128) * _DAY
        + minutes.cast(pl.Int128) * 60_000_000_000
        + second.cast(pl.Int128) * 1_000_000_000
        + fraction.cast(pl.Int128)
    )
    inside = instant.is_between(*_NANOSECONDS).fill_null(value=False)
    value = pl.when(known & inside).then(instant).cast(pl.Int64, strict=False)
    zone = "" if policy.timezone == "utc" else " without offset"
    return Parsed(
        value.cast(pl.Datetime("ns")),
        ~known.fill_null(value=False),
        known & ~inside,
        _NOTHING,
        f"ISO 8601 such as 2013-07-01T05:00:00{zone}",
    )


def _offset_minutes(zone: pl.Expr) -> pl.Expr:
    digits = zone.str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    return (sign * (hours * 60 + minutes)).fill_null(0)


PARSERS: dict[ScalarName, Callable[[pl.Expr, Policy], Parsed]] = {
    "boolean": _boolean,
    "integer": _integer(pl.Int32, _INT32),
    "long": _integer(pl.Int64, _INT64),
    "float": _float(pl.Float32),
    "double": _float(pl.Float64),
    "datetime": _datetime,
}
