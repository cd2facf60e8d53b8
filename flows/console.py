"""Verdicts, contracts and progress on a terminal; plain text in a pipe."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from ..expectations.credentials import masked
from ..expectations.escaping import for_terminal
from ..tasks.scoring.evidence import REPORT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from ..expectations.contract.contract import Contract
    from ..expectations.drift.change import Change
    from ..expectations.preflight.report import BatchOutcome, Preflight, Step
    from ..expectations.verdict.verdict import Disposition, Verdict, Violation
    from ..tasks.feed.feed import Feed
    from ..tasks.feed.receipt import Receipt
    from ..tasks.feed.run_summary import RunSummary
    from ..tasks.scoring.feed_run import Progress

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)

_STYLES: dict[Disposition, str] = {
    "passed": "bold green",
    "split": "bold yellow",
    "quarantined": "bold red",
    "failed": "bold red",
}
_STATES = {"ok": "green", "failed": "bold red", "skipped": "yellow"}
_EFFECTS = {"breaking": "bold red", "compatible": "yellow", "cosmetic": ""}
_SEVERITY_STYLES = {"critical": "red", "warning": "yellow"}
_LONGEST_CELL = 400
_LISTED = 10  # lines of one kind below a summary
_NOT_ASCII = re.compile(r"[^\n -~]")
_PROGRESS = (
    SpinnerColumn(),
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("{task.fields[rows]}", markup=False),
)


# ----- lines and tables -----


def plain(text: object, style: str = "") -> Text:
    """Make text from data harmless: no markup or escape sequence acts."""
    return Text(for_terminal(text, limit=_LONGEST_CELL), style)


def print_line(text: str) -> None:
    """Print one line, which may hold names from data."""
    out.print(plain(text), soft_wrap=True)


def print_blank() -> None:
    """Print an empty line."""
    out.print()


def print_error(text: str) -> None:
    """Print an error on stderr, line by line."""
    for line in masked(text).splitlines():
        err.print(plain(line), soft_wrap=True)


def print_json(document: str) -> None:
    """Print one JSON document in ASCII: no character of a name or value acts on a terminal."""
    typer.echo(_NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], document))


def table_of(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """Begin a table; columns named in ``right`` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    return table


def disposition(word: str) -> Text:
    """Colour a disposition."""
    return plain(word, _STYLES.get(word, ""))  # pyright: ignore[reportArgumentType, reportCallIssue]


# ----- progress, where a terminal shows it -----


@contextmanager
def spinner(activity: str) -> Generator[None]:
    """Show an activity, such as ``judging july.parquet``."""
    if not err.is_terminal:
        yield
        return
    with err.status(plain(f"{activity} …")):
        yield


@contextmanager
def progress() -> Generator[Callable[[Progress], None]]:
    """Show the progress of a feed's run; yields the function that takes each step."""
    with Bar(*_PROGRESS, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None, rows="")

        def show(step: Progress) -> None:
            done = step.position if step.outcome else step.position - 1
            rows = f"{step.scored:,} rows scored" if step.scored else ""
            batch = for_terminal(step.batch, limit=40)
            bar.update(task, total=step.batches, completed=done, description=batch, rows=rows)

        yield show


def show_verdict(verdict: Verdict) -> None:
    """Print a verdict, and every violation with its remedy."""
    out.print(_headline(verdict), soft_wrap=True)
    if verdict.model:
        print_line(f"model      {verdict.model}  (signature {verdict.contract})")
    if verdict.evidence:
        print_line(f"evidence   {_count_each(verdict.evidence.values())}")
    for conversion in verdict.conversions:
        change = f"{conversion.arrived} to {conversion.becomes}"
        print_line(f"converted  {conversion.column}: {change}, lossless")
    for violation in verdict.violations:
        print_blank()
        out.print(_violation(violation), soft_wrap=True)


def _headline(verdict: Verdict) -> Text:
    rows = "" if verdict.rows is None else f", {verdict.rows:,} rows"
    rejected = f", {verdict.rejected:,} rejected" if verdict.rejected else ""
    return Text.assemble(
        disposition(verdict.disposition), "  ", plain(f"{verdict.batch.name}{rows}{rejected}")
    )


def _count_each(words: Iterable[str]) -> str:
    given = list(words)
    return ", ".join(f"{given.count(word)} by {word}" for word in sorted(set(given)))


def _violation(violation: Violation) -> Text:
    title = plain(_kind_and_column(violation), _SEVERITY_STYLES[violation.severity])
    lines = [
        ("expected", violation.expected),
        ("observed", violation.observed),
        ("rows", _rows(violation)),
        ("values", ", ".join(violation.samples)),
        ("because", violation.because),
        ("remedy", violation.remedy),
    ]
    return _indented(title, [(label, text) for label, text in lines if text])


def _indented(title: Text, lines: Iterable[tuple[str, str]]) -> Text:
    body = [plain(f"{label:<9}") + plain(text) for label, text in lines]
    return Text("\n  ").join([title, *body])


