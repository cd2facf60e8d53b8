"""What ``quarantine`` prints: lines that fit the terminal, however long the names are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...expectations.escaping import for_terminal
from ...tasks.scoring.evidence import desk_command
from . import console as terminal
from .verdict import show_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...tasks.feed.feed import Feed
    from ...tasks.feed.receipt import Receipt
    from ...tasks.quarantine.entries import QuarantineEntry
    from ...tasks.quarantine.row_counts import RowCounts

_HEADINGS = ("batch", "age", "feed", "violations", "rejected", "holds")
# Columns that are shortened where the terminal is narrow, in this order, and to what width.
_SHRINK = (("batch", 40), ("feed", 10), ("violations", 14), ("batch", 16))
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_THOUSANDS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
_EXACT = 100_000
_GAP = 2
_TAIL = 13  # hyphen and digits, which tell batches of one name apart
_LONGEST_NAME = 200


def show_entries(entries: Sequence[tuple[str, QuarantineEntry]]) -> None:
    """Print one line for each entry, which stands beside its feed's name."""
    lines = [_line(feed, entry) for feed, entry in entries]
    widths = _widths(lines)
    terminal.out.print(terminal.plain(_as_text(_HEADINGS, widths), "bold"), soft_wrap=True)
    # One text, not a line at a time: Rich takes seconds for thousands of lines.
    text = "\n".join(for_terminal(_as_text(line, widths)) for line in lines)
    terminal.out.print(text, markup=False, highlight=False, soft_wrap=True)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *lines, strict=True)]
    for name, kept in _SHRINK:
        surplus = sum(widths) + _GAP * (len(widths) - 1) - terminal.out.width
        column = _HEADINGS.index(name)
        widths[column] -= max(0, min(surplus, widths[column] - kept))
    return widths


def _as_text(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = list[str]()
    for name, text, width in zip(_HEADINGS, line, widths, strict=True):
        fitted = _shortened(text, width, _TAIL if name == "batch" else 0)
        cells.append(fitted.rjust(width) if name == "rejected" else fitted.ljust(width))
    return (" " * _GAP).join(cells).rstrip()


def show_entry(
    feed_file: str, entry: QuarantineEntry, receipts: Sequence[Receipt], state: RowCounts
) -> None:
    """Print the verdict on an entry, its history, and the commands that go on from there."""
    if verdict := entry.verdict:
        show_verdict(verdict)
    else:
        terminal.print_line(f"{entry.name}: its verdict cannot be read")
    terminal.print_blank()
    terminal.print_line(f"batch      {entry.name}")
    terminal.print_line(f"holds      {entry.content or 'only reports'}")
    terminal.print_line(f"report     {entry.report}")
    if state.rows_in is not None and state.rejected is not None:
        rows = f"{state.rows_in:,} = {state.scored:,} scored + {state.rejected:,} rejected"
        terminal.print_line(f"rows       {rows}")
    terminal.print_blank()
    _show_history(receipts)
    terminal.print_blank()
    for label, command in _choices(feed_file, entry):
        terminal.print_line(f"{label:<10} {command}")


def show_release(feed: Feed, receipt: Receipt) -> None:
    """Print the result of a release, and where its outputs are."""
    if receipt.verdict:
        show_verdict(receipt.verdict)
    terminal.print_blank()
    outputs = receipt.outputs
    if outputs.predictions:
        terminal.print_line(
            f"scored     {feed.resolve(outputs.predictions)} ({outputs.scored:,} rows)"
        )
    if outputs.quarantine:
        terminal.print_line(f"quarantine {feed.resolve(outputs.quarantine)}")
    _show_record(feed, receipt)


def show_discard(feed: Feed, receipt: Receipt) -> None:
    """Print what was discarded, and where it is now."""
    name = receipt.discard.entry if receipt.discard else receipt.batch.id
    terminal.print_line(f"discarded  {name}")
    _show_record(feed, receipt)


def _show_record(feed: Feed, receipt: Receipt) -> None:
    if receipt.review and receipt.review.archive:
        terminal.print_line(f"archive    {feed.resolve(receipt.review.archive)}")
    terminal.print_line(f"receipt    {feed.receipts / receipt.file}")


def _line(feed: str, entry: QuarantineEntry) -> tuple[str, ...]:
    return (
        for_terminal(entry.name, limit=_LONGEST_NAME),
        _age(entry.since),
        feed,
        ", ".join(entry.kinds) or "?",
        f"{_short_count(entry.rejected)}/{_short_count(entry.rows)}",
        entry.holds if entry.content else "nothing",
    )


def _age(since: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    return next((f"{seconds // unit}{letter}" for unit, letter in _UNITS if seconds >= unit), "0s")


def _short_count(rows: int | None) -> str:
    if rows is None:
        return "?"
    if rows < _EXACT:
        return f"{rows:,}"
    return next(f"{rows / unit:.3g}{letter}" for unit, letter in _THOUSANDS if rows >= unit)


def _shortened(text: str, width: int, tail: int) -> str:
    """Cut the middle out, so that what tells names apart stays."""
    if len(text) <= width:
        return text
    if tail:
        tail = min(max(tail, len(text) - text.rfind("-")), width - 2)
    return f"{text[: width - tail - 1]}…{text[len(text) - tail :]}"


def _show_history(receipts: Sequence[Receipt]) -> None:
    table = terminal.table_of(
        "when (UTC)",
        "receipt",
        "what",
        "disposition",
        "scored",
        "rejected",
        right=("scored", "rejected"),
    )
    for receipt in receipts:
        rejected = receipt.outputs.rejected
        table.add_row(
            f"{receipt.finished:%Y-%m-%d %H:%M}",
            terminal.plain(f"@{receipt.version}.{receipt.attempt}"),
            terminal.plain(_what(receipt)),
            terminal.disposition(receipt.disposition),
            f"{receipt.outputs.scored:,}",
            "?" if rejected is None else f"{rejected:,}",
        )
    terminal.out.print(table)


def _what(receipt: Receipt) -> str:
    if receipt.release:
        file = f" of {receipt.release.file}" if receipt.release.file else ""
        return f"release {receipt.release.number}{file}"
    return "discard" if receipt.discard else "score"


def _choices(feed_file: str, entry: QuarantineEntry) -> list[tuple[str, str]]:
    release, discard = (desk_command(v, feed_file, entry.name) for v in ("release", "discard"))
    listed = [
        ("again", f"{release} --policy POLICY.yaml"),
        ("repaired", f"{release} --file REPAIRED"),
        ("discard", f"{discard} --reason TEXT"),
    ]
    return listed if entry.content else listed[1:]
