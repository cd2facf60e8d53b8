"""What became of the predictions from one version to the next, as output schemas have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract.signature import read_signature
from ..errors import NoContract
from .change import Change
from .rename_matching import match_renames
from .type_diff import necessity, type_similarity, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..contract.signature import Column
    from .change import ChangeKind, Effect


def output_changes(before: Contract, after: Contract, policy: Policy) -> Iterator[Change]:
    """Compare the output schemas of two contracts.

    Args:
        before: The one that was.
        after: The one that is.
        policy: Decides whether numbers may be rounded.

    Yields:
        Each change; breaking where readers of the predictions no longer find what they found.
    """
    old, new = _outputs(before), _outputs(after)
    if bool(old) != bool(new):
        yield Change(
            kind="added" if new else "removed",
            part="output",
            before=_listed(old) if old else None,
            after=_listed(new) if new else None,
            effect="compatible",
            reason="predictions are judged now" if new else "predictions are no longer judged",
        )
        return
    sides = match_renames(old, new, lambda a, b: type_similarity(a.type, b.type, policy))
    gone = "readers of the predictions find it no more"
    for renamed in sides.renamed:
        yield Change(
            kind="renamed",
            part="output",
            path=renamed.before.name,
            renamed_to=renamed.after.name,
            before=str(renamed.before.type),
            after=str(renamed.after.type),
            effect="breaking",
            reason="readers of the predictions find another name",
            likelihood=renamed.likelihood,
        )
    for column in sides.removed:
        yield _of_output("removed", column.name, (str(column.type), None), "breaking", gone)
    for column in sides.added:
        reason = "readers of the predictions may pass it over"
        yield _of_output("added", column.name, (None, str(column.type)), "compatible", reason)
    for one, other in sides.same:
        yield from _changes_of_output(one, other, policy)


def _changes_of_output(old: Column, new: Column, policy: Policy) -> Iterator[Change]:
    for change in necessity(old.name, before=old.required, after=new.required):
        # Readers stand on the other side: what may be absent now is what breaks.
        effect: Effect = "compatible" if new.required else "breaking"
        reason = "it always comes now" if new.required else "readers may find it absent"
        yield change.model_copy(update={"part": "output", "effect": effect, "reason": reason})
    if old.type != new.type:
        why = why_refused(new.type, old.type, policy)
        reason = f"readers expect {old.type}: {why}" if why else "readers can take it as before"
        sides = (str(old.type), str(new.type))
        yield _of_output("retyped", old.name, sides, "breaking" if why else "compatible", reason)


def _of_output(
    kind: ChangeKind, name: str, sides: tuple[str | None, str | None], effect: Effect, reason: str
) -> Change:
    return Change(
        kind=kind,
        part="output",
        path=name,
        before=sides[0],
        after=sides[1],
        effect=effect,
        reason=reason,
    )


def _outputs(contract: Contract) -> tuple[Column, ...]:
    try:
        stated = {"inputs": contract.signature.get("outputs")}
        return read_signature(stated, "the output schema").columns
    except NoContract:
        # Such a schema decides nothing: every prediction is refused, before as after.
        return ()


def _listed(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{column.name}: {column.type}" for column in columns)
