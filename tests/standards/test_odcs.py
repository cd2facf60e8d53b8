"""Documents of the Open Data Contract Standard: written and read back, and those of others."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import polars as pl
import pytest
import yaml
from commands import run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from open_data_contract_standard.model import OpenDataContractStandard
from rule_cases import CONTRACT, rule, under, where
from small_checks import contract, violations_in
from strategies import contracts

from signature_gate import InvalidRules, Misuse, Policy, check, export
from signature_gate.expectations.rules.parse import identity
from signature_gate.expectations.suite import rules_of

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads(OpenDataContractStandard.json_schema())
SMALL = contract(i="long", d="double", s="string", t="datetime")


def _validated(text: str) -> Any:
    document = yaml.safe_load(text)
    jsonschema.Draft201909Validator(SCHEMA).validate(document)
    return document


# ----- there and back -----

LIMITS = st.fixed_dictionaries(
    {},
    optional={"min_value": st.integers(-9, 3), "max_value": st.integers(4, 9) | st.just(4.5)}
    | {"strict_min": st.booleans(), "strict_max": st.booleans()},
).filter(lambda given: "min_value" in given or "max_value" in given)
NUMBER, TEXT = st.sampled_from("id"), st.just("s")
CONDITION = where("i", ">", 1)


def _rules() -> st.SearchStrategy[dict[str, Any]]:
    patterns = st.sampled_from(("^A{2}$", r"^\d+$", "b.c", "(?:a|b)"))
    values = st.lists(st.integers(0, 3), min_size=1, max_size=3)
    kinds = [
        st.builds(lambda c, k: ("column_values_to_be_between", {"column": c, **k}), NUMBER, LIMITS),
        st.builds(lambda c: ("column_values_to_be_unique", {"column": c}), st.sampled_from("is")),
        st.builds(lambda c: ("column_values_to_not_be_null", {"column": c}), st.sampled_from("ds")),
        st.builds(
            lambda v: ("column_values_to_be_in_set", {"column": "i", "value_set": v}), values
        ),
        st.builds(
            lambda r: ("column_values_to_match_regex", {"column": "s", "regex": r}), patterns
        ),
        st.builds(
            lambda n: ("column_value_lengths_to_be_between", {"column": "s", "max_value": n}),
            st.integers(1, 5),
        ),
        st.just(("column_value_lengths_to_equal", {"column": "s", "value": 2})),
        st.just(("column_values_to_be_between", {"column": "t", "min_value": "2024-01-01"})),
        st.builds(lambda n: ("table_row_count_to_be_between", {"max_value": n}), st.integers(1, 9)),
        st.builds(lambda c, k: ("column_mean_to_be_between", {"column": c, **k}), NUMBER, LIMITS),
        st.just(("column_pair_values_to_be_equal", {"column_A": "i", "column_B": "d"})),
    ]
    more = st.sampled_from(({}, {}, {}, {"mostly": 0.5}, {"row_condition": CONDITION}))
    severity = st.sampled_from(("critical", "critical", "warning", "info"))

    def stated(pair: tuple[str, dict[str, Any]], more: dict[str, Any], severity: str) -> Any:
        kind, kwargs = pair
        may_have = kind.startswith("column_values") and "unique" not in kind
        return rule(kind, severity, **kwargs, **(more if may_have else {}))

    return st.builds(stated, st.one_of(kinds), more, severity)


@settings(max_examples=80)
@given(st.lists(_rules(), max_size=6), st.sampled_from((Policy(), Policy(nulls="allow"))))
@example(
    [rule("column_values_to_be_between", column="i", **{k: 0}) for k in ("min_value", "max_value")],
    Policy(),
)
def test_rules_that_are_written_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, stated: list[Any], policy: Policy
) -> None:
    """A document is valid by its standard's own schema, and has the same rules as the contract."""
    judged_by = under(SMALL, *stated)
    file = tmp_path_factory.getbasetemp() / "contract.odcs.yaml"
    file.write_text(export(judged_by, "odcs", policy).text, "utf-8")
    _validated(file.read_text("utf-8"))

    again = rules_of(SMALL, policy.model_copy(update={"rules": str(file)}))

    expected = rules_of(judged_by, policy)
    assert {identity(r.stated) for r in again} == {identity(r.stated) for r in expected}


