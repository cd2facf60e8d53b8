"""The files that the gate reads: one table, of which every text that lists them is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Ending of a file's name -> format.
FORMATS: dict[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "json lines",
    ".jsonl.gz": "json lines",
    ".ndjson": "json lines",
    ".ndjson.gz": "json lines",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".npy": "numpy",
    ".npz": "numpy",
}
FORMAT_NAMES: dict[str, str] = {
    "parquet": "Parquet",
    "csv": "CSV",
    "json lines": "JSON lines",
    "arrow": "Arrow IPC",
    "numpy": ".npy or .npz",
}


def format_of(path: Path) -> str | None:
    """Name the format that a file's name promises; None if it promises none that the gate reads."""
    name = path.name.lower()
    return next((kind for suffix, kind in FORMATS.items() if name.endswith(suffix)), None)


def endings() -> str:
    """List the endings of names that promise a format."""
    return ", ".join(FORMATS)


def formats_in_words() -> str:
    """List the formats for a reader of a help text."""
    return ", ".join(FORMAT_NAMES.values())
