"""How the type of an arriving column became another, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.types as is_

from ..batch.arrow_types import element_type, is_list, source_kind
from ..conform.conversions import CONFORMS, How
from .change import Change
from .recorded_schema import parse_arrow_type
from .rename_matching import match_renames

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from ..verdict.verdict import BatchInfo

_OTHER = "other"
_OF_JSON = "JSON:"


@dataclass(frozen=True)
class Field:
    """An arriving column, or a field within one.

    Attributes:
        name: Its name.
        said: Its type as it was recorded.
        kind: The same, understood; None for text that stands for values, and for types in a
            producer's own words.
        nullable: Whether it may be null.
    """

    name: str
    said: str
    kind: pa.DataType | None
    nullable: bool = True


def fields_of(info: BatchInfo, names: list[str]) -> list[Field]:
    """List the columns of a batch under distinct names.

    Args:
        info: The batch, as recorded.
        names: One name for each of its columns.
    """
    text = "csv" in info.format
    return [
        Field(name, "text" if text else said, None if text else parse_arrow_type(said))
        for name, (_, said) in zip(names, info.columns, strict=True)
    ]


def kinship_of(one: Field, other: Field) -> float | None:
    """Tell how close two arriving types are, for ``match_renames``."""
    if one.said == other.said:
        return 1.0
    if one.kind is None or other.kind is None:
        return None
    words = {source_kind(one.kind), source_kind(other.kind)}
    if words == {_OTHER}:
        return 0.5 if one.kind.id == other.kind.id else None
    taken = any(words <= known.keys() for known in CONFORMS.values())
    return 1.0 if len(words) == 1 else 0.5 if taken else None


def arriving_changes(path: str, before: Field, after: Field) -> Iterator[Change]:
    """Compare two arriving types.

    Without a contract, a change is breaking if there is a type of MLflow's that the old one fitted
    better than the new one does.

    Args:
        path: Where they stand.
        before: How it arrived.
        after: How it arrives.

    Yields:
        Each change with its path.
    """
    if before.nullable != after.nullable:
        yield Change(
            kind="nullability",
            path=path,
            before="nullable" if before.nullable else "never null",
            after="nullable" if after.nullable else "never null",
            effect="compatible" if after.nullable else "cosmetic",
            reason="each value is looked at" if after.nullable else "nulls cannot arrive any more",
        )
    if before.said == after.said:
        return
    if any(field.said.startswith(_OF_JSON) for field in (before, after)):
        # In which words depends on what the model of the day asked for.
        yield _retyped(path, before, after, "cosmetic", "JSON is read as the model asks for it")
    elif before.kind is None or after.kind is None:
        yield _retyped(path, before, after, "compatible", "the values themselves decide")
    else:
        yield from _of_types(path, before, after, before.kind, after.kind)


def _of_types(
    path: str, before: Field, after: Field, old: pa.DataType, new: pa.DataType
) -> Iterator[Change]:
    if is_list(old) and is_list(new):
        yield from _of_lists(path, old, new)
    elif is_.is_struct(old) and is_.is_struct(new):
        yield from _of_structs(path, old, new)
    elif is_.is_map(old) and is_.is_map(new):
        yield from arriving_changes(f"{path}{{}}", *(_inner(t, "item_field") for t in (old, new)))
    elif source_kind(old) == source_kind(new) != _OTHER:
        yield _retyped(path, before, after, "cosmetic", f"both are read as {source_kind(old)}")
    else:
        worse = _fits_worse(old, new)
        reason = worse or f"whatever takes {source_kind(old)} takes {source_kind(new)}"
        yield _retyped(path, before, after, "breaking" if worse else "compatible", reason)


def _of_lists(path: str, old: pa.DataType, new: pa.DataType) -> Iterator[Change]:
    sizes = [getattr(kind, "list_size", None) for kind in (old, new)]
    if sizes[0] != sizes[1]:
        before, after = (f"{n} elements" if n else "any length" for n in sizes)
        yield Change(
            kind="shape",
            path=path,
            before=before,
            after=after,
            effect="breaking" if None not in sizes else "compatible",
            reason="rows have another shape" if None not in sizes else "each row is looked at",
        )
    fields = [
        Field("", str(element_type(kind)), element_type(kind), _inner(kind, "value_field").nullable)
        for kind in (old, new)
    ]
    yield from arriving_changes(f"{path}[]", *fields)


def _of_structs(path: str, old: pa.DataType, new: pa.DataType) -> Iterator[Change]:
    before, after = ([_field(f) for f in _as_any(kind)] for kind in (old, new))
    sides = match_renames(before, after, kinship_of)
    undeclared = "an object takes no undeclared field"
    for renamed in sides.renamed:
        yield Change(
            kind="renamed",
            path=f"{path}.{renamed.before.name}",
            renamed_to=f"{path}.{renamed.after.name}",
            before=renamed.before.said,
            after=renamed.after.said,
            effect="breaking",
            reason=undeclared,
            likelihood=renamed.likelihood,
        )
    for field in sides.removed:
        yield Change(
            kind="removed",
            path=f"{path}.{field.name}",
            before=field.said,
            effect="breaking",
            reason="an object may require the field",
        )
    for field in sides.added:
        yield Change(
            kind="added",
            path=f"{path}.{field.name}",
            after=field.said,
            effect="breaking",
            reason=undeclared,
        )
    for one, other in sides.same:
        yield from arriving_changes(f"{path}.{one.name}", one, other)


def _retyped(path: str, before: Field, after: Field, effect: Any, reason: str) -> Change:
    return Change(
        kind="retyped",
        path=path,
        before=before.said,
        after=after.said,
        effect=effect,
        reason=reason,
    )


def _fits_worse(old: pa.DataType, new: pa.DataType) -> str:
    was, comes = source_kind(old), source_kind(new)
    if was == _OTHER:
        return f"what takes {old} takes no {new}"
    for target, known in CONFORMS.items():
        if was in known and _rank(known.get(comes)) > _rank(known[was]):
            how = known.get(comes)
            only = f"only for {how.value}" if how else "never"
            return f"{was} conforms to {target}, {comes} {only}"
    return ""


def _rank(how: How | None) -> int:
    # Whether a zone is taken at all is for a policy to say.
    return 2 if how in (None, How.IN_UTC) else int(how is not How.AS_IS)


def _inner(kind: pa.DataType, attribute: str) -> Field:
    return _field(getattr(kind, attribute))


def _field(field: Any) -> Field:
    return Field(field.name, str(field.type), field.type, field.nullable)


def _as_any(kind: Any) -> Any:
    return kind
