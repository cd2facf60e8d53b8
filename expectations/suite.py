"""Contract and policy as a Great Expectations suite in plain JSON, and back.

The suite speaks of the *conformed* frame: what the model receives, in pandas.

- columns: ``expect_table_columns_to_match_set``, or ``..._ordered_list`` under
  ``column_order: forbid``;
- types: ``expect_column_type_to_be`` with the pandas dtype of ``PANDAS_DTYPES``; for nested types,
  which no stock expectation states, ``expect_column_to_exist`` with the type in its ``meta``;
- nulls: ``expect_column_values_to_not_be_null`` where the policy or the type forbids them;
- rows: ``expect_table_row_count_to_be_between``.

GX has no conditional expectation on columns. So optional columns have none of their own until the
columns of a given batch are known.

Users' own rules follow, as they wrote them. What of a suite's expectations differs from the
contract's own is read back as such a rule; so what is taken out of a suite does not weaken it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from .conform.column import expectation_of_type
from .conform.nulls import WITH_NAN, why_null_is_forbidden
from .contract.contract import Contract
from .contract.model_version import ModelVersion
from .contract.policy import Policy, describe_invalid
from .contract.types import Scalar
from .documents import DocumentError, read_json, read_yaml
from .errors import InvalidRules, Misuse
from .escaping import slug
from .rules.parse import identity, is_expectation, parse_rule, plain
from .values.expectations import batch_expectations, row_expectations
from .values.profile import ValueProfile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .contract.contract import Column
    from .rules.rule import Rule

META = "signature_gate"
_GX_VERSION = "1.24.1"
_YAML = (".yaml", ".yml")
# What a suite holds itself.
_IN_FILES = {"rules": None, "values_from": None}
Expectation = dict[str, Any]


def to_suite(
    contract: Contract, policy: Policy | None = None, columns: Collection[str] | None = None
) -> dict[str, Any]:
    """Translate a contract into a suite, as plain data, that any GX project can load.

    ``ExpectationSuite(**suite)`` and ``from_suite`` read it. It is complete: the policy in it names
    no file of rules. ``columns`` are the conformed columns of a given batch: optional columns among
    them are expected like the others, and absent ones are left out. A rule with no possible meaning
    raises Misuse.
    """
    policy = policy or Policy()
    own = [rule.stated for rule in rules_of(contract, policy) if _applies(rule, columns)]
    values = values_in_force(contract, policy)
    rules = [*own, *_learned(contract, policy, values, columns)]
    return {
        "name": _name(contract),
        "expectations": [*_expectations(contract, policy, columns), *rules],
        "meta": {
            "great_expectations_version": _GX_VERSION,
            META: {
                "model": contract.model.model_dump() if contract.model else None,
                "fingerprint": contract.fingerprint,
                "policy": policy.model_copy(update=_IN_FILES).model_dump(mode="json"),
                "signature": contract.signature,
                **({} if values is None else {"values": values.model_dump(mode="json")}),
                **({} if columns is None else {"columns": list(columns)}),
            },
        },
    }


def _name(contract: Contract) -> str:
    # A name that every store of GX takes: those on disk refuse slashes.
    model = contract.model
    if model is None:
        return f"signature-{contract.fingerprint}"
    return slug(f"{model.name}-{model.version}" if model.name and model.version else model.pinned)


def from_suite(suite: dict[str, Any], origin: str = "the suite") -> Contract:
    """Read back the contract, with policy and rules, of a suite that ``to_suite`` wrote.

    It is pinned to the version that the suite was written for. A suite of another program raises
    Misuse; ``origin`` is for the text of the errors.
    """
    stated = _meta(suite)
    if "signature" not in stated:
        msg = (
            f"{origin} does not say which signature it stands for. Make it with "
            "`signature-gate contract MODEL --out FILE`."
        )
        raise Misuse(msg)
    model = _model(stated["model"], origin) if stated.get("model") else None
    policy = Policy.parse(stated.get("policy") or {}, f"the policy in {origin}")
    contract = Contract.from_signature(stated["signature"], model).under(policy)
    contract = replace(contract, values=_values(stated.get("values"), origin))
    columns = stated.get("columns")
    generated = _expectations(contract, policy, columns if isinstance(columns, list) else None)
    learned = _learned(contract, policy, contract.values, columns)
    known = {identity(plain(expectation)) for expectation in (*generated, *learned)}
    given = [
        parse_rule(e, contract, origin).stated for e in _listed(suite, origin) if _differs(e, known)
    ]
    return replace(contract, rules=tuple(given))


def _meta(suite: dict[str, Any]) -> dict[str, Any]:
    meta = suite.get("meta")
    own = cast("dict[str, Any]", meta).get(META) if isinstance(meta, dict) else None
    return cast("dict[str, Any]", own) if isinstance(own, dict) else {}


def _model(stated: Any, origin: str) -> ModelVersion:
    try:
        return ModelVersion.model_validate(stated)
    except ValidationError as error:
        raise Misuse(describe_invalid(error, f"the model in {origin}", ModelVersion)) from error


def _values(stated: Any, origin: str) -> ValueProfile | None:
    return None if stated is None else ValueProfile.parse(json.dumps(stated), f"values in {origin}")


def _learned(
    contract: Contract,
    policy: Policy,
    values: ValueProfile | None,
    columns: Collection[str] | None,
) -> Iterator[Expectation]:
    """State what was learned: of rows, and of a batch as large as the blocks were."""
    if values is None:
        return
    for rule in learned_rules(contract, policy, values):
        if _applies(rule, columns):
            yield rule.stated
    from .values.limits import A_YEAR, Known, learned_band

    level = policy.false_alarm_share(A_YEAR) / values.statistics
    for name, column in values.columns.items():
        expected = name in contract.by_name and (columns is None or name in columns)
        for statistic, spread in column.spreads.items() if expected else ():
            if (do := policy.on_values(name, statistic)) != "ignore":
                band = learned_band(Known(statistic, spread, values), values.block_rows, level)
                for stated in batch_expectations(statistic, name, column, band):
                    yield {**stated, "severity": "critical" if do == "forbid" else "warning"}


def _differs(expectation: Any, known: set[str]) -> bool:
    return not is_expectation(expectation) or identity(plain(expectation)) not in known


def _listed(suite: dict[str, Any], origin: str) -> list[Any]:
    listed = suite.get("expectations")
    if not isinstance(listed, list):
        msg = (
            f"{origin} has no list of expectations. Write rules as the JSON of a GX suite: "
            "json.dumps(suite.to_json_dict())."
        )
        raise InvalidRules(msg)
    return cast("list[Any]", listed)


def rules_of(contract: Contract, policy: Policy) -> tuple[Rule, ...]:
    """Read the rules of the contract's suite and those of the policy's file, each once.

    Misuse is raised if the file is missing or is no suite, or if a rule has no possible meaning.
    """
    stated = [(expectation, "the suite") for expectation in contract.rules]
    if policy.rules is not None:
        read = _rules_in(Path(policy.rules), contract, policy)
        stated += [(expectation, policy.rules) for expectation in read]
    rules = [parse_rule(expectation, contract, origin) for expectation, origin in stated]
    return tuple({identity(rule.stated): rule for rule in rules}.values())


def values_in_force(contract: Contract, policy: Policy) -> ValueProfile | None:
    """Return what was learned of values, if the policy looks at it; it may be in a file."""
    if policy.values == "ignore" and not {*policy.values_of.values()} - {"ignore"}:
        return None
    return ValueProfile.load(policy.values_from) if policy.values_from else contract.values


def learned_rules(
    contract: Contract, policy: Policy, values: ValueProfile | None
) -> Iterator[Rule]:
    """State what each row is to keep by what was learned of the contract's columns."""
    for column, statistic, expectation in row_expectations(values) if values else ():
        do = policy.on_values(column, statistic)
        if column in contract.by_name and do != "ignore":
            stated = {**expectation, "severity": "critical" if do == "forbid" else "warning"}
            yield parse_rule(stated, contract, "the learned values")


