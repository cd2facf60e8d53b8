"""How far from what was learned a batch may be before it is told: prediction intervals.

docs/values.md has the formula, its sources, and what was measured with it.
"""

from __future__ import annotations

import math
from itertools import islice
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .blocks import FEWEST_BLOCKS
from .scales import angle, scale_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .column_values import Spread
    from .measures import Measured
    from .profile import ValueProfile

_NORMAL = NormalDist()
# Degrees of freedom of what is as good as known.
_KNOWN = 1e6
# So many times as far as the farthest block, the more the fewer there are, and as the largest step
# between blocks: what varies with heavy tails is not of normal shape.
_BEYOND, _STRIDE = 2.5, 1.75
# The farthest of normal blocks is nearer in three samples of four.
_RARELY = 0.3
# Batches before one by which it is predicted, and the fewest that predict anything.
RECENT, FEWEST = 5, 3


# Batches a year, where nobody knows better: one a day.
A_YEAR = 365.25


class PastValues(NamedTuple):
    """What the batches before had.

    Attributes:
        batches: The statistics of each, by column and name, the last one last.
        a_year: How many batches there are in a year.
        levels: Statistics that somebody accepted in place of the learned ones, by column and name.
    """

    batches: tuple[Mapping[str, Mapping[str, float]], ...] = ()
    a_year: float = A_YEAR
    levels: Mapping[str, Mapping[str, float]] | None = None

    def of(self, column: str, name: str) -> list[float]:
        """List the last values of one statistic, as many as predict the next one."""
        known = (batch.get(column, {}).get(name) for batch in reversed(self.batches))
        return [*islice((value for value in known if value is not None), RECENT)][::-1]

    def moved(self, column: str, known: Known) -> Known:
        """Expect a statistic where it was accepted, varying as it was learned."""
        level = (self.levels or {}).get(column, {}).get(known.name)
        if level is None:
            return known
        spread = known.spread
        by = scale_of(known.name).to(level) - spread.mean
        spread = spread._replace(mean=spread.mean + by, low=spread.low + by, high=spread.high + by)
        return known._replace(spread=spread, origin="where the new level was accepted")


class Band(NamedTuple):
    """What is expected of a statistic of one batch.

    Attributes:
        low: The smallest value.
        high: The largest.
        centre: The expected one, on the scale of its family.
        deviation: Standard deviation of a batch from it, on that scale.
        freedom: Degrees of freedom of that.
    """

    low: float
    high: float
    centre: float
    deviation: float
    freedom: float


class Deviation(NamedTuple):
    """A standard deviation, and the degrees of freedom that it was estimated with."""

    deviation: float
    freedom: float


class Finding(NamedTuple):
    """A statistic outside of its band.

    Attributes:
        name: Of the statistic.
        observed: What was measured.
        band: What was expected.
        origin: Where that was learned, in words.
        odds: How likely it is to be as far away by chance, from 0 to 1.
    """

    name: str
    observed: Measured
    band: Band
    origin: str
    odds: float


class Known(NamedTuple):
    """What is known of one statistic of a column.

    Attributes:
        name: Of the statistic.
        spread: How it varied from block to block.
        profile: What was learned.
        before: Its values in the batches before, the last one last.
        origin: Where its spread was learned, in words.
    """

    name: str
    spread: Spread
    profile: ValueProfile
    before: Sequence[float] = ()
    origin: str = "where the model was trained"


def find(known: Known, observed: Measured, level: float) -> Finding | None:
    """Compare a statistic of a batch with what is expected.

    Args:
        known: What is known of it.
        observed: What was measured.
        level: How often, from 0 to 1, it may be found by mistake.

    Returns:
        The finding; None where it is as expected.
    """
    scale = scale_of(known.name)
    for recent, band in enumerate(bands(known, observed.rows, level)):
        if not band.low <= observed.value <= band.high:
            away = abs(scale.to(observed.value) - band.centre) / band.deviation
            chance = odds(away, band.freedom)
            origin = "in the batches before" if recent else known.origin
            return Finding(known.name, observed, band, origin, chance)
    return None


def bands(known: Known, rows: int, level: float) -> Iterator[Band]:
    """Predict a batch of so many rows: by the training data, then by the batches before.

    Where these are beyond what was learned, they predict nothing: to come back is no shift.
    """
    learned = learned_band(known, rows, level)
    yield learned
    if len(known.before) >= FEWEST:
        recent = recent_band(known, rows, level)
        if learned.low <= scale_of(known.name).back(recent.centre) <= learned.high:
            yield recent


