"""Engines agree: Polars finds of rules and contracts what stock GX finds, on anything."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_checks import contract
from stock_gx import ask
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.suite import to_suite

if TYPE_CHECKING:
    import pyarrow as pa

    from signature_gate.expectations.verdict.verdict import Verdict

# Stock GX takes a tenth of a second where Polars takes a hundredth: fewer examples, then.
_EXAMPLES = settings.default.max_examples if settings.default else 200
through_gx = settings(max_examples=60 if _EXAMPLES <= 200 else min(_EXAMPLES, 2_000))

TYPES = {"i": "long", "j": "integer", "d": "double", "e": "double", "f": "float"} | {
    "s": "string",
    "u": "string",
    "b": "boolean",
    "t": "datetime",
}
CONTRACT = contract(optional=("d", "e", "f", "s", "u", "t"), **TYPES)
DTYPES = {"i": pl.Int64, "j": pl.Int32, "d": pl.Float64, "e": pl.Float64, "f": pl.Float32} | {
    "s": pl.String,
    "u": pl.String,
    "b": pl.Boolean,
    "t": pl.Datetime("ns"),
}
NUMBERS, TEXTS = ["i", "j", "d", "e", "f"], ["s", "u"]

_WHOLE = st.integers(-3, 3)
# Halves add up exactly in any order and any precision.
_HALVES = st.one_of(_WHOLE.map(float), st.sampled_from([0.5, -0.0, 1.5, float("nan")]))
_TEXT = st.one_of(
    st.sampled_from(["", "a", "b", "a\n", "ab", "é", "½_"]), st.text("ab1 \n", max_size=3)
)
_TIMES = st.sampled_from(
    [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 0, 0, 1), dt.datetime(1969, 5, 5)]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i": _WHOLE,
    "j": _WHOLE,
    "d": st.one_of(_HALVES, st.sampled_from([float("inf"), 0.1])),
    "e": _HALVES,
    "f": st.one_of(_HALVES, st.just(0.1)),
    "s": _TEXT,
    "u": _TEXT,
    "b": st.booleans(),
    "t": _TIMES,
}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.integers(0, 7))
    columns = dict[str, pl.Series]()
    for name, values in VALUES.items():
        cell = values if name in "ijb" else st.one_of(values, values, st.none())
        drawn = draw(st.lists(cell, min_size=rows, max_size=rows))
        columns[name] = pl.Series(drawn, dtype=DTYPES[name])
    return pl.DataFrame(columns)


# ----- arguments -----

_LIMIT = st.one_of(_WHOLE, st.sampled_from([0.1, 0.5, -1.5]))
# A deviation is rarely exact: limits that none can meet to the last digit.
_ODD_LIMIT = st.integers(-3, 3).map(lambda number: number + 0.37)
_INSTANT = st.sampled_from(["2020-01-01", "2020-01-01T00:00:00", "2020-01-01T00:00:00.5"])
_SHARES = st.sampled_from([0, 0.25, 0.5, 1])
PATTERNS = [
    "^a",
    "a$",
    "b|1",
    r"\w",
    r"\s$",
    r"^\W*$",
    "[^a]",
    "(?=b)",
    "(?s)a.",
    r"\d{1,2}$",
    "(?i)A",
]


@st.composite
def limits(draw: st.DrawFn, limit: st.SearchStrategy[Any]) -> dict[str, Any]:
    low, high = draw(st.none() | limit), draw(st.none() | limit)
    if low is None and high is None:
        low = draw(limit)
    if low is not None and high is not None and low > high:
        low, high = high, low
    given = {"min_value": low, "max_value": high}
    strict = st.dictionaries(st.sampled_from(("strict_min", "strict_max")), st.just(value=True))
    return {key: value for key, value in given.items() if value is not None} | draw(strict)


def sets(name: str) -> st.SearchStrategy[dict[str, Any]]:
    member = VALUES[name].filter(lambda value: value == value)  # noqa: PLR0124 - not NaN
    stranger = st.lists(st.one_of(member, member, _LIMIT, st.just("a"), st.none()), max_size=3)
    sane = st.lists(member, min_size=1, max_size=3)
    return st.one_of(sane, sane, stranger).map(lambda values: {"value_set": values})


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from([*NUMBERS, "s", "b", "t"]))
    if draw(st.booleans()):
        return {"type": "nullity", "column": {"name": name}, "is_null": draw(st.booleans())}
    sign = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN"]))
    if name == "t":
        sign, parameter = draw(st.sampled_from("<>")), draw(_INSTANT)
    elif name == "b":
        sign, parameter = draw(st.sampled_from(["==", "!="])), draw(st.booleans())
    else:
        value = _LIMIT if name in NUMBERS else st.sampled_from(["a", "ab", "é"])
        parameter = draw(value)
        if sign.endswith("IN"):
            parameter = draw(st.lists(value, min_size=1, max_size=2))
    return {
        "type": "comparison",
        "column": {"name": name},
        "operator": sign,
        "parameter": parameter,
    }


CONDITIONS = st.one_of(
    comparisons(),
    st.builds(
        lambda kind, parts: {"type": kind, "conditions": parts},
        st.sampled_from(["and", "or"]),
        st.lists(comparisons(), min_size=2, max_size=3),
    ),
)


# ----- rules -----


def _rows(names: list[str], *kinds: str, **kwargs: Any) -> st.SearchStrategy[dict[str, Any]]:
    extra = st.fixed_dictionaries(kwargs)
    return st.builds(
        lambda kind, name, given: {"type": f"expect_{kind}", "kwargs": {"column": name, **given}},
        st.sampled_from(kinds),
        st.sampled_from(names),
        extra,
    )


@st.composite
def column_rules(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(list(TYPES)))
    kinds: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "values_to_not_be_null": st.just({}),
        "values_to_be_null": st.just({}),
        "values_to_be_unique": st.just({}),
        "values_to_be_in_set": sets(name),
        # GX reads the text of such a set as instants: what is none is refused before.
        "values_to_not_be_in_set": sets(name).filter(
            lambda kwargs: name != "t" or "a" not in kwargs["value_set"]
        ),
    }
    if name in NUMBERS:
        kinds["values_to_be_between"] = limits(_LIMIT)
    if name == "t":
        kinds["values_to_be_between"] = limits(_INSTANT)
    if name in TEXTS:
        kinds["values_to_match_regex"] = st.sampled_from(PATTERNS).map(lambda p: {"regex": p})
        kinds["values_to_not_match_regex"] = kinds["values_to_match_regex"]
        kinds["value_lengths_to_equal"] = st.integers(0, 3).map(lambda n: {"value": n})
        kinds["value_lengths_to_be_between"] = limits(st.integers(0, 3))
    kind = draw(st.sampled_from(list(kinds)))
    mostly = draw(st.sampled_from([{}, {}, {"mostly": 0.5}, {"mostly": 0.75}, {"mostly": 0}]))
    return {
        "type": f"expect_column_{kind}",
        "kwargs": {"column": name, **draw(kinds[kind]), **mostly},
    }


@st.composite
def aggregate_rules(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(list(TYPES)))
    share = limits(st.sampled_from([0, 0.25, 0.5, 1]))
    kinds: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "unique_value_count_to_be_between": limits(st.integers(0, 5)),
        "proportion_of_unique_values_to_be_between": share,
        "proportion_of_non_null_values_to_be_between": share,
        "distinct_values_to_be_in_set": sets(name).filter(lambda kwargs: kwargs["value_set"]),
        "distinct_values_to_equal_set": sets(name),
        "distinct_values_to_contain_set": sets(name),
    }
    if name in NUMBERS:
        of = ("min", "max", "mean", "median", "sum")
        kinds |= {f"{noun}_to_be_between": limits(_LIMIT) for noun in of}
        kinds["stdev_to_be_between"] = limits(_ODD_LIMIT)
        pair = st.tuples(st.none() | _WHOLE, st.none() | _WHOLE).map(_in_order)
        ranges = st.lists(st.tuples(_SHARES, pair), min_size=1, max_size=3)
        kinds["quantile_values_to_be_between"] = ranges.map(
            lambda drawn: {
                "quantile_ranges": {
                    "quantiles": [share for share, _ in drawn],
                    "value_ranges": [list(pair) for _, pair in drawn],
                }
            }
        )
    if name == "t":
        kinds |= {f"{noun}_to_be_between": limits(_INSTANT) for noun in ("min", "max")}
    kind = draw(st.sampled_from(list(kinds)))
    return {"type": f"expect_column_{kind}", "kwargs": {"column": name, **draw(kinds[kind])}}


def _in_order(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return pair if None in pair else (min(pair), max(pair))


@st.composite
def pair_rules(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sampled_from([NUMBERS, TEXTS, ["t"], ["b"]]))
    kinds = ["to_be_equal", "a_to_be_greater_than_b"]
    kind = draw(st.sampled_from(kinds if names != ["b"] else kinds[:1]))
    kwargs = {"column_A": draw(st.sampled_from(names)), "column_B": draw(st.sampled_from(names))}
    if kind != "to_be_equal" and draw(st.booleans()):
        kwargs["or_equal"] = True
    ways = ["both_values_are_missing", "either_value_is_missing", "neither"]
    if way := draw(st.sampled_from([None, *ways])):
        kwargs["ignore_row_if"] = way
    return {"type": f"expect_column_pair_values_{kind}", "kwargs": kwargs}


@st.composite
def list_rules(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            [
                "compound_columns_to_be_unique",
                "select_column_values_to_be_unique_within_record",
                "multicolumn_sum_to_equal",
            ]
        )
    )
    among = (
        NUMBERS
        if kind.startswith("multi")
        else draw(st.sampled_from([NUMBERS, TEXTS, ["i", "s", "t"]]))
    )
    kwargs: dict[str, Any] = {
        "column_list": draw(st.lists(st.sampled_from(among), min_size=2, max_size=3, unique=True))
    }
    if kind.startswith("multi"):
        kwargs["sum_total"] = draw(_LIMIT)
    ways = ["all_values_are_missing", "any_value_is_missing", "never"]
    if way := draw(st.sampled_from([None, *ways])):
        kwargs["ignore_row_if"] = way
    return {"type": f"expect_{kind}", "kwargs": kwargs}


COUNTS = st.one_of(
    limits(st.integers(0, 8)).map(
        lambda given: {"type": "expect_table_row_count_to_be_between", "kwargs": given}
    ),
    st.integers(0, 8).map(
        lambda number: {"type": "expect_table_row_count_to_equal", "kwargs": {"value": number}}
    ),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    chosen = draw(st.one_of(column_rules(), aggregate_rules(), pair_rules(), list_rules(), COUNTS))
    if draw(st.integers(0, 2)) == 0:
        chosen["kwargs"]["row_condition"] = draw(CONDITIONS)
    return chosen | {"severity": draw(st.sampled_from(["critical", "warning"]))}


@through_gx
@given(frame=frames(), chosen=st.lists(rules(), min_size=1, max_size=8))
def test_rules_are_judged_as_stock_gx_judges_them(
    frame: pl.DataFrame, chosen: list[dict[str, Any]]
) -> None:
    """Same success and same unexpected count for each expectation, whichever engine judged it."""
    policy = Policy(min_rows=0, nulls="allow")
    verdict = check(frame, replace(CONTRACT, rules=tuple(chosen)), policy).verdict
    handed: Any = check(frame, CONTRACT, policy).model_input()

    answers = ask(handed, [ruling.expectation for ruling in verdict.rules])
    for ruling, answer in zip(verdict.rules, answers, strict=True):
        assert ruling.success == answer.success, (ruling, answer)
        assert answer.unexpected_count in (None, ruling.unexpected_count), (ruling, answer)


@pytest.mark.parametrize("name", ["contain_set", "equal_set", "be_in_set"])
@pytest.mark.parametrize("values", [[None, ""], [None], [None, None, "", ""]])
def test_a_null_among_the_values_asked_for_is_never_there(name: str, values: list[Any]) -> None:
    """As for stock GX, which looks at values alone: neither cells nor the set make it present."""
    frame = pl.DataFrame({"s": ["", "", None]})
    rule = {"type": f"expect_column_distinct_values_to_{name}", "severity": "critical"}
    rule["kwargs"] = {"column": "s", "value_set": values}
    plain, policy = contract(optional=("s",), s="string"), Policy(nulls="allow")

    (ruling,) = check(frame, replace(plain, rules=(rule,)), policy).verdict.rules
    (answer,) = ask(cast("Any", check(frame, plain, policy).model_input()), [rule])

    assert ruling.success == answer.success


def _said(verdict: Verdict) -> list[Any]:
    return sorted(
        [
            str((v.kind, v.column, v.count, v.rows, v.severity, v.expected))
            for v in verdict.violations
        ]
    )


@through_gx
@given(frame=frames(), chosen=st.lists(rules(), max_size=5))
def test_both_engines_split_the_same_rows(
    frame: pl.DataFrame, chosen: list[dict[str, Any]]
) -> None:
    """Under either engine the same rows are accepted, for the same reasons."""
    policy = Policy(on_mismatch="split", max_rejected=1, min_rows=0, sample_rows=99)
    judged_by = replace(CONTRACT, rules=tuple(chosen))

    ours = check(frame, judged_by, policy)
    theirs = check(frame, judged_by, policy, engine="gx")

    assert _said(ours.verdict) == _said(theirs.verdict)
    assert ours.verdict.rejected == theirs.verdict.rejected
    assert theirs.verdict.engine == "gx"
    if ours.accepted is not None:
        assert theirs.accepted is not None
        assert ours.accepted.collect().equals(theirs.accepted.collect())


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy]:
    judged_by = draw(contracts())
    return draw(tables(judged_by)), judged_by, draw(POLICIES)


@through_gx
@given(case=cases())
def test_both_engines_reach_one_verdict_on_any_contract(case: Any) -> None:
    """Signatures of any depth, batches that nearly fit: GX's nulls, counts and types are ours."""
    table, judged_by, policy = case

    ours, theirs = (check(table, judged_by, policy, engine=engine) for engine in ("polars", "gx"))

    assert _said(ours.verdict) == _said(theirs.verdict)
    assert ours.verdict.rejected == theirs.verdict.rejected


@through_gx
@given(case=cases())
def test_what_is_handed_over_meets_its_suite_in_stock_gx(case: Any) -> None:
    """GX loads the suite made for the batch, and finds the accepted rows to meet it."""
    table, judged_by, policy = case
    result = check(table, judged_by, policy)
    if result.disposition not in ("passed", "split") or not result.verdict.accepted:
        return
    columns = list(result.verdict.evidence)
    if len({name.casefold() for name in columns}) < len(columns):
        return  # GX takes names that differ in case for one another
    suite = json.loads(json.dumps(to_suite(judged_by, policy, columns)))
    frame: Any = result.model_input()
    frame.columns = [str(label) for label in frame.columns]

    answers = ask(frame, suite["expectations"])

    assert all(answer.success for answer in answers), (suite, answers)
