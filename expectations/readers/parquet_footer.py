"""Look through the bytes of a Parquet footer before any library acts on them.

PyArrow ends the whole process where a spoiled or an encrypted footer makes it raise while it hands
out statistics, and overflows the stack where groups nest without end; Polars panics where a column
is said to lie beyond the file. So the footer's own contradictions are found here first. It is one
struct in Thrift's compact protocol; the numbers of its fields are those of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from ..batch.arrow_types import DEEPEST
from ..batch.batch import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Fields = dict[int, Any]

MUCH, _MANIFOLD = 256 << 20, 32
MAGIC = b"PAR1"
TAIL = 8
# Bytes of one value, by physical type: boolean, int32, int64, int96, float, double.
_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}
_FIXED = 7
# Bytes of all values of a text column in one row group, each counted as often as it is repeated:
# Polars looks at every one of them.
_MOST_TEXT = 64 << 30
_OPTIONAL, _REPEATED = 1, 2
_looked_at: dict[bytes, tuple[str | None, int]] = {}  # by digest
_MOST_KNOWN = 4096

# What reading raises where the bytes are not as Thrift has them, or the footer lacks a field.
_NOT_THRIFT = (IndexError, KeyError, TypeError, AttributeError, ValueError, RecursionError)
# Bytes of a page's header; statistics in it can make it longer.
_PAGE_HEADER = 64 << 10


class _Leaf(NamedTuple):
    """A column as the schema describes it: its type, width, and levels of null and repetition."""

    physical: int | None
    width: int | None
    defined: int
    repeated: int


class _ContradictionError(Exception):
    """The footer says what cannot be."""


def contradiction(path: Path) -> str | None:
    """Find what makes a Parquet footer impossible, or dangerous to act on.

    None also stands for no footer at all, of which any reader tells more.
    """
    if (footer := _footer_of(path)) is None:
        return None
    found, end = _known(*footer)
    # Of files that were put together, the last footer would be read with the first one's rows.
    with path.open("rb") as file:
        file.seek(end)
        several = found is None and file.read(2 * len(MAGIC)) == 2 * MAGIC
    return "several Parquet files in one" if several else found


def end_of_another(path: Path) -> int:
    """Say where the bytes lie that tell whether another file ends before this one; 0 if nowhere."""
    footer = _footer_of(path)
    return _known(*footer)[1] if footer else 0


def _footer_of(path: Path) -> tuple[bytes, int] | None:
    """Read the footer, and where it begins; None if there is none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - TAIL, 0))
        tail = file.read(TAIL)
        start = size - TAIL - int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or start < len(MAGIC):
            return None
        file.seek(start)
        return file.read(size - TAIL - start), start


def _known(data: bytes, start: int) -> tuple[str | None, int]:
    """Look through each footer once: whoever reads rows after a verdict opens the file again."""
    key = blake2b(b"%d " % start + data).digest()
    if (known := _looked_at.get(key)) is None:
        if len(_looked_at) >= _MOST_KNOWN:
            _looked_at.clear()
        known = _looked_at[key] = _look_through(data, start)
    return known


def _look_through(data: bytes, start: int) -> tuple[str | None, int]:
    """Find a footer's contradiction, and where another file would end before this one."""
    try:
        footer = _struct(data, 0)[0]
        _examine(footer, start)
        return None, max(start - _end_of_parts(footer, start) - len(MAGIC), 0)
    except _ContradictionError as error:
        return str(error), 0
    except _NOT_THRIFT:
        return "no whole Parquet file: its footer is not as the format has it", 0


def unpacked_limit(path: Path) -> int:
    """Say into how many bytes a part of a file may unpack."""
    return max(MUCH, _MANIFOLD * path.stat().st_size)


def refuse_large_pages(path: Path, metadata: Any, leaves: Iterable[int]) -> None:
    """Refuse a page that no reader could unpack in pieces."""
    for leaf in leaves:
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(leaf)
            if chunk.total_uncompressed_size > MUCH and (
                size := _largest_page(path, chunk)
            ) > unpacked_limit(path):
                observed = f"a page of {chunk.path_in_schema!r} that unpacks into "
                observed += f"{size >> 20:,} MiB"
                raise UnreadableError(observed, "Have the producer write smaller pages.")


