"""What rejected rows have in common, where it is more than chance."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import rule, under
from small_checks import SPLIT, contract, split

from signature_gate import check
from signature_gate.expectations.judge import causes
from signature_gate.expectations.judge.reopen import renumbered
from signature_gate.expectations.readers.open import open_batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 4_000
TYPES = {"x": "double", "carrier": "string", "day": "long", "dry": "boolean", "at": "datetime"}
WEATHER = contract(**TYPES, wind="double", optional=("wind",))
COLUMN = pl.col
POSITION = pl.int_range(pl.len())
ODD_NAMES = ("*", "^a$", "a'b", "cell 0", "bad", "\x1b[2J", "value 1", "0", "in")


def _batch(seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    minute = pl.duration(minutes=POSITION)
    drawn = {
        "x": rng.normal(size=ROWS),
        "carrier": rng.choice(["9E", "AA", "B6", "UA"], ROWS, p=[0.02, 0.3, 0.3, 0.38]),
        "day": rng.integers(1, 32, ROWS),
        "dry": rng.random(ROWS) < 0.5,
        "wind": rng.random(ROWS),
    }
    return pl.DataFrame(drawn).with_columns(
        wind=pl.when(pl.col("wind") > 0.03).then("wind"),
        at=pl.lit(datetime(2013, 7, 1)) + minute,
    )


def _without_x(frame: pl.DataFrame, where: pl.Expr) -> pl.DataFrame:
    return frame.with_columns(x=pl.when(~where).then("x"))


def _said(batch: Any, policy: Any = SPLIT, judged_by: Any = WEATHER) -> list[str]:
    return [cause.message for cause in check(batch, judged_by, policy).verdict.causes]


PLANTED = [
    (COLUMN("carrier") == "9E", "have carrier = '9E'"),
    (COLUMN("wind").is_null(), "have wind null"),
    (COLUMN("day").is_between(30, 31), "have day from 30 to 31"),
    (POSITION.is_between(1_000, 1_060), "are in rows 1,000 to 1,060"),
    (COLUMN("dry") & POSITION.is_between(1_000, 1_060), "have dry = True, in rows 1,000 to 1,059"),
    ((COLUMN("carrier") == "AA") & (COLUMN("day") == 7), "have day = 7 and carrier = 'AA'"),
]


@pytest.mark.parametrize(("where", "said"), PLANTED)
def test_a_planted_cause_is_found_with_its_counts(where: pl.Expr, said: str) -> None:
    """Whatever it is: a value, null, a range, a run of rows, or two of them together."""
    batch = _without_x(_batch(), where)
    bad = batch["x"].null_count()

    first = _said(batch)[0]

    assert first == f"all {bad} rejected rows {said}; {bad} of {bad} such rows are rejected"


def test_a_time_span_is_found_whatever_the_order_of_rows() -> None:
    """All rejected rows lie in one hour, of rows in no order."""
    hour = COLUMN("at").is_between(datetime(2013, 7, 2, 5), datetime(2013, 7, 2, 5, 59))
    batch = _without_x(_batch(), hour).sample(fraction=1, shuffle=True, seed=1)

    (only,) = _said(batch)

    assert only == (
        "all 60 rejected rows have at from 2013-07-02 05:00:00 to 2013-07-02 05:59:00; "
        "60 of 60 such rows are rejected"
    )


def test_rows_that_the_cause_lets_through_are_counted() -> None:
    """Accepted rows that meet it stand beside the rejected ones; few others are let pass too."""
    carrier = COLUMN("carrier") == "9E"
    batch = _without_x(_batch(), (carrier & (POSITION % 10 != 0)) | (POSITION == 17))
    found = batch.filter(carrier)
    bad = found["x"].null_count()

    (only,) = _said(batch)

    assert only == (
        f"{bad} of {bad + 1} rejected rows have carrier = '9E'; "
        f"{bad} of {found.height} such rows are rejected"
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_each_format_has_the_same_cause(tmp_path: Path, ending: str) -> None:
    """Text that stands for values too, of which ranges are values."""
    batch = _without_x(_batch(), COLUMN("day").is_between(30, 31))
    path = tmp_path / f"batch.{ending}"
    {
        "csv": lambda: batch.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S"),
        "jsonl": lambda: batch.write_ndjson(path),
        "parquet": lambda: batch.write_parquet(path),
    }[ending]()

    assert _said(path) == _said(batch)


@pytest.mark.parametrize("unlike", [False, True])
def test_a_file_of_a_folder_is_part_of_a_cause(tmp_path: Path, *, unlike: bool) -> None:
    """Read together or each by itself; a column's value within the file says more than the file."""
    day = COLUMN("day") == 7
    for number in range(4):
        part = _batch(number)
        part = _without_x(part, day) if number == 2 else part
        types = {"day": pl.Int32} if unlike and number % 2 else {}
        part.cast(types).write_parquet(tmp_path / f"part-{number}.parquet")  # type: ignore[arg-type]
    bad = _batch(2).filter(day).height

    (cause,) = check(tmp_path, WEATHER, SPLIT).verdict.causes

    assert cause.message == (
        f"all {bad} rejected rows have day = 7, in part-2.parquet; "
        f"{bad} of {bad} such rows are rejected"
    )
    assert (cause.columns, cause.places) == (("day",), ("part-2.parquet",))


