"""Where the quotes, delimiters and line ends of CSV bytes stand, and which records are malformed.

A record is what RFC 4180 says: fields between delimiters, quotes around whole fields and doubled
inside them. A quote that neither opens nor closes a field spoils its own record, and no other.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..contract.policy import CsvDialect

    # Pieces are far below 2 GiB, and bytes that are nothing but quotes have a position for each.
    Positions = NDArray[np.int32]
    Mask = NDArray[np.bool_]

_NEWLINE, _RETURN, _ASCII = 10, 13, 128
_NONE = np.empty(0, np.int32)


class Layout:
    """The whole records at the start of some bytes.

    Attributes:
        data: The bytes.
        ends: Where each record ends, its line end included.
        fields: How many fields each record has.
        open: Whether a quote is open where the bytes end.
    """

    def __init__(self, data: bytes, dialect: CsvDialect, *, last: bool = False) -> None:
        """Find the records."""
        self.data = data
        self._bytes = np.frombuffer(data, np.uint8)
        self._delimiter = ord(dialect.delimiter)
        quotes = self._where(ord(dialect.quote)) if dialect.quote else _NONE
        self._toggles, self._strays = self._boundaries(quotes)
        self.open = bool(len(self._toggles) % 2)
        ends = self._outside(self._where(_NEWLINE)) + 1
        unended = last and len(data) > (ends[-1] if len(ends) else 0)
        self.ends = np.append(ends, np.int32(len(data))) if unended else ends
        self._starts = np.append(np.zeros(1, np.int32), self.ends)[:-1]
        delimiters = self._outside(self._where(self._delimiter))
        self.fields = np.diff(np.searchsorted(delimiters, self.ends), prepend=0) + 1

    @property
    def end(self) -> int:
        """Where the last whole record ends."""
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def lengths(self) -> Positions:
        """How many bytes each record has, its line end included."""
        return self.ends - self._starts

    def blank(self) -> Mask:
        """Tell the records without any character."""
        lengths, first = self.lengths, self._bytes[self._starts]
        returns = (lengths == 2) & (first == _RETURN)  # noqa: PLR2004 - "\r\n"
        return returns | ((lengths == 1) & (first == _NEWLINE))

    @cached_property
    def stray(self) -> Mask:
        """Tell the records with a quote that neither opens nor closes a field."""
        return self._records_at(self._strays)

    @cached_property
    def undecodable(self) -> Mask:
        """Tell the records that are no UTF-8."""
        found = np.zeros(len(self.ends), bool)
        if not _is_utf8(self.data[: self.end]):
            suspects = self._records_at(np.flatnonzero(self._bytes >= _ASCII))
            found[
                [i for i in np.flatnonzero(suspects).tolist() if not _is_utf8(self.record(i))]
            ] = True
        return found

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
        """Tell the quotes that open or close something from those that do neither."""
        opening = self._before(quotes)
        closing = self._after(quotes)
        if _alternate(quotes, opening, closing):
            return quotes, _NONE
        # A quote that is no boundary of a field is rare: only then is each looked at in turn.
        doubled = np.append(np.diff(quotes) == 1, np.zeros(1, bool))
        toggles, strays = _walk(opening.tobytes(), closing.tobytes(), doubled.tobytes())
        return quotes[np.frombuffer(toggles, bool)], quotes[np.frombuffer(strays, bool)]

    def _before(self, quotes: Positions) -> Mask:
        """Tell whether a field may open at each position."""
        before = self._bytes[quotes - 1]
        return (quotes == 0) | (before == _NEWLINE) | (before == self._delimiter)

    def _after(self, quotes: Positions) -> Mask:
        """Tell whether a field may close at each position."""
        one, two = quotes + 1, quotes + 2
        after, second = self._bytes.take(one, mode="clip"), self._bytes.take(two, mode="clip")
        line = (after == _NEWLINE) | ((after == _RETURN) & (second == _NEWLINE))
        returned = (after == _RETURN) & (two >= len(self._bytes))
        return line | returned | (after == self._delimiter) | (one >= len(self._bytes))

    def _records_at(self, positions: NDArray[np.integer]) -> Mask:
        found = np.zeros(len(self.ends) + 1, bool)
        found[np.searchsorted(self.ends, positions, "right")] = True
        return found[:-1]


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