def _largest_page(path: Path, chunk: Any) -> int:
    """Find into how many bytes the largest page of a column chunk says that it unpacks."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end, largest = at + chunk.total_compressed_size, 0
    with path.open("rb") as file:
        while at < end:
            file.seek(at)
            data = file.read(min(_PAGE_HEADER, end - at))
            try:
                header, size = _struct(data, 0)
                largest = max(largest, header[2])
                at += size + max(header[3], 0)
            except _NOT_THRIFT:
                return largest
    return largest


def _examine(footer: Fields, end: int) -> None:
    groups = footer[4]
    # Where only columns are encrypted, the footer can be read and names the algorithm.
    if 8 in footer or any(3 not in chunk for group in groups for chunk in group[1]):  # noqa: PLR2004
        msg = "columns that are encrypted"
        raise _ContradictionError(msg)
    leaves = list(_leaves(footer[2]))
    counted = sum(group[3] for group in groups)
    if footer[3] != counted or any(group[3] < 0 for group in groups):
        msg = f"a footer that counts {footer[3]:,} rows as a whole and {counted:,} in its parts"
        raise _ContradictionError(msg)
    for group in groups:
        if len(group[1]) != len(leaves):
            msg = f"{len(group[1]):,} columns in a part of it where the schema has {len(leaves):,}"
            raise _ContradictionError(msg)
        for chunk, leaf in zip(group[1], leaves, strict=True):
            _examine_chunk(chunk[3], leaf, group[3], end)


def _end_of_parts(footer: Fields, start: int) -> int:
    """Find where columns and indexes end; in a file by itself the footer starts there."""
    chunks = [chunk for group in footer[4] for chunk in group[1]]
    ends = [_start_of(chunk[3]) + chunk[3][7] for chunk in chunks]
    ends += [chunk.get(i, 0) + chunk.get(i + 1, 0) for chunk in chunks for i in (4, 6)]
    return max(ends, default=start)


def _start_of(chunk: Fields) -> int:
    # Some writers state an offset of 0 for a dictionary that there is not.
    return min(chunk[9], chunk.get(11) or chunk[9])


def _leaves(elements: list[Fields]) -> Iterator[_Leaf]:
    """Walk the schema, which lists each group before what is in it."""
    open_groups = [(elements[0].get(5, 0), 0, 0)]
    for element in elements[1:]:
        while open_groups and not open_groups[-1][0]:
            open_groups.pop()
        if len(open_groups) > DEEPEST:
            msg = f"columns nested more than {DEEPEST} deep"
            raise _ContradictionError(msg)
        left, defined, repeated = open_groups[-1]
        open_groups[-1] = (left - 1, defined, repeated)
        repetition = element.get(3, 0)
        defined += repetition in (_OPTIONAL, _REPEATED)
        repeated += repetition == _REPEATED
        if element.get(5):
            open_groups.append((element[5], defined, repeated))
        else:
            yield _Leaf(element.get(1), element.get(2), defined, repeated)


def _examine_chunk(chunk: Fields, leaf: _Leaf, rows: int, end: int) -> None:
    if chunk[1] != leaf.physical:
        msg = "a column of another type than its schema says"
        raise _ContradictionError(msg)
    start = _start_of(chunk)
    if not (0 <= start <= start + chunk[7] <= end and chunk[9] <= end):
        msg = "a column that lies beyond the end of the file"
        raise _ContradictionError(msg)
    if not leaf.repeated and chunk[5] != rows:
        msg = f"{chunk[5]:,} values of a column in {rows:,} rows"
        raise _ContradictionError(msg)
    if chunk.get(16, {}).get(1, 0) > _MOST_TEXT:
        msg = f"a column that says it unpacks into {chunk[16][1] >> 30:,} GiB"
        raise _ContradictionError(msg)
    _examine_statistics(chunk, leaf)


def _examine_statistics(chunk: Fields, leaf: _Leaf) -> None:
    width = leaf.width if leaf.physical == _FIXED else _WIDTHS.get(leaf.physical or 0)
    statistics: Fields = chunk.get(12, {})
    bounds = [statistics[number] for number in (1, 2, 5, 6) if number in statistics]
    sizes: Fields = chunk.get(16, {})
    levels = ((sizes.get(2), leaf.repeated), (sizes.get(3), leaf.defined))
    if (width is not None and any(len(bound) != width for bound in bounds)) or any(
        counts and len(counts) != highest + 1 for counts, highest in levels
    ):
        msg = "statistics that are not of their column's type"
        raise _ContradictionError(msg)


# ----- Thrift's compact protocol -----

# Functions that take and return the position, instead of an object that keeps it: a wide file has a
# hundred thousand columns in all its parts, and Python calls each byte's reader.


def _struct(data: bytes, at: int) -> tuple[Fields, int]:
    fields: Fields = {}
    number = 0
    while header := data[at]:
        at += 1
        step = header >> 4
        if step:
            number += step
        else:
            number, at = _integer(data, at)
        fields[number], at = _READERS[header & 15](data, at)
    return fields, at + 1


def _natural(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    value, shift = byte & 127, 7
    while byte > 127:  # noqa: PLR2004 - the eighth bit says that more follows
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        shift += 7
    return value, at + 1


def _integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _natural(data, at)
    return (value >> 1) ^ -(value & 1), at


def _binary(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _natural(data, at)
    return data[at : at + size], at + size


def _list(data: bytes, at: int) -> tuple[list[Any], int]:
    size, kind = data[at] >> 4, data[at] & 15
    if not size and not kind:  # fastparquet writes an empty list so
        return [], at + 1
    size, at = _natural(data, at + 1) if size == 15 else (size, at + 1)  # noqa: PLR2004 - it follows
    if kind in (1, 2):
        return list(data[at : at + size]), at + size
    read, elements = _READERS[kind], list[Any]()
    for _ in range(size):
        element, at = read(data, at)
        elements.append(element)
    return elements, at


# By type: true, false, byte, three widths of integers, double, binary, list, set, struct.
_READERS: dict[int, Callable[[bytes, int], tuple[Any, int]]] = {
    1: lambda _, at: (True, at),
    2: lambda _, at: (False, at),
    3: lambda data, at: (data[at], at + 1),
    **dict.fromkeys((4, 5, 6), _integer),
    7: lambda data, at: (data[at : at + 8], at + 8),
    8: _binary,
    **dict.fromkeys((9, 10), _list),
    12: _struct,
}
