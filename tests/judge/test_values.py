"""What judging a batch tells of the values of its columns, at no second reading."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest

from signature_gate import Contract, Policy, check

if TYPE_CHECKING:
    from pathlib import Path

NAN, INF = float("nan"), float("inf")
TYPES = {"a": "double", "n": "long", "s": "string", "when": "datetime"}
ROWS = pl.DataFrame(
    {
        "a": [1.5, None, NAN, INF, -2.0],
        "n": [1, 2, 2, -4, 7],
        "s": ["x", "y", "x", None, "x"],
        "when": ["2020-01-01T00:00:00", "2021-01-01T00:00:00", None, "2020-01-01T00:00:00", None],
    }
)
CONTRACT = Contract.from_signature(
    {"inputs": json.dumps([{"name": n, "type": t, "required": n == "n"} for n, t in TYPES.items()])}
)
WRITERS = {
    "csv": pl.DataFrame.write_csv,
    "jsonl": pl.DataFrame.write_ndjson,
    "parquet": lambda rows, path: rows.with_columns(
        pl.col("when").str.to_datetime(time_unit="us")
    ).write_parquet(path),
}


@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_tells_of_nulls_and_ranges(ending: str, tmp_path: Path) -> None:
    """CSV and JSON lines by the scan that reads them anyway, Parquet by its footer."""
    path = tmp_path / f"day.{ending}"
    WRITERS[ending](ROWS, path)
    # JSON has neither NaN nor infinity: Polars writes null for both.
    nulls = {"csv": 1, "jsonl": 3, "parquet": 1}[ending]

    values = check(path, CONTRACT).values

    assert {name: known.nulls for name, known in values.items()} == {
        "a": nulls,
        "n": 0,
        "s": 1,
        "when": 2,
    }
    assert values["n"].range == (-4, 7)
    assert values["when"].range == ("2020-01-01T00:00:00", "2021-01-01T00:00:00")
    assert values["a"].range == ((-2.0, INF) if ending == "parquet" else (-2.0, 1.5))


def test_a_scan_counts_nan_and_infinity(tmp_path: Path) -> None:
    """Where a type can hold them; text has no range."""
    ROWS.write_csv(tmp_path / "day.csv")

    values = check(tmp_path / "day.csv", CONTRACT).values

    assert (values["a"].nans, values["a"].infinities) == (1, 1)
    assert (values["n"].nans, values["s"].range) == (None, None)


@pytest.mark.parametrize("ending", WRITERS)
def test_redacted_no_range_is_told(ending: str, tmp_path: Path) -> None:
    """Smallest and largest are values of the batch; counts are not."""
    WRITERS[ending](ROWS, tmp_path / f"day.{ending}")

    values = check(tmp_path / f"day.{ending}", CONTRACT, Policy(redact=True)).values

    assert {known.range for known in values.values()} == {None}
    assert values["n"].nulls == 0


@pytest.mark.parametrize("ending", WRITERS)
def test_files_of_a_folder_are_told_of_as_one(ending: str, tmp_path: Path) -> None:
    """Counts are summed and ranges joined."""
    for part, rows in enumerate((ROWS.head(2), ROWS.tail(3))):
        WRITERS[ending](rows, tmp_path / f"part-{part}.{ending}")

    values = check(tmp_path, CONTRACT).values

    assert (values["n"].nulls, values["n"].range, values["s"].nulls) == (0, (-4, 7), 1)


def test_text_that_stands_for_no_number_is_left_out_of_the_range(tmp_path: Path) -> None:
    """It is neither null nor a number; what the policy takes for null is null."""
    (tmp_path / "day.csv").write_text("n,a\n3,1\nNA,-9\nmany,2\n")
    long = Contract.from_signature({"inputs": '[{"name": "n", "type": "long", "required": true}]'})

    values = check(tmp_path / "day.csv", long, Policy(null_values=["NA"])).values

    assert list(values) == ["n"]
    assert (values["n"].nulls, values["n"].range) == (1, (3, 3))


def test_nothing_is_told_of_what_cannot_be_read_or_was_not_scanned(tmp_path: Path) -> None:
    """A truncated file has no values, and a missing column ends the judgement before the scan."""
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    ROWS.select("a").write_csv(tmp_path / "narrow.csv")

    assert check(tmp_path / "cut.parquet", CONTRACT).values == {}
    assert check(tmp_path / "narrow.csv", CONTRACT).values == {}
