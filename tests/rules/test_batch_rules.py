"""Rules on the whole batch, and what becomes of rules where the batch is not whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from rule_cases import AT_MOST_9, ROWS, SMALL, rule, under
from small_checks import SPLIT, split, violations_in

from signature_gate import check

if TYPE_CHECKING:
    from pathlib import Path


def test_a_rule_about_the_whole_stops_the_whole() -> None:
    """An aggregate cannot be laid to single rows."""
    stated = rule("column_mean_to_be_between", column="a", max_value=9)

    result = check(ROWS, under(SMALL, stated), SPLIT)

    assert violations_in(result) == [("rule", "a", None)]
    assert result.violations[0].observed == "28.25"
    assert result.disposition == "quarantined"


@pytest.mark.parametrize(
    ("severity", "passed"), [("critical", False), ("warning", True), ("info", True)]
)
def test_only_critical_rules_block(severity: str, passed: bool) -> None:
    """GX's warning and info are reported, and block nothing."""
    rules = (
        rule("column_values_to_be_between", severity, column="a", max_value=9),
        rule("column_max_to_be_between", severity, column="a", max_value=9),
    )

    result = check(ROWS, under(SMALL, *rules))

    assert result.passed is passed
    assert [v.severity for v in result.violations] == [
        "critical" if severity == "critical" else "warning"
    ] * 2


def test_rules_speak_about_rows_that_meet_the_contract() -> None:
    """What the model would never receive is not held against a rule."""
    frame = pl.DataFrame({"a": [1.0, 2.5, 70.0, None], "b": [1.0] * 4, "s": ["x"] * 4})
    rules = (AT_MOST_9, rule("column_max_to_be_between", column="a", max_value=70))

    verdict = check(frame, under(SMALL, *rules), split()).verdict

    assert [(r.success, r.element_count, r.observed) for r in verdict.rules] == [
        (False, 2, None),
        (True, None, 70),
    ]
    assert verdict.rejected == 3


def test_an_unreadable_file_of_a_folder_leaves_rules_open(tmp_path: Path) -> None:
    """What is not known of the whole is not claimed; what is broken elsewhere is still said."""
    ROWS.write_parquet(tmp_path / "0.parquet")
    (tmp_path / "1.parquet").write_bytes(b"PAR1 cut short")
    mean = rule("column_mean_to_be_between", column="a", max_value=99)

    verdict = check(tmp_path, under(SMALL, AT_MOST_9, mean)).verdict

    assert [r.success for r in verdict.rules] == [False, None]
    assert {v.kind for v in verdict.violations} == {"unreadable", "rule"}


def _with_a_corrupt_page(path: Path) -> None:
    ROWS.write_parquet(path, compression="uncompressed", statistics=False)
    data = bytearray(path.read_bytes())
    data[4:40] = b"\xff" * 36
    path.write_bytes(bytes(data))


def test_content_that_breaks_off_under_a_rule_is_unreadable(tmp_path: Path) -> None:
    """A whole footer does not save a broken page; in a folder the other files are judged."""
    mean = rule("column_mean_to_be_between", column="a", max_value=99)
    _with_a_corrupt_page(tmp_path / "1.parquet")

    alone = check(tmp_path / "1.parquet", under(SMALL, AT_MOST_9, mean)).verdict
    ROWS.write_parquet(tmp_path / "0.parquet")
    folder = check(tmp_path, under(SMALL, AT_MOST_9, mean)).verdict

    assert [v.kind for v in alone.violations] == ["unreadable"]
    assert [r.success for r in alone.rules] == [None, None]
    assert [(v.kind, v.files) for v in folder.violations] == [
        ("unreadable", ("1.parquet",)),
        ("rule", ("0.parquet",)),
    ]
    assert [r.success for r in folder.rules] == [False, None]


def test_a_rule_about_an_optional_column_waits_until_it_arrives() -> None:
    """GX has no conditional expectation: one on an absent optional column is not judged."""
    rules = (
        rule("column_values_to_be_between", column="b", max_value=0),
        rule("column_pair_values_to_be_equal", column_A="a", column_B="b"),
        rule("column_type_to_be", column="b", type_="float64"),
        rule("column_to_exist", column="b"),
    )

    for engine in ("polars", "gx"):
        verdict = check(ROWS.drop("b"), under(SMALL, *rules), engine=engine).verdict

        assert [r.success for r in verdict.rules] == [None, None, None, False]


def test_rules_are_listed_unjudged_where_the_batch_was_stopped_before() -> None:
    """A verdict names all rules, whatever became of them."""
    verdict = check(ROWS.drop("a"), under(SMALL, AT_MOST_9)).verdict

    assert [(r.expectation["type"], r.success) for r in verdict.rules] == [
        (AT_MOST_9["type"], None)
    ]


def test_columns_that_rules_read_are_said_to_be_scanned(tmp_path: Path) -> None:
    """Evidence is honest about what had to be read."""
    ROWS.write_parquet(tmp_path / "rows.parquet")
    stated = rule("column_pair_values_to_be_equal", "warning", column_A="a", column_B="b")

    without = check(tmp_path / "rows.parquet", SMALL).verdict
    under_it = check(tmp_path / "rows.parquet", under(SMALL, stated)).verdict

    assert (without.evidence["a"], under_it.evidence["a"]) == ("footer", "scan")
    assert under_it.evidence["s"] == "footer"
