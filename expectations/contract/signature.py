"""The columns or tensors of a signature, or the reason why it decides nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from ..documents import parse_json
from ..errors import NoContract, require
from .types import Anything, Tensor, Type, parse_type, required

# What a tensor may hold for its values to be judged: see ``tensors.TENSOR_DTYPES``.
_TENSOR_DTYPES = {
    "bool",
    "str",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}
_MOST_COLUMNS = 100_000
_RELOG = "Log the model again with `signature=infer_signature(frame, predictions)`"


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


class Signature(NamedTuple):
    """A signature that can serve as a contract.

    Attributes:
        columns: Columns or tensors, in order.
        named: Whether they are matched by name; by position otherwise.
        stored: The signature's own JSON: ``inputs``, ``outputs`` and ``params``.
    """

    columns: tuple[Column, ...]
    named: bool
    stored: dict[str, str | None]


def read_signature(signature: Any, where: str) -> Signature:
    """Read a ``ModelSignature`` or its dictionary; one that decides nothing raises NoContract."""
    stored = _stored(signature, where)
    specs = _specs(stored, where)
    if len(specs) > _MOST_COLUMNS:
        reason = f"its signature has {len(specs):,} columns, more than {_MOST_COLUMNS:,}"
        raise NoContract(reason, f"{_RELOG} for tensors of that width.", where)
    named = specs[0].get("name") is not None
    columns = tuple(_column(position, spec, where) for position, spec in enumerate(specs))
    _refuse_undecidable(columns, named=named, where=where)
    return Signature(columns, named, stored)


def parsed(text: str | None) -> Any:
    """Read one part of a stored signature."""
    return parse_json(text) if text else None


def _stored(signature: Any, where: str) -> dict[str, str | None]:
    if signature is None:
        reason = "it was logged without a signature"
        raise NoContract(reason, f"{_RELOG}.", where)
    stored = signature.to_dict() if hasattr(signature, "to_dict") else signature
    require(stored, dict, "a signature is a ModelSignature of MLflow or its dictionary")
    if stored.get("is_signature_from_type_hint"):
        reason = "its signature comes from a type hint, which MLflow does not enforce"
        raise NoContract(reason, f"{_RELOG} instead of a type hint.", where)
    return {part: stored.get(part) for part in ("inputs", "outputs", "params")}


def _specs(stored: dict[str, str | None], where: str) -> list[dict[str, Any]]:
    try:
        parts = [parsed(text) for text in stored.values()]
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
    if isinstance(kind, Tensor) and kind.dtype not in _TENSOR_DTYPES:
        reason = f"its tensors of {kind.dtype} could hold anything"
        raise NoContract(reason, f"{_RELOG} from arrays of numbers, truth values or text.", where)
    label = spec["name"] if spec.get("name") is not None else position
    return Column(str(label), label, kind, required(spec))


def _refuse_undecidable(columns: tuple[Column, ...], *, named: bool, where: str) -> None:
    names = [column.name for column in columns]
    duplicates = sorted(name for name, count in Counter(names).items() if count > 1)
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