def learned_band(known: Known, rows: int, level: float) -> Band:
    """Predict a batch of so many rows from the blocks of the training data.

    A batch deviates by the variation between blocks and by sampling: a prediction interval of
    Student's t (W. Q. Meeker and others, Statistical Intervals, 2017, section 4.3).
    """
    name, spread, profile, *_ = known
    clustered = max(1.0, profile.block_rows / max(rows, 1))
    between = spread.between**2 * clustered * (1 + 1 / profile.blocks)
    sampling = _sampling(name, rows) + _sampling(name, profile.rows)
    found = _together(between, sampling, profile.blocks - 1)
    reach = student(level, found.freedom) * found.deviation
    beyond = _BEYOND * max(1.0, FEWEST_BLOCKS / profile.blocks) * math.sqrt(clustered)
    down, up = (
        max(reach, beyond * _carried_on(known, farthest, spread.between))
        for farthest in (spread.mean - spread.low, spread.high - spread.mean)
    )
    return _band(known, rows, spread.mean, (down, up), found)


def recent_band(known: Known, rows: int, level: float) -> Band:
    """Predict a batch from the middle one of the last, by how blocks followed each other."""
    scale = scale_of(known.name)
    centre = float(np.median([scale.to(value) for value in known.before[-RECENT:]]))
    reach, found = reach_of_recent(known, rows, level)
    return _band(known, rows, centre, (reach, reach), found)


def reach_of_recent(known: Known, rows: int, level: float) -> tuple[float, Deviation]:
    """Say how far a batch may be from those before, on the scale of the statistic."""
    spread, profile = known.spread, known.profile
    clustered = max(1.0, profile.block_rows / max(rows, 1))
    sampling = 2 * _sampling(known.name, rows)
    found = _together(spread.step**2 * clustered, sampling, profile.blocks - 1)
    farthest = _STRIDE * math.sqrt(clustered) * _carried_on(known, spread.leap, spread.step)
    return max(student(level, found.freedom) * found.deviation, farthest), found


def _carried_on(known: Known, farthest: float, deviation: float) -> float:
    """Let the farthest of blocks count the more, the farther it is than normal ones go.

    Shares of null are left out: their tails are heavy, and the faults that are looked for are too.
    """
    normal = _NORMAL.inv_cdf(1 - _RARELY / (known.profile.blocks + 1)) * deviation
    heavy = farthest / normal if normal and known.name != "null" else 1.0
    return max(heavy, 1.0) * farthest


def _band(
    known: Known, rows: int, centre: float, reach: tuple[float, float], spread: Deviation
) -> Band:
    scale = scale_of(known.name)
    middle, down = scale.back(centre), math.inf if scale.only_up else reach[0]
    # Of few cells there is none by chance oftener than a turned share shows.
    one = 1 / max(rows, 1) if scale.to is angle else 0.0
    low = min(scale.back(centre - down) - one, middle - scale.effect)
    high = max(scale.back(centre + reach[1]), middle + scale.effect)
    if known.name == "repeated":
        # Of more rows than a block has, more are equal by chance. In the blocks no pair was: then
        # three of so many may be (J. A. Hanley, A. Lippman-Hand, JAMA 249, 1983).
        high += 3 * rows / (known.profile.blocks * known.profile.block_rows**2)
    return Band(low, high, centre, *spread)


def _together(between: float, sampling: float, freedom: int) -> Deviation:
    """Add a variance that was estimated and one that is known.

    F. E. Satterthwaite, "An approximate distribution of estimates of variance components",
    Biometrics Bulletin 2 (1946).
    """
    total = between + sampling
    freedom_ = freedom * (total / between) ** 2 if between else _KNOWN
    return Deviation(math.sqrt(total), min(freedom_, _KNOWN))


def _sampling(name: str, rows: int) -> float:
    return scale_of(name).sampling / max(rows, 1)


def student(level: float, freedom: float) -> float:
    """Return the two-sided quantile of Student's t.

    D. L. Wallace, "Bounds on normal approximations to Student's and the chi-square distributions",
    Annals of Mathematical Statistics 30 (1959).
    """
    n = max(freedom, 3)
    z = -_NORMAL.inv_cdf(level / 2) * (8 * n + 3) / (8 * n + 1)
    return math.sqrt(n * math.expm1(z * z / n))


def odds(deviation: float, freedom: float) -> float:
    """Return how likely a deviation is to be as large by chance: the inverse of ``student``."""
    n = max(freedom, 3)
    z = math.sqrt(n * math.log1p(deviation**2 / n)) * (8 * n + 1) / (8 * n + 3)
    return math.erfc(z / math.sqrt(2))
