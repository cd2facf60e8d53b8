"""Judge the schemas that receipts and verdicts record, without the batches themselves."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..contract.types import Scalar
from ..judge.schema_stage import plan_file
from ..readers.frames import open_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..judge.file_result import FileResult
    from ..verdict.verdict import BatchInfo

# The stubs accept type names as literals only.
_make: Any = pa

# What Arrow prints of a type that its own aliases do not read, up to where inner types begin.
_LISTS: dict[str, Callable[[Any], pa.DataType]] = {
    "list": pa.list_,
    "large_list": pa.large_list,
    "list_view": pa.list_view,
    "large_list_view": pa.large_list_view,
}
_DECIMALS: dict[str, Callable[[int, int], pa.DataType]] = {
    "decimal32": pa.decimal32,
    "decimal64": pa.decimal64,
    "decimal128": pa.decimal128,
    "decimal256": pa.decimal256,
}
_PLAIN = re.compile(r"[a-z][a-z0-9_]*(\[[a-z]+\])?(?![\[(<])")
_WORD = re.compile(r"[a-z][a-z0-9_]*(?=<)")
_DECIMAL = re.compile(r"(decimal\d+)\((\d+), (-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]+)\]")
_FIXED_BINARY = re.compile(r"fixed_size_binary\[(\d+)\]")
_SIZE = re.compile(r"\[(\d+)\]")
_KEY_NOTES = re.compile(r"(, keys_sorted)?( \('[^']*'\))?")
_TENSOR = re.compile(
    r"extension<arrow\.fixed_shape_tensor\[value_type=(\w+), shape=\[([\d,]+)\][^>]*>"
)


def parse_arrow_type(text: str) -> pa.DataType | None:
    """Read a type as Arrow prints it: ``struct<a: int64 not null, b: list<item: string>>``."""
    reader = _Reader(text)
    try:
        kind = reader.type()
    except (_UnreadError, RecursionError, pa.ArrowException, ValueError):
        return None
    return kind if reader.rest() == "" else None


def judge_schema(info: BatchInfo, contract: Contract, policy: Policy) -> FileResult:
    """Judge a recorded schema as the schema stage judges a batch; rows are not known.

    A type that cannot be parsed counts as conforming.
    """
    fields = [(name, _judged(name, kind, info, contract, policy)) for name, kind in info.columns]
    table = pa.schema([pa.field(name, kind) for name, kind in fields]).empty_table()
    batch = open_frame(table, contract, policy)
    return plan_file(replace(batch, info=info, text="csv" in info.format), contract, policy)


def _judged(
    name: str, kind: str, info: BatchInfo, contract: Contract, policy: Policy
) -> pa.DataType:
    arrow = parse_arrow_type(kind)
    # JSON has no datetimes: text may hold them, and only the values would show it.
    if arrow is None or ("json" in info.format and _is_datetime(name, contract, policy)):
        return pa.null()
    return arrow


def _is_datetime(name: str, contract: Contract, policy: Policy) -> bool:
    meant = policy.rename.get(name, name)
    return any(c.name == meant and c.type == Scalar("datetime") for c in contract.columns)


class _UnreadError(Exception):
    pass


class _Reader:
    """Parses types from the beginning of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def rest(self) -> str:
        return self._text[self._at :]

    def type(self) -> pa.DataType:
        if match := self._take(_TENSOR):
            return pa.fixed_shape_tensor(_alias(match[1]), [int(n) for n in match[2].split(",")])
        if match := self._take(_DECIMAL):
            return _DECIMALS[match[1]](int(match[2]), int(match[3]))
        if match := self._take(_ZONED):
            return _make.timestamp(match[1], match[2])
        if match := self._take(_FIXED_BINARY):
            return pa.binary(int(match[1]))
        if match := self._take(_WORD):
            return self._nested(match[0])
        if match := self._take(_PLAIN):
            return _alias(match[0])
        raise _UnreadError

    def _nested(self, word: str) -> pa.DataType:
        self._expect("<")
        match word:
            case "struct":
                kind: pa.DataType = pa.struct(self._fields())
            case "map":
                kind = self._map()
            case "dictionary":
                kind = self._dictionary()
            case "fixed_size_list":
                field = self._field()
                self._expect(">")
                return pa.list_(field, int(self._need(_SIZE)[1]))
            case _ if word in _LISTS:
                kind = _LISTS[word](self._field())
            case _:
                raise _UnreadError
        self._expect(">")
        return kind

    def _fields(self) -> list[Any]:
        fields = list[Any]()
        while not self.rest().startswith(">"):
            if fields:
                self._expect(", ")
            fields.append(self._field())
        return fields

    def _field(self) -> Any:
        name, colon, _ = self.rest().partition(": ")
        self._expect(name + colon)
        kind = self.type()
        return pa.field(name, kind, nullable=not self._has(" not null"))

    def _map(self) -> pa.DataType:
        key = self.type()
        self._expect(", ")
        value = pa.field("value", self.type(), nullable=not self._has(" not null"))
        self._take(_KEY_NOTES)
        return _make.map_(key, value)

    def _dictionary(self) -> pa.DataType:
        self._expect("values=")
        values = self.type()
        self._expect(", indices=")
        indices = self.type()
        self._expect(", ordered=")
        return _make.dictionary(indices, values, ordered=not self._has("0") and self._has("1"))

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return match

    def _need(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = self._take(pattern)
        if match is None:
            raise _UnreadError
        return match

    def _has(self, word: str) -> bool:
        has_word = self._text.startswith(word, self._at)
        self._at += len(word) if has_word else 0
        return has_word

    def _expect(self, word: str) -> None:
        if not self._has(word):
            raise _UnreadError


def _alias(name: str) -> pa.DataType:
    return _make.type_for_alias(name)
