"""Contracts of numbered versions, kept for a day, so that ``check`` need not load MLflow.

To MLflow registered versions are read-only, yet their files can be replaced. So a kept one only
judges: whatever scores reads the version itself, and what is read takes its place.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.contract import Contract
from ..documents import staged
from ..errors import NoContract
from .local import ContractOrigin

if TYPE_CHECKING:
    from ..contract.model_version import ModelVersion

_LASTS = 86_400  # seconds
# What tells registries apart; setting the first two in a process sets them here.
_ADDRESS = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_WORKSPACE", "DATABRICKS_HOST")


def kept_contract(uri: str) -> Contract | None:
    """Find the contract of a version that a URI names by its number, if it was read lately."""
    with suppress(OSError, ValueError, NoContract):
        file, state = _named(uri)
        was, _, text = file.read_text("utf-8").partition("\n")
        kept = ContractOrigin.model_validate_json(text)
        model = kept.model and kept.model.model_copy(update={"uri": uri})
        contract = replace(Contract.from_signature(kept.signature, model), values=kept.values)
        is_new = was == state and time.time() - file.stat().st_mtime < _LASTS
        return contract if is_new and contract.fingerprint == kept.fingerprint else None
    return None


def forget_contract(model: ModelVersion) -> None:
    """Read the contracts of all versions with a model's files anew the next time."""
    # A model that is named by its id may be registered under several names.
    words = (model.model_id or model.pinned).encode()
    with suppress(OSError):
        for file in _home().iterdir():
            if words in file.read_bytes():
                file.unlink(missing_ok=True)


def keep_contract(contract: Contract) -> None:
    """Keep what was read of a registered version, if there is a place for it."""
    model = contract.model
    origin = ContractOrigin(
        model=model,
        signature=contract.signature,
        fingerprint=contract.fingerprint,
        values=contract.values,
    )
    with suppress(OSError):
        file, state = _place((model and model.name) or "", (model and model.version) or "")
        file.parent.mkdir(0o700, parents=True, exist_ok=True)
        with staged(file) as partial:
            partial.touch(0o600)  # so that nobody else may read it
            partial.write_text(f"{state}\n{origin.model_dump_json()}", "utf-8")


def _named(uri: str) -> tuple[Path, str]:
    scheme, _, rest = uri.partition(":")
    name, _, version = rest.strip("/").partition("/")
    return _place(name, version if scheme == "models" and version.isdecimal() else "")


def _place(name: str, version: str) -> tuple[Path, str]:
    """Return the file of a version, and the state of the registry for which it holds."""
    known = [*(os.environ.get(part, "") for part in _ADDRESS), name, version]
    if not (name and version and known[0]) or os.environ.get("SIGNATURE_GATE_CACHE") == "off":
        raise FileNotFoundError
    key = hashlib.sha256("\0".join(known).encode()).hexdigest()
    states = " ".join(_state(address) for address in known[:2])
    state = hashlib.sha256(states.encode()).hexdigest()  # addresses may hold passwords
    return _home() / f"{key}.json", state


def _home() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "signature-gate" / "contracts"


def _state(address: str) -> str:
    """Tell a registry in a file from what it was before; OSError for one in a folder."""
    if not address or ("://" in address and not address.startswith(("file:", "sqlite:"))):
        return address
    database = Path(address.removeprefix("sqlite:///"))
    found = database.stat()
    if database.is_dir():
        raise IsADirectoryError
    return f"{database.absolute()} {found.st_ino} {found.st_mtime_ns} {found.st_size}"
