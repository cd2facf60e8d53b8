"""Open what lies on disk: a folder as one batch, a file by the format that its name promises."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..batch.batch import in_unicode
from ..batch.formats import endings, format_of
from ..errors import BatchNotFound, UnsupportedBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..batch.batch import Batch
    from ..contract.contract import Contract
    from ..contract.policy import Policy


def open_file(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open one file by the format that its name promises."""
    if not path.exists():
        raise _nowhere(path)
    if not path.is_file():
        # Pipes have readers wait for ever, and some devices never end.
        msg = f"cannot read {path} as a batch: it is a pipe, a socket or a device. Deliver a file."
        raise UnsupportedBatch(msg)
    if (named := in_unicode(str(path))) != str(path):
        msg = f"cannot read {named} as a batch: its name is no UTF-8. Rename it."
        raise UnsupportedBatch(msg)
    kind = format_of(path)
    if kind is None:
        msg = f"cannot read {path} as a batch: its name ends in none of {endings()}."
        raise UnsupportedBatch(msg)
    try:
        return _openers(path, contract, policy)[kind]()
    except PermissionError as error:
        raise _forbidden(path, error) from error
    except FileNotFoundError as error:
        raise _nowhere(path) from error


def _nowhere(path: Path) -> BatchNotFound:
    msg = f"no such batch: {path}. Check the path; relative ones start at {Path.cwd()}."
    return BatchNotFound(msg)


def _forbidden(path: Path, error: PermissionError) -> UnsupportedBatch:
    msg = f"may not read {path}: {error.strerror}. Give this process the right to."
    return UnsupportedBatch(msg)


def _openers(path: Path, contract: Contract, policy: Policy) -> dict[str, Callable[[], Batch]]:
    from .arrow_ipc import open_arrow
    from .csv_reader import open_csv
    from .json_lines import open_json_lines
    from .numpy_arrays import open_npy
    from .parquet import open_parquet

    return {
        "parquet": partial(open_parquet, path),
        "csv": partial(open_csv, path, policy.csv),
        "json lines": partial(open_json_lines, path, contract, policy),
        "arrow": partial(open_arrow, path, contract, policy),
        "numpy": partial(open_npy, path, contract),
    }


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; one that nobody may look at or that cannot be is refused."""
    try:
        return path.is_dir()
    except PermissionError as error:
        raise _forbidden(path, error) from error
    except OSError as error:  # a name that no file can have
        raise _nowhere(path) from error
