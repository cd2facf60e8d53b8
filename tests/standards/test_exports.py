"""Contracts in the languages of other tools, which judge rows as the gate does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import jsonschema
import polars as pl
import psycopg
import pytest
from commands import run
from databases import running
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rule_cases import rule, under, where, write_rules
from small_checks import contract, split

from signature_gate import Contract, Misuse, Policy, check, export
from signature_gate.expectations.standards.words import portable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from databases import Database

TYPES = {"i": "long", "j": "integer", "d": "double", "f": "float", "s": "string", "b": "boolean"}
DTYPES = {"i": pl.Int64, "j": pl.Int32, "d": pl.Float64, "f": pl.Float32} | {
    "s": pl.String,
    "b": pl.Boolean,
}
WORDS = ("", "AB", "ABC", "abc", "x ABC", "ABC\n", "it's", "ä%c", "7.5", "a\nb")
NUMBERS = (-1, 0, 1, 2, 5)
FLOATS = (-1.0, 0.0, 0.5, 1.0, 2.5, float("nan"), float("inf"), float("-inf"))
PATTERNS = (
    "^[A-Z]{2,3}$",
    "B",
    "^x .*C$",
    r"^\d$",
    r"7\.5|^ab",
    "^it's",
    "[^a-z]+",
    "(?:A|B)C",
    "",
)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys("ij", st.sampled_from((*NUMBERS, None))),
    **dict.fromkeys("df", st.sampled_from((*FLOATS, None))),
    "s": st.sampled_from((*WORDS, None)),
    "b": st.sampled_from((True, False, None)),
}
ROWS = st.fixed_dictionaries(CELLS).map(lambda row: {name: row[name] for name in TYPES})


@st.composite
def limits(draw: st.DrawFn) -> dict[str, Any]:
    """One or two limits, each strict or not."""
    low, high = sorted(draw(st.lists(st.sampled_from(range(-1, 5)), min_size=2, max_size=2)))
    which = draw(st.sampled_from(("low", "high", "both")))
    given: dict[str, Any] = {"min_value": low} if which != "high" else {}
    given |= {"max_value": high} if which != "low" else {}
    strict = {f"strict_{key[:3]}": draw(st.booleans()) for key in given}
    return given | {key: True for key, value in strict.items() if value}


def _set_of(column: str) -> st.SearchStrategy[list[Any]]:
    pool = {"s": WORDS, "b": (True, False), "i": NUMBERS, "j": NUMBERS, "d": (0.5, 1, 2.5)}
    return st.lists(st.sampled_from(pool[column]), min_size=1, max_size=3)


@st.composite
def rules(draw: st.DrawFn, floats: str = "df") -> dict[str, Any]:
    """A rule on one column that SQL has words for."""
    kind = draw(st.sampled_from(("null", "between", "set", "length", "regex")))
    no = draw(st.sampled_from(("", "not_")))
    if kind == "null":
        return rule(
            "column_values_to_not_be_null", column=draw(st.sampled_from("ij" + floats + "s"))
        )
    if kind == "between":
        column = draw(st.sampled_from("ij" + floats))
        return rule("column_values_to_be_between", column=column, **draw(limits()))
    if kind == "length":
        ends = draw(st.sampled_from(({"min_value": 1}, {"max_value": 3}, {"max_value": 0})))
        return rule("column_value_lengths_to_be_between", column="s", **ends)
    if kind == "set":
        column = draw(st.sampled_from("ijdsb"))
        return rule(
            f"column_values_to_{no}be_in_set", column=column, value_set=draw(_set_of(column))
        )
    pattern = draw(st.sampled_from([p for p in PATTERNS if portable(p) is not None]))
    return rule(f"column_values_to_{no}match_regex", column="s", regex=pattern)


POLICIES = st.builds(
    Policy,
    nulls=st.sampled_from(("forbid", "allow")),
    nan=st.sampled_from(("null", "value")),
    non_finite=st.sampled_from(("allow", "forbid")),
    nullable=st.sampled_from(((), ("d",), ("s", "f"))),
)


# ----- SQL -----


@settings(max_examples=80)
@given(st.lists(rules(), max_size=3), POLICIES, st.lists(ROWS, min_size=1, max_size=2))
@example(
    [rule("column_values_to_be_between", column="d", max_value=1)],
    Policy(nan="null", nullable=("d",)),
    [{"i": 1, "j": 1, "d": float("nan"), "f": 0.5, "s": "", "b": True}],
)
def test_a_table_takes_the_rows_that_fit(
    stated: list[Any], policy: Policy, rows: list[dict[str, Any]]
) -> None:
    """DuckDB refuses to insert exactly the rows that the gate rejects."""
    judged_by = under(contract(**TYPES), *stated)
    text, left_out = export(judged_by, "sql", policy)
    assert [each for each in left_out if "expect_" in each] == []
    with duckdb.connect() as connection:
        connection.execute(text)
        for row in rows:
            verdict = check(pl.DataFrame([row], DTYPES), judged_by, policy)
            assert _inserts(connection, row) == verdict.passed, (text, row, verdict.violations)


# Where a test stands at its limit, and on either side of it.
EDGES = [
    rule("column_values_to_be_between", column=column, **{limit: 1}, **strict)
    for column in "ijdf"
    for limit in ("min_value", "max_value")
    for strict in ({}, {f"strict_{limit[:3]}": True})
]
EDGES += [rule("column_value_lengths_to_be_between", column="s", min_value=2, max_value=3)]
EDGES += [
    rule(f"column_values_to_{no}be_in_set", column=column, value_set=values)
    for no in ("", "not_")
    for column, values in {"s": ["AB", "it's"], "i": [0, 5], "d": [0.5, 1], "b": [True]}.items()
]
EDGES += [
    rule(f"column_values_to_{no}match_regex", column="s", regex=pattern)
    for no in ("", "not_")
    for pattern in PATTERNS
    if portable(pattern) is not None
]
EVERY: dict[str, Any] = {"i": NUMBERS, "j": NUMBERS, "d": FLOATS, "f": FLOATS, "s": WORDS}
GOOD = {"i": 1, "j": 1, "d": 1.0, "f": 1.0, "s": "AB", "b": True}


@pytest.mark.parametrize("stated", EDGES)
def test_both_sides_of_each_edge_are_told_apart(tmp_path: Path, stated: Any) -> None:
    """Every value at hand under one rule: DuckDB and the JSON Schema take what the gate takes."""
    column = stated["kwargs"]["column"]
    values = [*EVERY.get(column, (True, False))]
    judged_by, policy = under(contract(**TYPES), stated), split(nan="value")
    rows = [GOOD | {column: value} for value in values]
    taken = set(_taken(check(pl.DataFrame(rows, DTYPES), judged_by, policy)))
    with duckdb.connect() as connection:
        connection.execute(export(judged_by, "sql", policy).text)
        assert {n for n, row in enumerate(rows) if _inserts(connection, row)} == taken
    assert 0 < len(taken) < len(rows) or stated["kwargs"].get("regex") in ("", "[^a-z]+")

    finite = [row for row in rows if row[column] in FINITE or not isinstance(row[column], float)]
    batch = tmp_path / "batch.jsonl"
    batch.write_text("".join(json.dumps(row) + "\n" for row in finite), "utf-8")
    validator = jsonschema.Draft202012Validator(_schema(judged_by, policy))
    valid = {n for n, row in enumerate(finite) if validator.is_valid(row)}
    accepted = set(_taken(check(batch, judged_by, policy)))
    assert accepted == valid or (column == "f" and accepted <= valid)


def _taken(result: Any) -> Iterator[int]:
    for chunk in result.chunks(1_000):
        yield from chunk.rows["_row"].to_list()


def _inserts(connection: Any, row: dict[str, Any], sign: str = "?") -> bool:
    signs = ", ".join([sign] * len(row))
    statement = f"INSERT INTO batch VALUES ({signs})"  # noqa: S608 - our own
    try:
        connection.execute(statement, [*row.values()])
    except (duckdb.ConstraintException, psycopg.IntegrityError):
        return False
    return True


@pytest.fixture(scope="module", name="server")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with running("postgresql", tmp_path_factory.mktemp("server")) as database:
        yield database


@settings(max_examples=25)
@given(st.lists(rules(), max_size=3), POLICIES, st.lists(ROWS, min_size=1, max_size=2))
def test_postgresql_takes_them_too(
    server: Database, stated: list[Any], policy: Policy, rows: list[dict[str, Any]]
) -> None:
    """PostgreSQL refuses the same rows."""
    judged_by = under(contract(**TYPES), *stated)
    text = export(judged_by, "sql", policy).text
    with psycopg.connect(server.place, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS batch")
        connection.execute(text.encode())
        for row in rows:
            verdict = check(pl.DataFrame([row], DTYPES), judged_by, policy)
            assert _inserts(connection, row, "%s") == verdict.passed, (text, row)


def test_a_table_holds_what_is_unique_nested_or_a_time() -> None:
    """A repeated value, a null list and a time before the limit are refused; names may be odd."""
    nested = {"type": "array", "items": {"type": "long"}}
    judged_by = under(
        contract(**{'a"b': "string", "l": nested, "t": "datetime", "o": {"type": "any"}}),
        rule("column_values_to_be_unique", column='a"b'),
        rule("column_values_to_be_between", column="t", min_value="2024-01-01"),
    )
    text, left_out = export(judged_by, "sql", Policy(extra_columns="forbid"))
    good = {"a": "x", "l": [1], "t": "2024-01-01", "o": "{}"}
    with duckdb.connect() as connection:
        connection.execute(text)
        assert _inserts(connection, good)
        assert not _inserts(connection, good)
        assert not _inserts(connection, good | {"a": "y", "l": None})
        assert not _inserts(connection, good | {"a": "y", "t": "2023-12-31"})
        assert _inserts(connection, good | {"a": "y"})

    assert left_out == ("what is inside of l: array<long>", "what is inside of o: any")
    assert text.startswith("-- Not stated: what is inside of l: array<long>\n-- Not")


# ----- JSON Schema -----


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A record with nearly the right cells."""
    odd = st.sampled_from((None, 1, 1.5, 2**31, "AB", True, [1], {"x": 1}))
    cells = {
        c: st.one_of(CELLS[c], odd) if draw(st.integers(0, 5)) == 0 else CELLS[c] for c in CELLS
    }
    record = draw(st.fixed_dictionaries(cells))
    return {k: v for k, v in record.items() if not (isinstance(v, float) and abs(v) not in FINITE)}


