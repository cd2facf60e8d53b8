"""Rows appended to an Iceberg table once: a snapshot notes in its summary what it has added.

Pyiceberg repeats a commit that lost a race, so that two writers of the same rows would both land.
Here it may not: who loses looks for the note again. A note lasts as long as its snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...expectations.errors import needs_extra

if TYPE_CHECKING:
    from ...expectations.stores.scored_table import ScoredTable
    from .appended import Appended

_RACES = 20
_NOTE = "signature-gate.batch"
_ONE_TRY = {"commit.retry.num-retries": "0"}


def to_iceberg(table: ScoredTable, appended: Appended) -> bool:
    """Append rows in one snapshot, unless one has the note; return whether they were appended."""
    with needs_extra("iceberg"):
        from pyiceberg.exceptions import CommitFailedException
    for _ in range(_RACES):
        iceberg = _opened(table, appended)
        snapshots = iceberg.metadata.snapshots
        if any(s.summary and s.summary.get(_NOTE) == appended.key for s in snapshots):
            return False
        iceberg.metadata.properties.update(_ONE_TRY)
        with appended.rows(iceberg.schema().as_arrow()) as rows:
            appended.passed("rows written")
            # Pyiceberg writes partitions from memory alone.
            whole = rows if iceberg.spec().is_unpartitioned() else rows.read_all()
            try:
                iceberg.append(whole, snapshot_properties={_NOTE: appended.key})
            except CommitFailedException:
                continue
        appended.passed("rows committed")
        return True
    msg = f"{_RACES} others wrote first"
    raise TimeoutError(msg)


def _opened(table: ScoredTable, appended: Appended) -> Any:
    """Open the table with all columns of the rows; what is missing is made."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.utils.config import Config

    properties: Any = Config().get_catalog_config(table.place) or {}
    catalog = load_catalog(table.place, **properties)
    with appended.rows() as rows:
        catalog.create_namespace_if_not_exists(table.name.rpartition(".")[0])
        opened: Any = catalog.create_table_if_not_exists(table.name, rows.schema)
        if not set(rows.schema.names) <= set(opened.schema().column_names):
            with opened.update_schema() as update:
                update.union_by_name(rows.schema)
    return opened
