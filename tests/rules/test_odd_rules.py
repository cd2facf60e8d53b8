"""Whatever a rules file holds, the outcome is a verdict or InvalidRules, and nothing is run."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from small_checks import contract

from signature_gate import Policy, check
from signature_gate.expectations.errors import InvalidRules

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = contract(
    optional=("s", "t", "d"), i="long", d="double", b="boolean", s="string", t="datetime"
)
ROWS = pl.DataFrame(
    {
        "i": [1, 2, 3],
        "d": [1.5, None, float("inf")],
        "b": [True, False, True],
        "s": ["x", None, "é"],
        "t": pl.Series([0, 1, None]).cast(pl.Datetime("ns")),
    }
)
# `make prove` tries every odd value in every field.
_EVERYTHING = int(os.environ.get("SIGNATURE_GATE_EXAMPLES", "200")) > 200
ODD: list[Any] = [
    *(-1, float("nan"), 2**70, 10**400, True, None),
    *("", "i", "(", "%Q\x00", "2020-01-01"),
    *([], [[]], [None, 1, "x"], ["i", "zz"], {}, {"a": [1]}),
    {"quantiles": [2], "value_ranges": [[1, 2]]},
]


@cache
def _fields() -> dict[str, tuple[str, ...]]:
    """Every expectation of GX's core, with its own arguments."""
    import great_expectations.expectations as every
    from great_expectations.expectations.expectation import Expectation

    classes = [
        v for v in vars(every).values() if isinstance(v, type) and issubclass(v, Expectation)
    ]
    common = {"id", "rendered_content", "windows", "batch_id", "catch_exceptions", "result_format"}
    common |= {"meta", "notes", "description", "severity"}  # tried below
    return {
        cls.expectation_type: tuple(f for f in cls.__fields__ if f not in common)
        for cls in classes
        if cls.__module__.startswith("great_expectations.expectations.core.")
    }


def _outcome(stated: Any) -> str:
    try:
        check(ROWS, replace(CONTRACT, rules=(stated,)))
    except InvalidRules:
        return "refused"
    return "judged"


_USUAL: dict[str, list[Any]] = {
    "column": ["i", "d", "b", "s", "t"],
    "column_A": ["i"],
    "column_B": ["d"],
    "column_list": [["i", "d"]],
    "column_set": [["i", "d"]],
    "min_value": [0],
    "max_value": [2],
    "value": [1],
    "value_set": [[1, 2]],
    "regex": ["(?!x)."],
    "regex_list": [["x", "é"]],
    "like_pattern": ["x%"],
    "like_pattern_list": [["x%"]],
    "strftime_format": ["%Y"],
    "json_schema": [{"type": "object"}],
    "type_": ["int64"],
    "type_list": [["int64", "str"]],
    "sum_total": [3],
    "column_index": [0],
    "double_sided": [True],
    "threshold": [2],
    "quantile_ranges": [{"quantiles": [0.5], "value_ranges": [[1, 2]]}],
    "value_pairs_set": [[[1, 1.5]]],
    "partition_object": [{"values": [1, 2], "weights": [0.5, 0.5]}],
}
EXPECTATIONS = sorted(_fields())


def test_the_table_holds_the_expectations_of_gx() -> None:
    """GX has some sixty; a table of few would prove nothing."""
    assert len(EXPECTATIONS) > 50


def _usual_rules(kind: str) -> list[dict[str, Any]]:
    """Arguments that are not odd: on each column, or on one, another for the next kind."""
    usual = {field: _USUAL[field] for field in _fields()[kind] if field in _USUAL}
    every = [dict(zip(usual, values, strict=True)) for values in itertools.product(*usual.values())]
    return every if _EVERYTHING else [every[EXPECTATIONS.index(kind) % len(every)]]


def _odd_arguments(kind: str) -> list[tuple[str, Any]]:
    """Each field with every odd value, or with one: the one after that of the field before."""
    fields = _fields()[kind]
    if _EVERYTHING:
        return list(itertools.product(fields, ODD))
    first = EXPECTATIONS.index(kind)
    return [(field, ODD[(first + place) % len(ODD)]) for place, field in enumerate(fields)]


def test_the_odd_arguments_reach_every_field_and_value() -> None:
    """No field of an expectation is left out, and over all of them a field meets most values."""
    tried = {kind: _odd_arguments(kind) for kind in EXPECTATIONS}
    of_columns = {repr(v) for pairs in tried.values() for field, v in pairs if field == "column"}

    assert all({field for field, _ in tried[kind]} == set(_fields()[kind]) for kind in EXPECTATIONS)
    assert {repr(v) for pairs in tried.values() for _, v in pairs} == set(map(repr, ODD))
    assert len(of_columns) > len(ODD) // 2


@pytest.mark.parametrize("kind", EXPECTATIONS)
def test_any_arguments_give_a_verdict_or_are_refused(kind: str) -> None:
    """Arguments usual and odd, one odd in a rule; nothing else comes out than these two."""
    rules = _usual_rules(kind)
    odd = [{**rules[-1], field: value} for field, value in _odd_arguments(kind)]

    outcomes = {_outcome({"type": kind, "kwargs": kwargs}) for kwargs in [*rules, *odd]}

    assert outcomes <= {"judged", "refused"}


