"""A contract in the forms that other tools read, by the name of the form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, get_args

from .contract.contract import Contract
from .contract.policy import Policy
from .errors import Misuse, require
from .standards.json_schema import to_json_schema
from .standards.odcs import to_odcs
from .standards.sql import to_sql
from .standards.words import Exported
from .suite import rules_of, to_suite, values_in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .rules.rule import Rule

Form = Literal["gx", "odcs", "json-schema", "sql"]
_FORMS: dict[str, Callable[[Contract, Policy, Iterable[Rule]], Exported]] = {
    "gx": lambda contract, policy, _: Exported(
        json.dumps(to_suite(contract, policy), indent=2) + "\n", ()
    ),
    "odcs": to_odcs,
    "json-schema": to_json_schema,
    "sql": to_sql,
}


def export(contract: Contract, form: Form, policy: Policy | None = None) -> Exported:
    """Write a contract, with policy and rules, in a form that other tools read.

    Args:
        contract: The contract.
        form: ``gx``, a Great Expectations suite; ``odcs``, an Open Data Contract Standard document
            in YAML; ``json-schema`` of one record; ``sql``, a ``CREATE TABLE`` for PostgreSQL or
            DuckDB.
        policy: The choices that the signature leaves open; by default the contract's own.

    Returns:
        The text, and what that form cannot state.

    Raises:
        Misuse: No such form, one that cannot state such a contract, or a missing extra.
        InvalidRules: A rule has no possible meaning.
    """
    require(contract, Contract, "export takes a Contract")
    if form not in _FORMS:
        msg = f"there is no form {form!r}. Name one of {', '.join(get_args(Form))}."
        raise Misuse(msg)
    policy = policy or contract.policy or Policy()
    text, left_out = _FORMS[form](contract, policy, rules_of(contract, policy))
    if form != "gx" and values_in_force(contract, policy) is not None:
        left_out = (*left_out, "what was learned of values")
    return Exported(text, left_out)
