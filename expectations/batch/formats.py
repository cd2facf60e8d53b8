"""The files that the gate reads: tables by which every file is a batch's data, foreign, or ignored.

The ending of a name decides; where it names no format, the policy does, and then the first bytes.
What no format claims, such as checksums and manifests, is ignored. Data in formats that the gate
does not read is never ignored.
"""

from __future__ import annotations

import re
from fnmatch import translate
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..contract.policy import Format

_TEXT_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json lines",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
}
# Each of which may follow the ending of a text format.
COMPRESSIONS = (".gz", ".bz2", ".zst", ".zip")


def _all(endings: tuple[str, ...], kind: Format) -> dict[str, Format]:
    return dict.fromkeys(endings, kind)


# Ending of a file's name -> format.
FORMATS: dict[str, Format] = {
    **_all((".parquet", ".pq", ".parq", ".parquet.gzip"), "parquet"),
    **{
        ending + packed: kind
        for (ending, kind), packed in product(_TEXT_ENDINGS.items(), ("", *COMPRESSIONS))
    },
    **_all((".arrow", ".feather", ".ipc"), "arrow"),
    **_all((".npy", ".npz"), "numpy"),
}
FORMAT_NAMES: dict[Format, str] = {
    "parquet": "Parquet",
    "csv": "CSV",
    "json lines": "JSON lines",
    "arrow": "Arrow IPC",
    "numpy": ".npy or .npz",
}
# Endings that name a format unless the policy names another one.
_VAGUE = tuple(ending for ending in FORMATS if ending.startswith(".txt"))
# Files beside the data, which no format claims: not by an ending such as `.txt`, nor by the policy.
_SIDECAR_NAMES = (
    *("readme", "readme.*", "license", "license.*", "notice", "notice.*"),
    *("manifest", "manifest.json", "manifest.txt", "*[._-]manifest", "*[._-]manifest.json"),
    *("schema.json", "*[._-]schema.json", "*[._-]metadata.json"),
    *("checksums.txt", "md5sums*", "sha*sums*", "thumbs.db", "desktop.ini"),
    *("*.md5", "*.sha[0-9]*", "*.crc", "*.crc32", "*.sfv", "*.asc", "*.sig"),
    *("*.done", "*.ctl", "*.ok", "*.fin", "*.trg", "*.flag", "*.ready", "*._success"),
)
_SIDECARS = re.compile("|".join(map(translate, _SIDECAR_NAMES)))
# Ending -> the data that the gate does not read.
_FOREIGN: dict[str, str] = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb"), "an Excel workbook"),
    ".ods": "an OpenDocument sheet",
    ".avro": "an Avro file",
    ".orc": "an ORC file",
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a Python pickle"),
    **dict.fromkeys((".h5", ".hdf", ".hdf5"), "an HDF5 file"),
    **dict.fromkeys((".sas7bdat", ".xpt"), "a SAS file"),
    **dict.fromkeys((".sav", ".zsav"), "an SPSS file"),
    ".dta": "a Stata file",
    **dict.fromkeys((".rds", ".rda", ".rdata"), "an R file"),
    ".mat": "a MATLAB file",
    ".xml": "an XML file",
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb", ".mdb"), "a database"),
    **dict.fromkeys((".tfrecord", ".tfrecords"), "a TFRecord file"),
    **dict.fromkeys((".msgpack", ".bson", ".pb"), "a file of binary records"),
    ".lance": "a Lance file",
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), "an archive"),
    **dict.fromkeys((*COMPRESSIONS, ".xz", ".lz4", ".snappy", ".z"), "a compressed file"),
    **dict.fromkeys((".gpg", ".pgp", ".enc", ".encrypted", ".age"), "an encrypted file"),
}
# First bytes -> format, for files whose name does not say it.
_MAGIC: dict[bytes, Format] = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\x93NUMPY": "numpy",
    b"{": "json lines",
}


def format_of(path: Path, stated: Format | None = None) -> Format | None:
    """Name a file's format by its ending, else by its first bytes, else as the policy states it."""
    name = path.name.lower()
    if _is_sidecar(name):
        return None
    named: Format | None = next(
        (kind for ending, kind in FORMATS.items() if name.endswith(ending)), None
    )
    if stated and name.endswith(_VAGUE):
        return stated
    return named or _by_first_bytes(path) or (stated if _may_be_stated(name) else None)


def foreign_data(path: Path) -> str | None:
    """Name data in a format that the gate does not read; None for what may be no data at all."""
    name = path.name.lower()
    if _is_sidecar(name) or any(name.endswith(ending) for ending in FORMATS):
        return None
    return next((what for ending, what in _FOREIGN.items() if name.endswith(ending)), None)


def is_ignored(path: Path, stated: Format | None = None) -> bool:
    """Tell whether a file is none of a batch's data: no format claims it, read or not."""
    return format_of(path, stated) is None and foreign_data(path) is None


def endings() -> str:
    """List the endings of names that name a format."""
    plain = (ending for ending in FORMATS if not ending.endswith(COMPRESSIONS))
    return f"{', '.join(plain)}; text also with {', '.join(COMPRESSIONS)}"


def formats_in_words() -> str:
    """List the formats for a reader of a help text."""
    return ", ".join(FORMAT_NAMES.values())


def _is_sidecar(name: str) -> bool:
    return bool(_SIDECARS.match(name))


def _may_be_stated(name: str) -> bool:
    return name.endswith(COMPRESSIONS) or not any(name.endswith(ending) for ending in _FOREIGN)


def _by_first_bytes(path: Path) -> Format | None:
    """Look into a file whose name says nothing; text does only where there is no ending at all."""
    name = path.name.lower()
    if not path.is_file() or any(name.endswith(ending) for ending in _FOREIGN):
        return None
    with path.open("rb") as file:
        start = file.read(max(map(len, _MAGIC)))
    kind: Format | None = next(
        (kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None
    )
    return None if kind == "json lines" and path.suffix else kind
