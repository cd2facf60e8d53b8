"""Match arriving columns with the contract's columns, and report violations of names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..batch.columns import RESERVED
from ..verdict.verdict import Severity, Violation
from ..wording import listed
from .missing_columns import likely_renames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..batch.batch import Batch
    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy
    from ..verdict.verdict import BatchInfo
    from .missing_columns import LikelyRename

_SEVERITIES: dict[str, Severity] = {"warn": "warning", "forbid": "critical"}
# If a hundred columns are missing it is another table, not a misspelt one. To compare all names
# with all others would take minutes.
_GUESSED = 100
# The names under which pandas writes an index that has none.
_INDEXES = frozenset(("", "Unnamed: 0", "__index_level_0__"))
_WITHOUT_INDEX = (
    "It is an index of pandas: write the batch with index=False, or set policy extra_columns: "
    "ignore."
)


@dataclass(frozen=True)
class Matching:
    """Contract columns with the position of the arriving column for each.

    Attributes:
        pairs: Column and position, in the contract's order; absent optional ones left out.
        kept: Positions of the columns that the policy carries through to the output.
        violations: Names that are missing, surplus, repeated or out of order.
    """

    pairs: tuple[tuple[Column, int], ...]
    kept: tuple[tuple[str, int], ...]
    violations: tuple[Violation, ...]


def match_columns(batch: Batch, contract: Contract, policy: Policy) -> Matching:
    """Match names exactly, after the policy's ``rename``; unnamed contracts match by position."""
    arrived = [policy.rename.get(name, name) for name in batch.schema.names]
    positions = {name: position for position, name in reversed(list(enumerate(arrived)))}
    if contract.named:
        pairs = [(c, positions[c.name]) for c in contract.columns if c.name in positions]
    else:
        pairs = list(zip(contract.columns, range(len(arrived)), strict=False))
    kept = [(name, positions[name]) for name in dict.fromkeys(policy.keep) if name in positions]
    used = {position for _, position in pairs} | {position for _, position in kept}
    extra = [position for position in range(len(arrived)) if position not in used]
    present = {column.name for column, _ in pairs}
    missing = [column for column in contract.columns if column.name not in present]
    types = {arrived[position]: batch.schema.field(position).type for position in extra}
    by_weight = sorted(missing, key=lambda column: not column.required)
    renames = likely_renames(by_weight[:_GUESSED], types, batch, policy)
    violations = [
        *_missing(missing, renames, policy),
        *_missing_optional(missing, renames, policy, any_arrived=bool(pairs)),
        *_missing_kept(policy, positions),
        *_duplicates(contract, arrived),
        *_none_at_all(contract, pairs),
        *_extra([arrived[position] for position in extra], policy),
        *_order(contract, pairs, policy),
    ]
    return Matching(tuple(pairs), tuple(kept), tuple(violations))


def _missing(
    missing: Sequence[Column],
    renames: Mapping[str, LikelyRename],
    policy: Policy,
) -> Iterable[Violation]:
    for column in (column for column in missing if column.required):
        rename = renames.get(column.name)
        otherwise = f"Deliver {column.name!r}, or log the model again with it optional."
        yield Violation(
            kind="missing_column",
            column=column.name,
            expected=f"a column of type {column.type}",
            observed="no such column",
            remedy=rename.remedy(column.name, redact=policy.redact) if rename else otherwise,
            because="the signature requires it",
            expectation=_match_set(column.name),
        )


def _missing_optional(
    missing: Sequence[Column],
    renames: Mapping[str, LikelyRename],
    policy: Policy,
    *,
    any_arrived: bool,
) -> Iterable[Violation]:
    if policy.missing_optional == "ignore":
        return
    for column in missing:
        rename = renames.get(column.name)
        renamed = rename is not None and rename.is_likely
        # Where no column at all arrived, another violation says so.
        if column.required or not (any_arrived or renamed):
            continue
        ignore = "set policy missing_optional: ignore"
        yield Violation(
            kind="missing_column",
            column=column.name,
            expected=f"a column of type {column.type}, which the signature calls optional",
            observed="no such column" + (", but one of a name like it" if renamed else ""),
            remedy=f"{rename.remedy(column.name, redact=policy.redact)} If it is not, {ignore}."
            if rename
            else f"Deliver {column.name!r}, or {ignore}.",
            because=f"policy missing_optional: {policy.missing_optional}",
            severity="critical" if renamed else _SEVERITIES[policy.missing_optional],
        )


