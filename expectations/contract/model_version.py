"""The model version to which a contract is pinned."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ModelVersion(BaseModel):
    """One model, pinned: what an alias or a URI meant at the moment it was resolved.

    Attributes:
        uri: The URI as it was asked for.
        pinned: The URI that will always mean this version: ``models:/flights/3``.
        name: The registered name, if it has one.
        version: The registered version, if it has one.
        model_id: MLflow's id of the logged model, if it has one.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    uri: str
    pinned: str
    name: str | None = None
    version: str | None = None
    model_id: str | None = None

    def __str__(self) -> str:
        return self.pinned