@pytest.mark.parametrize(
    "stated",
    [
        *(None, 1, "x", [], {}, {"type": 1}, {"type": []}, {"type": "x", "kwargs": []}),
        *(
            {"type": "expect_column_values_to_be_null", "kwargs": {"column": "i"}, key: value}
            for key, value in itertools.product(
                ("severity", "meta", "notes", "description"), ([1], {"a": 1}, 5, "x", {})
            )
        ),
    ],
)
def test_any_form_gives_a_verdict_or_is_refused(stated: Any, tmp_path: Path) -> None:
    """What is no expectation at all, and what its author may note on one."""
    path = tmp_path / "rules.json"
    for suite in (
        {"expectations": [stated]},
        {"expectations": stated},
        {"expectations": [], "meta": stated},
        stated,
    ):
        path.write_text(json.dumps(suite), "utf-8")
        _, reason = _outcome_of_file(path)
        assert reason is None or str(path) in reason


def _outcome_of_file(path: Path) -> tuple[bool, str | None]:
    try:
        return check(ROWS, CONTRACT, Policy(rules=str(path))).passed, None
    except InvalidRules as error:
        return False, str(error)


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("column_values_to_be_between", {"column": "s", "min_value": 1}),
        ("column_values_to_be_between", {"column": "s", "min_value": "a"}),
        ("column_values_to_be_between", {"column": "t", "min_value": 5}),
        ("column_mean_to_be_between", {"column": "s", "min_value": 1}),
        ("column_values_to_match_regex", {"column": "i", "regex": "("}),
        ("column_values_to_match_strftime_format", {"column": "i", "strftime_format": "%Y"}),
        ("column_values_to_match_like_pattern", {"column": "s", "like_pattern": "x%"}),
        ("column_values_to_be_increasing", {"column": "s"}),
        ("query_results_to_match_comparison", {"base_query": "SELECT 1"}),
        ("table_row_count_to_equal_other_table", {"other_table_name": "x"}),
    ],
)
@pytest.mark.parametrize("engine", ["polars", "gx"])
def test_what_the_types_make_unjudgeable_is_refused(kind: str, kwargs: Any, engine: Any) -> None:
    """When the rules are read: no batch is rejected for a rule that no batch could meet."""
    stated = {"type": f"expect_{kind}", "kwargs": kwargs}

    with pytest.raises(InvalidRules, match=f"expect_{kind}"):
        check(ROWS.head(0), replace(CONTRACT, rules=(stated,)), Policy(min_rows=0), engine=engine)


def test_a_query_of_a_rules_file_is_refused() -> None:
    """GX would put columns and batch into the text and send it to a database."""
    stated = {
        "type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": "SELECT {batch.__init__}"},
    }

    with pytest.raises(InvalidRules, match="it needs a database"):
        check(ROWS, replace(CONTRACT, rules=(stated,)))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "file:///etc/hostname"},
        {"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}},
        {"allOf": [{"$dynamicRef": "other.json"}]},
    ],
)
def test_a_schema_of_a_rules_file_reads_no_other_file(schema: Any) -> None:
    """The validator that GX calls would fetch references from disk and network."""
    kwargs = {"column": "s", "json_schema": schema}

    stated = {"type": "expect_column_values_to_match_json_schema", "kwargs": kwargs}

    with pytest.raises(InvalidRules, match="which is outside of it"):
        check(ROWS, replace(CONTRACT, rules=(stated,)))


_A = "a" * 40 + "b"


@pytest.mark.parametrize(
    ("kind", "kwargs", "engine"),
    [
        ("match_regex", {"regex": "^(?=(a+)+$)a"}, "polars"),
        ("not_match_regex", {"regex": "^(?=(a+)+$)a"}, "polars"),
        ("match_regex_list", {"regex_list": ["b", "^(a+)+$"]}, "polars"),
        ("match_regex", {"regex": "^(a+)+$"}, "gx"),
        ("match_json_schema", {"json_schema": {"pattern": "^(a+)+$"}}, "polars"),
    ],
)
def test_a_pattern_that_takes_for_ever_is_refused(kind: str, kwargs: Any, engine: Any) -> None:
    """After two seconds for a thousand rows, by an error that names the rule."""
    frame = pl.DataFrame({"s": [_A, f'"{_A}"']})
    stated = {"type": f"expect_column_values_to_{kind}", "kwargs": {"column": "s", **kwargs}}

    with pytest.raises(InvalidRules, match=rf"to_{kind} .*more than 2 s"):
        check(frame, replace(contract(s="string"), rules=(stated,)), engine=engine)


def test_a_pattern_that_polars_takes_is_judged_in_linear_time() -> None:
    """The same text, the same repetition: the engine of Polars does not go back."""
    kwargs = {"column": "s", "regex": "^(a+)+$"}
    stated = {"type": "expect_column_values_to_match_regex", "kwargs": kwargs}
    frame = pl.DataFrame({"s": ["a" * 10_000, _A]})

    verdict = check(frame, replace(contract(s="string"), rules=(stated,))).verdict

    assert [r.unexpected_count for r in verdict.rules] == [1]