FINITE = (0.0, 0.5, 1.0, 1.5, 2.5)
SCHEMA_POLICIES = st.builds(
    Policy,
    nulls=st.sampled_from(("forbid", "allow")),
    extra_columns=st.sampled_from(("forbid", "warn")),
    parse_text=st.sampled_from(("forbid", "allow")),
    null_values=st.sampled_from(((), ("AB", "5"))),
)


@settings(max_examples=120)
@given(st.lists(rules("d"), max_size=3), SCHEMA_POLICIES, records())
def test_what_the_schema_refuses_the_gate_rejects(
    tmp_path_factory: pytest.TempPathFactory, stated: list[Any], policy: Policy, record: Any
) -> None:
    """A record that the gate accepts is valid; and, where all is stated, the other way round."""
    judged_by = under(contract(**TYPES), *stated)
    schema, batch = _schema(judged_by, policy), tmp_path_factory.getbasetemp() / "batch.jsonl"
    batch.write_text(json.dumps(record) + "\n", "utf-8")
    valid = jsonschema.Draft202012Validator(schema).is_valid(record)
    accepted = check(batch, judged_by, policy).passed

    assert valid or not accepted, (schema, record)
    whole = record.keys() == TYPES.keys() and policy.parse_text == "forbid"
    if whole and not policy.null_values:
        assert valid == accepted, (schema, record)


