"""Find the records of CSV bytes and the malformed ones: no library says which records these are.

A record is what RFC 4180 says: fields between delimiters, quotes around whole fields and doubled
inside them. A quote that neither opens nor closes a field spoils its own record, and no other.
All records are looked at together: a file of nothing but malformed ones takes no more memory than
a good one. ``Layout.is_regular`` is the fast twin of ``malformed``, for pieces without one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.policy import CsvDialect

    # Pieces are far below 2 GiB, and bytes that are nothing but quotes have a position for each.
    Positions = NDArray[np.int32]
    Mask = NDArray[np.bool_]

_NEWLINE, _RETURN, _ASCII = 10, 13, 128
# Bytes by which records are compared before each is looked at.
_TOLD_APART_BY = 64
_NONE = np.empty(0, np.int32)
_HEADER_AGAIN = "the header once more"
_STRAY = "a quote inside an unquoted field"
_UNDECODABLE = "bytes that are not text in the file's encoding"


class Layout:
    """The whole records at the start of some bytes.

    Attributes:
        data: The bytes.
        ends: Where each record ends, its line end included.
        open: Whether a quote is open where the bytes end.
    """

    def __init__(self, data: bytes, dialect: CsvDialect, *, last: bool = False) -> None:
        """Find the records."""
        self.data = data
        self._bytes = np.frombuffer(data, np.uint8)
        self._delimiter = ord(dialect.delimiter or ",")
        is_quoted = dialect.quote and dialect.quote.encode() in data
        self._quotes = self._where(ord(dialect.quote)) if is_quoted else _NONE
        self._toggles, self._strays = self._boundaries(self._quotes)
        self.open = bool(len(self._toggles) % 2)
        ends = self._outside(self._where(_NEWLINE)) + 1
        unended = last and len(data) > (ends[-1] if len(ends) else 0)
        self.ends = np.append(ends, np.int32(len(data))) if unended else ends
        self._starts = np.append(np.zeros(1, np.int32), self.ends)[:-1]

    @cached_property
    def fields(self) -> NDArray[np.intp]:
        """How many fields each record has."""
        delimiters = self._outside(self._where(self._delimiter))
        return np.diff(np.searchsorted(delimiters, self.ends), prepend=0) + 1

    @property
    def end(self) -> int:
        """Where the last whole record ends."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def is_regular(self, width: int) -> bool:
        """Tell that all records are well-formed, provided that none has too many fields."""
        delimiters = np.count_nonzero(self._bytes[: self.end] == self._delimiter)
        is_even = not len(self._quotes) and delimiters == len(self.ends) * (width - 1)
        return is_even and _is_utf8(self.data[: self.end])

    @property
    def lengths(self) -> Positions:
        """How many bytes each record has, its line end included."""
        return self.ends - self._starts

    def blank(self) -> Mask:
        """Mark the records without any character."""
        lengths, first = self.lengths, self._bytes[self._starts]
        returns = (lengths == 2) & (first == _RETURN)  # noqa: PLR2004 - "\r\n"
        return returns | ((lengths == 1) & (first == _NEWLINE))

    @cached_property
    def stray(self) -> Mask:
        """Mark the records with a quote that neither opens nor closes a field."""
        return self._records_at(self._strays)

    @cached_property
    def undecodable(self) -> Mask:
        """Mark the records that are no UTF-8."""
        mask = np.zeros(len(self.ends), bool)
        if not _is_utf8(self.data[: self.end]):
            suspects = np.flatnonzero(self._records_at(np.flatnonzero(self._bytes >= _ASCII)))
            mask[[i for i in suspects.tolist() if not _is_utf8(self.record(i))]] = True
        return mask

    def equal_to(self, record: bytes) -> Mask:
        """Mark the records of these very bytes, whatever ends their lines."""
        mask = np.zeros(len(self.ends), bool)
        wanted = record.rstrip(b"\r\n")
        extra = self.lengths - len(wanted)
        candidates = np.flatnonzero((extra >= 0) & (extra <= len(b"\r\n")))
        for position, byte in enumerate(wanted[:_TOLD_APART_BY]):
            candidates = candidates[self._bytes[self._starts[candidates] + position] == byte]
        same = [i for i in candidates.tolist() if self.record(i).rstrip(b"\r\n") == wanted]
        mask[same] = True
        return mask

    def record(self, position: int) -> bytes:
        """Return the bytes of one record."""
        return self.data[self._starts[position] : self.ends[position]]

    def only(self, chosen: Mask) -> bytes:
        """Return the bytes of some records, one behind the other."""
        if chosen.all():
            return self.data[: self.end]
        return self._bytes[: self.end][np.repeat(chosen, self.lengths)].tobytes()

    def _where(self, byte: int) -> Positions:
        return np.flatnonzero(self._bytes == byte).astype(np.int32)

    def _outside(self, positions: Positions) -> Positions:
        """Keep the positions outside quotes."""
        if not len(self._toggles):
            return positions
        return positions[np.searchsorted(self._toggles, positions) % 2 == 0]

    def _boundaries(self, quotes: Positions) -> tuple[Positions, Positions]:
        """Separate the quotes that open or close a field from those that do neither."""
        opening = self._before(quotes)
        closing = self._after(quotes)
        if _alternate(quotes, opening, closing):
            return quotes, _NONE
        # A quote that is no boundary of a field is rare: only then is each looked at in turn.
        doubled = np.append(np.diff(quotes) == 1, np.zeros(1, bool))
        toggles, strays = _walk(opening.tobytes(), closing.tobytes(), doubled.tobytes())
        return quotes[np.frombuffer(toggles, bool)], quotes[np.frombuffer(strays, bool)]

    def _before(self, quotes: Positions) -> Mask:
        """Mark the positions at which a field may open."""
        before = self._bytes[quotes - 1]
        return (quotes == 0) | (before == _NEWLINE) | (before == self._delimiter)

    def _after(self, quotes: Positions) -> Mask:
        """Mark the positions at which a field may close."""
        one, two = quotes + 1, quotes + 2
        after, second = self._bytes.take(one, mode="clip"), self._bytes.take(two, mode="clip")
        line = (after == _NEWLINE) | ((after == _RETURN) & (second == _NEWLINE))
        returned = (after == _RETURN) & (two >= len(self._bytes))
        return line | returned | (after == self._delimiter) | (one >= len(self._bytes))

    def _records_at(self, positions: NDArray[np.integer]) -> Mask:
        mask = np.zeros(len(self.ends) + 1, bool)
        mask[np.searchsorted(self.ends, positions, "right")] = True
        return mask[:-1]


