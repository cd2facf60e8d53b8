"""The signature of one pinned model version, parsed from its JSON without importing mlflow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import BaseModel, ConfigDict

from .errors import NoContract
from .types import Anything, Tensor, Type, parse_type, required

if TYPE_CHECKING:
    from pathlib import Path

    from .policy import Policy

# What a tensor may hold for its values to be judged: see ``tensors.TENSOR_DTYPES``.
_TENSOR_DTYPES = {
    "bool",
    "str",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}
_RELOG = "Log the model again with `signature=infer_signature(frame, predictions)`"


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


@dataclass(frozen=True)
class Column:
    """A column that the model takes.

    Attributes:
        name: The name by which a batch must deliver it; its position as text if the signature
            numbers its columns or leaves them unnamed.
        label: What the model sees as the column's label in a pandas frame.
        type: Its MLflow type.
        required: Whether it may be absent.
    """

    name: str
    label: str | int
    type: Type
    required: bool


@dataclass(frozen=True)
class Contract:
    """What a model expects, as its signature states it.

    Attributes:
        columns: The model's columns, in the order in which it receives them.
        named: Whether the columns are matched by name; by position otherwise.
        signature: The signature's own JSON: ``inputs``, ``outputs`` and ``params``.
        model: The pinned version it was read from; None for a bare signature.
        policy: The policy saved with the suite it was read from; None for a bare signature.
    """

    columns: tuple[Column, ...]
    named: bool
    signature: dict[str, str | None]
    model: ModelVersion | None = None
    policy: Policy | None = None

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
        from .registry import load_contract

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
        stored = _stored(signature, where)
        specs = _specs(stored, where)
        named = specs[0].get("name") is not None
        columns = tuple(_column(position, spec, where) for position, spec in enumerate(specs))
        _refuse_undecidable(columns, named=named, where=where)
        return cls(columns, named, stored, model)

    @property
    def tensors(self) -> bool:
        """Whether the model takes arrays instead of a frame."""
        return isinstance(self.columns[0].type, Tensor)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that stay the same as long as the signature means the same."""
        parsed = {part: _parsed(text) for part, text in self.signature.items()}
        canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def outputs(self) -> tuple[dict[str, Any], ...]:
        """The output schema's entries as MLflow stores them; empty if none was logged."""
        return tuple(_parsed(self.signature.get("outputs")) or ())

    @property
    def params(self) -> tuple[dict[str, Any], ...]:
        """The params schema's entries as MLflow stores them; empty if none was logged."""
        return tuple(_parsed(self.signature.get("params")) or ())

    def pinned_to(self, model: ModelVersion) -> Contract:
        """Return the same contract, as that of ``model``."""
        return replace(self, model=model)

    def under(self, policy: Policy) -> Contract:
        """Return the same contract, with the policy to judge by unless another is given."""
        return replace(self, policy=policy)


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else None


def _stored(signature: Any, where: str) -> dict[str, str | None]:
    if signature is None:
        reason = "it was logged without a signature"
        raise NoContract(reason, f"{_RELOG}.", where)
    stored = signature if isinstance(signature, dict) else signature.to_dict()
    if stored.get("is_signature_from_type_hint"):
        reason = "its signature comes from a type hint, which MLflow does not enforce"
        raise NoContract(reason, f"{_RELOG} instead of a type hint.", where)
    return {part: stored.get(part) for part in ("inputs", "outputs", "params")}


def _specs(stored: dict[str, str | None], where: str) -> list[dict[str, Any]]:
    try:
        parts = [_parsed(text) for text in stored.values()]
    except (ValueError, TypeError, RecursionError) as error:
        reason = f"its signature is not JSON ({error})"
        raise NoContract(reason, f"{_RELOG}.", where) from error
    specs = parts[0]
    if not specs:
        reason = "its signature has no inputs"
        raise NoContract(reason, f"{_RELOG}, so that the inputs are stated too.", where)
    if not all(_is_list_of_mappings(part or []) for part in parts):
        reason = "its signature is no list of columns"
        raise NoContract(reason, f"{_RELOG}.", where)
    kinds = {type(spec.get("name")) for spec in specs}
    if not (kinds <= {str, int} or kinds == {type(None)}):
        reason = "its signature names some columns and not others, or by neither text nor number"
        raise NoContract(reason, f"{_RELOG}.", where)
    return specs


def _is_list_of_mappings(part: Any) -> bool:
    return isinstance(part, list) and all(
        isinstance(spec, dict) for spec in cast("list[Any]", part)
    )


def _column(position: int, spec: dict[str, Any], where: str) -> Column:
    try:
        kind = parse_type(spec)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"column {position} of its signature cannot be read: {error}"
        raise NoContract(reason, f"{_RELOG}.", where) from error
    label = spec["name"] if spec.get("name") is not None else position
    return Column(str(label), label, kind, required(spec))


def _refuse_undecidable(columns: tuple[Column, ...], *, named: bool, where: str) -> None:
    names = [column.name for column in columns]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    off_position = [
        c.label for i, c in enumerate(columns) if isinstance(c.label, int) and c.label != i
    ]
    if not named and len(columns) == 1 and isinstance(columns[0].type, Anything):
        _refuse(
            "its signature is a single unnamed `any`, into which infer_signature collapses a frame "
            "with one column that it cannot type",
            "Convert unsigned 64-bit, Decimal, timedelta and mixed columns",
            where,
        )
    if duplicates:
        _refuse(
            f"its signature repeats {_listed(duplicates)}", "Give each column its own name", where
        )
    if "" in names:
        _refuse("its signature has a column without a name", "Name every column", where)
    if off_position:
        _refuse(
            f"its signature numbers columns off their position ({_listed(off_position)})",
            "Name the columns with text, or number them 0, 1, 2 …",
            where,
        )


def _refuse(reason: str, remedy: str, where: str) -> None:
    raise NoContract(reason, f"{remedy}, then log the model again.", where)


def _listed(items: list[Any]) -> str:
    return ", ".join(repr(item) for item in items)
