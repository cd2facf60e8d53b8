"""From a model's URI to its contract, its example and the model; only here mlflow is imported."""

from __future__ import annotations

import re
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..documents import parse_yaml
from ..errors import (
    ContractChanged,
    ModelFailed,
    ModelNotFound,
    NoContract,
    RegistryUnavailable,
)
from ..preflight.example_batch import Example
from .downloads import brief_download, new_download
from .local import MLMODEL, load_local_contract, local_path, parse_mlmodel, resolve_local_model
from .resolve import FORMS, resolve_uri, translate_not_found
from .retry import (
    LIMIT,
    DeadlineExceeded,
    call_within,
    described,
    fetch,
    masked,
    mlflow_silenced,
    resolve_timeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

    from ..contract.contract import Contract
    from ..contract.model_version import ModelVersion

Answer = TypeVar("Answer")

# A local database; not one in memory, nor a name that may be escaped.
_DATABASE = re.compile(r"sqlite:///((?!:memory:|file:)[^?%]+)(?:\?|$)")

# MLflow's codes for what no further attempt would mend.
_REFUSED = {
    "CUSTOMER_UNAUTHORIZED",
    "ENDPOINT_NOT_FOUND",
    "FEATURE_DISABLED",
    "NOT_IMPLEMENTED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
}


def resolve(uri: str, timeout: float | None = None) -> ModelVersion:
    """Tell the version that an alias, ``latest`` or a run's path means now."""
    path = local_path(uri)
    if path is not None:
        return resolve_local_model(uri, path)
    return _ask_registry(uri, timeout, lambda client: resolve_uri(client, uri))


def load_contract(uri: str, timeout: float | None = None) -> Contract:
    """Read the contract of a model from its ``MLmodel`` file alone, as ``Contract.load`` states."""
    path = local_path(uri)
    if path is not None:
        return load_local_contract(uri, path)

    def question(client: MlflowClient) -> Contract:
        model = resolve_uri(client, uri)
        return parse_mlmodel(_mlmodel(client, model), model)

    return _ask_registry(uri, timeout, question)


def load_example(model: ModelVersion, timeout: float | None = None) -> Example | None:
    """Read the input example that a model was logged with, if any; never the model itself."""
    path = local_path(model.pinned)
    if path is not None:
        return _example((path / MLMODEL).read_bytes(), model)
    return _ask_registry(model.uri, timeout, lambda c: _example(_mlmodel(c, model), model))


def registry_address(timeout: float | None = None) -> str:
    """Return the address of the registry, without credentials, once it has answered."""
    _ask_registry(
        "models:/", timeout, lambda client: client.search_registered_models(max_results=1)
    )
    return _registry_in_use()


def load_model(model: ModelVersion, fingerprint: str, timeout: float | None = None) -> Any:
    """Load the model with ``mlflow.pyfunc``, if its contract still has this fingerprint.

    Registered versions can be altered, so what is compared and what is loaded are the same files.
    The timeout is for the registry's first answer; the download may take longer.

    Raises:
        ContractChanged: The version's signature has another fingerprint by now.
        ModelFailed: Its code cannot be loaded: a package is missing, or a file is damaged.
        ModelNotFound: The version was removed.
        RegistryUnavailable: No answer within the timeout, or the download broke off.
    """
    resolve(model.pinned, timeout)
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
    weakref.finalize(loaded, download.discard)
    return loaded


def _loaded(folder: Path, model: ModelVersion, fingerprint: str) -> Any:
    _refuse_changed(folder, model, fingerprint)
    import mlflow.pyfunc

    try:
        with mlflow_silenced:
            return mlflow.pyfunc.load_model(str(folder))
    except Exception as error:
        msg = (
            f"{model} cannot be loaded: {described(error)}. Install what its requirements.txt "
            "lists into this environment, or log the model again."
        )
        raise ModelFailed(msg) from error


def _refuse_changed(folder: Path, model: ModelVersion, fingerprint: str) -> None:
    try:
        found = load_local_contract(str(folder), folder).fingerprint
    except NoContract as error:
        found = f"none, for {error.reason}"
    if found != fingerprint:
        msg = (
            f"the signature of {model} is no longer the one that judged: its fingerprint was "
            f"{fingerprint} and now is {found}. Judge the batch again."
        )
        raise ContractChanged(msg)


def _downloaded(model: ModelVersion, destination: str, limit: float) -> Path:
    from mlflow.artifacts import download_artifacts

    try:
        return Path(fetch(lambda: download_artifacts(model.pinned, dst_path=destination), limit))
    except DeadlineExceeded as silence:
        msg = (
            f"the download of {model} broke off: {described(silence.last)}. Check the artifact "
            f"store behind {_registry_in_use()}."
        )
    raise RegistryUnavailable(msg)


def _mlmodel(client: MlflowClient, model: ModelVersion) -> bytes:
    import mlflow.artifacts

    # MLflow takes models:/m-…/MLmodel for a registered model and a stage.
    is_registered = model.version or not model.model_id
    folder = model.pinned if is_registered else _location(client, model)
    missing = f"{model.uri}: the artifact store has no MLmodel file for {model}."
    with (
        brief_download() as destination,
        translate_not_found(lambda: f"{missing} Restore it, or log the model again."),
    ):
        file = mlflow.artifacts.download_artifacts(f"{folder}/{MLMODEL}", dst_path=destination)
        return Path(file).read_bytes()


def _location(client: MlflowClient, model: ModelVersion) -> str:
    return str(client.get_logged_model(str(model.model_id)).artifact_location)


def _example(mlmodel: bytes, model: ModelVersion) -> Example | None:
    from mlflow.models import Model

    stated = parse_yaml(mlmodel)
    # Where it knows a signature, MLflow's loader casts the example by it.
    meta = Model.from_dict({key: stated[key] for key in stated if key != "signature"})
    if meta.saved_input_example_info is None:
        return None
    with translate_not_found(
        lambda: f"{model} lacks the input example that its MLmodel file names."
    ):
        data = meta.load_input_example(model.pinned)
        return Example(data, meta.load_input_example_params(model.pinned))


def _ask_registry(
    uri: str, timeout: float | None, question: Callable[[MlflowClient], Answer]
) -> Answer:
    limit = resolve_timeout(timeout)
    # MLflow's import takes seconds that are not the registry's.
    from mlflow import MlflowClient

    _refuse_unknown_scheme(uri)
    _refuse_absent_database(uri)
    try:
        return call_within(lambda: question(MlflowClient()), limit, _is_permanent)
    except ModelNotFound as absence:
        msg = f"{absence} The registry is {_registry_in_use()}, which MLFLOW_TRACKING_URI sets."
        raise ModelNotFound(msg) from None
    except DeadlineExceeded as silence:
        times = "once" if silence.attempts == 1 else f"{silence.attempts} times"
        msg = (
            f"{uri}: no usable answer from {_registry_in_use()}, asked {times} in "
            f"{silence.seconds:.1f} s of {limit:g} s. Last error: {described(silence.last)}. "
            "Check MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI, the credentials, and that the "
            f"server is up; a slow one needs a longer {LIMIT}."
        )
    # Not `from silence`: a printed chain would show what `described` masks.
    raise RegistryUnavailable(msg)


def _is_permanent(error: Exception) -> bool:
    return isinstance(error, ImportError) or getattr(error, "error_code", None) in _REFUSED


def _refuse_unknown_scheme(uri: str) -> None:
    from mlflow.store.artifact import artifact_repository_registry as repositories

    scheme = uri.partition(":")[0]
    if scheme not in repositories.get_registered_artifact_repositories():
        msg = f"{uri}: MLflow reads no {scheme}: URIs. {FORMS}"
        raise ModelNotFound(msg)


def _refuse_absent_database(uri: str) -> None:
    import mlflow

    # MLflow would create an empty one where the command happens to run.
    for registry in {mlflow.get_tracking_uri(), mlflow.get_registry_uri()}:
        database = _DATABASE.match(str(registry))
        if database and not Path(database[1]).exists():
            msg = (
                f"{uri}: there is no registry: {registry} does not exist. Set MLFLOW_TRACKING_URI "
                "to the one that holds the model."
            )
            raise RegistryUnavailable(msg)


def _registry_in_use() -> str:
    import mlflow

    tracking, registry = str(mlflow.get_tracking_uri()), str(mlflow.get_registry_uri())
    in_use = registry if registry == tracking else f"{registry} (tracking: {tracking})"
    return masked(in_use)
