"""What became of a contract from one version to the next: columns, inference params, outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .change import Change, order_changes
from .outputs_diff import output_changes
from .params_diff import param_changes
from .rename_matching import match_renames
from .type_diff import described, necessity, type_changes, type_similarity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..contract.signature import Column
    from .change import Effect


def contract_changes(before: Contract, after: Contract, policy: Policy) -> Iterator[Change]:
    """Compare two contracts.

    A change is breaking if a batch that fits the first may not fit the second, if a param that the
    first takes may be refused by the second, or if readers of the predictions no longer find what
    they found. A batch is one that has the first contract's columns and no others.

    Args:
        before: The one that was.
        after: The one that is.
        policy: What both leave open.

    Yields:
        The changes of columns, params and outputs.
    """
    yield from _column_changes(before, after, policy)
    yield from param_changes(before, after)
    yield from output_changes(before, after, policy)


def _column_changes(before: Contract, after: Contract, policy: Policy) -> Iterator[Change]:
    if (before.named, before.tensors) != (after.named, after.tensors):
        yield from _another_kind(before, after)
        return
    sides = match_renames(
        before.columns, after.columns, lambda a, b: type_similarity(a.type, b.type, policy)
    )
    may_come_empty = not _sure_to_come(before, after)
    for renamed in sides.renamed:
        yield _renamed(renamed.before, renamed.after, renamed.likelihood, may_come_empty)
    for column in sides.removed:
        yield _removed(column, after, policy, may_come_empty)
    for column in sides.added:
        yield Change(
            kind="added",
            path=column.name,
            after=described(column.type, required=column.required),
            effect="breaking" if column.required else "compatible",
            reason="the column must be there" if column.required else "the column may be absent",
        )
    for old, new in sides.same:
        yield from necessity(old.name, before=old.required, after=new.required)
        yield from type_changes(old.name, old.type, new.type, policy)
    was, now = ([column.name for column in contract.columns] for contract in (before, after))
    yield from order_changes(was, now, policy)


def _another_kind(before: Contract, after: Contract) -> Iterator[Change]:
    kinds = [
        ("tensors" if c.tensors else "columns") + (" by name" if c.named else " by position")
        for c in (before, after)
    ]
    yield Change(
        kind="shape",
        before=kinds[0],
        after=kinds[1],
        effect="breaking",
        reason="batches for the one are not understood by the other",
    )


def _sure_to_come(before: Contract, after: Contract) -> bool:
    """Whether every batch that fits the first contract has at least one column of the second.

    Where nothing is required, MLflow drops every row of a batch that has none of them.
    """
    names = {column.name for column in after.columns}
    required = [column.name for column in before.columns if column.required]
    sure = required or [column.name for column in before.columns]
    some_do = any if required else all
    return any(column.required for column in after.columns) or some_do(n in names for n in sure)


def _renamed(old: Column, new: Column, likelihood: float, may_come_empty: bool) -> Change:
    breaks = new.required or may_come_empty
    return Change(
        kind="renamed",
        path=old.name,
        renamed_to=new.name,
        before=described(old.type, required=old.required),
        after=described(new.type, required=new.required),
        effect="breaking" if breaks else "compatible",
        reason="batches have the old name; policy rename can map it"
        if breaks
        else "the column may be absent, but values under the old name reach the model no more",
        likelihood=likelihood,
    )


def _removed(column: Column, after: Contract, policy: Policy, may_come_empty: bool) -> Change:
    effect: Effect = "compatible"
    reason = "the column is left out on its way to the model"
    if after.named and policy.extra_columns == "forbid" and column.name not in policy.keep:
        effect, reason = "breaking", "policy extra_columns: forbid"
    elif may_come_empty:
        effect, reason = "breaking", "a batch may come without any column of the model"
    was = described(column.type, required=column.required)
    return Change(kind="removed", path=column.name, before=was, effect=effect, reason=reason)