@settings(max_examples=50)
@given(contracts())
def test_a_contract_of_any_columns_is_a_valid_document(judged_by: Any) -> None:
    """Nested types and odd names too; the document names each column, its type and its nulls."""
    columns = _validated(export(judged_by, "odcs").text)["schema"][0]["properties"]

    assert [c["name"] for c in columns] == [c.name for c in judged_by.columns]
    assert [c["physicalType"] for c in columns] == [str(c.type) for c in judged_by.columns]


def test_what_a_document_says_of_a_contract() -> None:
    """Common rules are said in the standard's own words, others in those of Great Expectations."""
    stated = (
        rule("column_values_to_be_between", column="i", min_value=0, max_value=9, strict_max=True),
        rule("column_values_to_be_in_set", column="s", value_set=["a", "b"]),
        rule("column_values_to_be_unique", column="s"),
        rule("column_mean_to_be_between", column="d", min_value=0),
    )
    document = _validated(export(under(SMALL, *stated), "odcs", Policy(min_rows=3)).text)
    i, d, s, t = document["schema"][0]["properties"]

    assert i["logicalTypeOptions"] == {"minimum": 0, "exclusiveMaximum": 9}
    assert (s["enum"], s["unique"]) == ([{"value": "a"}, {"value": "b"}], True)
    assert d["quality"][0]["implementation"]["type"] == "expect_column_mean_to_be_between"
    assert (i["required"], t["logicalType"]) == (True, "timestamp")
    assert document["description"]["limitations"] == "Not stated: policy min_rows: 3."


# ----- as others write them -----

THEIRS = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
- name: orders
  quality:
  - {type: text, description: as fresh as possible}
  - {type: library, metric: rowCount, mustBeGreaterThan: 1}
  - {metric: duplicateValues, mustBe: 0, arguments: {properties: [i, s]}}
  properties:
  - {name: key, logicalType: string, description: the model does not take it}
  - name: i
    logicalType: integer
    primaryKey: true
    logicalTypeOptions: {minimum: 1, exclusiveMaximum: 100, format: i64}
  - name: d
    logicalType: number
    required: true
    quality:
    - {type: library, rule: nullValues, mustBe: 0, severity: warning}
    - type: custom
      engine: greatExpectations
      implementation: |
        type: expect_column_mean_to_be_between
        kwargs: {column: d, min_value: 0}
  - name: s
    logicalType: string
    logicalTypeOptions: {minLength: 2, maxLength: 3, pattern: '^[a-z]+$'}
    quality:
    - {metric: invalidValues, mustBe: 0, arguments: {validValues: [ab, abc]}}
  - {name: t, logicalType: timestamp, logicalTypeOptions: {minimum: '2024-01-01', timezone: false}}
