"""What tests of tables share.

- ``lake``: an Iceberg catalog of its own, found as pyiceberg finds one: by the environment.
- ``opened``: the data files that were opened, each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lakes import lake  # noqa: F401 - a fixture

from signature_gate.expectations.readers import parquet
from signature_gate.expectations.readers.tables import live_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The data files that were opened, each time."""
    found: list[Path] = []

    def open_parquet(path: Path) -> Any:
        found.append(path)
        return parquet.open_parquet(path)

    monkeypatch.setattr(live_file, "open_parquet", open_parquet)
    return found
