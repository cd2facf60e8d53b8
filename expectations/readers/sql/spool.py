"""A query's rows in a temporary file, which is then read as any file is.

A query that is run twice may answer twice: judging, splitting and scoring read the file. It lies in
the system's folder for such (``TMPDIR``), and is gone with the last object that can read it; an
idle thread of Polars may be that object until Polars runs its next query.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from ...batch.batch import Batch, UnreadableError
from ...batch.growing_parquet import GrowingParquet
from ...stores.downloads import new_download
from ...verdict.verdict import BatchInfo
from ..parquet import open_parquet
from .engines import rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from ...contract.policy import Policy
    from .query import Query


def open_query(query: Query, policy: Policy) -> Batch:
    """Run a query, and open what it gave; raises what ``rows_of`` raises."""
    place = new_download()
    try:
        file = place.folder / "rows.parquet"
        _write(file, query, redact=policy.redact)
        batch = open_parquet(file)
    except BaseException:
        place.discard()
        raise
    place.lasts_with(batch.scan)
    info = describe_query(query).model_copy(update={"columns": batch.info.columns})
    return replace(batch, info=info)


def _write(path: Path, query: Query, *, redact: bool) -> None:
    with GrowingParquet(path, {}) as file:
        for piece in rows_of(query, redact=redact):
            try:
                file.write(piece)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                observed = "a column of integers and reals, of which no one type holds all"
                remedy = "Cast it to one type in the query, as in CAST(column AS REAL)."
                raise UnreadableError(observed, remedy, quoted=str(error)) from error


def describe_query(query: Query) -> BatchInfo:
    """Say what can be said of a query before it is run."""
    uri = f"{query.place}#query={query.digest}"
    return BatchInfo(name=f"query {query.digest}", format="sql", uri=uri)
