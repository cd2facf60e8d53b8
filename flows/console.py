"""Verdicts, contracts and progress on a terminal; silence in a pipe."""

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

from ..expectations.escaping import for_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from ..expectations.contract.contract import Contract
    from ..expectations.drift.change import Change
    from ..expectations.preflight.report import BatchOutcome, Preflight, Step
    from ..expectations.verdict.verdict import Disposition, Verdict, Violation
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
_FOREIGN = re.compile(r"[^\n -~]")


@contextmanager
def spinner(doing: str) -> Generator[None]:
    """Show that something is going on, where somebody is watching.

    Args:
        doing: What is going on, such as ``judging july.parquet``.
    """
    if not err.is_terminal:
        yield
        return
    with err.status(plain(f"{doing} …")):
        yield


def plain(text: object, style: str = "") -> Text:
    """Show text from data as itself: no markup, no escape sequence acts."""
    return Text(for_terminal(text, limit=_LONGEST_CELL), style)


def print_line(text: str) -> None:
    """Print one line of our own words and names from data."""
    out.print(plain(text), soft_wrap=True)


def say_json(document: str) -> None:
    """Print one JSON document in ASCII: no character of a name or value acts on a terminal."""
    typer.echo(_FOREIGN.sub(lambda found: json.dumps(found[0])[1:-1], document))


def print_blank() -> None:
    """Print an empty line."""
    out.print()


def print_error(text: str) -> None:
    """Print a fault on stderr, line by line."""
    for line in text.splitlines():
        err.print(plain(line), soft_wrap=True)


def show_verdict(verdict: Verdict) -> None:
    """Print how a batch fared, and every violation with its remedy."""
    out.print(_headline(verdict), soft_wrap=True)
    if verdict.model:
        print_line(f"model      {verdict.model}  (signature {verdict.contract})")
    if verdict.evidence:
        print_line(f"evidence   {_counted(verdict.evidence.values())}")
    for conversion in verdict.conversions:
        change = f"{conversion.arrived} to {conversion.becomes}"
        print_line(f"converted  {conversion.column}: {change}, lossless")
    for violation in verdict.violations:
        out.print()
        out.print(_violation(violation), soft_wrap=True)


def show_contract(contract: Contract) -> None:
    """Print a contract's columns."""
    print_line(f"{contract.model or 'signature'}  (signature {contract.fingerprint})")
    table = table_of("column", "type", "required")
    for column in contract.columns:
        table.add_row(plain(column.name), plain(column.type), "yes" if column.required else "no")
    out.print(table)


def show_summary(summary: RunSummary) -> None:
    """Print what became of each batch of a run, and what the run says of itself."""
    table = table_of(
        "batch",
        "rows",
        "verdict",
        "disposition",
        "rejected",
        "first reason",
        right=("rows", "rejected"),
    )
    for receipt in summary.receipts:
        table.add_row(*_fared(receipt))
    if summary.receipts:
        out.print(table)
    else:
        print_line(summary.message())


def show_preflight(found: Preflight) -> None:
    """Print what came of each step, with the remedy where one failed, and of recent batches."""
    print_line(
        f"{found.model or found.uri}{f'  (signature {found.contract})' if found.contract else ''}"
    )
    table = table_of("", "tried", "found")
    for step in found.steps:
        mark = plain(step.state, _STATES[step.state])
        table.add_row(mark, plain(step.name), plain(step.observed))
    out.print(table)
    for step in found.steps:
        if step.remedy:
            print_blank()
            out.print(_step(step), soft_wrap=True)
    if found.batches:
        print_blank()
        out.print(_recent(found.batches))


def _step(step: Step) -> Text:
    if step.state != "failed":
        return plain(f"{step.name}: {step.remedy}")
    lines = [("expected", step.expected), ("observed", step.observed), ("remedy", step.remedy)]
    body = [plain(f"{word:<9}") + plain(said) for word, said in lines]
    return Text("\n  ").join([plain(step.name, _STATES[step.state]), *body])