def malformed(layout: Layout, width: int) -> Mask:
    """Mark the records that have no one meaning; well-formed ones have ``width`` fields."""
    return (layout.fields != width) | layout.stray | layout.undecodable


def reasons(layout: Layout, chosen: Mask, width: int) -> pl.Series:
    """Say for each of the chosen records, all malformed, what is wrong with it."""
    marks = {
        "fields": layout.fields[chosen],
        "stray": layout.stray[chosen],
        "undecodable": layout.undecodable[chosen],
        "repeated": layout.fields[chosen] == width,
    }
    several = pl.format("{} fields where the header has {}", "fields", pl.lit(width))
    single = pl.lit(f"1 field where the header has {width}")
    reason = (
        pl.when("undecodable")
        .then(pl.lit(_UNDECODABLE))
        .when("stray")
        .then(pl.lit(_STRAY))
        .when("repeated")
        .then(pl.lit(_HEADER_AGAIN))
        .otherwise(pl.when(pl.col("fields") == 1).then(single).otherwise(several))
    )
    return pl.DataFrame(marks).select(reason.alias("reason"))["reason"]


def described(layout: Layout, chosen: Mask, width: int) -> pl.Series:
    """Give reason and text of the chosen records; bytes that are no text are escapes in it."""
    texts = _texts(layout, chosen).str.strip_chars_end("\r\n")
    return reasons(layout, chosen, width) + ": " + texts


def _texts(layout: Layout, chosen: Mask) -> pl.Series:
    whole = chosen & ~layout.undecodable
    texts = _decoded(layout.only(whole), layout.lengths[whole])
    undecodable = np.flatnonzero(chosen & layout.undecodable)
    if not len(undecodable):
        return texts
    records = (layout.record(int(i)) for i in undecodable)
    escaped = [record.decode(errors="backslashreplace") for record in records]
    positions = np.concatenate([np.flatnonzero(whole), undecodable])
    unordered = pl.concat([texts, pl.Series(escaped, dtype=pl.String)])
    return unordered.gather(pl.Series(np.argsort(positions)))


def _decoded(data: bytes, lengths: Positions) -> pl.Series:
    ends = np.append(np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64))
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.large_string(), len(lengths), buffers)
    return cast("pl.Series", pl.from_arrow(texts))


def _alternate(quotes: Positions, opening: Mask, closing: Mask) -> bool:
    """Tell whether the quotes open and close fields alternately, doubled quotes aside."""
    opens = np.zeros(len(quotes), bool)
    opens[::2] = True
    doubled = np.zeros(len(quotes), bool)
    adjacent = np.diff(quotes) == 1
    doubled[1:] |= adjacent & opens[1:]
    doubled[:-1] |= adjacent & ~opens[:-1]
    return bool(np.all(np.where(opens, opening, closing) | doubled))


def _walk(opening: bytes, closing: bytes, doubled: bytes) -> tuple[bytearray, bytearray]:
    """Mark the quotes that open or close a field, and the strays; one byte for each quote.

    Bytes, because as Python's numbers millions of quotes would take a hundred times their room.
    """
    toggles, strays = bytearray(len(opening)), bytearray(len(opening))
    inside, i = False, 0
    while i < len(opening):
        if inside and doubled[i]:
            i += 2
            continue
        fits = closing[i] if inside else opening[i]
        if not fits:
            strays[i] = 1
        # Inside a field the quote closes it all the same, so that the damage ends here.
        if fits or inside:
            toggles[i] = 1
            inside = not inside
        i += 1
    return toggles, strays


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
