"""What a batch is to be judged by, from what callers give for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from ..contract.contract import Contract
from ..contract.policy import Policy
from ..errors import InvalidPolicy, Misuse
from ..fan_out.workers import workers_of
from ..similarity import closest
from ..suite import learned_rules, rules_of, values_in_force
from ..values.scales import OF_ROWS, SCALES, family
from ..verdict.rule_result import Engine
from ..wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..fan_out.workers import Workers
    from ..rules.rule import Rule
    from ..values.profile import ValueProfile


class CheckRequest(NamedTuple):
    """What a batch is to be judged by.

    Attributes:
        contract: The columns that the model takes.
        policy: The choices that the contract leaves open.
        rules: The user's own rules.
        engine: What evaluates the expectations.
        values: What was learned of the values; None for nothing.
        workers: Who scans the files of a batch; None for this process.
    """

    contract: Contract
    policy: Policy
    rules: tuple[Rule, ...] = ()
    engine: Engine = "polars"
    values: ValueProfile | None = None
    workers: Workers | None = None


def check_request(contract: Any, policy: Any, engine: Any, workers: Any = None) -> CheckRequest:
    """Read contract and policy from what a caller gives for them, and refuse what cannot be meant.

    Raises:
        Misuse: An object of another type, no such engine or workers, or a rule that cannot be
            meant.
        InvalidPolicy: A policy that names columns which the model does not have.
    """
    if str(engine) not in get_args(Engine):
        given = repr(engine) if isinstance(engine, str) else f"a {type(engine).__name__}"
        msg = f"no such engine: {given}. Choose one of {', '.join(get_args(Engine))}."
        raise Misuse(msg)
    contract = _contract(contract)
    policy = as_policy(policy, contract)
    if unknown := list(_unknown_columns(contract, policy)):
        known = listed(repr(column.name) for column in contract.columns)
        msg = (
            f"the policy names columns that the model does not have: {'; '.join(unknown)}. "
            f"It takes {known}."
        )
        raise InvalidPolicy(msg)
    values = values_in_force(contract, policy)
    rules = (*rules_of(contract, policy), *learned_rules(contract, policy, values))
    return CheckRequest(contract, policy, rules, engine, values, workers_of(workers))


def _contract(given: Any) -> Contract:
    if isinstance(given, Contract):
        return given
    if isinstance(given, str | os.PathLike):
        return Contract.load(os.fspath(given))  # pyright: ignore[reportUnknownArgumentType]
    msg = (
        "a batch is checked by a Contract, a model URI, or the path of a model or suite, not by an "
        f"object of type {type(given).__name__}. check(batch, contract) takes the batch first; "
        "Contract.from_signature(signature) makes a contract."
    )
    raise Misuse(msg)


def as_policy(given: Any, contract: Contract) -> Policy:
    """Read a policy from what a caller gives for it; by default the contract's."""
    if given is None:
        return contract.policy or Policy()
    if isinstance(given, Policy):
        return given
    if isinstance(given, Mapping):
        return Policy.parse(dict(given))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(given, str | os.PathLike):
        return Policy.load(Path(given))  # pyright: ignore[reportUnknownArgumentType]
    msg = (
        "a policy is a Policy, a dictionary of its fields, or the path of a YAML file, not an "
        f"object of type {type(given).__name__}."
    )
    raise Misuse(msg)


def _unknown_columns(contract: Contract, policy: Policy) -> Iterator[str]:
    if not contract.named:
        return
    inputs = [column.name for column in contract.columns]
    outputs = [str(spec["name"]) for spec in contract.outputs or () if "name" in spec]
    known = [*inputs, *outputs]
    for name in policy.nullable:
        # A name like none of the model's is another version's: one policy serves both.
        if name not in known and (meant := closest(name, known)):
            yield f"{name!r} in nullable (did you mean {meant!r}?)"
    yield from _unknown_values(policy, known)
    for arriving, name in policy.rename.items():
        if name not in (*inputs, *policy.keep):
            yield f"{name!r}, to which rename maps {arriving!r}{_meant(name, inputs)}"


def _unknown_values(policy: Policy, columns: list[str]) -> Iterator[str]:
    """Find columns and statistics of ``values_of`` that are likely misspelt."""
    statistics = [*SCALES, *OF_ROWS]
    for key in policy.values_of:
        column, _, statistic = key.rpartition("/")
        parts = [(column, columns), (statistic, statistics)]
        for part, known in parts if column else [(key, [*columns, *statistics])]:
            is_known = key in columns or part in known or family(part) in known
            if not is_known and (meant := closest(part, known)):
                yield f"{part!r} in values_of (did you mean {meant!r}?)"


def _meant(name: str, known: list[str]) -> str:
    meant = closest(name, known)
    return f" (did you mean {meant!r}?)" if meant else ""
