"""From anything that the gate reads to an open batch."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlparse

import numpy as np
import pyarrow as pa

from ..batch.arrow_compat import without_metadata
from ..batch.arrow_types import type_name
from ..batch.batch import Batch, OpenedBatch, file_facts
from ..batch.formats import format_of
from ..contract.contract import Contract
from ..contract.policy import Policy
from ..credentials import mask_uri
from ..errors import UnsupportedBatch
from ..stores.objects import is_object_url
from ..verdict.verdict import BatchInfo
from .file import DELTA_LOG, is_folder, open_file
from .sql.query import Query, is_database

if TYPE_CHECKING:
    from ..contract.contract import Contract
    from ..contract.policy import Policy

_TABLES = ("delta://", "iceberg://")


def open_batch(batch: Any, contract: Contract, policy: Policy) -> OpenedBatch:
    """Open a batch of any kind that the gate reads: its schema, and rows only where they must be.

    Args:
        batch: A path or URL (``file://``, ``s3://``, ``gs://``, ``az://``) of a file or of a folder
            of files, the URI of a table, a ``Query``, a pandas, Polars or Arrow frame, an ndarray,
            or a dictionary of ndarrays; or one that is open already.
        contract: Says how a bare array is to be named, and what cells of objects are to become.
        policy: Says how files are written, and how text is understood.
    """
    if isinstance(batch, OpenedBatch):
        return batch
    if isinstance(batch, Query):
        from .sql.spool import open_query

        return _with_schema(_alone(open_query(batch, policy)))
    if isinstance(batch, str) and batch.startswith(_TABLES):
        from .tables.location import open_table

        return _with_schema(open_table(batch))
    if isinstance(batch, str) and is_object_url(batch):
        from .objects import open_object

        return _with_schema(open_object(batch, contract, policy))
    if isinstance(batch, str | Path):
        return _with_schema(open_path(local_path(batch), contract, policy))
    if _is_array(batch):
        from ..readers.numpy_arrays import open_arrays

        return _alone(open_arrays(batch, contract))
    from ..readers.frames import open_frame

    return _with_schema(_alone(open_frame(batch, contract, policy)))


def _with_schema(opened: OpenedBatch) -> OpenedBatch:
    """Record the Arrow types of what arrived; columns that files type differently have none.

    Names and metadata stay out: they may be values, and would make receipts large.
    """
    types = {(f.name, type_name(f.type)): f.type for file in opened.files for f in file.schema}
    arrived = (types.get(column, pa.null()) for column in opened.info.columns)
    fields = [pa.field("", without_metadata(kind)) for kind in arrived]
    schema = b64encode(pa.schema(fields).serialize()).decode()
    return opened._replace(info=opened.info.model_copy(update={"arrow_schema": schema}))


def _alone(batch: Batch) -> OpenedBatch:
    return OpenedBatch(batch.info, (batch,))


def _is_array(batch: Any) -> bool:
    if isinstance(batch, dict):
        return all(isinstance(value, np.ndarray) for value in cast("Any", batch).values())
    return isinstance(batch, np.ndarray)


def describe_batch(batch: Any) -> BatchInfo:
    """Say what can be said of a batch that could not be opened."""
    if isinstance(batch, Query):
        from .sql.spool import describe_query

        return describe_query(batch)
    if not isinstance(batch, str | Path):
        return BatchInfo(name=type(batch).__name__, format=type(batch).__module__.split(".")[0])
    if isinstance(batch, str) and batch.startswith(_TABLES):
        scheme, _, name = batch.partition("://")
        return BatchInfo(name=name, format=scheme, uri=batch)
    if is_object_url(str(batch)):
        name = str(batch).rstrip("/").rpartition("/")[2]
        return BatchInfo(name=name, format=format_of(Path(name)) or "unknown", uri=str(batch))
    path = local_path(batch)
    written_as = "folder" if path.is_dir() else format_of(path) or path.suffix.lstrip(".")
    return file_facts(path, written_as, pa.schema([]))


def local_path(batch: str | Path) -> Path:
    """Turn a path or a ``file://`` URL into a path."""
    text = str(batch)
    if text.startswith("file://"):
        return Path(unquote(urlparse(text).path))
    if is_database(text):
        msg = f"{mask_uri(text)} needs a query: signature_gate.Query(url, sql), or --query SQL."
        raise UnsupportedBatch(msg)
    if "://" in text:
        scheme = text.split("://", 1)[0]
        msg = f"cannot read {scheme}:// batches; bring the file to a local path first."
        raise UnsupportedBatch(msg)
    return Path(batch)


def open_path(path: Path, contract: Contract, policy: Policy) -> OpenedBatch:
    """Open a file or a folder of files; what is raised is as of ``open_file``."""
    if is_folder(path):
        if (path / DELTA_LOG).is_dir():
            from .tables.location import open_delta_folder

            return open_delta_folder(path)
        from .folder import open_folder

        return open_folder(path, contract, policy)
    opened = open_file(path, contract, policy)
    return OpenedBatch(opened.info, (opened,))
