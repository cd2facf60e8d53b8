"""Where a table lies: ``delta://PATH@VERSION`` and ``iceberg://CATALOG/namespace.table@SNAPSHOT``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import Misuse, needs_extra

if TYPE_CHECKING:
    from pathlib import Path

    from ...batch.batch import OpenedBatch

_ICEBERG = "iceberg://CATALOG/namespace.table, or iceberg://CATALOG/namespace.table@SNAPSHOT"


def open_table(uri: str) -> OpenedBatch:
    """Open the version that a URI names, else the newest, which stays the one that is judged."""
    scheme, _, place = uri.partition("://")
    table, _, version = place.rpartition("@")
    pinned = int(version) if table and version.isdecimal() else None
    table = place if pinned is None else table
    return open_delta_folder(table, pinned) if scheme == "delta" else _iceberg(table, pinned)


def open_delta_folder(place: str | Path, version: int | None = None) -> OpenedBatch:
    """Open a Delta table by its folder, or by its URL in a bucket."""
    with needs_extra("delta"):
        from .delta import open_delta
        from .delta_folder import DeltaFolder
    return open_delta(DeltaFolder(place), version)


def _iceberg(place: str, snapshot: int | None) -> OpenedBatch:
    catalog, _, table = place.partition("/")
    if not catalog or "." not in table:
        msg = f"an Iceberg table is named by {_ICEBERG}, not by iceberg://{place}."
        raise Misuse(msg)
    with needs_extra("iceberg"):
        from .iceberg import open_iceberg
    return open_iceberg(catalog, table, snapshot)