def _missing_kept(policy: Policy, positions: dict[str, int]) -> Iterable[Violation]:
    for name in policy.keep:
        if name in positions and name not in RESERVED:
            continue
        yield Violation(
            kind="missing_column",
            column=name,
            expected="a column to carry through to the output",
            observed="no such column",
            remedy=f"Deliver {name!r}, or take it out of policy keep.",
            because="policy keep",
        )


def _duplicates(contract: Contract, arrived: list[str]) -> Iterable[Violation]:
    counted = Counter(arrived)
    names = [c.name for c in contract.columns] if contract.named else []
    for name in names:
        if counted[name] > 1:
            yield Violation(
                kind="duplicate_column",
                column=name,
                expected="one column of this name",
                observed=f"{counted[name]} of them",
                remedy=f"Deliver {name!r} once; check policy rename if it maps another name to it.",
                because="a name must mean one column",
                expectation=_match_set(name),
            )


def _none_at_all(contract: Contract, pairs: list[tuple[Column, int]]) -> Iterable[Violation]:
    if not pairs and not any(column.required for column in contract.columns):
        names = [column.name for column in contract.columns]
        yield Violation(
            kind="missing_column",
            expected=f"at least one of {_quoted(names)}",
            observed="none of them",
            remedy="Deliver one of the model's columns: MLflow drops every row of such a batch.",
            because="all columns are optional and none arrived",
        )


def _extra(extra: list[str], policy: Policy) -> Iterable[Violation]:
    if extra and policy.extra_columns != "ignore":
        yield Violation(
            kind="extra_column",
            expected="only columns that the model knows",
            observed=f"{len(extra)} more" + ("" if policy.redact else f": {_quoted(extra)}"),
            remedy=_WITHOUT_INDEX
            if _INDEXES.issuperset(extra)
            else "Drop them, list them in policy keep, or set policy extra_columns: ignore.",
            because=f"policy extra_columns: {policy.extra_columns}",
            severity=_SEVERITIES[policy.extra_columns],
        )


def withhold_names(info: BatchInfo, contract: Contract, policy: Policy) -> BatchInfo:
    """Under ``redact`` number the columns that nobody has named: a first row may be their header.

    What the contract and the policy name is no value of the batch.
    """
    named = {*(column.name for column in contract.columns if contract.named)}
    named |= {*policy.rename, *policy.keep}
    columns = tuple(
        (name if name in named else f"(column {position})", type_name)
        for position, (name, type_name) in enumerate(info.columns, start=1)
    )
    return info.model_copy(update={"columns": columns}) if policy.redact else info


def _order(
    contract: Contract, pairs: list[tuple[Column, int]], policy: Policy
) -> Iterable[Violation]:
    positions = [position for _, position in pairs]
    if policy.column_order != "ignore" and positions != sorted(positions):
        arrived = [c.name for c, _ in sorted(pairs, key=lambda pair: pair[1])]
        yield Violation(
            kind="column_order",
            expected=f"the order {_quoted([column.name for column, _ in pairs])}",
            observed=_quoted(arrived),
            remedy="Deliver the contract's order, or set policy column_order: ignore, under which "
            "the gate restores it.",
            because=f"policy column_order: {policy.column_order}",
            severity=_SEVERITIES[policy.column_order],
            expectation={
                "type": "expect_table_columns_to_match_ordered_list",
                "kwargs": {"column_list": [column.name for column in contract.columns]},
            },
        )


def _match_set(name: str) -> dict[str, object]:
    """State the part of the expectation on the columns that is about one of them."""
    return {
        "type": "expect_table_columns_to_match_set",
        "kwargs": {"column_set": [name], "exact_match": False},
    }


def _quoted(names: list[str]) -> str:
    return listed(map(repr, names))