def _schema(judged_by: Contract, policy: Policy | None = None) -> Any:
    schema = json.loads(export(judged_by, "json-schema", policy).text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize("optional", [(), ("o", "l", "m", "v", "t", "x")])
def test_nested_records_are_judged_alike(tmp_path: Path, optional: tuple[str, ...]) -> None:
    """Objects, lists, maps, vectors and text of times and bytes: each cell as the gate sees it."""
    fields = {"x": {"type": "long", "required": True}, "y": {"type": "string", "required": False}}
    types: dict[str, Any] = {"o": {"type": "object", "properties": fields}}
    types |= {"l": {"type": "array", "items": {"type": "integer"}}, "v": {"type": "sparkml_vector"}}
    types |= {"m": {"type": "map", "values": {"type": "double"}}, "t": "datetime", "x": "binary"}
    judged_by, batch = contract(optional, **types), tmp_path / "batch.jsonl"
    validator = jsonschema.Draft202012Validator(_schema(judged_by))
    good = {
        "o": {"x": 1},
        "l": [1],
        "v": [1.5, None],
        "m": {"k": 1},
        "t": "2024-01-01",
        "x": "AQI=",
    }
    cells = (None, 1, "s", [], [1, None], [1.5], ["a"], {}, {"x": 1, "y": None}, {"x": 1, "z": 2})
    cells += ({"x": None}, {"k": 0.5}, {"k": None})
    verdicts = set[bool]()
    for column in types:
        for cell in cells[:3] if optional else cells:
            record = good | {column: cell}
            batch.write_text(json.dumps(record) + "\n")
            accepted = check(batch, judged_by).passed
            is_text = column in ("t", "x") and cell == "s"
            assert validator.is_valid(record) == accepted or is_text, record
            verdicts.add(accepted)

    assert verdicts == {True, False}


def test_a_column_without_null_may_be_left_out_of_no_record() -> None:
    """`required` lists what no record may lack; the description says what is not stated."""
    judged_by = under(
        contract(("o",), a="long", b="double", o="long"),
        rule("column_values_to_be_unique", column="a"),
    )
    schema = _schema(judged_by, Policy(nullable=("b",), min_rows=7))

    assert schema["required"] == ["a"]
    assert "expect_column_values_to_be_unique {'column': 'a'}" in schema["description"]
    assert "policy min_rows: 7" in schema["description"]


# ----- what cannot be stated -----


def test_limits_of_rounded_numbers_and_of_times_are_no_keywords() -> None:
    """A float is rounded before it is compared, and a time is text in JSON: neither is stated."""
    stated = (
        rule("column_values_to_be_between", column="f", min_value=0.1),
        rule("column_values_to_be_between", column="t", min_value="2024-01-01"),
    )
    _, left_out = export(under(contract(f="float", t="datetime"), *stated), "json-schema")

    assert len([each for each in left_out if each.startswith("expect_")]) == 2


@pytest.mark.parametrize("form", ["sql", "json-schema"])
@pytest.mark.parametrize(
    "stated",
    [
        rule("column_values_to_be_between", column="i", min_value=0, mostly=0.9),
        rule("column_values_to_be_between", "warning", column="i", min_value=0),
        rule("column_values_to_be_between", column="i", min_value=2**53 + 2),
        rule("column_values_to_match_regex", column="s", regex=r"^\d+$"),
        rule("column_mean_to_be_between", column="i", min_value=0),
        rule("column_pair_values_to_be_equal", column_A="i", column_B="j"),
        rule(
            "column_values_to_be_between",
            column="i",
            min_value=0,
            row_condition=where("j", ">", 1),
        ),
    ],
)
def test_a_rule_without_words_is_told(form: Any, stated: Any) -> None:
    """No rule is dropped without a word; the text says of it what the tuple does."""
    text, left_out = export(under(contract(**TYPES), stated), form)

    (told,) = [each for each in left_out if each.startswith("expect_")]
    assert told.startswith(stated["type"])
    assert stated["type"] in text


def test_arrays_and_unknown_forms_are_refused() -> None:
    """Tensors are no table, records have names, and the error names the forms there are."""
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}
    unnamed = Contract.from_signature({"inputs": '[{"type": "long"}]'})

    for form in ("sql", "json-schema", "odcs"):
        with pytest.raises(Misuse, match="Export the contract as gx"):
            export(contract(x=tensor), form)
    with pytest.raises(Misuse, match="Export it as sql"):
        export(unnamed, "json-schema")
    with pytest.raises(Misuse, match="Name one of gx, odcs, json-schema, sql"):
        export(unnamed, "avro")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)", "(?P<n>a)", "(?i)a", r"\d", r"\w+", "a*+", "a$|b", "b^", "a{300}", "\n", "é"],
)
def test_a_pattern_that_engines_read_differently_is_not_carried_over(pattern: str) -> None:
    """Only what Python, ECMAScript, RE2 and PostgreSQL read alike is written."""
    assert portable(pattern) is None


