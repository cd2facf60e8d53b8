"""One broken input with its expected verdict, and content that is broken in any format.

Each file is made by code, so that a reader sees what is wrong with it. Most have the columns ``a``
(double) and ``n`` (long), because that is what the contract asks for.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
BILLION = 10**9
ROWS = 1_000
LINE = {"a": "double", "n": "long"}
INT32 = {"a": "double", "n": "integer"}
TEXT = {"a": "string"}
ARRAY = {"a": {"type": "array", "items": {"type": "double"}}}
WIDE = {f"c{i}": "double" for i in range(10_000)}
WIDE_LINE = {f"c{i}": "double" for i in range(2_000)}
TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
NAMED_TENSOR = [{**TENSOR[0], "name": "x"}]
OPEN_TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, -1]}}]


@dataclass(frozen=True)
class Broken:
    """A file with its expected verdict.

    Attributes:
        file: Its name; the ending gives the format.
        make: Function that writes it.
        kinds: Kinds of the blocking violations, in order; none if the content is valid after all.
        says: Part of ``observed`` of the first violation.
        handed: Rows of the model input if it passes; None if reading it raises ``BatchChanged``.
        raises: Name of the error, if it cannot be opened as a batch.
        contract: Columns by name, or a signature's inputs.
        policy: Fields of the policy.
    """

    file: str
    make: Callable[[Path], object]
    kinds: tuple[str, ...] = ("unreadable",)
    says: str = ""
    handed: int | None = None
    raises: str = ""
    contract: dict[str, Any] | list[dict[str, Any]] = field(default_factory=lambda: LINE)
    policy: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def inputs(self) -> str:
        """The signature's inputs as MLflow writes them."""
        if isinstance(self.contract, list):
            return json.dumps(self.contract)
        columns = [
            {**({"type": kind} if isinstance(kind, str) else kind), "name": name, "required": True}
            for name, kind in self.contract.items()
        ]
        return json.dumps(columns)


def sound(file: str, make: Callable[[Path], object], rows: int, **more: Any) -> Broken:
    """Expect that a file passes."""
    return Broken(file, make, (), handed=rows, **more)


def lying(file: str, make: Callable[[Path], object], **more: Any) -> Broken:
    """Expect that its statistics pass, and that reading it raises ``BatchChanged``."""
    return Broken(file, make, (), **more)


def refused(
    file: str, make: Callable[[Path], object], says: str, *kinds: str, **more: Any
) -> Broken:
    """Expect these violations; ``unreadable`` by default."""
    return Broken(file, make, kinds or ("unreadable",), says, **more)


def misused(file: str, make: Callable[[Path], object], raises: str) -> Broken:
    """Expect an error instead of a verdict."""
    return Broken(file, make, raises=raises)


# ----- content of any format -----

HTML = b"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def table(rows: int = ROWS) -> pa.Table:
    """Make rows that fit the contract."""
    return pa.table({"a": [float(i) for i in range(rows)], "n": list(range(rows))})


def content(*parts: bytes) -> Callable[[Path], object]:
    """Write these bytes."""
    return lambda path: path.write_bytes(b"".join(parts))


def spoilt(
    make: Callable[[Path], object], spoil: Callable[[bytes], bytes]
) -> Callable[[Path], object]:
    """Write a file, then alter its bytes."""

    def write(path: Path) -> None:
        make(path)
        path.write_bytes(spoil(path.read_bytes()))

    return write


def cut(share: float) -> Callable[[bytes], bytes]:
    """Truncate a file."""
    return lambda data: data[: int(len(data) * share)]


def twice(data: bytes) -> bytes:
    """Append a file to itself, as ``cat`` does."""
    return data + data
