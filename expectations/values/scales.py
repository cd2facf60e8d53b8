"""The scales on which statistics of batches are compared, one for each family of them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Scale(NamedTuple):
    """How a family of statistics is compared.

    Attributes:
        to: From the statistic to the scale on which its variance hardly depends on it.
        back: From the scale to the statistic.
        sampling: Variance on that scale that sampling gives, times the number of rows.
        effect: The smallest difference of the statistic that matters.
        only_up: Whether a smaller one is no news, for it is smaller in larger batches.
    """

    to: Callable[[float], float]
    back: Callable[[float], float]
    sampling: float
    effect: float
    only_up: bool = False


def angle(share: float) -> float:
    """Put a share where its variance does not depend on it.

    F. J. Anscombe, "The transformation of Poisson, binomial and negative-binomial data",
    Biometrika 35 (1948).
    """
    return math.asin(math.sqrt(min(max(share, 0.0), 1.0)))


def share_of(turned: float) -> float:
    """Turn an ``angle`` into the share."""
    return math.sin(min(max(turned, 0.0), math.pi / 2)) ** 2


def _share(effect: float) -> Scale:
    return Scale(angle, share_of, 0.25, effect)


def _same(value: float) -> float:
    return value


# Medians are in units of the learned width, widths as the logarithm of their ratio to it. The
# variances that sampling gives these are those of normal values, doubled for other shapes.
SCALES: dict[str, Scale] = {
    "null": _share(0.005),
    "below": _share(0.04),
    "length_below": _share(0.05),
    "code": _share(0.02),
    "unseen": _share(0.005),
    "spike": _share(0.05)._replace(only_up=True),
    "repeated": _share(0.01)._replace(only_up=True),
    "whole": _share(0.02),
    "zero": _share(0.01),
    "true": _share(0.05),
    "sentinel": _share(0.01),
    "midnight": _share(0.05),
    # Correlations: R. A. Fisher, "On the probable error of a coefficient of correlation", Metron 1
    # (1921).
    "goes_with": Scale(lambda value: math.atanh(min(max(value, -0.99), 0.99)), math.tanh, 1.1, 0.1),
    "median": Scale(_same, _same, 1.7, 0.1),
    "width": Scale(_same, _same, 2.7, 0.1),
}

# Statistics of a column and another one.
LINKS = {"goes_with"}


# What is learned of single rows.
OF_ROWS = ("bounds", "domain", "pattern")


def family(name: str) -> str:
    """Name the family of a statistic: ``code`` of ``code AA``, ``below`` of ``below_50``."""
    return re.split(r" |_\d", name, maxsplit=1)[0]


def scale_of(name: str) -> Scale:
    """Return the scale of a statistic."""
    return SCALES[family(name)]
