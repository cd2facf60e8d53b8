"""What was learned of one column."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Kind = Literal["number", "truth", "time", "text", "other"]
# Quantiles that a profile holds; those from 5 % to 95 % are judged.
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# More distinct values are no domain; and fewer sightings of one leave a domain open.
MOST_CODES = 250
_OFTEN, _ENOUGH = 5, 50


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
        codes: The values of a text column that go with large values of the other.
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
        grows: Whether no number is smaller than one before it: a calendar's or a counter's, which
            goes on to numbers that were never there.
        quantiles: Of numbers, or of the lengths of text, at ``LEVELS``.
        codes: How often each distinct value occurs; empty if there are more than ``MOST_CODES``.
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
    grows: bool = False
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
        even the rarest of fifty values must have been seen five times.
        """
        seen = self.codes.values()
        return sum(seen) >= _ENOUGH and min(seen) >= _OFTEN

    def quantile(self, level: float) -> float:
        """Return the value at one of ``LEVELS``."""
        return self.quantiles[LEVELS.index(level)]

    def share_up_to(self, value: float) -> float:
        """Estimate the share of values up to one, between the quantiles by straight lines."""
        return float(self.shares_up_to(np.array([value]))[0])

    def shares_up_to(self, values: Numbers) -> Numbers:
        """Estimate the share of values up to each; NaN where one is NaN."""
        if self.low is None or self.high is None:
            known, levels = list(self.quantiles), list(LEVELS)
        else:
            known, levels = [self.low, *self.quantiles, self.high], [0.0, *LEVELS, 1.0]
        return np.interp(values, known, levels) if self.quantiles else np.zeros_like(values)

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
        for level, value in list(zip(LEVELS, self.quantiles, strict=False))[1:-1]:
            cuts.setdefault(value, f"below_{level * 100:g}")
        return {name: value for value, name in cuts.items()}
