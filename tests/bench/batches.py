"""The batches that are measured: random rows that fit, and the columns that they have.

A file is made once per run. ``failing`` columns have one null each, in the last row: what comes
late is what a reader cannot skip.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = 250_000
_CODES = [f"C{number:02}" for number in range(16)]
_EPOCH = np.datetime64("2026-01-01T00:00:00", "us")
# The kinds of columns in turn: a batch of 20 has five numbers of each kind, five texts, and so on.
_KINDS = ["long", "double", "string", "long", "double", "text", "datetime"] * 2 + [
    *("long", "double", "string", "datetime", "boolean", "boolean")
]
_ARROW = {
    "long": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "datetime": pa.timestamp("us"),
    "boolean": pa.bool_(),
}
_RULES: dict[str, dict[str, Any]] = {
    "long": {"between": [0, 1000]},
    "double": {"between": [0.0, 1.0]},
    "string": {"in_set": _CODES},
    "text": {"regex": "^[A-Z][0-9]+-x$"},
}


class Column(NamedTuple):
    """A required column: its name, its type in the signature, and the rule on its values."""

    name: str
    type: str
    rule: dict[str, Any]


class Batch(NamedTuple):
    """A batch to be written: how many rows of how many columns, as what.

    ``kind`` makes all columns of one kind. ``files`` is how many files of a folder share the rows.
    """

    rows: int
    columns: int = 20
    format: str = "parquet"
    statistics: bool = True
    rules: bool = False
    failing: int = 0
    files: int = 0
    kind: str | None = None
    per_mille: int = 0

    def schema(self) -> list[Column]:
        """Return the columns that the contract requires."""
        kinds = [self.kind or _KINDS[i % 20] for i in range(self.columns)]
        return [
            Column(
                f"{kind}_{i}",
                "string" if kind == "text" else kind,
                _RULES.get(kind, {}) if self.rules else {},
            )
            for i, kind in enumerate(kinds)
        ]

    def write(self, folder: Path) -> Path:
        """Write the batch unless it is there, and return its path."""
        # What a rule asks is no matter of the file.
        name = "-".join(str(value) for value in self._replace(rules=False))
        path = folder / (f"{name}.{self.format}" if not self.files else name)
        if not path.exists():
            _WRITERS["folder" if self.files else self.format](self, path)
        return path

    def tables(self) -> Iterator[pa.Table]:
        """Make the rows, a row group at a time."""
        rng, left = np.random.default_rng(0), self.rows
        while left:
            size = min(GROUP, left)
            left -= size
            yield self._table(rng, size, last=not left)

    def _table(self, rng: np.random.Generator, size: int, *, last: bool) -> pa.Table:
        columns = dict[str, pa.Array]()
        for number, column in enumerate(self.schema()):
            kind = column.name.partition("_")[0]
            gaps = np.zeros(size, bool)
            gaps[-1] = last and number < self.failing
            if self.per_mille and number == 0:
                gaps |= np.arange(size) % 1000 < self.per_mille
            columns[column.name] = _VALUES[kind](rng, size, gaps)
        return pa.table(columns)


def _texts(rng: np.random.Generator, size: int, gaps: Any) -> pa.Array:
    known = pa.array([f"{letter}{number}-x" for letter in "ABC" for number in range(3000)])
    picked = pa.array(rng.integers(0, len(known), size), mask=gaps)
    return known.take(picked)


_VALUES: dict[str, Any] = {
    "long": lambda rng, size, gaps: pa.array(rng.integers(0, 1000, size), mask=gaps),
    "double": lambda rng, size, gaps: pa.array(rng.random(size), mask=gaps),
    "string": lambda rng, size, gaps: pa.array(_CODES).take(
        pa.array(rng.integers(0, len(_CODES), size), mask=gaps)
    ),
    "text": _texts,
    "datetime": lambda rng, size, gaps: pa.array(
        _EPOCH + rng.integers(0, 10**13, size).astype("timedelta64[us]"), mask=gaps
    ),
    "boolean": lambda rng, size, gaps: pa.array(rng.random(size) < 0.5, mask=gaps),
}


def _arrow_schema(batch: Batch) -> pa.Schema:
    return pa.schema([(column.name, _ARROW[column.type]) for column in batch.schema()])


def _parquet(batch: Batch, path: Path) -> None:
    statistics = batch.statistics
    with pq.ParquetWriter(path, _arrow_schema(batch), write_statistics=statistics) as writer:
        for table in batch.tables():
            writer.write_table(table)


def _csv(batch: Batch, path: Path) -> None:
    # Quotes stand where they must, as pandas and Polars write them.
    import polars as pl

    with path.open("wb") as sink:
        for number, table in enumerate(batch.tables()):
            pl.DataFrame(table).write_csv(sink, include_header=not number)


def _json_lines(batch: Batch, path: Path) -> None:
    import polars as pl

    with path.open("wb") as sink:
        for table in batch.tables():
            pl.DataFrame(table).write_ndjson(sink)


def _arrow(batch: Batch, path: Path) -> None:
    with pa.ipc.new_file(path, _arrow_schema(batch)) as writer:
        for table in batch.tables():
            writer.write_table(table)


def _folder(batch: Batch, path: Path) -> None:
    path.mkdir()
    size = batch.rows // batch.files
    whole = pa.concat_tables(batch.tables())
    for number in range(batch.files):
        pq.write_table(whole.slice(number * size, size), path / f"part-{number:04}.parquet")


_WRITERS = {
    "parquet": _parquet,
    "csv": _csv,
    "jsonl": _json_lines,
    "arrow": _arrow,
    "folder": _folder,
}


def rules_suite(columns: list[Column], path: Path) -> Path:
    """Write the rules of the columns as a GX suite."""
    named = {
        "between": ("expect_column_values_to_be_between", ["min_value", "max_value"]),
        "in_set": ("expect_column_values_to_be_in_set", ["value_set"]),
        "regex": ("expect_column_values_to_match_regex", ["regex"]),
    }
    expectations = list[dict[str, Any]]()
    for column in columns:
        for rule, value in column.rule.items():
            kind, names = named[rule]
            values = value if rule == "between" else [value]
            arguments = dict(zip(names, values, strict=True))
            expectations.append({"type": kind, "kwargs": {"column": column.name, **arguments}})
    path.write_text(json.dumps({"name": "rules", "expectations": expectations}), "utf-8")
    return path


def first_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """Read the first rows of a Parquet file."""
    batches = pq.ParquetFile(path).iter_batches(count)
    return next(islice(batches, 1)).to_pylist()
