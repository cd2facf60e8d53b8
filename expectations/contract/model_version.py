"""The model version to which a contract is pinned."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from ..credentials import mask_uri

MaskedUri = Annotated[str, AfterValidator(mask_uri)]


class ModelVersion(BaseModel):
    """One model, pinned: what an alias or a URI meant at the moment it was resolved.

    Attributes:
        uri: The URI that the user named, without credentials.
        pinned: The URI that always means this version: ``models:/flights/3``. ``unmasked`` gives
            the one that MLflow can load, where it has credentials.
        name: The registered name, if it has one.
        version: The registered version, if it has one.
        model_id: MLflow's id of the logged model, if it has one.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    uri: MaskedUri
    pinned: MaskedUri
    name: str | None = None
    version: str | None = None
    model_id: str | None = None

    def __str__(self) -> str:
        return self.pinned
