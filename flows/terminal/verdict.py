"""A verdict with its violations, and a contract: the worst first, what is alike together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.text import Text

from ...expectations.verdict.explain import alike
from ...expectations.wording import counted
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
    from ...expectations.verdict.explain import Alike
    from ...expectations.verdict.verdict import Conversion, Verdict, Violation

_SEVERITY_STYLES = {"critical": "red", "warning": "yellow"}


def show_verdict(verdict: Verdict) -> None:
    """Print a verdict, and every violation with its remedy."""
    out.print(_headline(verdict))
    model = f"{verdict.model}  (signature {verdict.contract})" if verdict.model else ""
    evidence = _count_each(verdict.evidence.values())
    print_fields([("model", model), ("evidence", evidence), *_conversions(verdict.conversions)])
    for group in alike(verdict.violations):
        print_blank()
        _show_violation(group)


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


def _show_violation(group: Alike) -> None:
    violation, columns = group.violation, group.columns
    where = counted(len(columns), "column") if len(columns) > 1 else "".join(columns)
    title = f"{violation.kind}{f' in {where}' if where else ''}"
    out.print(plain(title, _SEVERITY_STYLES[violation.severity]))
    fields: list[tuple[str, str | Text]] = [
        ("columns", names(columns) if len(columns) > 1 else ""),
        ("expected", violation.expected),
        ("observed", violation.observed),
        ("rows", _rows(group)),
        ("values", ", ".join(violation.samples)),
        ("because", violation.because),
        ("remedy", violation.remedy),
    ]
    print_fields(fields, indent=2)


def kind_and_column(violation: Violation | None) -> str:
    """Name a violation in a few words; nothing for none."""
    if violation is None:
        return ""
    return f"{violation.kind}{f' in {violation.column}' if violation.column else ''}"


def _rows(group: Alike) -> str:
    if not group.counts:
        return ""
    least, most = min(group.counts), max(group.counts)
    each = " in each" if len(group.counts) > 1 else ""
    positions = ", ".join(map(str, group.violation.rows))
    first = f" (first {positions})" if positions else ""
    return f"{f'{least:,}' if least == most else f'{least:,} to {most:,}'}{each}{first}"


def show_contract(contract: Contract) -> None:
    """Print a contract's columns."""
    print_line(f"{contract.model or 'signature'}  (signature {contract.fingerprint})")
    table = table_of("column", "type", "required")
    for column in contract.columns:
        table.add_row(plain(column.name), plain(column.type), "yes" if column.required else "no")
    out.print(table)