# ----- the command -----


def test_the_command_prints_or_writes_a_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--format prints the document on stdout, what it leaves out on stderr; --out writes it."""
    suite = tmp_path / "suite.json"
    suite.write_text(export(contract(**TYPES), "gx").text, "utf-8")
    mine = write_rules(
        tmp_path / "mine.json", rule("column_mean_to_be_between", column="i", min_value=0)
    )
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"rules: {mine}\n")

    asked = ("contract", str(suite), "--format", "sql", "--policy", str(policy))
    code, out, err = run(capsys, *asked)
    assert (code, out) == (0, export(contract(**TYPES), "sql", Policy.load(policy)).text)
    assert "sql cannot state: expect_column_mean_to_be_between" in err

    code, out, _ = run(capsys, *asked, "--out", str(tmp_path / "batch.sql"))
    assert (code, out.splitlines()[-1]) == (0, f"written    {tmp_path / 'batch.sql'}")
    assert (tmp_path / "batch.sql").read_text().startswith("-- Not stated: ")

    assert run(capsys, "contract", str(suite), "--format", "gx")[1] == suite.read_text()
    assert run(capsys, "contract", str(suite), "--json")[1] == suite.read_text()
    assert run(capsys, "contract", str(suite), "--format", "sql", "--json")[0] == 2
