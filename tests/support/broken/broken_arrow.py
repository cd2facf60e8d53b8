"""Broken Arrow files and streams: truncated, concatenated, over-compressed, out of bounds."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from broken import HTML, MIB, TEXT, content, cut, refused, spoilt, table, twice
from broken_parquet import parquet
from pyarrow import ipc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def arrow(
    columns: pa.Table | None = None,
    *,
    stream: bool = False,
    rows: int | None = 100,
    compression: Any = None,
) -> Callable[[Path], object]:
    """Write an Arrow file or stream."""

    def write(path: Path) -> None:
        written = table() if columns is None else columns
        options = ipc.IpcWriteOptions(compression=compression)
        open_writer: Any = ipc.new_stream if stream else ipc.new_file
        with open_writer(str(path), written.schema, options=options) as writer:
            writer.write_table(written, max_chunksize=rows)

    return write


def cut_between_messages(data: bytes) -> bytes:
    """Keep the schema and the first half of the record batches."""
    source, ends = pa.BufferReader(data), list[int]()
    while True:
        try:
            ipc.read_message(source)
        except EOFError:
            return data[: ends[len(ends) // 2]]
        ends.append(source.tell())


def bomb(**options: Any) -> Callable[[Path], object]:
    """Write 400 MB of zeros as one compressed record batch."""

    def write(path: Path) -> None:
        arrow(pa.table({"a": np.zeros(50_000_000)}), rows=None, **options)(path)

    return write


def with_bad_offsets(path: Path) -> None:
    """Let the offsets of a text column point outside of its text."""
    texts = pa.array(["one", "two", "three"])
    _, _, data = texts.buffers()
    offsets = pa.py_buffer(struct.pack("<4i", 0, 3, 1_000_000, 11))
    broken = pa.Array.from_buffers(pa.string(), 3, [None, offsets, data])
    arrow(pa.table({"a": broken}))(path)


def one_text_for_all_in_arrow(path: Path) -> None:
    """Repeat one text of a megabyte a hundred thousand times."""
    indices = pa.array(np.zeros(100_000, np.int32))
    arrow(
        pa.table({"a": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * MIB]))}), rows=None
    )(path)


def nulls_without_end(path: Path) -> None:
    """Change the row count of a null column, which takes no bytes, from 12,345 to ten trillion."""
    arrow(pa.table({"a": pa.nulls(12_345)}), rows=None)(path)
    written, claimed = (struct.pack("<q", rows) for rows in (12_345, 10**13))
    path.write_bytes(path.read_bytes().replace(written, claimed))


ARROW = {
    "an empty Arrow file": refused("b.arrow", content(), "zero bytes"),
    "half an Arrow file": refused("b.arrow", spoilt(arrow(), cut(0.5)), "no whole Arrow file"),
    "half an Arrow stream": refused(
        "b.arrow", spoilt(arrow(stream=True), cut(0.55)), "no whole Arrow stream"
    ),
    "an Arrow stream cut between two messages": refused(
        "b.arrow", spoilt(arrow(stream=True), cut_between_messages), "mark of its end"
    ),
    "two Arrow streams in one": refused(
        "b.arrow", spoilt(arrow(stream=True), twice), "more than its own parts make"
    ),
    "two Arrow files in one": refused(
        "b.arrow", spoilt(arrow(), twice), "more than its own parts make"
    ),
    "Parquet in Arrow's clothes": refused("b.feather", parquet(), "no whole Arrow"),
    "a page of HTML in Arrow's clothes": refused("b.ipc", content(HTML), "no whole Arrow"),
    "offsets that point nowhere": refused(
        "b.arrow", with_bad_offsets, "no whole Arrow file", contract=TEXT
    ),
    "a record batch that unpacks into 400 MB": refused(
        "b.arrow", bomb(compression="zstd"), "unpacks into 381 MiB"
    ),
    "the same in a stream": refused(
        "b.arrow", bomb(stream=True, compression="lz4"), "unpacks into 381 MiB"
    ),
    "nulls without end": refused("b.arrow", nulls_without_end, "claims 10,000,000,000,000 rows"),
    "one text of a megabyte for 100,000 rows": refused(
        "b.arrow", one_text_for_all_in_arrow, "values of up to 1 MiB", contract=TEXT
    ),
}
