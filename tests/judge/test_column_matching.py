"""Which arriving column serves which of the contract: by name, by position, or carried through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import yaml
from small_checks import (
    SPLIT,
    accepted,
    contract,
    kinds,
    mlflow_accepts,
    split,
    violations_in,
)

from signature_gate import Contract, Policy, check

if TYPE_CHECKING:
    from pathlib import Path


def unnamed(*types: str) -> Contract:
    """Make a contract of columns without names."""
    return Contract.from_signature({"inputs": json.dumps([{"type": kind} for kind in types])})


def numbered(*types: str) -> Contract:
    """Make a contract whose names are 0, 1, 2 …, as infer_signature writes for bare frames."""
    specs = [{"type": kind, "name": i, "required": True} for i, kind in enumerate(types)]
    return Contract.from_signature({"inputs": json.dumps(specs)})


# ----- names -----


def test_every_fault_of_names_and_types_is_listed_at_once() -> None:
    """Nobody has to deliver five times to hear five complaints."""
    batch = pa.table({"Air Time": [1.5], "b": ["x"], "d": [1], "note": ["?"]})
    judged_by = contract(air_time="double", b="long", c="long", d="string")

    result = check(batch, judged_by)

    assert violations_in(result) == [
        ("missing_column", "air_time", None),
        ("missing_column", "c", None),
        ("extra_column", None, None),
        ("type_mismatch", "b", None),
        ("type_mismatch", "d", None),
    ]
    assert result.disposition == "quarantined"


@pytest.mark.parametrize(
    ("arrived", "asked"),
    [
        ("Air Time", "air_time"),
        (" a", "a"),
        ("A", "a"),
        ("sepal length", "sepal_length"),
        ("petal_lenght", "petal_length"),
        ("STRASSE", "straße"),
        ('say "x"', "say x"),
    ],
)
def test_a_close_name_is_suggested_as_the_rename(arrived: str, asked: str) -> None:
    """The remedy is the policy's entry, ready to be copied, and it works."""
    batch = pa.table({arrived: [1], "entirely other": [2]})

    (missing, _) = check(batch, contract(**{asked: "long"})).violations

    entry = json.loads(missing.remedy[missing.remedy.index("{") : missing.remedy.rindex("}") + 1])
    assert entry == {arrived: asked}
    renamed = check(batch, contract(**{asked: "long"}), Policy(rename=entry))
    assert renamed.passed
    assert list(renamed.model_input().columns) == [asked]


def test_a_far_name_is_not_suggested() -> None:
    """A column that is merely there is no candidate."""
    (missing, _) = check(pa.table({"zzz": [1]}), contract(a_long_name="long")).violations

    assert "rename" not in missing.remedy


@pytest.mark.parametrize("arrived", ["A", " a", "a ", "\u0430", "a\u200b"])
def test_names_match_exactly(arrived: str) -> None:
    """Case, spaces, and letters that merely look alike are part of a name."""
    assert kinds(check(pa.table({arrived: [1]}), contract(a="long")))[0] == "missing_column"


@pytest.mark.parametrize(
    ("choice", "severity"), [("ignore", None), ("warn", "warning"), ("forbid", "critical")]
)
def test_columns_beyond_the_contract_are_what_the_policy_says(
    choice: Any, severity: str | None
) -> None:
    """Extra columns are dropped in silence, with a warning, or not at all."""
    batch = pa.table({"a": [1], "x": [2], "y": [3]})

    result = check(batch, contract(a="long"), Policy(extra_columns=choice))

    assert [(v.kind, v.severity) for v in result.violations] == (
        [("extra_column", severity)] if severity else []
    )
    assert all("'x', 'y'" in violation.observed for violation in result.violations)
    assert result.passed is (severity != "critical")
    if result.passed:
        assert list(result.model_input().columns) == ["a"]


def test_many_extra_columns_are_counted_and_not_all_listed() -> None:
    """A thousand names do not make a message."""
    batch = pa.table({"a": [1]} | {f"x{i}": [i] for i in range(100)})

    (violation,) = check(batch, contract(a="long")).violations

    assert violation.observed.startswith("100 more: 'x0', 'x1'")
    assert violation.observed.endswith("and 80 more")


