"""The objects in the lines of a file, in pieces; lines that hold none are faults."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from ...batch.batch import UnreadableError
from ...contract.policy import CsvDialect
from ..text_stream import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

# As Python objects some lines take thirty times their bytes, so neither may a line be very long nor
# very many lines be turned into objects at once: a small gzip file would take all memory.
_LONGEST_LINE = 16 << 20
_LINES = 65_536
# Python's own limit depends on how deep the caller stands already; this one is always the same.
_DEEPEST = 200
_RETURN, _NEWLINE = "\r", 10
_BLANK = list(b" \t\r\n")
_BLANK_LINES = re.compile(rb"\n[ \t\r\n]*\n")
_REMEDY = "Have the producer write it again, one JSON object in each line, in UTF-8."
_JSON = re.compile(r"\.json(\.|$)", re.IGNORECASE)
_ARRAY_REMEDY = (
    "Write one object in each line: `jq -c '.[]' in.json > out.jsonl`, or with pandas "
    "`to_json(path, orient='records', lines=True)`."
)
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
# Digits as zeros: what may be beyond a float is then found by plain search, which is fast.
_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_PERHAPS_INFINITE = (b"e000", b"e+000", b"0" * 300)


@dataclass(frozen=True)
class Records:
    """Some lines of a file, blank ones left out.

    Attributes:
        values: The object in each line; an empty one where the line is malformed.
        faults: Position among them of each malformed line, and what is wrong with it.
    """

    values: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    faults: dict[int, str] = field(default_factory=dict[int, str])

    @cached_property
    def shapes(self) -> dict[tuple[str, ...], None]:
        """The different sequences of keys."""
        return dict.fromkeys(map(tuple, self.values))

    @cached_property
    def _columns(self) -> dict[str, tuple[Any, ...]] | None:
        if len(self.shapes) > 1:
            return None
        # Objects of one shape, which is the rule, are turned into columns at once.
        columns = zip(*map(dict[str, Any].values, self.values), strict=True)
        return dict(zip(*self.shapes, columns, strict=True))

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.values)

    def column(self, key: str) -> list[Any]:
        """Return the values of one key, None where a line lacks it."""
        if self._columns is not None and key in self._columns:
            return list(self._columns[key])
        return [value.get(key) for value in self.values]

    def series(self, key: str, name: str, dtype: pl.DataType) -> pl.Series:
        """Return the values of one key in the type that they have in the whole file."""
        return pl.Series(name, self.column(key), dtype, strict=dtype != pl.Float64)


def portions_in(path: Path) -> Iterator[bytes]:
    """Read lines of a file, plain or compressed, never more than a piece at once."""
    rest = b""
    for piece in _pieces(path):
        lines, newline, tail = (rest + piece).rpartition(b"\n")
        rest = tail if newline else lines + tail
        if len(rest) > _LONGEST_LINE:
            observed = f"no line end within {_LONGEST_LINE >> 20} MiB"
            raise UnreadableError(observed, _REMEDY, kind="malformed_row")
        if newline:
            yield from _portions(lines)
    if rest:
        yield from _portions(rest)


def _pieces(path: Path) -> Iterator[bytes]:
    pieces, is_json = pieces_of(path, CsvDialect()), _JSON.search(path.name)
    try:
        start = next(pieces, b"")
        if not (is_json and start.lstrip()[:1] == b"["):
            yield start
            yield from pieces
            return
    except UnreadableError as error:
        raise UnreadableError(error.observed, _REMEDY, quoted=error.quoted) from error
    observed = "a JSON array where each line must hold one object"
    raise UnreadableError(observed, _ARRAY_REMEDY)


def _portions(lines: bytes) -> Iterator[bytes]:
    """Cut lines into portions of no more than so many; blank ones in a row count as one."""
    ends = _ends_of(lines)
    # A blank line begins with a blank, which few lines do.
    if np.isin(np.frombuffer(lines, np.uint8)[ends[:-1] + 1], _BLANK).any():
        lines = _BLANK_LINES.sub(b"\n", lines)
        ends = _ends_of(lines)
    start = 0
    for end in (*ends[_LINES - 1 :: _LINES].tolist(), len(lines)):
        yield lines[start:end]
        start = end + 1


def _ends_of(lines: bytes) -> NDArray[np.intp]:
    return np.flatnonzero(np.frombuffer(lines, np.uint8) == _NEWLINE)


def parsed(lines: bytes) -> Records:
    """Read lines one by one, whatever they hold."""
    records = Records()
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        for line in lines.split(b"\n"):
            _add_bytes(records, line)
        return records
    decoder = _decoder_for(lines)
    for line in text.split("\n"):
        _add(records, line, decoder)
    return records


def _add_bytes(records: Records, line: bytes) -> None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        escaped = line.decode(errors="backslashreplace")
        _add_fault(records, "bytes that are not UTF-8 text", escaped)
    else:
        _add(records, text, _decoder_for(line))


def _add(records: Records, line: str, decoder: json.JSONDecoder) -> None:
    try:
        value = _decoded(line, decoder)
        fault = _fault(value, line)
    except (ValueError, ArithmeticError, RecursionError) as error:
        if not line.strip(" \t\r"):
            return
        value, fault = None, _reason(error)
    if fault is None:
        records.values.append(cast("dict[str, Any]", value))
    else:
        _add_fault(records, fault, line)


def _decoded(line: str, decoder: json.JSONDecoder) -> Any:
    scan: Any = getattr(decoder, "scan_once")  # noqa: B009 - the stubs do not know it
    try:
        value, end = scan(line, 0)
    except StopIteration:
        value = end = None
    if end == len(line):
        return value
    # Spaces around it, or an error that the slower way names.
    return decoder.decode(line)


def _add_fault(records: Records, reason: str, line: str) -> None:
    records.faults[len(records.values)] = f"{reason}: {line.rstrip(_RETURN)}"
    records.values.append({})


def _fault(value: Any, line: str) -> str | None:
    if type(value) is not dict:
        return "no object"
    if len(line) > _DEEPEST and line.count("[") + line.count("{") > _DEEPEST and _is_deep(value):
        return _TOO_DEEP
    if "\\" in line and _HALF_A_PAIR.search(line) and not _is_text(value):
        return "text with half a surrogate pair"
    return None


_TOO_DEEP = f"values nested more than {_DEEPEST} deep"


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        parts = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for part in parts for one in part if isinstance(one, dict | list)]
    return bool(level)


def _is_text(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"no JSON ({error.msg} at character {error.pos + 1})"
        case _RepeatedKeyError():
            return "an object that repeats a key"
        case RecursionError():
            return _TOO_DEEP
        case _:
            return "a number too long for any type"


class _RepeatedKeyError(ValueError):
    """Python's own reader keeps the last of them and says nothing."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _RepeatedKeyError
    return fields


def _number(text: str) -> float | Decimal:
    # A float of such digits would be infinity, which the text does not say.
    number = float(text)
    return Decimal(text) if math.isinf(number) else number


_PLAIN = json.JSONDecoder(object_pairs_hook=_object)
_CAREFUL = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number)


def _decoder_for(lines: bytes) -> json.JSONDecoder:
    digits = lines.translate(_DIGITS)
    return _CAREFUL if any(part in digits for part in _PERHAPS_INFINITE) else _PLAIN
