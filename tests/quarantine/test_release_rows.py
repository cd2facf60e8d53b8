"""Rejected rows are released under the numbers with which they arrived."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import (
    rows,
)
from quarantined_feeds import (
    FORGIVING,
    SPLIT,
    apart,
    balanced,
    past,
    predictions,
    scored,
    two_faults,
)
from small_checks import contract, split

from signature_gate import Contract, check
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.judge.reopen import reopen_rejected
from signature_gate.tasks.quarantine.entries import entry_names
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


def test_released_rows_keep_the_numbers_they_arrived_with(feed: Feed) -> None:
    """They are published beside the first predictions, and join back to the same batch."""
    batch = rows(10, a=[-1.0 if i in (2, 5, 7) else float(i) for i in range(10)])
    first = scored(feed, "gaps.parquet", batch)
    published = (feed.resolve(first.outputs.predictions or "")).read_bytes()

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=FORGIVING))

    beside = feed.resolve(first.outputs.predictions or "")
    assert receipt.outputs.predictions == feed.relative(
        beside.with_name(f"{first.batch.id}.release-1.parquet")
    )
    assert beside.read_bytes() == published
    told = predictions(feed, receipt)
    assert told["_row"].to_list() == [2, 5, 7]
    assert told["key"].to_list() == ["k2", "k5", "k7"]
    both = pl.concat([predictions(feed, first), told])
    assert sorted(both["_row"]) == list(range(10))
    assert (receipt.outputs.scored, receipt.outputs.rejected, receipt.rows_in) == (3, 0, 3)
    assert balanced(feed, receipt) == (10, 10, 0)
    assert entry_names(feed) == []
    assert receipt.outputs.batch == "inbox/gaps.parquet"


def test_rows_are_released_one_after_the_other(feed: Feed) -> None:
    """Each release leaves the rest in quarantine, with the same numbers; the sums agree."""
    first = scored(feed, "two.parquet", two_faults())
    forgiving = Policy(keep=("key",), on_mismatch="split", max_rejected=0.5)

    second = release_batch(feed, first.batch.id, ReleaseOptions(policy=forgiving))
    rest = apart(feed)
    repaired = Path(feed.root) / "n.parquet"
    pl.read_parquet(rest.content or "").with_columns(n=pl.lit(1)).write_parquet(repaired)
    third = release_batch(feed, rest.name, ReleaseOptions(file=repaired))

    assert predictions(feed, second)["_row"].to_list() == [0]
    assert pl.read_parquet(feed.resolve(third.release.archive or "") / "rejected.parquet")[  # pyright: ignore[reportOptionalMemberAccess]
        "_row"
    ].to_list() == [9]
    assert predictions(feed, third)["_row"].to_list() == [9]
    assert [r.outputs.scored for r in past(feed, first)] == [8, 1, 1]
    assert balanced(feed, third) == (10, 10, 0)


def test_text_of_a_csv_file_is_still_text_on_release(make_feed: FeedMaker, moody: str) -> None:
    """Rejected rows of CSV are parsed again, although they are stored as Parquet."""
    feed = make_feed(model=moody, policy={**SPLIT, "max_rejected": 0.9})
    text = b"a,n,key\n1.5,1,k0\nn/a,2,k1\n2.5,x,k2\n3.5\n"
    first = scored(feed, "rows.csv", text)
    policy = Policy(
        keep=("key",), nulls="allow", null_values=("n/a",), on_mismatch="split", max_rejected=0.9
    )

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=policy))

    assert (first.outputs.scored, first.outputs.rejected) == (1, 3)
    assert predictions(feed, receipt)["_row"].to_list() == [1]
    assert receipt.verdict
    assert {(v.kind, v.rows) for v in receipt.verdict.blocking} == {
        ("unparseable", (2,)),
        ("malformed_row", (3,)),
    }
    left = pl.read_parquet(apart(feed).content or "")
    assert left["_row"].to_list() == [2, 3]
    assert "3.5" in left["_violations"][1][0]
    assert balanced(feed, receipt) == (4, 2, 2)


def test_a_malformed_record_is_never_read_as_a_row_of_nulls(
    make_feed: FeedMaker, line: str
) -> None:
    """Its cells are unknown: no policy about nulls releases it."""
    feed = make_feed(policy={**SPLIT, "max_rejected": 0.9, "keep": []}, model="models:/line/1")
    first = scored(feed, "rows.csv", b"a,n\n1.5,1\n2.5\n")

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=FORGIVING))

    assert receipt.disposition == "quarantined"
    assert receipt.outputs.predictions is None


def test_values_that_were_stored_as_text_are_not_parsed(feed: Feed) -> None:
    """JSON values of mixed kinds are stored as text, which is not parsed as values."""
    lines = [{"a": 1.5, "n": 1}, {"a": 2.5, "n": 2}, {"a": "3.5", "n": 3}]
    text = "".join(json.dumps({**line, "key": "k"}) + "\n" for line in lines)
    first = scored(feed, "rows.jsonl", text.encode())

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=Policy(parse_text="allow")))

    assert (first.disposition, receipt.disposition) == ("split", "quarantined")
    assert "written as text" in receipt.reason
    assert apart(feed).name == first.batch.id


BATCHES = {
    "lines.jsonl": (
        b'{"t":"2020-01-01","x":1}\n{"t":"x","x":2}\n{"t":"2020-01-02","x":null}\n{"t":1\n',
        {"t": "datetime", "x": "long"},
        [("malformed_row", (3,)), ("unparseable", (1,)), ("null", (2,))],
    ),
    "headless.csv": (b"1,2\nx,3\n4,5\n", {"0": "long", "1": "long"}, [("unparseable", (1,))]),
    "lists.parquet": (
        pl.DataFrame({"x": [[1], [None], [3]]}),
        {"x": {"type": "array", "items": {"type": "long"}}},
        [("nested_mismatch", (1,))],
    ),
    "numbers.parquet": (
        pl.DataFrame({"u": [1.0, None], "v": [1.5, 2.5]}),
        None,
        [("null", (1,))],
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_rejected_rows_are_judged_as_they_were(tmp_path: Path, name: str) -> None:
    """Under the same policy each format's rows are rejected for the same reasons, row by row."""
    content, types, expected = BATCHES[name]
    path, kept = tmp_path / name, tmp_path / "rejected.parquet"
    content.write_parquet(path) if isinstance(content, pl.DataFrame) else path.write_bytes(content)
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]
    judge = contract(**types) if types else Contract.from_signature({"inputs": json.dumps(tensor)})
    policy = split(csv={"header": name != "headless.csv"})
    first = check(path, judge, policy)
    assert first.rejected is not None
    first.rejected.collect().write_parquet(kept)

    reopened = reopen_rejected(kept, first.verdict.batch, judge, policy)
    again = check(reopened.opened, judge, policy)

    assert [(v.kind, v.rows) for v in first.violations] == expected
    assert [(v.kind, v.rows) for v in again.violations] == expected
    assert reopened.violations == ()
    assert again.rejected is not None
    rejected = first.rejected.drop("_violations").collect()
    assert again.rejected.drop("_violations").collect().equals(rejected)


def test_numbers_beside_text_that_stands_for_values_stay_numbers(tmp_path: Path) -> None:
    """JSON has datetimes as text and numbers as numbers; both are restored in their types."""
    path, kept = tmp_path / "lines.jsonl", tmp_path / "rejected.parquet"
    path.write_bytes(b'{"t":"2020-01-01T00:00:00Z","x":7,"y":8}\n{"t":"2020-01-01","x":1,"y":2}\n')
    judge = contract(t="datetime", x="long", y="double")
    first = check(path, judge, split())
    assert first.rejected is not None
    first.rejected.collect().write_parquet(kept)

    policy = split(timezone="utc")
    again = check(reopen_rejected(kept, first.verdict.batch, judge, policy).opened, judge, policy)

    assert again.accepted is not None
    assert again.accepted.collect().rows() == [(0, datetime(2020, 1, 1), 7, 8.0)]
    assert [str(dtype) for dtype in again.model_input().dtypes] == [
        "datetime64[ns]",
        "int64",
        "float64",
    ]
