"""A verdict with its violations, and a contract: the worst first, what is alike together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.text import Text

from ...expectations.report.violation_groups import grouped
from .console import (
    disposition,
    names,
    out,
    plain,
    print_blank,
    print_fields,
    print_line,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...expectations.contract.contract import Contract
    from ...expectations.report.violation_groups import ViolationGroup
    from ...expectations.verdict.conversion import Conversion
    from ...expectations.verdict.verdict import Verdict, Violation

_SEVERITY_STYLES = {"critical": "red", "warning": "yellow"}


def show_verdict(verdict: Verdict) -> None:
    """Print a verdict, and every violation with its remedy."""
    out.print(_headline(verdict))
    model = f"{verdict.model}  (signature {verdict.contract})" if verdict.model else ""
    evidence = _count_each(verdict.evidence.values())
    print_fields([("model", model), ("evidence", evidence), *_conversions(verdict.conversions)])
    print_fields([("cause", cause.message) for cause in verdict.causes])
    for group in grouped(verdict):
        print_blank()
        _show_group(group)


def _headline(verdict: Verdict) -> Text:
    rows = "" if verdict.rows is None else f", {verdict.rows:,} rows"
    rejected = f", {verdict.rejected:,} rejected" if verdict.rejected else ""
    return Text.assemble(
        disposition(verdict.disposition), "  ", plain(f"{verdict.batch.name}{rows}{rejected}")
    )


def _count_each(words: Iterable[str]) -> str:
    given = list(words)
    return ", ".join(f"{given.count(word)} by {word}" for word in sorted(set(given)))


def _conversions(conversions: Sequence[Conversion]) -> Iterator[tuple[str, Text]]:
    columns: dict[str, list[str]] = defaultdict(list)
    for each in conversions:
        columns[f": {each.arrived} to {each.becomes}, lossless"].append(each.column)
    for change, converted in columns.items():
        yield "converted", names(converted) + plain(change)


def _show_group(group: ViolationGroup) -> None:
    violation = group.first
    columns = [each.column for each in group.violations if each.column is not None]
    out.print(plain(group.cause, _SEVERITY_STYLES[violation.severity]))
    fields: list[tuple[str, str | Text]] = [
        ("columns", names(columns) if columns[1:] else ""),
        ("expected", group.said(violation.expected)),
        ("observed", group.said(violation.observed)),
        ("rows", group.rows),
        ("values", ", ".join(group.samples)),
        ("because", group.said(violation.because)),
        ("remedy", group.remedy),
    ]
    print_fields(fields, indent=2)


def kind_and_column(violation: Violation | None) -> str:
    """Name a violation in a few words; nothing for none."""
    if violation is None:
        return ""
    return f"{violation.kind}{f' in {violation.column}' if violation.column else ''}"


def show_contract(contract: Contract) -> None:
    """Print a contract's columns."""
    print_line(f"{contract.model or 'signature'}  (signature {contract.fingerprint})")
    table = table_of("column", "type", "required")
    for column in contract.columns:
        table.add_row(plain(column.name), plain(column.type), "yes" if column.required else "no")
    out.print(table)
