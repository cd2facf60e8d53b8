"""The contract, the input example and the model behind a URI; MLflow is only imported here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..credentials import unmasked
from ..documents import parse_yaml
from ..errors import ContractChanged, ModelFailed, NoContract, RegistryUnavailable
from ..preflight.example_batch import Example
from ..stores.downloads import brief_download, new_download
from .connection import ask_registry, registry_in_use
from .contract_cache import keep_contract, kept_contract
from .local import MLMODEL, load_local_contract, local_path, parse_mlmodel, resolve_local_model
from .process_settings import mlflow_silenced
from .resolve import resolve_uri, translate_not_found
from .retry import DeadlineExceeded, describe_error, fetch, resolve_timeout
from .values import artifacts_at, values_at

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mlflow import MlflowClient
    from mlflow.models import Model

    from ..contract.contract import Contract
    from ..contract.model_version import ModelVersion


def resolve(uri: str, timeout: float | None = None) -> ModelVersion:
    """Tell the version that an alias, ``latest`` or a run's path means now."""
    path = local_path(uri)
    if path is not None:
        return resolve_local_model(uri, path)
    return ask_registry(uri, timeout, lambda client: resolve_uri(client, uri))


def load_contract(
    uri: str, timeout: float | None = None, *, or_kept: bool = False, with_values: bool = True
) -> Contract:
    """Read the contract of a model from its files alone, as ``Contract.load`` states."""
    path = local_path(uri)
    if path is not None:
        return load_local_contract(uri, path, with_values=with_values)
    if or_kept and (kept := kept_contract(uri)):
        return kept

    def question(client: MlflowClient) -> Contract:
        model = resolve_uri(client, uri)
        artifacts, mlmodel = _opened(client, model)
        contract = parse_mlmodel(mlmodel, model)
        return replace(contract, values=values_at(artifacts)) if with_values else contract

    contract = ask_registry(uri, timeout, question)
    if with_values:
        keep_contract(contract)
    return contract


def load_example(model: ModelVersion, timeout: float | None = None) -> Example | None:
    """Read the input example that a model was logged with, if any; never the model itself."""
    path = local_path(model.pinned)
    if path is not None:
        with _missing_example(model):
            return _read_example(_without_signature((path / MLMODEL).read_bytes()), str(path))
    return ask_registry(unmasked(model.pinned), timeout, lambda client: _example(client, model))


def registry_address(timeout: float | None = None) -> str:
    """Return the address of the registry, without credentials, once it has answered."""
    ask_registry("models:/", timeout, lambda client: client.search_registered_models(max_results=1))
    return registry_in_use()


def load_model(model: ModelVersion, fingerprint: str, timeout: float | None = None) -> Any:
    """Load the model with ``mlflow.pyfunc``, if its contract still has this fingerprint.

    Registered versions can be altered, so what is compared and what is loaded are the same files.
    The timeout is for the registry's first answer; the download may take longer. A download that
    breaks off raises RegistryUnavailable, code that cannot be loaded raises ModelFailed.
    """
    resolve(unmasked(model.pinned), timeout)
    folder = local_path(model.pinned)
    if folder is not None:
        return _loaded(folder, model, fingerprint)
    download = new_download()
    try:
        stored = _downloaded(model, str(download.folder), resolve_timeout(timeout))
        loaded = _loaded(stored, model, fingerprint)
    except BaseException:
        download.discard()
        raise
    download.lasts_with(loaded)
    return loaded


def _loaded(folder: Path, model: ModelVersion, fingerprint: str) -> Any:
    _refuse_changed(folder, model, fingerprint)
    import mlflow.pyfunc

    try:
        with mlflow_silenced:
            # Its check of installed packages takes a second, and its words would not be shown.
            return mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
    except Exception as error:
        msg = (
            f"{model} cannot be loaded: {describe_error(error)}. Install what its requirements.txt "
            "lists into this environment, or log the model again."
        )
        raise ModelFailed(msg) from error


def _refuse_changed(folder: Path, model: ModelVersion, fingerprint: str) -> None:
    try:
        found = load_local_contract(str(folder), folder)
        keep_contract(found.pinned_to(model))
        current = found.fingerprint
    except NoContract as error:
        current = f"none, for {error.reason}"
    if current != fingerprint:
        msg = (
            f"the signature of {model} is no longer the one that judged: its fingerprint was "
            f"{fingerprint} and now is {current}. Judge the batch again."
        )
        raise ContractChanged(msg)


def _downloaded(model: ModelVersion, destination: str, limit: float) -> Path:
    address = unmasked(model.pinned)
    try:
        return Path(fetch(lambda: artifacts_at(address).download_artifacts("", destination), limit))
    except DeadlineExceeded as error:
        msg = (
            f"the download of {model} broke off: {describe_error(error.last)}. Check the artifact "
            f"store behind {registry_in_use()}."
        )
    raise RegistryUnavailable(msg)


def _opened(client: MlflowClient, model: ModelVersion) -> tuple[Any, bytes]:
    """Open a model's artifacts, and read its ``MLmodel`` file."""
    missing = f"{model.uri}: the artifact store has no MLmodel file for {model}."
    with (
        brief_download() as destination,
        translate_not_found(lambda: f"{missing} Restore it, or log the model again."),
    ):
        artifacts = artifacts_at(location_of(client, model))
        return artifacts, Path(artifacts.download_artifacts(MLMODEL, destination)).read_bytes()


def location_of(client: MlflowClient, model: ModelVersion) -> str:
    """Return the address of a model's artifacts."""
    if model.version or not model.model_id:
        return unmasked(model.pinned)
    return str(client.get_logged_model(model.model_id).artifact_location)


def _example(client: MlflowClient, model: ModelVersion) -> Example | None:
    artifacts, mlmodel = _opened(client, model)
    meta = _without_signature(mlmodel)
    saved = meta.saved_input_example_info
    if saved is None:
        return None
    with brief_download() as destination, _missing_example(model):
        artifacts.download_artifacts(saved["artifact_path"], destination)
        return _read_example(meta, destination)


def _missing_example(model: ModelVersion) -> AbstractContextManager[None]:
    return translate_not_found(
        lambda: f"{model} lacks the input example that its MLmodel file names."
    )


def _without_signature(mlmodel: bytes) -> Model:
    from mlflow.models import Model

    stated = parse_yaml(mlmodel)
    # Where it knows a signature, MLflow's loader casts the example by it.
    return Model.from_dict({key: stated[key] for key in stated if key != "signature"})


def _read_example(meta: Model, folder: str) -> Example | None:
    if meta.saved_input_example_info is None:
        return None
    return Example(meta.load_input_example(folder), meta.load_input_example_params(folder))
