"""Conditions out of a file: what the grammar takes, what it refuses, and that none runs code."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from small_checks import contract

from signature_gate import Policy, check
from signature_gate.expectations.errors import InvalidRules
from signature_gate.expectations.suite import from_suite, to_suite

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = contract(optional=("s", "v"), a="long", s="string", t="datetime", v="binary")
ROWS = pl.DataFrame(
    {"a": [1, 2], "s": ["x", None], "t": pl.Series([0, 1]).cast(pl.Datetime("ns"))}
).with_columns(v=pl.col("s").cast(pl.Binary))


def _rule(condition: Any, parser: str | None = "pandas") -> dict[str, Any]:
    kwargs = {"column": "a", "row_condition": condition, "condition_parser": parser}
    return {"type": "expect_column_values_to_not_be_null", "kwargs": kwargs}


def _written(path: Path, *rules: dict[str, Any]) -> str:
    path.write_text(json.dumps({"name": "mine", "expectations": rules}), "utf-8")
    return str(path)


def _exploits(trace: Path) -> list[Any]:
    file = str(trace)
    call = f"s.__init__.__globals__['sys'].modules['os'].system('touch {file}')"
    texts = [
        call,
        f"{call} == 0",
        f"a > 0 or {call}",
        f"a.isin([{call}])",
        f"a[{call}] > 1",
        f"a == {call}",
        f"s.to_csv({file!r})",
        f"s.to_csv({file!r}).isnull()",
        f"s.to_pickle({file!r}) == 1",
        f"@pd.eval('s.to_csv(\"{file}\")') == 1",
        f"index.to_frame().to_csv({file!r})",
        f"(lambda: {call})() == 0",
        f"[x for x in [{call}]] == a",
        f"f'{{{call}}}' == s",
        f"`s`.to_csv({file!r})",
        f"s == '`' or {call} == '`'",
        f"s == \"`\" and `a` > 0 and s.to_csv({file!r}) == '`'",
        f"__import__('os').system('touch {file}') == 0",
        f"b = s.to_csv({file!r})",
        f"a > 0\nb = s.to_csv({file!r})",
        f"a if {call} else a",
        f"(b := {call}) == 0",
    ]
    return [
        *texts,
        *({"type": "pass_through", "pass_through_filter": text} for text in texts),
        {"type": "comparison", "column": {"name": f"s.to_csv({file!r})"}, "operator": "=="}
        | {"parameter": 1},
        {"type": "comparison", "column": {"name": "s"}, "operator": f"+ {call} =="}
        | {"parameter": 1},
        {"type": "comparison", "column": {"name": "s"}, "operator": "=="}
        | {"parameter": {"a": [call]}},
        {"type": "nullity", "column": {"name": f"s` + {call} + `s"}, "is_null": True},
        {"type": "and", "conditions": [{"type": "pass_through", "pass_through_filter": "a > 1"}]},
    ]


@pytest.mark.parametrize("engine", ["polars", "gx"])
def test_no_condition_of_a_file_runs_code(tmp_path: Path, engine: Any) -> None:
    """Each exploit is refused by its text, under either engine, and leaves no trace."""
    trace = tmp_path / "ran"
    for number, exploit in enumerate(_exploits(trace)):
        path = _written(tmp_path / f"{number}.json", _rule(exploit))
        with pytest.raises(InvalidRules, match=r"row_condition|no column"):
            check(ROWS, CONTRACT, Policy(rules=path), engine=engine)
        with pytest.raises(InvalidRules):
            from_suite(to_suite(CONTRACT) | {"expectations": [_rule(exploit)]})
        if isinstance(exploit, str):
            with pytest.raises(InvalidRules):
                from_suite(
                    to_suite(CONTRACT) | {"expectations": [_rule(exploit, "great_expectations")]}
                )
    assert not trace.exists()


def test_text_within_a_condition_is_only_text(tmp_path: Path) -> None:
    """What looks like code between quotes is a value, whoever judges the rule."""
    trace = tmp_path / "ran"
    text = f"x' or s.to_csv('{trace}') or '"
    condition = {"type": "comparison", "column": {"name": "s"}, "operator": "!=", "parameter": text}
    stated = _rule(condition, None) | {"type": "expect_column_values_to_be_increasing"}

    for engine in ("polars", "gx"):
        verdict = check(ROWS, replace(CONTRACT, rules=(stated,)), engine=engine).verdict
        assert [r.element_count for r in verdict.rules] == [2]
    assert not trace.exists()


def test_a_column_name_within_a_condition_is_only_a_name(tmp_path: Path) -> None:
    """The names of columns come out of a file as well."""
    trace = tmp_path / "ran"
    name = f"s` or @pd.Series(1).to_csv('{trace}') or `s"
    hostile = contract(**{name: "long", "s": "string"})
    condition = {"type": "nullity", "column": {"name": name}, "is_null": False}
    kwargs = {"column": name, "row_condition": condition}
    stated = {"type": "expect_column_values_to_be_increasing", "kwargs": kwargs}

    for engine in ("polars", "gx"):
        frame = pl.DataFrame({name: [1, 2], "s": ["x", "y"]})
        verdict = check(frame, replace(hostile, rules=(stated,)), engine=engine).verdict
        assert [r.success for r in verdict.rules] == [True]
    assert not trace.exists()


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("a > ", "no expression"),
        ("a", "no boolean column"),
        ("a > z", "no column 'z'"),
        ("a > 'x'", "cannot be compared with 'x'"),
        ("s < 1", "cannot be compared with 1"),
        ("s == a", "cannot be compared with a"),
        ("t == 'tomorrow'", "cannot be compared with 'tomorrow'"),
        ("t > 5", "cannot be compared with 5"),
        ("v == 'x'", "cannot be compared with 'x'"),
        ("a == None", "'None' is not allowed"),
        ("a == 1j", "'1j' is not allowed"),
        ("a in [1, 'x']", "give numbers, text, true or false"),
        ("a in [[1]]", "give numbers, text, true or false"),
        ("a > [1]", "is compared by"),
        ("a in 1", "is compared by"),
        ("1 == 1", "'1' is not allowed"),
        ("a > 1e999", "give numbers, text, true or false"),
        (f"a > {2**64}", "give numbers, text, true or false"),
        ("a + 1 > 2", r"'a \+ 1' is not allowed"),
        ("a.abs() > 2", r"'a\.abs\(\)' is not allowed"),
        ("a is 1", "is compared by"),
        (" and ".join(["a > 1"] * 101), "more than 100 comparisons"),
        ("not " * 30 + "a > 1", "nested more than 20 deep"),
        ("(" * 5_000 + "a > 1", "no expression"),
        ("not " * 2_400 + "a > 1", "no expression|nested more than 20 deep"),
        ("a > 1" + " " * 10_000, "longer than 10,000 characters"),
        ({"type": "between"}, "is no condition of GX"),
        ({"type": "and", "conditions": []}, "is no condition of GX"),
        ({"type": "nullity", "column": "a"}, "is no condition of GX"),
        (5, "is no condition of GX"),
    ],
)
def test_a_condition_that_cannot_be_judged_is_refused_with_the_reason(
    condition: Any, reason: str
) -> None:
    """Refused when the rules are read, before any batch."""
    with pytest.raises(InvalidRules, match=reason):
        check(ROWS, replace(CONTRACT, rules=(_rule(condition),)))


def test_a_deeply_nested_condition_is_refused() -> None:
    """A mapping may not be nested without an end either."""
    condition: dict[str, Any] = {"type": "nullity", "column": {"name": "a"}, "is_null": True}
    for _ in range(30):
        condition = {"type": "and", "conditions": [condition]}

    with pytest.raises(InvalidRules, match="nested more than 20 deep"):
        check(ROWS, replace(CONTRACT, rules=(_rule(condition, None),)))
