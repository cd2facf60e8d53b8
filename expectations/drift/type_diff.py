"""How one MLflow type became another, and whether it still takes everything that the old one took.

The answer follows from ``CONFORMS``: a scalar type takes all that another takes if it takes that
one's own values as they are, and nothing arrives there that it does not know at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..conform.conversions import CONFORMS, PANDAS_DTYPES, How
from ..conform.tensors import always_exact
from ..contract.types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from .change import Change
from .rename_matching import match_renames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..contract.policy import Policy
    from ..contract.types import Property, ScalarName, Type

_DOUBLES = Array(Scalar("double"))


def type_changes(path: str, before: Type, after: Type, policy: Policy) -> Iterator[Change]:
    """Compare two types, level by level.

    Args:
        path: Where they stand.
        before: The type that was.
        after: The type that is.
        policy: Decides whether numbers may be rounded.

    Yields:
        Each change with its path; none if the types are equal.
    """
    match before, after:
        case _ if before == after:
            return
        case Object(), Object():
            yield from _object_changes(path, before.properties, after.properties, policy)
        case Map(old), Map(new) if not _has_anything(old) | _has_anything(new):
            yield from type_changes(f"{path}{{}}", old, new, policy)
        case Array(old), Array(new):
            yield from type_changes(f"{path}[]", old, new, policy)
        case Tensor(), Tensor():
            yield from _tensor_changes(path, before, after)
        case _:
            yield retyped(path, before, after, policy)


def retyped(path: str, before: Type, after: Type, policy: Policy) -> Change:
    """State that a type became another as a whole.

    Args:
        path: Where.
        before: The type that was.
        after: The type that is.
        policy: Decides whether numbers may be rounded.
    """
    why = why_refused(before, after, policy)
    return Change(
        kind="retyped",
        path=path,
        before=str(before),
        after=str(after),
        effect="breaking" if why else "compatible",
        reason=why or f"{after} takes all that {before} takes",
    )


def why_refused(before: Type, after: Type, policy: Policy) -> str:
    """Say what one type takes and another refuses.

    Args:
        before: The type whose values are to fit.
        after: The type that is to take them.
        policy: Decides whether numbers may be rounded.

    Returns:
        A clause with an example; empty if it takes everything.
    """
    before, after = _spelled_out(before), _spelled_out(after)
    match before, after:
        case _ if before == after:
            return ""
        case Scalar(old), Scalar(new):
            return _why_refused_by_table(old, new, policy)
        case Map(old), Map(new) if _has_anything(old) | _has_anything(new):
            # What arrives as any keeps its type, and the fields of a struct must agree in theirs.
            return "a map holds values of one type, and any is each its own"
        case _, Anything():
            return ""
        case _ if type(before) is not type(after):
            return f"{after} takes no {before}"
        case _:
            found = type_changes("", before, after, policy)
            return next((c.reason for c in found if c.effect == "breaking"), "")


def _spelled_out(kind: Type) -> Type:
    return _DOUBLES if isinstance(kind, Vector) else kind


def _why_refused_by_table(old: ScalarName, new: ScalarName, policy: Policy) -> str:
    unknown = [kind for kind in CONFORMS[old] if kind not in CONFORMS[new]]
    if unknown:
        return f"{unknown[0]} conforms to {old}, and never to {new}"
    # To round is all that a double does to numbers; a float may find them too large as well.
    if new == "double" and policy.lossy_floats == "allow":
        return ""
    own = PANDAS_DTYPES[old]
    how = CONFORMS[new].get(own)
    if how is How.AS_IS:
        return ""
    return f"{own} conforms to {new} only for {how.value}" if how else f"{new} takes no {old}"


def _has_anything(kind: Type) -> bool:
    match kind:
        case Anything():
            return True
        case Array(inner) | Map(inner):
            return _has_anything(inner)
        case Object(properties):
            return any(_has_anything(prop.type) for prop in properties)
        case _:
            return False


# ----- objects -----


def _object_changes(
    path: str, before: Sequence[Property], after: Sequence[Property], policy: Policy
) -> Iterator[Change]:
    sides = match_renames(
        before, after, lambda old, new: type_similarity(old.type, new.type, policy)
    )
    for renamed in sides.renamed:
        old, new = renamed.before, renamed.after
        yield Change(
            kind="renamed",
            path=f"{path}.{old.name}",
            renamed_to=f"{path}.{new.name}",
            before=described(old.type, required=old.required),
            after=described(new.type, required=new.required),
            effect="breaking",
            reason="an object takes no undeclared field",
            likelihood=renamed.likelihood,
        )
    for prop in sides.removed:
        yield Change(
            kind="removed",
            path=f"{path}.{prop.name}",
            before=described(prop.type, required=prop.required),
            effect="breaking",
            reason="an object takes no undeclared field",
        )
    for prop in sides.added:
        yield Change(
            kind="added",
            path=f"{path}.{prop.name}",
            after=described(prop.type, required=prop.required),
            effect="breaking" if prop.required else "compatible",
            reason="the field must be there" if prop.required else "the field may be absent",
        )
    for old, new in sides.same:
        yield from necessity(f"{path}.{old.name}", before=old.required, after=new.required)
        yield from type_changes(f"{path}.{old.name}", old.type, new.type, policy)


def necessity(path: str, *, before: bool, after: bool) -> Iterator[Change]:
    """State that what had to be there may be absent now, or the other way round.

    Args:
        path: Where.
        before: Whether it had to be there.
        after: Whether it has to be there.

    Yields:
        The change, if there is one.
    """
    if before == after:
        return
    yield Change(
        kind="required" if after else "optional",
        path=path,
        before="required" if before else "optional",
        after="required" if after else "optional",
        effect="breaking" if after else "compatible",
        reason="it may be absent or null so far" if after else "what always comes may come still",
    )


def type_similarity(one: Type, other: Type, policy: Policy) -> float | None:
    """Tell how close two types are, for ``match_renames``: neither side comes first."""
    if one == other:
        return 1.0
    if Anything() in (one, other) or (
        why_refused(one, other, policy) and why_refused(other, one, policy)
    ):
        return None
    return 0.5


def described(kind: object, *, required: bool) -> str:
    """Name a type, and say if it may be absent."""
    return str(kind) if required else f"{kind}, optional"


# ----- tensors -----


def _tensor_changes(path: str, before: Tensor, after: Tensor) -> Iterator[Change]:
    if before.dtype != after.dtype:
        exact = always_exact(before.dtype, after.dtype)
        yield Change(
            kind="retyped",
            path=path,
            before=before.dtype,
            after=after.dtype,
            effect="compatible" if exact else "breaking",
            reason=f"{after.dtype} represents {'every' if exact else 'not every'} {before.dtype}",
        )
    if before.shape != after.shape:
        wider = _is_wider(before.shape, after.shape)
        yield Change(
            kind="shape",
            path=path,
            before=str(before.shape),
            after=str(after.shape),
            effect="compatible" if wider else "breaking",
            reason="the dimensions were opened" if wider else "arrays of the old shape do not fit",
        )


def _is_wider(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    return len(before) == len(after) and all(
        new in (-1, old) for old, new in zip(before, after, strict=True)
    )
