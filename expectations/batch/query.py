"""Run a query, and tell content that cannot be read from other errors."""

from __future__ import annotations

import polars as pl

from ..errors import BatchChanged
from .batch import UnreadableError


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query in Polars' streaming engine."""
    try:
        return frame.collect(engine="streaming")
    except READ_ERRORS as error:
        raise unreadable(error) from error


def raise_if_changed(error: BaseException | None, *, redact: bool) -> None:
    """Say that content could be read when it was judged.

    Called outside of ``except``, so that under redact no chain of causes carries a library's words.
    """
    if error:
        told = unreadable(error).describe(redact=redact)
        raise BatchChanged(told) from (None if redact else error)


READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnreadableError)


def unreadable(error: BaseException) -> UnreadableError:
    """Say that content turned out not to be what its format promises."""
    if isinstance(error, UnreadableError):
        return error
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    remedy = "Have the producer write it again, and deliver it by rename."
    return UnreadableError("content that cannot be read to its end", remedy, quoted=first)