@pytest.mark.parametrize(
    ("choice", "severity"), [("ignore", None), ("warn", "warning"), ("forbid", "critical")]
)
def test_the_order_of_columns_is_what_the_policy_says(choice: Any, severity: str | None) -> None:
    """Whatever the order on arrival, the model receives the contract's."""
    batch = pa.table({"b": ["x"], "z": [0], "a": [1]})

    result = check(
        batch, contract(a="long", b="string"), Policy(column_order=choice, extra_columns="ignore")
    )

    assert [(v.kind, v.severity) for v in result.violations] == (
        [("column_order", severity)] if severity else []
    )
    if result.passed:
        assert list(result.model_input().columns) == ["a", "b"]


@pytest.mark.parametrize("choice", ["warn", "forbid"])
def test_the_contracts_order_is_in_order(choice: Any) -> None:
    """Extra columns in between do not put the others out of order."""
    batch = pa.table({"a": [1], "z": [0], "b": ["x"]})
    policy = Policy(column_order=choice, extra_columns="ignore")

    assert check(batch, contract(a="long", b="string"), policy).violations == ()


def test_rename_maps_arriving_names_to_the_contracts() -> None:
    """Columns take the name that the policy gives them; entries for absent columns do no harm."""
    batch = pa.table({"x": [1], "y": ["t"]})
    policy = Policy(rename={"x": "a", "y": "b", "absent": "a"})

    result = check(batch, contract(a="long", b="string"), policy)

    assert result.violations == ()
    assert result.model_input().to_dict("records") == [{"a": 1, "b": "t"}]


def test_two_columns_renamed_into_one_are_a_repeated_column() -> None:
    """A rename that makes a name mean two columns is found out, and named."""
    batch = pa.table({"x": [1], "a": [2]})

    result = check(batch, contract(a="long"), Policy(rename={"x": "a"}))

    assert ("duplicate_column", "a", None) in violations_in(result)
    assert "rename" in result.violations[0].remedy


@pytest.mark.parametrize("used", [True, False])
def test_a_repeated_name_matters_only_where_it_is_used(*, used: bool) -> None:
    """The model takes one column of a name; of two, nobody can say which."""
    name = "a" if used else "z"
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", name, name])

    result = check(frame, contract(a="long"), split(extra_columns="ignore"))

    assert violations_in(result) == ([("duplicate_column", "a", None)] if used else [])
    if used:
        assert "3 of them" in result.violations[0].observed
        assert result.rejected is not None
        rejected = result.rejected.collect().drop("_violations")
        assert rejected.columns == ["_row", "a", "a#2", "a#3"]


def test_renames_are_offered_one_to_one() -> None:
    """Abbreviations find their column, each column is offered once, siblings by number never."""
    judged_by = contract(departure_delay="long", arrival_delay="long", SPEND_LAST_30_DAYS="long")
    batch = pa.table({"dep_delay": [1], "arr_delay": [1], "SPEND_LAST_40_DAYS": [1]})

    remedies = {v.column: v.remedy for v in check(batch, judged_by).violations}

    assert '{"dep_delay": "departure_delay"}' in remedies["departure_delay"]
    assert '{"arr_delay": "arrival_delay"}' in remedies["arrival_delay"]
    assert "rename" not in remedies["SPEND_LAST_30_DAYS"]


def test_a_name_in_another_unicode_form_is_the_same() -> None:
    """Composed and decomposed accents differ in bytes only."""
    (missing, _) = check(pa.table({"cafe\u0301": [1]}), contract(café="long")).violations

    assert "set policy rename" in missing.remedy


def test_ambiguous_names_are_listed_and_none_is_offered() -> None:
    """Where two columns may be the missing one, no entry is suggested."""
    batch = pa.table({"Bill_Length": [1], "BILL_LENGTH": [1]})

    (missing, _) = check(batch, contract(bill_length="long")).violations

    assert "'Bill_Length', 'BILL_LENGTH'" in missing.remedy
    assert "{" not in missing.remedy


