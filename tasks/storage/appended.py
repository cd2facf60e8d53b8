"""Rows on their way into a table, in types that every table can hold."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

_WIDER = {"null": pa.string(), "halffloat": pa.float32()}
_ROWS = 65_536


class Appended(NamedTuple):
    """What is to be appended.

    Attributes:
        key: Names it among all that is ever appended to the table; the same in each attempt.
        file: A Parquet file with the rows.
        stamps: Text by the name of a further column.
        redact: Whether errors may not quote what a library says.
        passed: Called with each checkpoint that is reached.
    """

    key: str
    file: Path
    stamps: Mapping[str, str]
    redact: bool
    passed: Callable[[str], None]

    @contextmanager
    def rows(self, like: pa.Schema | None = None) -> Generator[pa.RecordBatchReader]:
        """Read the rows piece by piece, in the types of ``like`` where it has a column."""
        with pq.ParquetFile(self.file) as file:
            arrived = file.schema_arrow.remove_metadata()
            stamps = {name: v for name, v in self.stamps.items() if name not in arrived.names}
            for name in stamps:
                arrived = arrived.append(pa.field(name, pa.string()))
            wanted = pa.schema([_field(field, like) for field in arrived])

            def pieces() -> Iterator[pa.RecordBatch]:
                for batch in file.iter_batches(_ROWS):
                    stamped = [pa.repeat(value, batch.num_rows) for value in stamps.values()]
                    columns: Any = [*batch.columns, *stamped]
                    table = pa.Table.from_arrays(columns, names=arrived.names)
                    yield from table.cast(wanted).to_batches()

            yield pa.RecordBatchReader.from_batches(wanted, pieces())


def _field(field: pa.Field[Any], like: pa.Schema | None) -> pa.Field[Any]:
    if like is not None and field.name in like.names:
        return field.with_type(like.field(field.name).type)
    kind: Any = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    kind = _WIDER.get(str(kind), kind)
    if pa.types.is_timestamp(kind):  # what every table can hold
        kind = pa.timestamp("us", "UTC") if kind.tz else pa.timestamp("us")
    return field.with_type(kind)