"""
READ = [
    rule("table_row_count_to_be_between", min_value=2),
    rule("compound_columns_to_be_unique", column_list=["i", "s"]),
    rule("column_values_to_be_unique", column="i"),
    rule("column_values_to_be_between", column="i", min_value=1, max_value=100, strict_max=True),
    rule("column_values_to_not_be_null", column="d"),
    rule("column_values_to_not_be_null", "warning", column="d"),
    rule("column_mean_to_be_between", column="d", min_value=0),
    rule("column_value_lengths_to_be_between", column="s", min_value=2, max_value=3),
    rule("column_values_to_match_regex", column="s", regex="^[a-z]+$"),
    rule("column_values_to_be_in_set", column="s", value_set=["ab", "abc"]),
    rule("column_values_to_be_between", column="t", min_value="2024-01-01T00:00:00"),
]


def _theirs(tmp_path: Path, text: str = THEIRS) -> Policy:
    file = tmp_path / "orders.odcs.yml"
    file.write_text(text, "utf-8")
    return Policy(rules=str(file), nulls="allow")


def test_the_rules_of_a_document_are_expectations(tmp_path: Path) -> None:
    """Required, keys, limits, patterns, enums and quality rules become what the gate knows."""
    read = rules_of(SMALL, _theirs(tmp_path))

    assert [identity(r.stated) for r in read] == [identity(each) for each in READ]
    assert {r.origin for r in read} == {str(tmp_path / "orders.odcs.yml")}


def test_a_batch_is_judged_by_a_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that breaks the document is rejected; so it is by the command's --rules."""
    policy = _theirs(tmp_path)
    good = pl.DataFrame({"i": [1, 2, 3], "d": [0.5, 1.0, None], "s": ["ab", "abc", "zz"]})
    good = good.with_columns(t=pl.datetime(2024, 1, 1))

    result = check(good, SMALL, policy.model_copy(update={"on_mismatch": "split"}))

    assert ("rule", "s", 1) in violations_in(result)
    assert ("rule", "d", 1) in violations_in(result)
    suite, batch = tmp_path / "suite.json", tmp_path / "batch.parquet"
    suite.write_text(export(SMALL, "gx", Policy(nulls="allow")).text)
    good.write_parquet(batch)
    asked = ("check", str(suite), str(batch))
    assert run(capsys, *asked)[0] == 0
    assert run(capsys, *asked, "--rules", str(policy.rules))[0] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("format: i64", "multipleOf: 5"), "property 'i': multipleOf 5 has no expectation"),
        (("minLength: 2", "format: email"), "property 's': format email"),
        (
            ("exclusiveMaximum: 100", "exclusiveMinimum: 5"),
            "property 'i': minimum beside exclusiveMinimum",
        ),
        (
            ("rule: nullValues, mustBe: 0", "metric: nullValues, mustBe: 5"),
            "'d': nullValues {'must",
        ),
        (("metric: rowCount", "metric: freshness"), "the table: freshness"),
        (("type: text", "type: sql, query: select 1"), "the table: a quality rule of type sql"),
        (("engine: greatExpectations", "engine: soda"), "'d': a quality rule of type custom"),
        (("required: true", "requird: true"), "property 'd': requird"),
        (("logicalType: string, description", "required: true, description"), "no column 'key'"),
        (("required: true", "required: 'yes'"), "required"),
        (("- name: orders", "- {name: more}\n- name: orders"), "has 2 tables"),
        (("kind: DataContract", "kind: [1]"), "kind"),
        (
            (
                "  - {name: key,",
                "  - {name: o, properties: [{name: p, unique: true}]}\n  - {name: key,",
            ),
            "'o': unique inside",
        ),
        (("apiVersion", "{"), "is not a suite"),
    ],
)
def test_what_a_document_demands_beyond_that_is_refused(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    """The error names the file, the property and what of it cannot be judged."""
    assert THEIRS.count(change[0]) == 1
    policy = _theirs(tmp_path, THEIRS.replace(*change))

    with pytest.raises(InvalidRules) as refused:
        check(pl.DataFrame({"i": [1]}), SMALL, policy)

    assert str(policy.rules) in str(refused.value)
    assert told in str(refused.value)


def test_a_contract_with_every_kind_of_rule_is_exported() -> None:
    """The suite's own zoo of columns and rules is a valid document too."""
    _validated(export(CONTRACT, "odcs").text)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Export and reading say what to install."""
    monkeypatch.setitem(sys.modules, "open_data_contract_standard.model", None)

    with pytest.raises(Misuse, match=r"signature-gate\[odcs\]"):
        export(SMALL, "odcs")
