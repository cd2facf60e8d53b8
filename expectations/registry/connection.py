"""One question to the registry that is configured, with words for whoever has to repair it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from ..credentials import mask_uri
from ..errors import ModelNotFound, RegistryUnavailable
from .resolve import FORMS
from .retry import LIMIT, DeadlineExceeded, call_within, describe_error, resolve_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

Answer = TypeVar("Answer")

# A local database; not one in memory, nor a name that may be escaped.
_DATABASE = re.compile(r"sqlite:///((?!:memory:|file:)[^?%]+)(?:\?|$)")
_DATABASE_ENDINGS = {".db", ".sqlite", ".sqlite3"}

# MLflow's codes for errors that come again however often one asks.
_PERMANENT = {
    "CUSTOMER_UNAUTHORIZED",
    "ENDPOINT_NOT_FOUND",
    "FEATURE_DISABLED",
    "INVALID_PARAMETER_VALUE",
    "NOT_IMPLEMENTED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
}
_BAD_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"
_BAD_ADDRESS = {"ArgumentError", "NoSuchModuleError"}  # of SQLAlchemy


def ask_registry(
    uri: str, timeout: float | None, question: Callable[[MlflowClient], Answer]
) -> Answer:
    """Ask a question about a model URI, again until there is an answer or the time is up.

    An address that can never answer raises RegistryUnavailable at once, and a URI that MLflow does
    not read raises ModelNotFound.
    """
    limit = resolve_timeout(timeout)
    from mlflow import MlflowClient

    shown = mask_uri(uri)
    _refuse_unknown_scheme(uri, shown)
    _refuse_unusable_address(shown)
    _import_database_stores()
    try:
        return call_within(lambda: question(MlflowClient()), limit, _is_permanent)
    except ModelNotFound as error:
        msg = f"{error} The registry is {registry_in_use()}, which MLFLOW_TRACKING_URI sets."
        raise ModelNotFound(msg) from None
    except DeadlineExceeded as error:
        times = "once" if error.attempts == 1 else f"{error.attempts} times"
        msg = (
            f"{shown}: no usable answer from {registry_in_use()}, asked {times} in "
            f"{error.seconds:.1f} s of {limit:g} s. Last error: {describe_error(error.last)}. "
            f"{_remedy(error.last)}"
        )
    # Not `from error`: a printed chain would show the credentials in the texts of libraries.
    raise RegistryUnavailable(msg)


def registry_in_use() -> str:
    """Name the addresses of the registry and of the tracking server, without credentials."""
    tracking, registry = (mask_uri(address) for address in addresses())
    return registry if registry == tracking else f"{registry} (tracking: {tracking})"


def addresses() -> tuple[str, str]:
    """Name the addresses of the tracking server and of the registry, as MLflow takes them."""
    import mlflow

    return str(mlflow.get_tracking_uri()), str(mlflow.get_registry_uri())


def use_addresses(tracking: str, registry: str) -> None:
    """Ask the servers at these addresses from now on, in this process."""
    if addresses() != (tracking, registry):
        import mlflow

        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry)


def _import_database_stores() -> None:
    # MLflow imports them at the first question; those seconds are not the registry's.
    from mlflow.store.db.db_types import DATABASE_ENGINES

    if any(address.startswith(tuple(DATABASE_ENGINES)) for address in addresses()):
        import_module("mlflow.store.model_registry.sqlalchemy_store")
        import_module("mlflow.store.tracking.sqlalchemy_store")


def _is_permanent(error: Exception) -> bool:
    return (
        isinstance(error, ImportError)
        or type(error).__name__ in _BAD_ADDRESS
        or getattr(error, "error_code", None) in _PERMANENT
        or _BAD_CERTIFICATE in str(error)
    )


def _remedy(error: BaseException) -> str:
    if _BAD_CERTIFICATE in str(error):
        return (
            "Name the authority that signed the server's certificate in REQUESTS_CA_BUNDLE or "
            "MLFLOW_TRACKING_SERVER_CERT_PATH, or renew the certificate."
        )
    return (
        "Check MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI, the credentials, and that the "
        f"server is up; a slow one needs a longer {LIMIT}."
    )


def _refuse_unknown_scheme(uri: str, shown: str) -> None:
    from mlflow.store.artifact import artifact_repository_registry as repositories

    scheme = uri.partition(":")[0]
    if scheme not in repositories.get_registered_artifact_repositories():
        msg = f"{shown}: MLflow reads no {scheme}: URIs. {FORMS}"
        raise ModelNotFound(msg)


def _refuse_unusable_address(shown: str) -> None:
    for address in set(addresses()):
        shown_address = mask_uri(address)
        database = _DATABASE.match(address)
        # MLflow would create an empty one where the command happens to run.
        if database and not Path(database[1]).exists():
            msg = (
                f"{shown}: there is no registry: {shown_address} does not exist. Set "
                "MLFLOW_TRACKING_URI to the one that holds the model."
            )
            raise RegistryUnavailable(msg)
        path = _local_path(address)
        if path and (path.is_file() or path.suffix in _DATABASE_ENDINGS):
            msg = (
                f"{shown}: there is no registry: MLflow takes {shown_address} for a folder. If it "
                f"is a database, write MLFLOW_TRACKING_URI=sqlite:///{path.absolute()}."
            )
            raise RegistryUnavailable(msg)


def _local_path(address: str) -> Path | None:
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if parts.scheme or address.startswith("databricks") else Path(address)
