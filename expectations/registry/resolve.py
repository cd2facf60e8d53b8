"""What a registry means by a model URI at this moment, and what it has instead if it knows none.

- ``models:/name/3``, ``models:/name/latest`` and ``models:/name@alias`` become ``models:/name/3``.
- ``runs:/…/path`` becomes ``models:/m-…`` where MLflow keeps the run's model under an id.
- ``models:/m-…``, and any other URI that MLflow downloads from, stays as it is.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..contract.model_version import ModelVersion
from ..errors import ModelNotFound
from ..wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as RegisteredVersion

FORMS = (
    "Say models:/NAME/VERSION, models:/NAME@ALIAS, models:/m-ID or runs:/RUN_ID/PATH, "
    "or name a folder."
)
_SHOWN = 10
_CLOSE_ENOUGH = 60  # of the 100 that rapidfuzz gives to equal names

# MLflow's codes for what does not exist; an unknown alias is an invalid parameter.
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}
# The same from artifact stores, whose errors MLflow passes on as internal ones.
_ABSENT_FILE = re.compile(r"RESOURCE_DOES_NOT_EXIST|404 Client Error|\(404\)|NoSuchKey")


def resolve_uri(client: MlflowClient, uri: str) -> ModelVersion:
    """Ask the registry what a URI means now; files are not read.

    The text of ModelNotFound says what the registry has; its other errors are MLflow's own.
    """
    scheme, _, rest = uri.partition(":")
    name, _, tail = rest.strip("/").partition("/")
    if scheme not in {"models", "runs"}:
        return ModelVersion(uri=uri, pinned=uri.rstrip("/"))
    if scheme == "runs" and tail:
        return _of_run(client, uri, name, tail)
    if scheme == "models" and tail and "/" not in tail:
        return _of_version(client, uri, name, tail)
    if scheme == "models" and "@" in name and not tail:
        return _of_alias(client, uri, name)
    if scheme == "models" and name.startswith("m-") and not tail:
        return _of_logged_model(client, uri, name)
    offer = _offer(client, name) if scheme == "models" and name else ""
    msg = f"{uri} names no version of a model. {FORMS} {offer}".rstrip()
    raise ModelNotFound(msg)


@contextmanager
def translate_not_found(message: Callable[[], str]) -> Generator[None]:
    """Turn MLflow's "does not exist" into ``ModelNotFound``.

    The message is asked for when it is needed, as it may ask the registry what there is.
    """
    try:
        yield
    except Exception as error:
        if getattr(error, "error_code", None) not in _ABSENT and not _ABSENT_FILE.search(
            str(error)
        ):
            raise
        raise ModelNotFound(message()) from None


def _of_version(client: MlflowClient, uri: str, name: str, wanted: str) -> ModelVersion:
    with translate_not_found(lambda: f"{uri}: there is no such version. {_offer(client, name)}"):
        if wanted.isdecimal():
            return _registered(uri, client.get_model_version(name, wanted))
        newest = client.get_registered_model(name).latest_versions or []
    # The newest of each stage: MLflow deprecates stages and resolves them still.
    staged = [v for v in newest if wanted.lower() in {"latest", str(v.current_stage).lower()}]
    if not staged:
        msg = f"{uri}: there is no version {wanted!r}. {_offer(client, name)}"
        raise ModelNotFound(msg)
    return _registered(uri, max(staged, key=lambda version: int(version.version)))


def _of_alias(client: MlflowClient, uri: str, name_and_alias: str) -> ModelVersion:
    name, _, alias = name_and_alias.rpartition("@")
    with translate_not_found(lambda: f"{uri}: there is no such alias. {_offer(client, name)}"):
        return _registered(uri, client.get_model_version_by_alias(name, alias))


def _registered(uri: str, registered: RegisteredVersion) -> ModelVersion:
    # Where the store leaves the id out, the source says it.
    source = str(registered.source or "")
    logged = source.removeprefix("models:/") if source.startswith("models:/m-") else None
    return ModelVersion(
        uri=uri,
        pinned=f"models:/{registered.name}/{registered.version}",
        name=registered.name,
        version=str(registered.version),
        model_id=registered.model_id or logged,
    )


def _of_logged_model(client: MlflowClient, uri: str, model_id: str) -> ModelVersion:
    with translate_not_found(lambda: f"{uri}: there is no logged model of that id."):
        client.get_logged_model(model_id)
    return ModelVersion(uri=uri, pinned=f"models:/{model_id}", model_id=model_id)


def _of_run(client: MlflowClient, uri: str, run_id: str, path: str) -> ModelVersion:
    with translate_not_found(lambda: f"{uri}: there is no run {run_id!r}."):
        experiment = client.get_run(run_id).info.experiment_id
    logged = {
        model.name: model.model_id
        for model in reversed(
            client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
        )
    }
    if model_id := logged.get(path):
        return ModelVersion(uri=uri, pinned=f"models:/{model_id}", model_id=model_id)
    # Before MLflow 3 a model was a folder among the run's artifacts.
    if f"{path}/MLmodel" in {file.path for file in client.list_artifacts(run_id, path)}:
        return ModelVersion(uri=uri, pinned=f"runs:/{run_id}/{path}")
    folders = {file.path for file in client.list_artifacts(run_id) if file.is_dir}
    msg = f"{uri}: the run has no model {path!r}. {_listing('It has', {*logged, *folders})}"
    raise ModelNotFound(msg)


def _offer(client: MlflowClient, name: str) -> str:
    try:
        with translate_not_found(lambda: _offer_names(client, name)):
            model = client.get_registered_model(name)
    except ModelNotFound as unknown:
        return str(unknown)
    newest = client.search_model_versions(f"name={name!r}", max_results=_SHOWN)
    versions = sorted((int(version.version) for version in newest), reverse=True)
    aliases = sorted(f"the alias @{alias} ({of})" for alias, of in dict(model.aliases).items())
    return _listing(f"{name!r} has", [*aliases, *(f"version {v}" for v in versions)])


def _offer_names(client: MlflowClient, name: str) -> str:
    from rapidfuzz import process, utils

    names = [model.name for model in client.search_registered_models(max_results=1000)]
    close = process.extract(
        name, names, processor=utils.default_process, limit=3, score_cutoff=_CLOSE_ENOUGH
    )
    if close:
        meant = " or ".join(repr(candidate) for candidate, *_ in close)
        return f"The registry knows no model {name!r}. Did you mean {meant}?"
    return f"The registry knows no model {name!r}. {_listing('It has', map(repr, names))}"


def _listing(intro: str, names: Iterable[str]) -> str:
    return f"{intro} {listed(names, _SHOWN) or 'none'}."