def _rules_in(path: Path, contract: Contract, policy: Policy) -> list[Any]:
    suite = _read(path)
    if path.suffix in _YAML:
        from .standards.odcs import rules_in

        return list(rules_in(suite, contract, policy, str(path)))
    return list(from_suite(suite, str(path)).rules) if _meta(suite) else _listed(suite, str(path))


def _applies(rule: Rule, columns: Collection[str] | None) -> bool:
    return columns is None or set(rule.columns) <= set(columns)


def _read(path: Path) -> dict[str, Any]:
    try:
        suite = read_yaml(path) if path.suffix in _YAML else read_json(path)
    except OSError as error:
        msg = f"cannot read the rules in {path}: {error.strerror}. Check the path."
        raise InvalidRules(msg) from error
    except DocumentError as error:
        msg = f"{path} is not a suite: {error}. Give a JSON file of GX, or a YAML file of ODCS."
        raise InvalidRules(msg) from error
    return cast("dict[str, Any]", suite) if isinstance(suite, dict) else {}


def _expectations(
    contract: Contract, policy: Policy, columns: Collection[str] | None
) -> Iterator[Expectation]:
    all_expected = policy.missing_optional == "forbid"
    expected = [
        column
        for column in contract.columns
        if (column.required or all_expected if columns is None else column.name in columns)
    ]
    yield _columns(expected, policy, exact=columns is not None or expected == [*contract.columns])
    for column in expected:
        yield _of_type(column)
        if _never_null(column, policy):
            yield _expectation("expect_column_values_to_not_be_null", column=column.name)
    yield _expectation("expect_table_row_count_to_be_between", min_value=policy.min_rows)


def _columns(expected: list[Column], policy: Policy, *, exact: bool) -> Expectation:
    names = [column.name for column in expected]
    if exact and policy.column_order == "forbid":
        return _expectation("expect_table_columns_to_match_ordered_list", column_list=names)
    return _expectation("expect_table_columns_to_match_set", column_set=names, exact_match=exact)


def _never_null(column: Column, policy: Policy) -> bool:
    # GX on pandas takes NaN for null, whatever the policy: it cannot state this one.
    unstatable = policy.nan == "value" and str(column.type) in WITH_NAN
    return not unstatable and why_null_is_forbidden(column, policy) is not None


def _of_type(column: Column) -> Expectation:
    stated = expectation_of_type(column)
    expectation = _expectation(stated["type"], **stated["kwargs"])
    if not isinstance(column.type, Scalar):
        # No stock expectation states a nested type: who opens the suite can still read it.
        expectation["meta"] = {META: {"type": str(column.type)}}
    return expectation


def _expectation(kind: str, **kwargs: Any) -> Expectation:
    return {"type": kind, "kwargs": kwargs, "severity": "critical", "meta": {}}
