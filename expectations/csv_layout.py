"""Where the quotes, delimiters and line ends of CSV bytes stand, and which records are malformed.

A record is what RFC 4180 says: fields between delimiters, quotes around whole fields and doubled
inside them. A quote that neither opens nor closes a field spoils its own record, and no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .policy import CsvDialect

    Positions = NDArray[np.int64]

_NEWLINE, _RETURN, _ASCII = 10, 13, 128
_NONE = np.empty(0, np.int64)


class Layout:
    """The whole records at the start of some bytes.

    Attributes:
        data: The bytes.
        ends: Where each record ends, its line end included.
        fields: How many fields each record has.
        open: Whether a quote is open where the bytes end.
    """

    def __init__(self, data: bytes, dialect: CsvDialect, *, last: bool = False) -> None:
        """Find the records.

        Args:
            data: UTF-8 that starts with a record.
            dialect: Delimiter and quote.
            last: Whether nothing follows, so that the last record needs no line end.
        """
        self.data = data
        self._bytes = np.frombuffer(data, np.uint8)
        self._delimiter = ord(dialect.delimiter)
        quotes = self._where(ord(dialect.quote)) if dialect.quote else _NONE
        self._toggles, self._strays = self._boundaries(quotes)
        self.open = bool(len(self._toggles) % 2)
        ends = self._outside(self._where(_NEWLINE)) + 1
        unended = last and len(data) > (ends[-1] if len(ends) else 0)
        self.ends = np.append(ends, len(data)) if unended else ends
        self._starts = np.append([0], self.ends)[:-1]
        delimiters = self._outside(self._where(self._delimiter))
        self.fields = np.diff(np.searchsorted(delimiters, self.ends), prepend=0) + 1

    @property
    def end(self) -> int:
        """Where the last whole record ends."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def blank(self) -> list[int]:
        """List the records without any character."""
        lengths, first = self.ends - self._starts, self._bytes[self._starts]
        returns = (lengths == 2) & (first == _RETURN)  # noqa: PLR2004 - "\r\n"
        newlines = (lengths == 1) & (first == _NEWLINE)
        return np.flatnonzero(returns | newlines).tolist()

    def faults(self, width: int) -> dict[int, str]:
        """Say of each malformed record what is wrong with it.

        Args:
            width: How many fields a record must have.

        Returns:
            Position of the record and the reason.
        """
        wrong = np.flatnonzero(self.fields != width).tolist()
        found = {i: f"{_fields(self.fields[i])} where the header has {width}" for i in wrong}
        found |= dict.fromkeys(self._records_at(self._strays), "a quote inside an unquoted field")
        return found | dict.fromkeys(
            self._undecodable(), "bytes that are not text in the file's encoding"
        )

    def record(self, position: int) -> bytes:
        """Return the bytes of one record."""
        return self.data[self._starts[position] : self.ends[position]]

    def text(self, position: int) -> str:
        """Return one record without its line end; bytes that are no text become escapes."""
        return self.record(position).rstrip(b"\r\n").decode(errors="backslashreplace")

    def without(self, left_out: set[int]) -> bytes:
        """Return the bytes of all whole records but some."""
        pieces, start = list[bytes](), 0
        for i in sorted(left_out):
            pieces.append(self.data[start : self._starts[i]])
            start = self.ends[i]
        return b"".join([*pieces, self.data[start : self.end]])

    def _where(self, byte: int) -> Positions:
        return np.flatnonzero(self._bytes == byte)

    def _outside(self, positions: Positions) -> Positions:
        """Keep the positions outside quotes."""
        if not len(self._toggles):
            return positions
        return positions[np.searchsorted(self._toggles, positions) % 2 == 0]

    def _boundaries(self, quotes: Positions) -> tuple[Positions, Positions]:
        """Tell the quotes that open or close something from those that do neither."""
        opening = self._before(quotes)
        closing = self._after(quotes)
        if _alternate(quotes, opening, closing):
            return quotes, _NONE
        # A quote that is no boundary of a field is rare: only then is each looked at in turn.
        toggles, strays = _walk(quotes.tolist(), opening.tolist(), closing.tolist())
        return np.array(toggles, np.int64), np.array(strays, np.int64)

    def _before(self, quotes: Positions) -> NDArray[np.bool_]:
        """Tell whether a field may open at each position."""
        before = self._bytes[quotes - 1]
        return (quotes == 0) | (before == _NEWLINE) | (before == self._delimiter)

    def _after(self, quotes: Positions) -> NDArray[np.bool_]:
        """Tell whether a field may close at each position."""
        one, two = quotes + 1, quotes + 2
        after, second = self._bytes.take(one, mode="clip"), self._bytes.take(two, mode="clip")
        line = (after == _NEWLINE) | ((after == _RETURN) & (second == _NEWLINE))
        returned = (after == _RETURN) & (two >= len(self._bytes))
        return line | returned | (after == self._delimiter) | (one >= len(self._bytes))

    def _records_at(self, positions: Positions) -> list[int]:
        records = np.unique(np.searchsorted(self.ends, positions, "right"))
        return records[records < len(self.ends)].tolist()

    def _undecodable(self) -> list[int]:
        if _is_utf8(self.data[: self.end]):
            return []
        suspects = self._records_at(np.flatnonzero(self._bytes >= _ASCII))
        return [i for i in suspects if not _is_utf8(self.record(i))]


def _alternate(quotes: Positions, opening: NDArray[np.bool_], closing: NDArray[np.bool_]) -> bool:
    """Tell whether the quotes open and close fields by turns, but for doubled ones."""
    opens = np.arange(len(quotes)) % 2 == 0
    doubled = np.zeros(len(quotes), bool)
    adjacent = np.diff(quotes) == 1
    doubled[1:] |= adjacent & opens[1:]
    doubled[:-1] |= adjacent & ~opens[:-1]
    return bool(np.all(np.where(opens, opening, closing) | doubled))


def _walk(
    quotes: list[int], opening: list[bool], closing: list[bool]
) -> tuple[list[int], list[int]]:
    toggles, strays, inside, i = list[int](), list[int](), False, 0
    while i < len(quotes):
        if inside and quotes[i + 1 : i + 2] == [quotes[i] + 1]:
            i += 2
            continue
        fits = closing[i] if inside else opening[i]
        if not fits:
            strays.append(quotes[i])
        # Inside a field the quote closes it all the same, so that the damage ends here.
        if fits or inside:
            toggles.append(quotes[i])
            inside = not inside
        i += 1
    return toggles, strays


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