def test_a_column_of_another_type_is_no_rename() -> None:
    """Text cannot be a number under another name, unless text is parsed."""
    batch = pa.table({"A_b": ["x"]})

    assert "rename" not in check(batch, contract(a_b="long")).violations[0].remedy
    parsed = check(batch, contract(a_b="long"), Policy(parse_text="allow"))
    assert "rename" in parsed.violations[0].remedy


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_header_that_is_not_divided_names_the_delimiter(mark: str, tmp_path: Path) -> None:
    """The remedy is an entry of the policy under which the file passes."""
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n".replace(",", mark))
    judged_by = contract(a="long", b="long")

    remedies = {v.remedy for v in check(path, judged_by).violations if v.severity == "critical"}

    (remedy,) = remedies
    written = yaml.safe_load(remedy.removeprefix("Set policy csv.").removesuffix("."))
    assert written == {"delimiter": mark}
    assert check(path, judged_by, Policy.parse({"csv": {"delimiter": mark}})).passed


def test_the_line_that_excel_puts_above_a_header_is_named(tmp_path: Path) -> None:
    """A first line such as sep=; is no header: it names the delimiter, and is passed over."""
    path = tmp_path / "x.csv"
    path.write_text("sep=;\na;b\n1;2\n")

    judged_by = contract(a="long", b="long")

    (violation,) = check(path, judged_by).violations

    assert "sep=;" in violation.observed
    assert violation.remedy == "Set policy csv.delimiter: ';'."
    assert check(path, judged_by, Policy.parse({"csv": {"delimiter": ";"}})).passed


def test_an_index_of_pandas_is_named(tmp_path: Path) -> None:
    """to_csv writes the index by default, under an empty name."""
    path = tmp_path / "x.csv"
    pd.DataFrame({"a": [1]}).to_csv(path)

    (extra,) = check(path, contract(a="long")).violations

    assert "index=False" in extra.remedy


def test_redact_withholds_names_that_nobody_gave(tmp_path: Path) -> None:
    """Without a header line the first row becomes names: they are values of the batch."""
    path = tmp_path / "x.csv"
    path.write_text("123-45-6789,b,KEY\n1,2,3\n")
    judged_by = contract(b="long", name_123_45_6789="long", **{"123 45 6789": "long"})

    result = check(path, judged_by, Policy(redact=True, keep=("KEY",)))

    text = result.verdict.to_json()
    assert "123-45-6789" not in text
    assert [name for name, _ in result.verdict.batch.columns] == ["(column 1)", "b", "KEY"]


OPTIONAL = contract(("bill_length",), a="long", bill_length="double")


@pytest.mark.parametrize(
    ("policy", "severity", "passed"),
    [("warn", ["warning"], True), ("ignore", [], True), ("forbid", ["critical"], False)],
)
def test_a_missing_optional_column_is_what_the_policy_says(
    policy: Any, severity: list[str], *, passed: bool
) -> None:
    """It is reported by default, blocks under forbid, and nothing is said under ignore."""
    result = check(pa.table({"a": [1]}), OPTIONAL, Policy(missing_optional=policy))

    assert result.passed is passed
    assert [v.severity for v in result.violations if v.column == "bill_length"] == severity


@pytest.mark.parametrize("name", ["Bill_Length", "bill length", "bill_len"])
def test_an_optional_column_under_another_name_blocks(name: str) -> None:
    """The model would do without the column; either advice of the remedy lets the batch pass."""
    batch = pa.table({"a": [1], name: [1.5]})

    result = check(batch, OPTIONAL)

    (violation,) = (v for v in result.violations if v.severity == "critical")
    assert (violation.kind, violation.column) == ("missing_column", "bill_length")
    assert check(batch, OPTIONAL, Policy(missing_optional="ignore")).passed
    renamed = check(batch, OPTIONAL, Policy(rename={name: "bill_length"}))
    assert renamed.model_input()["bill_length"].tolist() == [1.5]


# ----- optional columns -----


def test_an_optional_column_may_be_absent() -> None:
    """What the model can do without is left out of its input, not filled."""
    judged_by = contract(("b", "c"), a="long", b="double", c="string")

    result = check(pa.table({"c": ["x"], "a": [1]}), judged_by)

    assert result.passed
    assert list(result.model_input().columns) == ["a", "c"]
    assert result.accepted is not None
    assert result.accepted.collect().columns == ["_row", "a", "c"]
    mlflow_accepts(result.model_input(), judged_by)


def test_an_optional_column_that_is_there_is_judged() -> None:
    """Optional is about absence: what arrives must fit."""
    batch = pa.table({"a": [1, 2], "b": pa.array([0.5, 1.0])})

    result = check(batch, contract(("b",), a="long", b="integer"))

    assert violations_in(result) == [("not_representable", "b", 1)]


