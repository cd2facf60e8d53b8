"""Lines, tables and a spinner: on a terminal in colour, in a pipe plain and whole."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from ...expectations.credentials import masked
from ...expectations.escaping import for_terminal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from rich.console import ConsoleDimensions
    from rich.table import Table

    from ...expectations.verdict.verdict import Disposition

_STYLES: dict[Disposition, str] = {
    "passed": "bold green",
    "split": "bold yellow",
    "quarantined": "bold red",
    "failed": "bold red",
}
_LONGEST_CELL = 400
_NAMES = 20  # on a terminal; in a pipe all of them
_LABEL = 11
_UNBOUNDED = 1 << 20
_NOT_ASCII = re.compile(r"[^\n -~]")


class _Console(Console):
    """Wraps and shortens for eyes; what reads a pipe gets whole lines and whole names."""

    @property
    def watched(self) -> bool:
        return self.file.isatty() and not self.is_dumb_terminal

    @property
    def narrow(self) -> bool:
        return self.file.isatty() or "COLUMNS" in os.environ

    @property
    def size(self) -> ConsoleDimensions:  # pyright: ignore[reportIncompatibleMethodOverride]
        size = super().size
        return size if self.narrow else size._replace(width=_UNBOUNDED)

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - the error in hand, in place of an end of the process


out = _Console(highlight=False)
err = _Console(stderr=True, highlight=False)


def plain(text: object, style: str = "") -> Text:
    """Make text from data harmless: no markup or escape sequence acts."""
    return Text(for_terminal(text, limit=_LONGEST_CELL if out.narrow else None), style)


def names(words: Sequence[str]) -> Text:
    """List names from data; on a terminal the first of them."""
    most = _NAMES if out.narrow else len(words)
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return Text(", ").join(map(plain, words[:most])) + more


def print_line(text: str) -> None:
    """Print one line, which may hold names from data."""
    out.print(plain(text), soft_wrap=True)


def print_blank() -> None:
    """Print an empty line."""
    out.print()


def print_fields(fields: Iterable[tuple[str, str | Text]], *, indent: int = 0) -> None:
    """Print texts beside their labels, wrapped under themselves; empty ones are left out."""
    for label, text in fields:
        if text:
            head, body = " " * indent + label, plain(text) if isinstance(text, str) else text
            out.print(_beside(head, body) if out.narrow else Text(f"{head:<{_LABEL}}") + body)


def _beside(label: str, text: Text) -> Table:
    from rich.table import Table

    table = Table.grid()
    table.add_column(width=_LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(label, text)
    return table


def print_error(text: str) -> None:
    """Print an error on stderr, line by line."""
    for line in masked(text).splitlines():
        err.print(plain(line), soft_wrap=True)


def print_json(document: str) -> None:
    """Print one JSON document in ASCII: no character of a name or value acts on a terminal."""
    typer.echo(_NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], document))


def table_of(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """Begin a table; columns named in ``right`` hold numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left")
    return table


def disposition(word: str) -> Text:
    """Colour a disposition."""
    return plain(word, _STYLES.get(word, ""))  # pyright: ignore[reportArgumentType, reportCallIssue]


def leave_unread() -> None:
    """Let nothing more be printed where nobody reads it any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def spinner(activity: str) -> Generator[None]:
    """Show an activity, such as ``judging july.parquet``."""
    if not err.watched:
        yield
        return
    with err.status(plain(f"{activity} …")):
        yield