def _recent(batches: Sequence[BatchOutcome]) -> Table:
    table = table_of(
        "batch", "rows", "verdict", "rejected", "first reason", right=("rows", "rejected")
    )
    for met in batches:
        where = f" in {met.reason.column}" if met.reason and met.reason.column else ""
        table.add_row(
            plain(met.file),
            plain("?" if met.rows is None else f"{met.rows:,}"),
            disposition(met.disposition),
            plain(f"{met.rejected:,}" if met.rejected else ""),
            plain(f"{met.reason.kind}{where}" if met.reason else ""),
        )
    return table


def _fared(receipt: Receipt) -> tuple[Text, ...]:
    verdict, rejected = receipt.verdict, receipt.outputs.rejected
    blocking = verdict.blocking if verdict else ()
    where = f" in {blocking[0].column}" if blocking and blocking[0].column else ""
    reason = f"{blocking[0].kind}{where}" if blocking else receipt.reason
    return (
        plain(receipt.batch.name),
        plain("?" if receipt.rows_in is None else f"{receipt.rows_in:,}"),
        plain("" if verdict is None else "passed" if verdict.passed else "not passed"),
        disposition(receipt.disposition),
        plain("" if rejected is None else f"{rejected:,}"),
        plain(reason or ""),
    )


@contextmanager
def progress() -> Generator[Callable[[Progress], None]]:
    """Show how far a run of a feed has come, where somebody is watching.

    Yields:
        What is to be told of each step.
    """
    with Bar(*_COLUMNS, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None, rows="")

        def told(step: Progress) -> None:
            done = step.position if step.outcome else step.position - 1
            rows = f"{step.scored:,} rows scored" if step.scored else ""
            described = for_terminal(step.batch, limit=40)
            bar.update(task, total=step.batches, completed=done, description=described, rows=rows)

        yield told


_COLUMNS = (
    SpinnerColumn(),
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("{task.fields[rows]}", markup=False),
)


def table_of(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """Begin a table; columns named in ``right`` hold numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    return table


def disposition(word: str) -> Text:
    """Colour what became of a batch."""
    return plain(word, _STYLES.get(word, ""))  # pyright: ignore[reportArgumentType, reportCallIssue]


def _headline(verdict: Verdict) -> Text:
    rows = "" if verdict.rows is None else f", {verdict.rows:,} rows"
    rejected = f", {verdict.rejected:,} rejected" if verdict.rejected else ""
    return Text.assemble(
        disposition(verdict.disposition), "  ", plain(f"{verdict.batch.name}{rows}{rejected}")
    )


def _violation(violation: Violation) -> Text:
    where = f" in {violation.column}" if violation.column else ""
    style = _SEVERITY_STYLES[violation.severity]
    lines = [
        ("expected", violation.expected),
        ("observed", violation.observed),
        ("rows", _rows(violation)),
        ("because", violation.because),
        ("remedy", violation.remedy),
    ]
    body = [plain(f"{word:<9}") + plain(said) for word, said in lines if said]
    return Text("\n  ").join([plain(f"{violation.kind}{where}", style), *body])


def _rows(violation: Violation) -> str:
    if violation.count is None:
        return ""
    samples = violation.sample or ("",) * len(violation.rows)
    first = [
        f"{row}: {v}" if v else str(row) for row, v in zip(violation.rows, samples, strict=True)
    ]
    return f"{violation.count:,} (first {', '.join(first)})" if first else f"{violation.count:,}"


def _counted(words: Iterable[str]) -> str:
    listed = list(words)
    return ", ".join(f"{listed.count(word)} by {word}" for word in sorted(set(listed)))


def table_of_changes(changes: Sequence[Change]) -> Table:
    """Lay out changes for a terminal, one row each."""
    several = len({change.between for change in changes}) > 1
    table = table_of("effect", *(("between",) if several else ()), "change", "because")
    for change in changes:
        effect = plain(change.effect, _EFFECTS[change.effect])
        between = (change.between,) if several else ()
        said = (*between, change.what, change.reason)
        table.add_row(effect, *(plain(text) for text in said))
    return table