def test_a_batch_of_no_declared_column_is_refused() -> None:
    """Where all columns are optional and none arrives, MLflow would drop every row."""
    result = check(pa.table({"z": [1]}), contract(("a", "b"), a="long", b="long"))

    assert kinds(result) == ["missing_column", "extra_column"]
    assert "'a', 'b'" in result.violations[0].expected


# ----- contracts by position -----


def test_columns_without_names_are_taken_by_position() -> None:
    """A contract without names takes the first columns, whatever they are called; more are told."""
    judged_by = unnamed("long", "string")

    result = check(pa.table({"p": [1], "q": ["x"], "r": [0.5]}), judged_by)

    assert violations_in(result) == [("extra_column", None, None)]
    assert result.model_input().to_dict("records") == [{0: 1, 1: "x"}]
    mlflow_accepts(result.model_input(), judged_by)


def test_too_few_columns_are_missing_by_their_position() -> None:
    """A contract without names says which position is empty."""
    assert ("missing_column", "1", None) in violations_in(
        check(pa.table({"p": [1]}), unnamed("long", "long"))
    )


@pytest.mark.parametrize("frame", [pd.DataFrame([[1, "x"]]), pa.table({"1": ["x"], "0": [1]})])
def test_names_that_are_numbers_match_numbers_and_their_text(frame: Any) -> None:
    """infer_signature numbers a bare frame's columns; files can only spell the number."""
    judged_by = numbered("long", "string")

    result = check(frame, judged_by)

    assert result.model_input().to_dict("records") == [{0: 1, 1: "x"}]
    mlflow_accepts(result.model_input(), judged_by)


# ----- kept columns -----


def test_kept_columns_are_carried_beside_the_models() -> None:
    """Keys to join on come through untouched, with the rows that they belong to."""
    batch = pa.table({"id": ["p", "q", "r"], "a": [1, None, 3], "z": [0, 0, 0]})

    result = check(batch, contract(a="long"), split(keep=["id"], extra_columns="forbid"))
    relaxed = check(batch, contract(a="long"), split(keep=["id"]))

    assert ("extra_column", None, None) in violations_in(result)
    assert accepted(relaxed) == [{"_row": 0, "a": 1, "id": "p"}, {"_row": 2, "a": 3, "id": "r"}]
    pieces = list(relaxed.chunks(1))
    assert [piece.rows.to_dicts() for piece in pieces] == [
        [{"_row": 0, "id": "p"}],
        [{"_row": 2, "id": "r"}],
    ]
    assert [list(piece.model_input.columns) for piece in pieces] == [["a"], ["a"]]


def test_a_kept_column_may_be_the_models_own() -> None:
    """A key that the model uses too is in both places, once each."""
    result = check(pa.table({"a": [1, 2]}), contract(a="double"), split(keep=["a"]))

    (piece,) = result.chunks(9)
    assert piece.rows.columns == ["_row", "a"]
    assert piece.model_input["a"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["id", "_row"])
def test_a_kept_column_must_be_there(name: str) -> None:
    """Without its key the output could not be joined, so the batch is refused."""
    result = check(pa.table({"a": [1], "_row": [7]}), contract(a="long"), split(keep=[name]))

    assert violations_in(result) == [("missing_column", name, None)]
    assert "policy keep" in result.violations[0].remedy


def test_a_kept_column_is_named_after_its_rename() -> None:
    """keep speaks of names as they are after rename."""
    batch = pa.table({"key": ["p"], "a": [1]})

    result = check(batch, contract(a="long"), split(keep=["id"], rename={"key": "id"}))

    assert accepted(result) == [{"_row": 0, "a": 1, "id": "p"}]


def test_columns_of_an_earlier_split_are_stripped() -> None:
    """What the gate added to rejected rows is not judged when they come back mended."""
    first = check(pa.table({"a": [1, None, 3]}), contract(a="long"), SPLIT)
    assert first.rejected is not None
    mended = first.rejected.collect().with_columns(a=pl.lit(2))

    for batch in (mended, mended.to_arrow(), mended.lazy(), mended.to_pandas()):
        again = check(batch, contract(a="long"), Policy(extra_columns="forbid"))
        assert again.violations == ()
        assert again.verdict.batch.columns[0][0] == "a"
        assert again.accepted is not None
        assert again.accepted.collect().rows() == [(0, 2)]
