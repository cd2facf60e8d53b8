"""What all pages share: templates that escape every name and value from data."""

from __future__ import annotations

import re
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ..documents import staged
from ..escaping import visible
from ..verdict.explain import percent
from ..wording import counted
from .charts import FARES_IN_WORDS, batches, nulls_of, shares_of, strip_of, ticks_of
from .column_timeline import lifelines_of
from .value_shifts import learning_from, shifts_of

if TYPE_CHECKING:
    from datetime import datetime

    from .charts import Band, Nulls, Shares, Strip
    from .column_timeline import Lifelines
    from .feed_history import FeedHistory
    from .value_shifts import ValueShift

_LONGEST_TEXT = 600  # characters of any one text from data; the page counts the rest
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:").match
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


class Pictures(NamedTuple):
    """The charts of a feed's history, one above the other, and the dates below each."""

    strip: Strip
    shares: Shares
    nulls: Nulls
    lifelines: Lifelines
    ticks: tuple[Band, ...]
    shifts: tuple[ValueShift, ...]
    learning: int | None


def pictures_of(past: FeedHistory) -> Pictures:
    """Make the charts of a history with at least one batch."""
    charts = strip_of(past), shares_of(past), nulls_of(past), lifelines_of(past)
    return Pictures(*charts, ticks_of(past), shifts_of(past), learning_from(past))


def render_page(template: str, **facts: object) -> str:
    """Render a template of the folder ``templates`` as an HTML document.

    Every text among the facts is escaped, cut to 600 characters, and freed of control characters.
    """
    return _templates().get_template(template).render(facts)


def write_page(path: str | Path, page: str) -> Path:
    """Write a page atomically; an older page at the path is replaced."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with staged(target) as partial:
        partial.write_text(page, "utf-8")
    return target


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = cast("dict[str, object]", templates.filters)
    filters |= {"percent": percent, "counted": counted, "batches": batches}
    filters |= {"size": _size, "href": _href, "stamp": _stamp, "repr": repr, "number": _number}
    cast("dict[str, object]", templates.globals)["fares"] = FARES_IN_WORDS
    return templates


def _finalized(value: object) -> object:
    # Jinja passes every expression through here, so that no name or value can be forgotten.
    return value if isinstance(value, Markup) else visible(value, limit=_LONGEST_TEXT)


def _href(path: str) -> Markup:
    """Refer to a file by its path from the page; whole, since a link that is cut leads nowhere."""
    return escape(f"./{quote(path, safe='/@', errors='replace')}")


def _stamp(moment: datetime, *, seconds: bool = False) -> str:
    return f"{moment.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"


def _number(value: object) -> object:
    """Write a number for people; instants break between date and time."""
    if isinstance(value, float):
        return f"{value:,.7g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value.replace("T", " ", 1) if isinstance(value, str) and _INSTANT(value) else value


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - what SI prefixes mean
        size, unit = size / 1000, unit + 1
    return f"{size:,.{1 if unit else 0}f} {_UNITS[unit]}"
