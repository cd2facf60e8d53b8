"""One self-contained HTML page per judged batch: no script, no request, nothing from data acts."""

from __future__ import annotations

import json
import os
import uuid
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .display import visible
from .findings import (
    EVIDENCE_IN_WORDS,
    KINDS_IN_WORDS,
    column_findings,
    counted,
    percent,
    ranked,
    why,
)
from .policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .verdict import Conversion, Verdict

_LONGEST_TEXT = 600  # characters of any one text from data; the page counts the rest
_LINKED_SCHEMES = frozenset({"http", "https", "file"})
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Destination:
    """Where something that became of the batch lies.

    Attributes:
        label: What lies there: ``Predictions``, ``Rejected rows``, ``Receipt``.
        uri: An absolute path, a path relative to the page, or a URL.
        rows: How many rows it holds, if it holds rows.
    """

    label: str
    uri: str
    rows: int | None = None

    @property
    def href(self) -> str | None:
        """The link a browser can follow; None for object stores and anything else."""
        scheme = urlsplit(self.uri).scheme.lower()
        if scheme:
            return self.uri if scheme in _LINKED_SCHEMES else None
        path = quote(self.uri, errors="replace")
        return f"file://{path}" if path.startswith("/") else f"./{path}"


@dataclass(frozen=True)
class _Choice:
    """One policy field as it is in force."""

    field: str
    value: str
    default: str
    description: str

    @property
    def changed(self) -> bool:
        return self.value != self.default


def render_report(verdict: Verdict, destinations: Sequence[Destination] = ()) -> str:
    """Make the page that shows a verdict.

    Args:
        verdict: What was found. Under ``redact`` no sample is shown, even if it holds one.
        destinations: What became of the batch, and where that lies.

    Returns:
        A complete HTML document.
    """
    violations = ranked(verdict.violations)
    findings = column_findings(verdict)
    return (
        _templates()
        .get_template("report.html.jinja")
        .render(
            verdict=verdict,
            why=why(verdict),
            violations=violations,
            blocking=[v for v in violations if v.severity == "critical"],
            at_fault=[f for f in findings if f.kinds],
            faultless=[f for f in findings if not f.kinds],
            conversions=_grouped(verdict.conversions),
            choices=_choices(verdict.policy),
            destinations=destinations,
            kinds=KINDS_IN_WORDS,
            evidence=EVIDENCE_IN_WORDS,
        )
    )


def write_report(
    path: str | Path, verdict: Verdict, destinations: Sequence[Destination] = ()
) -> Path:
    """Write the page that shows a verdict; a reader sees the whole page or none.

    Args:
        path: Where the page shall be; its folder is made if need be, an older page is replaced.
        verdict: What was found.
        destinations: What became of the batch, and where that lies.

    Returns:
        The path.

    Raises:
        OSError: The page cannot be written there.
    """
    target = Path(path)
    page = render_report(verdict, destinations)
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with staged.open("x", encoding="utf-8") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)
    return target


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader(__package__ or "", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = cast("dict[str, object]", templates.filters)
    filters |= {"percent": percent, "counted": counted, "size": _size}
    return templates


def _finalized(value: object) -> object:
    # Jinja passes every expression through here, so that no name or value can be forgotten.
    return value if isinstance(value, Markup) else visible(value, limit=_LONGEST_TEXT)


def _grouped(conversions: tuple[Conversion, ...]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for conversion in conversions:
        groups[conversion.arrived, conversion.becomes].append(conversion.column)
    return dict(groups)


def _choices(policy: Policy) -> list[_Choice]:
    defaults = Policy()
    return [
        _Choice(
            field,
            _written(getattr(policy, field)),
            _written(getattr(defaults, field)),
            info.description or "",
        )
        for field, info in Policy.model_fields.items()
    ]


def _written(value: Any) -> str:
    plain = value.model_dump() if hasattr(value, "model_dump") else value
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - what SI prefixes mean
        size, unit = size / 1000, unit + 1
    return f"{size:,.{1 if unit else 0}f} {_UNITS[unit]}"
