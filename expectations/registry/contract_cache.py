"""Contracts of pinned versions, kept for a day, so that ``check`` need not load MLflow.

A registered version is read-only to MLflow, yet its files and its registry can be replaced. So only
a verdict is made by a kept contract; whatever scores reads the version itself, and renews it here.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.contract import Contract
from ..errors import NoContract
from .local import ContractOrigin

if TYPE_CHECKING:
    from ..contract.model_version import ModelVersion

_SWITCH, _OFF = "SIGNATURE_GATE_CACHE", "off"
_LASTS = 86_400  # seconds
# What tells registries apart; setting the first two in a process sets them here.
_ADDRESS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_WORKSPACE", "DATABRICKS_HOST")


def kept_contract(uri: str) -> Contract | None:
    """Find the contract of a version that a URI names by its number, if it was read lately."""
    scheme, _, rest = uri.partition(":")
    name, _, version = rest.strip("/").partition("/")
    file = _file(name, version) if scheme == "models" and version.isdecimal() else None
    with suppress(OSError, ValueError, NoContract):
        if file and time.time() - file.stat().st_mtime < _LASTS:
            origin = ContractOrigin.model_validate_json(file.read_bytes())
            model = origin.model and origin.model.model_copy(update={"uri": uri})
            contract = Contract.from_signature(origin.signature, model)
            return contract if contract.fingerprint == origin.fingerprint else None
    return None


def keep_contract(contract: Contract) -> None:
    """Keep what was read of a registered version, if there is a place for it."""
    file = contract.model and _file(contract.model.name or "", contract.model.version or "")
    if not file:
        return
    origin = ContractOrigin(
        model=contract.model, signature=contract.signature, fingerprint=contract.fingerprint
    )
    with suppress(OSError):
        file.parent.mkdir(0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=file.parent)  # which nobody else may read
        with os.fdopen(handle, "w", encoding="utf-8") as text:
            text.write(origin.model_dump_json())
        Path(partial).replace(file)


def forget_contract(model: ModelVersion) -> None:
    """Drop what is kept of a version that turned out to be another."""
    if file := _file(model.name or "", model.version or ""):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _file(name: str, version: str) -> Path | None:
    known = [os.environ.get(part, "") for part in _ADDRESS]
    states = [_state(address) for address in known[:2] if address]
    if not (name and version and known[0] and all(states)) or os.environ.get(_SWITCH) == _OFF:
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256("\0".join([*known, *map(str, states), name, version]).encode())
    return home / "signature-gate" / "contracts" / f"{key.hexdigest()}.json"


def _state(address: str) -> tuple[object, ...] | None:
    """Tell a registry in one file from what it was before; None for one in a folder."""
    if not address.startswith("sqlite:///"):
        return (address,) if "://" in address and not address.startswith("file:") else None
    database = Path(address.removeprefix("sqlite:///"))
    with suppress(OSError):
        found = database.stat()
        return database.absolute(), found.st_ino, found.st_mtime_ns, found.st_size
    return None
