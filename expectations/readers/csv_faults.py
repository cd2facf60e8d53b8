"""The malformed records of CSV bytes, and what is wrong with each, in words: many at once.

A file of nothing but malformed records should take no longer than a good one, and no more room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from .csv_scanner import Layout, Mask, Positions

_STRAY = "a quote inside an unquoted field"
_UNDECODABLE = "bytes that are not text in the file's encoding"


def malformed(layout: Layout, width: int) -> Mask:
    """Tell the records that have no one meaning."""
    return (layout.fields != width) | layout.stray | layout.undecodable


def reasons(layout: Layout, chosen: Mask, width: int) -> pl.Series:
    """Say what is wrong with some records."""
    marks = {
        "fields": layout.fields[chosen],
        "stray": layout.stray[chosen],
        "undecodable": layout.undecodable[chosen],
    }
    counted = pl.format("{} fields where the header has {}", "fields", pl.lit(width))
    single = pl.lit(f"1 field where the header has {width}")
    why = (
        pl.when("undecodable")
        .then(pl.lit(_UNDECODABLE))
        .when("stray")
        .then(pl.lit(_STRAY))
        .otherwise(pl.when(pl.col("fields") == 1).then(single).otherwise(counted))
    )
    return pl.DataFrame(marks).select(why.alias("why"))["why"]


def told(layout: Layout, chosen: Mask, width: int) -> pl.Series:
    """Say what is wrong with some records, and what they are."""
    texts = _texts(layout, chosen).str.strip_chars_end("\r\n")
    return reasons(layout, chosen, width) + ": " + texts


def _texts(layout: Layout, chosen: Mask) -> pl.Series:
    whole = chosen & ~layout.undecodable
    texts = _decoded(layout.only(whole), layout.lengths[whole])
    foreign = np.flatnonzero(chosen & layout.undecodable)
    if not len(foreign):
        return texts
    records = (layout.record(int(i)) for i in foreign)
    escaped = [record.decode(errors="backslashreplace") for record in records]
    positions = np.concatenate([np.flatnonzero(whole), foreign])
    apart = pl.concat([texts, pl.Series(escaped, dtype=pl.String)])
    return apart.gather(pl.Series(np.argsort(positions)))


def _decoded(data: bytes, lengths: Positions) -> pl.Series:
    ends = np.append(np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64))
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.large_string(), len(lengths), buffers)
    return cast("pl.Series", pl.from_arrow(texts))
