"""standards.md does what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
from page_commands import follow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["page_commands", "page_workplace"]


def test_a_contract_is_written_for_other_tools_and_read_back(
    workplace: Path, execute: Callable[..., str]
) -> None:
    """standards.md: the documents are valid, and the batch passes by the one of ODCS."""
    printed = follow("how-to/standards.md", execute)

    assert "passed  2013-07-12.csv" in printed
    duckdb.connect().execute((workplace / "flights.sql").read_text("utf-8"))
    schema = json.loads((workplace / "flights.schema.json").read_text("utf-8"))
    assert schema["title"] == "flights"
