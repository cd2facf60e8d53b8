"""The two sides of a comparison: contracts, wherever they are kept, and schemas of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from ..batch.batch import UnreadableError
from ..batch.formats import format_of
from ..contract.contract import Contract
from ..contract.invalid_fields import describe_invalid
from ..contract.policy import Policy
from ..documents import DocumentError, read_json
from ..errors import Misuse, UnsupportedBatch
from ..readers.open import open_path
from ..registry.local import MLMODEL, local_path
from ..verdict.verdict import BatchInfo

if TYPE_CHECKING:
    from pathlib import Path

# A batch is opened for a contract; where no side has one, for this one, which needs no column.
_NO_COLUMNS = '[{"type": "any", "name": "any", "required": false}]'


def read_comparands(
    before: str, after: str, policy: Policy | None = None, timeout: float | None = None
) -> tuple[Contract | BatchInfo, Contract | BatchInfo]:
    """Read the two sides of a comparison.

    Each is a model URI, an MLmodel folder or a suite JSON, for a contract; or a verdict or receipt
    JSON, or a file or folder with a batch, for the schema in which the batch arrived.
    """
    sources = [_recorded(text) or _batch(text) or text for text in (before, after)]
    sides = [Contract.load(s, timeout=timeout) if isinstance(s, str) else s for s in sources]
    known = next((side for side in sides if isinstance(side, Contract)), None)
    contract = known or Contract.from_signature({"inputs": _NO_COLUMNS})
    first, second = (
        side if isinstance(side, Contract | BatchInfo) else _schema_of(side, contract, policy)
        for side in sides
    )
    return first, second


def _file(text: str) -> Path | None:
    path = local_path(text)
    return path if path and path.is_file() and path.name != MLMODEL else None


def _batch(text: str) -> Path | None:
    file = _file(text)
    if file and file.suffix == ".json" and _json(file) is not None:
        return None  # one JSON object is a suite; JSON lines hold several
    return file if file and format_of(file) else _folder(text)


def _folder(text: str) -> Path | None:
    path = local_path(text)
    if path is None or not path.is_dir() or any(path.rglob(MLMODEL)):
        return None
    return path if any(format_of(file) for file in path.rglob("*")) else None


def _recorded(text: str) -> BatchInfo | None:
    path = _file(text)
    document = _json(path) if path and path.suffix == ".json" else None
    if not document or "batch" not in document:
        return None
    try:
        return BatchInfo.model_validate(document["batch"])
    except ValidationError as error:
        raise Misuse(describe_invalid(error, f"`batch` of {text}", BatchInfo)) from error


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = read_json(path)
    except DocumentError:
        return None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else None


def _schema_of(path: Path, contract: Contract, policy: Policy | None) -> BatchInfo:
    try:
        opened = open_path(path, contract, policy or contract.policy or Policy())
    except UnreadableError as error:
        raise _unreadable(path, error) from error
    for name, error in opened.unreadable:
        raise _unreadable(path / name, error)
    return opened.info


def _unreadable(path: Path, error: UnreadableError) -> UnsupportedBatch:
    return UnsupportedBatch(f"cannot read the schema of {path}: {error}. {error.remedy}")
