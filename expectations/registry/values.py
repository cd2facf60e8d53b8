"""The profile of learned values beside a model: ``signature_gate/values.json`` in its artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..credentials import unmasked
from ..errors import Misuse
from ..stores.downloads import brief_download
from ..values.profile import ValueProfile
from .connection import ask_registry
from .contract_cache import forget_contract
from .local import VALUES, local_path, read_values, resolve_local_model
from .resolve import resolve_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ..contract.model_version import ModelVersion


def log_values(profile: ValueProfile, model: Any, *, replace: bool = False) -> str:
    """Store a profile beside a model; return where, without credentials."""
    uri = str(getattr(model, "model_uri", model))
    path = local_path(uri)
    if path is not None:
        # A suite names the model that it was made from.
        uri = resolve_local_model(uri, path).pinned
        path = local_path(uri)
    if path is not None:
        if not replace:
            refuse_second(read_values(path), uri)
        (path / VALUES).parent.mkdir(exist_ok=True)
        profile.save(path / VALUES)
        return str(path / VALUES)

    def store(client: MlflowClient) -> ModelVersion:
        model = resolve_uri(client, uri)
        artifacts = artifacts_at(_place_of(client, model))
        if not replace:
            refuse_second(values_at(artifacts), uri)
        with brief_download() as folder:
            file = Path(folder) / Path(VALUES).name
            profile.save(file)
            artifacts.log_artifact(str(file), str(Path(VALUES).parent))
        return model

    stored = ask_registry(uri, None, store)
    forget_contract(stored)
    return f"{VALUES} of {stored}"


def _place_of(client: MlflowClient, model: ModelVersion) -> str:
    """Return the address to which artifacts of a model can be written."""
    if model.model_id:
        return str(client.get_logged_model(model.model_id).artifact_location)
    if model.name and model.version:
        return str(client.get_model_version_download_uri(model.name, model.version))
    return unmasked(model.pinned)


def refuse_second(stored: ValueProfile | None, uri: str) -> None:
    """Raise Misuse if a model has a profile."""
    if stored is not None:
        msg = (
            f"{uri} has a profile of values already, from {stored.rows:,} rows. Keep it, or "
            "replace it by --replace (in Python: replace=True)."
        )
        raise Misuse(msg)


def values_at(artifacts: Any) -> ValueProfile | None:
    """Read the profile among a model's artifacts; None where there is none, after one request."""
    folder = str(Path(VALUES).parent)
    if VALUES not in {entry.path for entry in artifacts.list_artifacts(folder)}:
        return None
    with brief_download() as destination:
        stored = artifacts.download_artifacts(VALUES, destination)
        return ValueProfile.parse(Path(stored).read_bytes(), f"{artifacts.artifact_uri}/{VALUES}")


def artifacts_at(location: str) -> Any:
    """Open the artifacts of a model; even to open them may take a request."""
    # Not mlflow.artifacts: it takes `#` and `@` in the names of registered models for marks.
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(location)
