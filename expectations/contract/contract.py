"""The signature of one pinned model version, parsed from its JSON without importing mlflow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from ..errors import require
from .signature import Column, parsed, read_signature
from .types import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from ..values.limits import PastValues
    from ..values.profile import ValueProfile
    from .model_version import ModelVersion
    from .policy import Policy


@dataclass(frozen=True)
class Contract:
    """What a model expects, as its signature states it.

    Attributes:
        columns: The model's columns, in the order in which it receives them.
        named: Whether the columns are matched by name; by position otherwise.
        signature: The signature's own JSON: ``inputs``, ``outputs`` and ``params``.
        model: The pinned version it was read from; None for a bare signature.
        policy: The policy saved with the suite it was read from; None for a bare signature.
        rules: What users added to that suite, or changed in it: expectations as GX writes them.
        values: What was learned of the values that the model was trained on; None for nothing.
        past: The values of the batches before; None where they are not known.
    """

    columns: tuple[Column, ...]
    named: bool
    signature: dict[str, str | None]
    model: ModelVersion | None = None
    policy: Policy | None = None
    rules: tuple[dict[str, Any], ...] = ()
    values: ValueProfile | None = None
    past: PastValues | None = None

    @classmethod
    def load(cls, uri: str | Path, *, timeout: float | None = None) -> Contract:
        """Read the contract of a model; never the model itself.

        Args:
            uri: An MLflow model URI (``models:/name/1``, ``models:/name@alias``, ``models:/m-…``,
                ``runs:/…/path``), a folder that holds an ``MLmodel`` file, that file, or a suite
                JSON that signature-gate wrote.
            timeout: Seconds to go on trying while the registry does not answer; by default the
                environment's ``SIGNATURE_GATE_REGISTRY_TIMEOUT``, else 30.

        Returns:
            The contract, pinned: an alias is resolved once, here.

        Raises:
            NoContract: The signature is missing or decides nothing.
            ModelNotFound: No such model, version, alias, run or folder.
            RegistryUnavailable: No answer within the timeout.
        """
        from ..registry.client import load_contract

        require(uri, (str, PathLike), "a contract is loaded from a model URI or a path")
        return load_contract(str(uri), timeout)

    @classmethod
    def from_signature(cls, signature: Any, model: ModelVersion | None = None) -> Self:
        """Read the contract out of a signature.

        Args:
            signature: An ``mlflow.models.ModelSignature``, or its dictionary: ``inputs``,
                ``outputs`` and ``params``, each JSON text or None.
            model: The version it belongs to.

        Returns:
            The contract.

        Raises:
            NoContract: The signature is missing or decides nothing; the text says which, and how
                to log one that does.
        """
        where = str(model) if model else "the signature"
        columns, named, stored = read_signature(signature, where)
        return cls(columns, named, stored, model)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns, each under its name."""
        return {column.name: column for column in self.columns}

    @property
    def tensors(self) -> bool:
        """Whether the model takes arrays instead of a frame."""
        return isinstance(self.columns[0].type, Tensor)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that stay the same as long as the signature means the same."""
        parts = {part: parsed(text) for part, text in self.signature.items()}
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def outputs(self) -> tuple[dict[str, Any], ...]:
        """The output schema's entries as MLflow stores them; empty if none was logged."""
        return tuple(parsed(self.signature.get("outputs")) or ())

    @property
    def params(self) -> tuple[dict[str, Any], ...]:
        """The params schema's entries as MLflow stores them; empty if none was logged."""
        return tuple(parsed(self.signature.get("params")) or ())

    def pinned_to(self, model: ModelVersion) -> Contract:
        """Return the same contract, as that of ``model``."""
        return replace(self, model=model)

    def under(self, policy: Policy) -> Contract:
        """Return the same contract, with the policy to judge by unless another is given."""
        return replace(self, policy=policy)