def test_a_run_of_rows_goes_on_from_one_file_to_the_next(tmp_path: Path) -> None:
    """Positions are those in the whole batch, though small files are counted together."""
    whole = _without_x(_batch(), POSITION.is_between(1_980, 2_019))
    for number, start in enumerate(range(0, ROWS, 1_000)):
        whole[start : start + 1_000].write_parquet(tmp_path / f"part-{number}.parquet")

    assert _said(tmp_path)[0] == (
        "all 40 rejected rows are in rows 1,980 to 2,019; 40 of 40 such rows are rejected"
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_cause_is_found_far_behind_the_first_rejected_row(tmp_path: Path, ending: str) -> None:
    """One row of the first is rejected for something else, and the others of the last."""
    rare = (POSITION % 100 == 7) & (POSITION > 50_000)
    rows = pl.DataFrame({"x": [1.0] * 60_000}).with_columns(
        carrier=pl.when(rare).then(pl.lit("9E")).otherwise(pl.lit("AA"))
    )
    batch = _without_x(rows, rare | (POSITION == 5))
    path = tmp_path / f"batch.{ending}"
    getattr(batch, f"write_{ending}")(path)

    assert _said(path, judged_by=contract(x="double", carrier="string")) == [
        "100 of 101 rejected rows have carrier = '9E'; 100 of 100 such rows are rejected"
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_repaired_rows_are_named_by_the_numbers_they_had(tmp_path: Path, ending: str) -> None:
    """Where rows have other numbers than their positions, a cause is found all the same."""
    wrong = POSITION.is_between(60, 99)
    rows = pl.DataFrame({"x": [1.0] * 500}).with_columns(
        carrier=pl.when(wrong).then(pl.lit("9E")).otherwise(pl.lit("AA"))
    )
    judged_by, path = contract(x="double", carrier="string"), tmp_path / f"batch.{ending}"
    getattr(_without_x(rows, wrong), f"write_{ending}")(path)
    opened = renumbered(
        open_batch(path, judged_by, SPLIT), pl.int_range(70_000, 70_500, eager=True)
    )

    assert _said(opened, judged_by=judged_by) == [
        "all 40 rejected rows are in rows 70,060 to 70,099; 40 of 40 such rows are rejected",
        "all 40 rejected rows have carrier = '9E'; 40 of 40 such rows are rejected",
    ]


def test_a_file_alone_is_a_cause(tmp_path: Path) -> None:
    """Where nothing in it sets the rejected rows apart."""
    for number in range(12):
        part = _without_x(_batch(number), (POSITION % 3 == 0) & (number == 5))
        part.write_csv(tmp_path / f"{number:02}.csv", datetime_format="%Y-%m-%dT%H:%M:%S")

    assert _said(tmp_path) == [
        "all 1,334 rejected rows are in 05.csv; 1,334 of 4,000 such rows are rejected"
    ]


def test_a_condition_of_most_accepted_rows_is_no_cause() -> None:
    """All rejected rows share a value that most others have too."""
    batch = _without_x(_batch(), POSITION % 500 == 0).with_columns(day=pl.lit(4))

    assert _said(batch) == []


@pytest.mark.parametrize(
    "broken",
    [
        rule("column_values_to_not_be_null", column="wind"),
        rule("column_values_to_be_between", column="day", max_value=30),
        rule(
            "column_values_to_be_between",
            column="x",
            min_value=99,
            condition_parser="great_expectations",
            row_condition='col("carrier") == "9E"',
        ),
    ],
)
def test_what_a_violation_is_about_is_no_cause(broken: Any) -> None:
    """Neither the column that is null or out of range, nor the condition of a rule."""
    result = check(_batch(), under(WEATHER, broken), SPLIT)

    assert result.verdict.rejected > 20
    assert result.verdict.causes == ()


def test_a_few_random_rejections_have_no_cause_among_many_columns() -> None:
    """Of two hundred columns some have five random rows close together, by chance."""
    names = [f"c{i}" for i in range(200)]
    judged_by = contract(x="double", **dict.fromkeys(names, "double"))
    for seed in range(25):
        drawn = np.random.default_rng(seed).random((1_000, 200))
        frame = pl.DataFrame(drawn, schema=names)

        assert _said(frame.with_columns(x=_but_few(seed)), judged_by=judged_by) == []


def _but_few(seed: int) -> pl.Series:
    few = np.random.default_rng(seed).choice(1_000, 5, replace=False)
    return pl.Series([None if row in few else 1.0 for row in range(1_000)])


def test_malformed_records_are_not_said_to_have_nulls(tmp_path: Path) -> None:
    """A record without cells is null in every column; where it lies is told all the same."""
    path = tmp_path / "batch.csv"
    lines = [f"{number},x" for number in range(2_000)]
    lines[700:720] = ["1,2,3"] * 20
    path.write_text("\n".join(["a,b", *lines]), "utf-8")

    assert _said(path, judged_by=contract(a="long", b="string")) == [
        "all 20 rejected rows are in rows 700 to 719; 20 of 20 such rows are rejected"
    ]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_columns_have_any_name(name: str) -> None:
    """Polars takes none of them for a pattern, and none is taken for a column of ours."""
    batch = _batch().select("x", pl.col("carrier").alias(name))
    broken = batch.with_columns(x=pl.when(pl.nth(1) != "9E").then("x"))

    (cause,) = check(broken, contract(**{"x": "double", name: "string"}), SPLIT).verdict.causes

    assert (cause.columns, cause.rejected) == ((name,), cause.rows)
    assert cause.message.isprintable()


@pytest.mark.parametrize(("where", "said"), PLANTED)
def test_under_redact_a_cause_has_no_value(where: pl.Expr, said: str) -> None:
    """The column is named, and the counts."""
    (first, *_) = check(_without_x(_batch(), where), WEATHER, split(redact=True)).verdict.causes

    if first.columns and "null" not in said:
        assert all("value" in words for words in first.conditions)
    assert "9E" not in first.message
    assert "=" not in first.message


def test_kept_columns_may_be_the_cause() -> None:
    """Columns that no model knows but the policy keeps."""
    batch = _without_x(_batch(), POSITION % 100 == 0).with_columns(
        origin=pl.when(POSITION % 100 == 0).then(pl.lit("EWR", dtype=pl.Categorical))
    )

    assert _said(batch, split(keep=["origin"])) == [
        "all 40 rejected rows have origin = 'EWR'; 40 of 40 such rows are rejected"
    ]


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 2**32), bad=st.integers(1, 400), columns=st.integers(1, 40))
def test_random_rejections_have_no_cause(seed: int, bad: int, columns: int) -> None:
    """However many columns there are to choose from, of whatever values."""
    rng = np.random.default_rng(seed)
    draws: list[Callable[[], Any]] = [
        lambda: rng.normal(size=1_000),
        lambda: rng.integers(0, 3, 1_000),
        lambda: rng.integers(0, 300, 1_000),
        lambda: rng.zipf(2.0, 1_000) % 50,
    ]
    frame = pl.DataFrame({f"c{i}": draws[i % len(draws)]() for i in range(columns)})
    broken = np.isin(np.arange(1_000), rng.choice(1_000, bad, replace=False))
    batch = frame.with_columns(x=pl.when(~pl.Series(broken)).then(1.0))
    types = {f"c{i}": "double" if i % len(draws) == 0 else "long" for i in range(columns)}

    assert _said(batch, judged_by=contract(x="double", **types)) == []


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 2**32), share=st.floats(0.01, 0.08), passing=st.floats(0, 0.5))
def test_a_cause_among_random_columns_is_found(seed: int, share: float, passing: float) -> None:
    """With the very counts that the frame has."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({f"c{i}": rng.integers(0, 30, 2_000) for i in range(20)})
    frame = frame.with_columns(carrier=pl.Series(np.where(rng.random(2_000) < share, "9E", "AA")))
    met = pl.col("carrier") == "9E"
    batch = frame.with_columns(
        x=pl.when(~(met & pl.Series(rng.random(2_000) >= passing))).then(1.0)
    )
    judged_by = contract(x="double", carrier="string", **{f"c{i}": "long" for i in range(20)})
    verdict = check(batch, judged_by, SPLIT).verdict

    if verdict.rejected >= 10:
        cause = verdict.causes[0]
        assert cause.conditions == ("carrier = '9E'",)
        assert (cause.rejected, cause.of) == (verdict.rejected, verdict.rejected)
        assert cause.rows == batch.filter(met).height


def test_without_rejected_rows_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pass for a clean batch or a few bad rows, one of a part and one of all for others."""
    read = list[str]()
    for name in ("_sample", "_count"):
        made = getattr(causes._Search, name)  # noqa: SLF001 - there is no other place to count
        monkeypatch.setattr(
            causes._Search,  # noqa: SLF001
            name,
            lambda *given, made=made, name=name: read.append(name) or made(*given),
        )
    passes = list[list[str]]()
    for bad in (pl.lit(value=False), POSITION < 4, COLUMN("carrier") == "9E", POSITION % 40 == 3):
        read.clear()
        _said(_without_x(_batch(), bad))
        passes.append(list(read))

    assert passes == [[], [], ["_sample", "_count"], ["_sample"]]
