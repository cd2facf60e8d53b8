"""The profile of values that a model was trained on: plain data, merged, and stored as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..documents import DocumentError, read_bytes, staged
from ..errors import InvalidValues
from .scales import angle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Kind = Literal["number", "truth", "time", "text", "other"]
# Quantiles that a profile holds; those from 5 % to 95 % are judged.
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# More distinct values are no domain; and fewer sightings of one leave a domain open.
MOST_CODES = 100
_OFTEN = 5
_DIGITS = 2


class Spread(NamedTuple):
    """How a statistic varied from block to block, on the scale of its family.

    Attributes:
        mean: Over the blocks.
        between: Standard deviation between blocks, without what sampling alone would give.
        low: The smallest, as far from the mean as without sampling.
        high: The largest, likewise.
        step: Standard deviation of a block from the middle one of the five before it, likewise.
        leap: The largest such deviation.
    """

    mean: float
    between: float
    low: float
    high: float
    step: float = 0.0
    leap: float = 0.0


class Link(NamedTuple):
    """A column that goes with another.

    Attributes:
        partner: The other column.
        codes: The values of a text column that go with the lower half of the other.
    """

    partner: str
    codes: tuple[str, ...] = ()


class ColumnValues(BaseModel):
    """What was learned of one column.

    Attributes:
        kind: How its values are looked at; of ``other`` only nulls are counted.
        rows: Rows that were learned from.
        nulls: Null and NaN among them.
        low: Smallest number; of a time seconds since 1970.
        high: Largest number.
        whole: Whether all numbers are whole.
        quantiles: Of numbers, or of the lengths of text, at ``LEVELS``.
        codes: How often each distinct value occurs; empty if there are more than a hundred.
        pattern: Regular expression that all texts match; None where they have none in common.
        sentinel: A value far from all others that stands for something else, such as -999.
        link: A column with which it goes.
        spreads: How each statistic that is judged varied from block to block.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    rows: int
    nulls: int = 0
    low: float | None = None
    high: float | None = None
    whole: bool = False
    quantiles: tuple[float, ...] = ()
    codes: dict[str, int] = Field(default_factory=dict)
    pattern: str | None = None
    sentinel: float | None = None
    link: Link | None = None
    spreads: dict[str, Spread] = Field(default_factory=dict)

    @property
    def closed(self) -> bool:
        """Whether no other value is to be expected.

        The mass of unseen values is about the share of values that were seen once: I. J. Good,
        "The population frequencies of species", Biometrika 40 (1953). Here it must be nothing, and
        even the rarest value must have been seen five times.
        """
        return bool(self.codes) and min(self.codes.values()) >= _OFTEN

    def quantile(self, level: float) -> float:
        """Return the value at one of ``LEVELS``."""
        return self.quantiles[LEVELS.index(level)]

    def share_up_to(self, value: float) -> float:
        """Estimate the share of values up to one, between the quantiles by straight lines."""
        if self.low is None or self.high is None:
            known, levels = list(self.quantiles), list(LEVELS)
        else:
            known, levels = [self.low, *self.quantiles, self.high], [0.0, *LEVELS, 1.0]
        return float(np.interp(value, known, levels)) if known else 0.0

    @property
    def width(self) -> float:
        """The unit in which medians are compared: of numbers the range of the middle half."""
        for low, high in ((0.25, 0.75), (0.05, 0.95), (0.01, 0.99)):
            if self.quantiles and (width := self.quantile(high) - self.quantile(low)):
                return width
        return 0.0

    @property
    def cuts(self) -> dict[str, float]:
        """The values up to which shares are judged, each once, by the name of the share."""
        cuts = dict[float, str]()
        for level, value in zip(LEVELS[1:-1], self.quantiles[1:-1], strict=True):
            cuts.setdefault(value, f"below_{level * 100:g}")
        return {name: value for value, name in cuts.items()}


