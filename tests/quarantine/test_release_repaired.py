"""Repaired files are released instead of the quarantined ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import (
    everything_below,
    rows,
)
from quarantined_feeds import (
    apart,
    balanced,
    contents,
    low,
    predictions,
    scored,
)

from signature_gate.expectations.errors import Misuse
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_repaired_rows_are_released_in_place_of_the_rejected_ones(
    feed: Feed, tmp_path: Path, ending: str
) -> None:
    """In any order and format; the file is copied, and the replaced one is kept."""
    first = scored(feed, "gaps.parquet", low(10, 3))
    file = tmp_path / f"repaired.{ending}"
    repaired = pl.read_parquet(apart(feed).content or "").drop("_violations").reverse()
    repaired = repaired.with_columns(a=pl.lit(0.5))
    {"parquet": repaired.write_parquet, "csv": repaired.write_csv, "jsonl": repaired.write_ndjson}[
        ending
    ](file)
    content = file.read_bytes()

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(file=file))

    told = predictions(feed, receipt)
    assert receipt.disposition == "passed"
    assert told["_row"].to_list() == [2, 1, 0]
    assert told["key"].to_list() == ["k2", "k1", "k0"]
    assert file.read_bytes() == content
    assert receipt.release
    assert receipt.release.file == file.name
    kept = everything_below(feed.resolve(receipt.release.archive or ""))
    assert {"rejected.parquet", f"repaired.{ending}"} <= kept
    assert balanced(feed, receipt) == (10, 10, 0)


def test_a_repaired_batch_replaces_the_one_that_arrived(strict: Feed, tmp_path: Path) -> None:
    """Its rows count from now on; both files are kept, and `again` leaves the broken one alone."""
    first = scored(strict, "text.csv", b"a,n,key\nx,1,k0\ny,2,k1\n")
    file = tmp_path / "mended.parquet"
    rows(3).write_parquet(file)

    receipt = release_batch(strict, "text.csv", ReleaseOptions(file=file))
    again = score_feed(strict.model_copy(update={"model": "models:/line/2"}), again=True)

    assert receipt.release
    archive = strict.resolve(receipt.release.archive or "")
    assert {f"{first.batch.id}.csv", "repaired.parquet"} <= everything_below(archive)
    assert balanced(strict, receipt) == (3, 3, 0)
    assert file.is_file()
    assert again.receipts == ()


def test_a_repair_that_does_not_pass_changes_nothing(strict: Feed, tmp_path: Path) -> None:
    """The quarantined batch keeps its own verdict; a receipt records the attempt."""
    first = scored(strict, "text.csv", b"a,n,key\nx,1,k0\n")
    file = tmp_path / "mended.parquet"
    low(5, 1).write_parquet(file)

    receipt = release_batch(strict, first.batch.id, ReleaseOptions(file=file))

    entry = apart(strict)
    assert receipt.disposition == "quarantined"
    assert entry.kinds == ["unparseable"]
    assert {"verdict.release-1.repaired.json", "verdict.json"} <= everything_below(entry.path)
    assert balanced(strict, receipt) == (1, 0, 1)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (rows(3), "cannot read the column '_row'"),
        (rows(3).with_columns(_row=pl.Series([0, 1, 1])), "or one twice"),
        (rows(2).with_columns(_row=pl.Series([0, 1])), "1 are missing (first: 2)"),
        (rows(4).with_columns(_row=pl.Series([0, 1, 2, 9])), "1 were not rejected (first: 9)"),
    ],
)
def test_rows_that_are_not_the_rejected_ones_are_refused(
    feed: Feed, tmp_path: Path, frame: pl.DataFrame, said: str
) -> None:
    """No row is scored twice or lost unnoticed: the message names the rows."""
    scored(feed, "gaps.parquet", low(10, 3))
    before = contents(feed)
    file = tmp_path / "repaired.parquet"
    frame.write_parquet(file)

    with pytest.raises(Misuse) as caught:
        release_batch(feed, "gaps.parquet", ReleaseOptions(file=file))

    assert said in str(caught.value)
    assert contents(feed) == before
    assert everything_below(feed.claims) == set()
    assert list(feed.staging.iterdir()) == []


def test_what_was_altered_in_quarantine_is_not_released_as_the_batch(strict: Feed) -> None:
    """A file repaired in place is refused: it must be passed as a repaired file."""
    scored(strict, "gaps.parquet", low(10, 3))
    rows(10).write_parquet(apart(strict).content or "")

    with pytest.raises(Misuse, match="is not what was quarantined"):
        release_batch(strict, "gaps.parquet")
