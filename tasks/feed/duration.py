"""Durations and time zones as people write them: ``90d``, ``Europe/Berlin``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,6})\s*([mhdw])")


def parse_duration(text: str) -> timedelta:
    """Read a duration such as ``30m``, ``12h``, ``90d`` or ``4w``; ValueError if it is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        msg = f"{text!r} is no duration: write a number and a unit, such as 30m, 12h, 90d or 4w"
        raise ValueError(msg)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _lasting(text: str) -> str:
    if not parse_duration(text):
        msg = f"{text!r} is no time at all; write one such as 1d"
        raise ValueError(msg)
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"{name!r} is no time zone; write one such as Europe/Berlin"
        raise ValueError(msg) from error
    return name


Duration = Annotated[str, AfterValidator(_lasting)]
TimeZone = Annotated[str, AfterValidator(_zone)]
