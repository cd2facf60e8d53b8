"""Contracts on disk: an MLmodel folder, or a suite that signature-gate wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from ..contract.contract import Contract
from ..contract.invalid_fields import describe_invalid
from ..contract.model_version import ModelVersion
from ..documents import DocumentError, parse_json, parse_yaml, read_bytes
from ..errors import ContractChanged, Misuse, ModelNotFound, NoContract
from ..suite import META, from_suite
from ..values.profile import ValueProfile

MLMODEL = "MLmodel"
# Where a model's learned values lie among its artifacts.
VALUES = "signature_gate/values.json"

# MLflow keeps this flag beside the signature that it makes void.
_TYPE_HINT = "is_signature_from_type_hint"
_NAME_AND_VERSION = re.compile(r"[^/:]+(?:@[^/:@]+|/\d+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_RELOG = "Log the model again with `mlflow.<flavor>.log_model(…, signature=…)`."
_MAKE_SUITE = "Make one with `signature-gate contract MODEL --out FILE`."


class ContractOrigin(BaseModel):
    """What ``meta.signature_gate`` of a suite must say for the suite to be a contract."""

    model_config = ConfigDict(frozen=True)

    model: ModelVersion | None = None
    signature: dict[str, str | None]
    fingerprint: str
    values: ValueProfile | None = None


def local_path(uri: str) -> Path | None:
    """Tell the path that a model URI means, or None if it has another scheme than ``file``."""
    if not _SCHEME.match(uri):
        return Path(uri).expanduser()
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def load_local_contract(uri: str, path: Path, *, with_values: bool = True) -> Contract:
    """Read a contract from a folder with an ``MLmodel`` file, that file, or a suite JSON.

    That of a folder is pinned to the folder's absolute path.
    """
    if _is_suite(path):
        return _suite_contract(path)
    file = _mlmodel_in(uri, path)
    contract = parse_mlmodel(_bytes(file), resolve_local_model(uri, path))
    return replace(contract, values=read_values(file.parent) if with_values else None)


def read_values(folder: Path) -> ValueProfile | None:
    """Read the profile of values in a model's folder, if there is one."""
    file = folder / VALUES
    return ValueProfile.load(file) if file.exists() else None


def resolve_local_model(uri: str, path: Path) -> ModelVersion:
    """Tell which model a path means, whatever its signature is."""
    if not _is_suite(path):
        return ModelVersion(uri=uri, pinned=str(_mlmodel_in(uri, path).parent.resolve()))
    model = _suite_contract(path).model
    if model is None:
        msg = f"{uri} was made from a bare signature and names no model. Name the model itself."
        raise ModelNotFound(msg)
    return model


def parse_mlmodel(text: bytes, model: ModelVersion) -> Contract:
    """Read the contract from the YAML of an ``MLmodel`` file; broken YAML raises NoContract."""
    mlmodel = _mapping(_yaml(text, model), "its MLmodel file holds no mapping", model)
    signature = mlmodel.get("signature")
    if signature is not None:
        signature = _mapping(signature, "the signature in its MLmodel is no mapping", model)
        signature = {**signature, _TYPE_HINT: mlmodel.get(_TYPE_HINT)}
    model_id = model.model_id or mlmodel.get("model_id")
    return Contract.from_signature(signature, model.model_copy(update={"model_id": model_id}))


def _yaml(text: bytes, model: ModelVersion) -> Any:
    try:
        return parse_yaml(text)
    except DocumentError as error:
        reason = f"its MLmodel file is not YAML ({' '.join(str(error).split())})"
        raise NoContract(reason, _RELOG, str(model)) from error


def _mapping(value: Any, complaint: str, model: ModelVersion) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NoContract(complaint, _RELOG, str(model))
    return cast("dict[str, Any]", value)


def _is_suite(path: Path) -> bool:
    return path.is_file() and path.name != MLMODEL


def _mlmodel_in(uri: str, path: Path) -> Path:
    file = path if path.is_file() else path / MLMODEL
    if file.is_file():
        return file
    if not path.exists():
        msg = f"there is no file or folder {uri}. {_meant(uri, path)}"
        raise ModelNotFound(msg)
    below = sorted(str(file.parent) for file in path.glob(f"*/{MLMODEL}"))
    hint = f"Did you mean {' or '.join(below[:3])}?" if below else "Name the folder that has one."
    msg = f"the folder {uri} has no MLmodel file. {hint}"
    raise ModelNotFound(msg)


def _meant(uri: str, path: Path) -> str:
    if _NAME_AND_VERSION.fullmatch(uri):
        return f"Did you mean models:/{uri}?"
    return (
        "A model is a folder with an MLmodel file, a suite JSON, or a URI such as "
        f"models:/{path.name}@champion."
    )


def _suite_contract(path: Path) -> Contract:
    suite = _suite(path)
    stated = suite["meta"][META]["fingerprint"]
    contract = from_suite(suite, str(path))
    if contract.fingerprint != stated:
        msg = (
            f"the suite {path} was made from a signature with the fingerprint {stated}, and the "
            f"one in it has {contract.fingerprint}: it was edited. {_MAKE_SUITE}"
        )
        raise ContractChanged(msg)
    return contract


def _suite(path: Path) -> dict[str, Any]:
    try:
        suite = parse_json(_bytes(path))
        origin = suite["meta"][META]
    except DocumentError as error:
        msg = f"{path} is neither an MLmodel file nor a suite: {error}. {_MAKE_SUITE}"
        raise Misuse(msg) from error
    except (KeyError, TypeError) as error:
        msg = f"{path} is no suite of signature-gate: it has no `meta.{META}`. {_MAKE_SUITE}"
        raise Misuse(msg) from error
    try:
        ContractOrigin.model_validate(origin)
    except ValidationError as error:
        raise Misuse(describe_invalid(error, f"`meta.{META}` of {path}", ContractOrigin)) from error
    return suite


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except DocumentError as error:
        msg = f"cannot read {path}: {error}."
        raise Misuse(msg) from error
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}."
        raise Misuse(msg) from error
