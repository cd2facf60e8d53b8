"""What became of a model's inference params from one version to the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..contract.contract import Contract
from ..contract.params import param_faults
from ..contract.types import parse_type
from ..errors import NoContract
from .change import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .change import ChangeKind, Effect

# One value of each kind that a feed's YAML can state for a param: what the one contract takes of
# them, the other should take too.
_STATEABLE = (True, 7, 2**40, 0.5, "text", "2013-07-01", None, {"a": 1})


def param_changes(before: Contract, after: Contract) -> Iterator[Change]:
    """Compare the params schemas of two contracts.

    Args:
        before: The one that was.
        after: The one that is.

    Yields:
        Each change; breaking where a value that could be stated is refused now.
    """
    old = {str(param["name"]): param for param in before.params}
    new = {str(param["name"]): param for param in after.params}
    for name, param in old.items():
        if name not in new:
            reason = "a feed that states it is refused"
            yield _of_param("removed", name, (param, None), "breaking", reason)
    for name, param in new.items():
        if name not in old:
            yield _of_param("added", name, (None, param), "compatible", "it has a default")
            continue
        yield from _changes_of_param(name, old[name], param)


def _changes_of_param(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    if _typed(old) != _typed(new):
        refused = _refused(name, old, new)
        yield _of_param(
            "retyped",
            name,
            (old, new),
            "breaking" if refused else "compatible",
            f"{refused[0]!r} is refused now" if refused else "what could be stated still can",
        )
    if old.get("default") != new.get("default"):
        yield Change(
            kind="default",
            part="param",
            path=name,
            before=repr(old.get("default")),
            after=repr(new.get("default")),
            effect="compatible",
            reason="feeds that do not state it get the new default",
        )


def _of_param(
    kind: ChangeKind,
    name: str,
    sides: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    effect: Effect,
    reason: str,
) -> Change:
    before, after = (None if side is None else _typed(side) for side in sides)
    return Change(
        kind=kind, part="param", path=name, before=before, after=after, effect=effect, reason=reason
    )


def _typed(param: Mapping[str, Any]) -> str:
    try:
        kind = str(parse_type(dict(param)))
    except (ValueError, KeyError, TypeError, AttributeError):
        kind = "unknown"
    return f"list of {kind}" if param.get("shape") else kind


def _refused(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Any]:
    values = [*_STATEABLE, *([value] for value in _STATEABLE)]
    taken = [value for value in values if _takes(old, name, value)]
    return [value for value in taken if not _takes(new, name, value)]


def _takes(param: Mapping[str, Any], name: str, value: Any) -> bool:
    stated = {"inputs": None, "outputs": None, "params": json.dumps([dict(param)])}
    try:
        return not param_faults({name: value}, Contract((), named=True, signature=stated))
    except NoContract:
        return False