def _kind_and_column(violation: Violation | None) -> str:
    if violation is None:
        return ""
    return f"{violation.kind}{f' in {violation.column}' if violation.column else ''}"


def _rows(violation: Violation) -> str:
    if violation.count is None:
        return ""
    first = f" (first {', '.join(map(str, violation.rows))})" if violation.rows else ""
    return f"{violation.count:,}{first}"


def show_contract(contract: Contract) -> None:
    """Print a contract's columns."""
    print_line(f"{contract.model or 'signature'}  (signature {contract.fingerprint})")
    table = table_of("column", "type", "required")
    for column in contract.columns:
        table.add_row(plain(column.name), plain(column.type), "yes" if column.required else "no")
    out.print(table)


def show_summary(summary: RunSummary, feed: Feed | None = None) -> None:
    """Print the outcome of each batch of a run, totals, and where the outputs of a feed are."""
    if summary.receipts:
        headings = ("batch", "rows", "verdict", "disposition", "rejected", "first reason")
        table = table_of(*headings, right=("rows", "rejected"))
        for receipt in summary.receipts:
            table.add_row(*_outcome(receipt))
        out.print(table)
    else:
        print_line(summary.message())
    if feed:
        _show_places(summary, feed)


def _show_places(summary: RunSummary, feed: Feed) -> None:
    outputs = [receipt.outputs for receipt in summary.receipts]
    predictions = {feed.resolve(each.predictions).parent for each in outputs if each.predictions}
    reports = [f"{feed.resolve(each.quarantine) / REPORT}" for each in outputs if each.quarantine]
    notes = summary.notes()
    lines = [
        *(f"{word:<12} {text}" for word, text in notes[:_LISTED]),
        *_more(len(notes)),
    ]
    if summary.receipts:
        counts = f"{summary.rows_scored:,} scored, {summary.rows_rejected:,} rejected"
        lines += [
            f"rows         {summary.rows_in:,} in, {counts}",
            *(f"predictions  {folder}" for folder in sorted(predictions)),
            *(f"quarantine   {report}" for report in reports[:_LISTED]),
            *_more(len(reports)),
            f"receipts     {feed.receipts}",
        ]
    if lines:
        print_blank()
    for line in lines:
        print_line(line)


def _more(count: int) -> list[str]:
    return [f"             and {count - _LISTED:,} more"] if count > _LISTED else []


def _outcome(receipt: Receipt) -> tuple[Text, ...]:
    verdict, rejected = receipt.verdict, receipt.outputs.rejected
    blocking = next(iter(verdict.blocking), None) if verdict else None
    return (
        plain(receipt.batch.name),
        plain("?" if receipt.rows_in is None else f"{receipt.rows_in:,}"),
        plain("" if verdict is None else "passed" if verdict.passed else "not passed"),
        disposition(receipt.disposition),
        plain("" if rejected is None else f"{rejected:,}"),
        plain(_kind_and_column(blocking) or receipt.reason or ""),
    )


def show_preflight(report: Preflight) -> None:
    """Print each step, with the remedy where one failed, and the outcome of recent batches."""
    signature = f"  (signature {report.contract})" if report.contract else ""
    print_line(f"{report.model or report.uri}{signature}")
    table = table_of("", "tried", "found")
    for step in report.steps:
        mark = plain(step.state, _STATES[step.state])
        table.add_row(mark, plain(step.name), plain(step.observed))
    out.print(table)
    for step in report.steps:
        if step.remedy:
            print_blank()
            out.print(_step(step), soft_wrap=True)
    if report.batches:
        print_blank()
        out.print(_recent_batches(report.batches))


def _step(step: Step) -> Text:
    if step.state != "failed":
        return plain(f"{step.name}: {step.remedy}")
    lines = [("expected", step.expected), ("observed", step.observed), ("remedy", step.remedy)]
    return _indented(plain(step.name, _STATES[step.state]), lines)


def _recent_batches(batches: Sequence[BatchOutcome]) -> Table:
    headings = ("batch", "rows", "verdict", "rejected", "first reason")
    table = table_of(*headings, right=("rows", "rejected"))
    for batch in batches:
        table.add_row(
            plain(batch.file),
            plain("?" if batch.rows is None else f"{batch.rows:,}"),
            disposition(batch.disposition),
            plain(f"{batch.rejected:,}" if batch.rejected else ""),
            plain(_kind_and_column(batch.reason)),
        )
    return table


def table_of_changes(changes: Sequence[Change]) -> Table:
    """Make a table of changes, one row each."""
    several = len({change.between for change in changes}) > 1
    table = table_of("effect", *(("between",) if several else ()), "change", "because")
    for change in changes:
        effect = plain(change.effect, _EFFECTS[change.effect])
        between = (change.between,) if several else ()
        cells = (*between, change.what, change.reason)
        table.add_row(effect, *(plain(cell) for cell in cells))
    return table
