"""What tests of tables share.

- ``lake``: an Iceberg catalog of its own, found as pyiceberg finds one: by the environment.
- ``opened``: the data files that were opened, each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from signature_gate.expectations.readers import parquet
from signature_gate.expectations.readers.tables import live_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.catalog.sql import SqlCatalog


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlCatalog]:
    """The catalog ``lake``, with the namespace ``sales``."""
    from pyiceberg.catalog.sql import SqlCatalog

    place = {"uri": f"sqlite:///{tmp_path}/lake.db", "warehouse": f"file://{tmp_path}/warehouse"}
    for key, value in {"type": "sql", **place}.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__LAKE__{key.upper()}", value)
    catalog = SqlCatalog("lake", **place)
    catalog.create_namespace("sales")
    yield catalog
    catalog.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The data files that were opened, each time."""
    found: list[Path] = []

    def open_parquet(path: Path) -> Any:
        found.append(path)
        return parquet.open_parquet(path)

    monkeypatch.setattr(live_file, "open_parquet", open_parquet)
    return found