class ValueProfile(BaseModel):
    """What the values of each column were where a model was trained.

    Attributes:
        version: Of this format.
        rows: Rows that were learned from.
        blocks: Runs of rows, in the order of the data, between which the variation was measured.
        block_rows: Rows in each.
        columns: What was learned of each column.
        redacted: Whether domains are left out, and numbers rounded.
        gate_version: The version of signature-gate that learned it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    rows: int
    blocks: int
    block_rows: int
    columns: dict[str, ColumnValues]
    redacted: bool = False
    gate_version: str = ""

    @classmethod
    def parse(cls, text: str | bytes, origin: str = "the profile") -> Self:
        """Read a profile's JSON.

        Raises:
            InvalidValues: It is no such document.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the document"
            msg = (
                f"{origin} is no profile of values: {place}: {first['msg']}. "
                "Make one with `signature-gate learn MODEL DATA --out FILE`."
            )
            raise InvalidValues(msg) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a profile from a file.

        Raises:
            InvalidValues: No such file, or no such document.
        """
        try:
            return cls.parse(read_bytes(path), str(path))
        except OSError as error:
            msg = f"cannot read the profile of values {path}: {error.strerror}. Check the path."
        except DocumentError as error:
            msg = f"cannot read the profile of values {path}: {error}."
        raise InvalidValues(msg)

    @property
    def statistics(self) -> int:
        """How many statistics of a batch are judged, at least one."""
        return max(1, sum(len(column.spreads) for column in self.columns.values()))

    def to_json(self) -> str:
        """Return it as one JSON document of a few kilobytes."""
        return self.model_dump_json(exclude_defaults=True) + "\n"

    def save(self, path: Path) -> None:
        """Write it to a file, whole or not at all."""
        with staged(path) as partial:
            partial.write_text(self.to_json(), "utf-8")

    def log_to(self, model: Any, *, replace: bool = False) -> str:
        """Store it beside a model, where ``Contract.load`` finds it.

        Args:
            model: What ``mlflow.<flavor>.log_model`` returned, or a model URI or folder.
            replace: Whether a profile that is there already is replaced.

        Returns:
            Where it lies.

        Raises:
            Misuse: The model has a profile already.
            ModelNotFound: No such model.
            RegistryUnavailable: No answer in time.
        """
        from ..registry.values import log_values

        return log_values(self, model, replace=replace)

    def merge(self, other: ValueProfile) -> ValueProfile:
        """Join it with the profile of rows that follow.

        Counts, bounds and domains are those of all rows together; quantiles are so up to the
        straight lines between them; the variation is that of the blocks of both.
        """
        both = {
            name: _merged(column, other.columns[name], self.blocks, other.blocks)
            for name, column in self.columns.items()
            if name in other.columns and other.columns[name].kind == column.kind
        }
        return self.model_copy(
            update={
                "rows": self.rows + other.rows,
                "blocks": self.blocks + other.blocks,
                "columns": both,
                "redacted": self.redacted or other.redacted,
            }
        )

    def redact(self) -> ValueProfile:
        """Leave out domains and patterns, and round numbers outwards to two digits."""
        columns = {name: _redacted(column) for name, column in self.columns.items()}
        return self.model_copy(update={"columns": columns, "redacted": True})


# ----- two profiles -----


def _merged(one: ColumnValues, other: ColumnValues, blocks: int, others: int) -> ColumnValues:
    codes = _codes(one, other)
    quantiles = _quantiles(one, other)
    joined = one.model_copy(
        update={
            "rows": one.rows + other.rows,
            "nulls": one.nulls + other.nulls,
            "low": _either(min, one.low, other.low),
            "high": _either(max, one.high, other.high),
            "whole": one.whole and other.whole,
            "quantiles": quantiles,
            "codes": codes,
            "pattern": one.pattern if one.pattern == other.pattern else None,
            "sentinel": one.sentinel if one.sentinel == other.sentinel else None,
            "link": one.link if one.link == other.link else None,
        }
    )
    spreads = {
        name: _spread(_at(one, name, joined), _at(other, name, joined), blocks, others)
        for name in one.spreads
        if name in other.spreads and (name != "goes_with" or joined.link)
    }
    return joined.model_copy(update={"spreads": spreads})


def _either(choose: object, one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return choose(known) if known else None  # type: ignore[operator]


def _codes(one: ColumnValues, other: ColumnValues) -> dict[str, int]:
    if not (one.codes or one.nulls == one.rows) or not (other.codes or other.nulls == other.rows):
        return {}
    counts = dict(one.codes)
    for code, count in other.codes.items():
        counts[code] = counts.get(code, 0) + count
    return counts if len(counts) <= MOST_CODES else {}


def _quantiles(one: ColumnValues, other: ColumnValues) -> tuple[float, ...]:
    if not (one.quantiles and other.quantiles):
        return one.quantiles or other.quantiles
    known = sorted({*one.quantiles, *other.quantiles, *_bounds(one), *_bounds(other)})
    weights = [column.rows - column.nulls for column in (one, other)]
    shares = [
        np.average([one.share_up_to(v), other.share_up_to(v)], weights=weights) for v in known
    ]
    return tuple(float(np.interp(level, shares, known)) for level in LEVELS)


def _bounds(column: ColumnValues) -> Iterable[float]:
    return (value for value in (column.low, column.high) if value is not None)


def _at(column: ColumnValues, name: str, joined: ColumnValues) -> Spread:
    """Move a statistic to where the quantile is now by which it is measured."""
    spread, by = column.spreads[name], 0.0
    if name in joined.cuts and name in column.cuts:
        now, before = joined.cuts[name], column.cuts[name]
        by = angle(column.share_up_to(now)) - angle(column.share_up_to(before))
    elif name == "median" and column.width and joined.width:
        times = column.width / joined.width
        by = (column.quantile(0.5) - joined.quantile(0.5)) / joined.width
        spread = Spread(*(value * times for value in spread))
    elif name == "width" and column.width and joined.width:
        by = math.log(column.width / joined.width)
    return spread._replace(mean=spread.mean + by, low=spread.low + by, high=spread.high + by)


def _spread(one: Spread, other: Spread, blocks: int, others: int) -> Spread:
    """Join mean and variance: T. F. Chan and others, "Updating formulae", COMPSTAT 1982."""
    total = blocks + others
    mean = (blocks * one.mean + others * other.mean) / total
    apart = blocks * others / total * (one.mean - other.mean) ** 2
    squares = (blocks - 1) * one.between**2 + (others - 1) * other.between**2 + apart
    between = math.sqrt(squares / max(total - 1, 1))
    step = math.sqrt((blocks * one.step**2 + others * other.step**2) / total)
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Spread(mean, between, low, high, step, max(one.leap, other.leap))


# ----- without values -----


def _redacted(column: ColumnValues) -> ColumnValues:
    rounded = tuple(_rounded(value, math.floor) for value in column.quantiles)
    return column.model_copy(
        update={
            "low": None if column.low is None else _rounded(column.low, math.floor),
            "high": None if column.high is None else _rounded(column.high, math.ceil),
            "quantiles": rounded,
            "codes": {},
            "pattern": None,
            "sentinel": None,
            "link": None if column.link is None else column.link._replace(codes=()),
            "spreads": {n: s for n, s in column.spreads.items() if not n.startswith("code ")},
        }
    )


def _rounded(value: float, towards: object) -> float:
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    return float(towards(value / unit) * unit)  # type: ignore[operator]
