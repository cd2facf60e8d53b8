"""One self-contained HTML page per judged batch: no script, no request, all data escaped."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..batch.statistics import ColumnValues
from ..contract.policy import Policy
from ..contract.types import parse_type, required
from ..verdict.explain import (
    EVIDENCE_IN_WORDS,
    KINDS_IN_WORDS,
    column_findings,
    why,
)
from .templating import pictures_of, render_page, write_page
from .violation_groups import grouped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from ..verdict.conversion import Conversion
    from ..verdict.verdict import Verdict
    from .cooccurrence import Overlaps
    from .feed_history import FeedHistory

_LINKED_SCHEMES = frozenset({"http", "https", "file"})


@dataclass(frozen=True)
class Destination:
    """Where an output of the batch is.

    Attributes:
        label: What it is: ``Predictions``, ``Rejected rows``, ``Receipt``.
        uri: An absolute path, a path relative to the page, or a URL.
        rows: Its number of rows, if it has rows.
    """

    label: str
    uri: str
    rows: int | None = None

    @property
    def href(self) -> str | None:
        """A link for browsers; None for object stores and other places."""
        scheme = urlsplit(self.uri).scheme.lower()
        if scheme:
            return self.uri if scheme in _LINKED_SCHEMES else None
        path = quote(self.uri, errors="replace")
        return f"file://{path}" if path.startswith("/") else f"./{path}"


@dataclass(frozen=True)
class Surroundings:
    """What a report tells beside the verdict, as far as it is known.

    Attributes:
        judged: When the batch was judged, in UTC.
        feed: The feed's name; empty for a batch of none.
        links: Pages about it, such as that of the Prefect run.
        commands: How to go on from quarantine: each in words, and as it is typed in a shell.
        past: The feed's last batches, this one last.
        overlaps: Which violations fall on the same rows.
        values: What is known of the values of columns, by arriving name.
    """

    judged: datetime | None = None
    feed: str = ""
    links: tuple[Destination, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    past: FeedHistory | None = None
    overlaps: Overlaps | None = None
    values: Mapping[str, ColumnValues] = field(default_factory=dict[str, ColumnValues])


@dataclass(frozen=True)
class _Choice:
    """One policy field with its value."""

    field: str
    value: str
    default: str
    description: str

    @property
    def changed(self) -> bool:
        return self.value != self.default


def render_report(
    verdict: Verdict,
    destinations: Sequence[Destination] = (),
    around: Surroundings = Surroundings(),
) -> str:
    """Render a verdict as an HTML document; under ``redact`` it shows no sample."""
    findings = column_findings(verdict)
    past = around.past
    return render_page(
        "report.html.jinja",
        verdict=verdict,
        why=why(verdict),
        groups=grouped(verdict),
        at_fault=[f for f in findings if f.kinds],
        faultless=[f for f in findings if not f.kinds],
        expected=_expected(verdict),
        unknown=ColumnValues(),
        conversions=_by_types(verdict.conversions),
        choices=_choices(verdict.policy),
        destinations=destinations,
        kinds=KINDS_IN_WORDS,
        evidence=EVIDENCE_IN_WORDS,
        around=around,
        past=past,
        pictures=pictures_of(past) if past and past.batches else None,
    )


def render_head(verdict: Verdict) -> str:
    """Render the head of the report for a notebook, as HTML that brings its own style."""
    return render_page(
        "head.html.jinja", verdict=verdict, why=why(verdict), groups=grouped(verdict)
    )


def write_report(
    path: str | Path,
    verdict: Verdict,
    destinations: Sequence[Destination] = (),
    around: Surroundings = Surroundings(),
) -> Path:
    """Write a verdict as a page, atomically; an older page at the path is replaced."""
    return write_page(path, render_report(verdict, destinations, around))


def _expected(verdict: Verdict) -> dict[str, tuple[str, bool]]:
    specs = json.loads(verdict.signature.get("inputs") or "[]")
    return {str(s.get("name", "")): (str(parse_type(s)), required(s)) for s in specs}


def _by_types(conversions: tuple[Conversion, ...]) -> dict[tuple[str, str], list[str]]:
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
