"""Run a query, and tell content that cannot be read from machinery that fails."""

from __future__ import annotations

import errno
import io
import os
import re
from typing import TYPE_CHECKING, TypeVar

import polars as pl
import pyarrow as pa

from ..errors import BatchChanged, BatchUnavailable, GateError
from .batch import UnreadableError
from .columns import ROW, exact_col
from .streaming import lazy_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .batch import Batch

_Piece = TypeVar("_Piece")
READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnreadableError)
REDELIVER = "Have the producer write the file again, and deliver it by rename once it is complete."
# How Polars and Arrow write an error of the operating system into their own.
_OS_ERROR = re.compile(r"(?:\(os error |\[errno )(\d+)[\])]")
# Libraries seek to impossible places in spoilt content.
_OF_CONTENT = (None, errno.EINVAL)
_GONE = (errno.ENOENT, errno.ENOTDIR)


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query whose result fits in memory, in Polars' streaming engine.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
        BatchUnavailable: The disk, the network or a permission failed.
    """
    try:
        return frame.collect(engine="streaming")
    except READ_ERRORS as error:
        raise _judged(error) from error


def collect_all(frames: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Run queries at the same time, else like ``collect``."""
    try:
        return pl.collect_all(frames, engine="streaming")
    except READ_ERRORS as error:
        raise _judged(error) from error


def pieces_of(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Run a query piece by piece, in order; whoever stops taking pieces ends it.

    Raises what ``collect`` raises.
    """
    try:
        yield from frame.collect_batches(maintain_order=True, engine="streaming")
    except READ_ERRORS as error:
        raise _judged(error) from error


def count_rows(batch: Batch) -> int:
    """Count the rows of a file, by reading it where nothing else says how many there are."""
    return batch.rows if batch.rows is not None else collect(batch.scan().select(pl.len())).item()


def handed_over(frame: pl.LazyFrame, rows: int | None, *, redact: bool) -> pl.LazyFrame:
    """Read a judged batch again: whatever fails, or is not as judged, is an error of the gate's."""

    def pieces(columns: list[str]) -> Iterator[pl.DataFrame]:
        seen, wanted = 0, frame.select(map(exact_col, columns or [ROW]))
        found = wanted.collect_batches(maintain_order=True, engine="streaming")
        for piece in as_judged(found, redact=redact):
            seen += piece.height
            yield piece.select(map(exact_col, columns))
        if rows not in (None, seen):
            msg = f"the batch is not what was judged: {seen:,} rows where {rows:,} were."
            raise BatchChanged(msg)

    return lazy_stream(pieces, frame.collect_schema())


def as_judged(pieces: Iterable[_Piece], *, redact: bool) -> Iterator[_Piece]:
    """Read what could be read when it was judged."""
    failed = None
    try:
        yield from pieces
    except READ_ERRORS as error:
        failed = error
    raise_if_changed(failed, redact=redact)


def raise_if_changed(error: BaseException | None, *, redact: bool) -> None:
    """Say that content could be read when it was judged.

    Called outside of ``except``, so that under redact no chain of causes carries a library's words.
    """
    if error is None:
        return
    if isinstance(error, GateError) or _errno(error) not in (*_OF_CONTENT, *_GONE):
        raise unavailable(error) from (None if redact else error)
    described = unreadable(error)
    if isinstance(described, UnreadableError):
        raise BatchChanged(described.describe(redact=redact)) from (None if redact else error)
    raise BatchChanged(str(described)) from (None if redact else error)


def is_os_error(error: BaseException) -> bool:
    """Tell a failure of the operating system from content that is not as its format has it."""
    return _failure(error) is not None


def _failure(error: BaseException) -> int | None:
    number = _errno(error)
    return None if number in _OF_CONTENT else number


def unavailable(error: BaseException) -> GateError:
    """Say which failure of the operating system keeps a batch from being read."""
    if isinstance(error, GateError):
        return error
    number = _errno(error)
    reason = os.strerror(number) if number else str(error)
    path = getattr(error, "filename", None)
    where = f" {path}" if isinstance(path, str) else ""
    msg = f"may not read{where}: {reason}. Give this process the right to."
    if number not in (errno.EACCES, errno.EPERM):
        msg = f"cannot read{where}: {reason}. Look after the disk or network, and try again."
    return BatchUnavailable(msg)


def unreadable(
    error: BaseException,
    observed: str = "content that cannot be read to its end",
    remedy: str = REDELIVER,
) -> BaseException:
    """Say what content turned out to be; a failure of the operating system stays what it is."""
    if isinstance(error, UnreadableError):
        return error
    if number := _failure(error):
        return error if isinstance(error, OSError) else OSError(number, os.strerror(number))
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UnreadableError(observed, remedy, quoted=first)


def _judged(error: BaseException) -> BaseException:
    return unavailable(error) if is_os_error(error) else unreadable(error)


def _errno(error: BaseException) -> int | None:
    """Find the error's number: Polars has it in its words, ``zipfile`` in what came before."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, io.UnsupportedOperation):  # a file could not be asked where it stands
        return errno.EIO
    is_of_library = isinstance(error, (*READ_ERRORS, pa.ArrowException))
    found = _OS_ERROR.search(str(error)) if is_of_library else None
    if found:
        return int(found[1])
    earlier = error.__cause__ or error.__context__
    return _errno(earlier) if isinstance(earlier, OSError) else None
