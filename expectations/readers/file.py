"""Open what lies on disk: a folder as one batch, a file by its format."""

from __future__ import annotations

from errno import ENAMETOOLONG
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.batch import in_unicode
from ..batch.formats import endings, foreign_data, format_of
from ..errors import BatchNotFound, UnsupportedBatch

if TYPE_CHECKING:
    from ..batch.batch import Batch
    from ..contract.contract import Contract
    from ..contract.policy import Format, Policy

DELTA_LOG = "_delta_log"


def open_file(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open one file by the format that its name, the policy, or its first bytes tell."""
    if not path.exists():
        raise _not_found(path)
    if not path.is_file():
        # Pipes have readers wait for ever, and some devices never end.
        msg = f"cannot read {path} as a batch: it is a pipe, a socket or a device. Deliver a file."
        raise UnsupportedBatch(msg)
    if (in_utf8 := in_unicode(str(path))) != str(path):
        msg = f"cannot read {in_utf8} as a batch: its name is no UTF-8. Rename it."
        raise UnsupportedBatch(msg)
    try:
        kind = format_of(path, policy.format)
        if kind is None:
            raise _unsupported(path)
        return _opened(kind, path, contract, policy)
    except FileNotFoundError as error:
        raise _not_found(path) from error


def _not_found(path: Path) -> BatchNotFound:
    msg = f"no such batch: {path}. Check the path; relative ones start at {Path.cwd()}."
    return BatchNotFound(msg)


def _unsupported(path: Path) -> UnsupportedBatch:
    if what := foreign_data(path):
        msg = f"cannot read {path} as a batch: it is {what}; the gate reads {endings()}."
        return UnsupportedBatch(msg)
    msg = f"cannot read {path} as a batch: its name ends in none of {endings()}. "
    return UnsupportedBatch(f"{msg}Rename it, or name its format by policy format.")


def _opened(kind: Format, path: Path, contract: Contract, policy: Policy) -> Batch:
    # Imported by need: a command that judges one file would wait for the readers of all formats.
    match kind:
        case "parquet":
            from .parquet import open_parquet

            return open_parquet(path)
        case "csv":
            from .csv_reader import open_csv

            return open_csv(path, contract, policy)
        case "json lines":
            from .json_lines.reader import open_json_lines

            return open_json_lines(path, contract, policy)
        case "arrow":
            from .arrow_ipc import open_arrow

            return open_arrow(path, contract, policy)
        case "numpy":
            from .numpy_arrays import open_npy

            return open_npy(path, contract)


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that cannot be is refused."""
    try:
        return path.is_dir()
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            raise
        raise _not_found(path) from error
