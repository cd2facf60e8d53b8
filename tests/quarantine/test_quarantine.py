"""The quarantine desk: what lies there is seen, released, repaired or given up; nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import yaml
from check_helpers import contract, split
from commands import run
from feeds import (
    PLANTED,
    by_batch,
    deliver,
    everything_below,
    gaps,
    rows,
)
from killed_process import start_command

from signature_gate import Contract, check
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.errors import BatchNotFound, GateError, Misuse
from signature_gate.expectations.judge.reopen import reopen_rejected
from signature_gate.tasks.feed.receipt import Receipt, ReceiptStore
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.quarantine.entries import entries, entry_names, find_entry
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch
from signature_gate.tasks.quarantine.row_counts import count_rows
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.intent import claimed
from signature_gate.tasks.storage.order import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.quarantine.entries import QuarantineEntry

    FeedMaker = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}
# Without the rule of one's own that the feeds have: whatever the types hold passes.
FORGIVING = Policy(keep=("key",))
IN_YAML = "{keep: [key], on_mismatch: split, max_rejected: 0.5}"


def low(count: int, bad: int) -> pl.DataFrame:
    """Make rows of which the first few break a rule that a policy may do without."""
    return rows(count, a=[-1.0] * bad + [float(i) for i in range(count - bad)])


def two_faults() -> pl.DataFrame:
    """Make ten rows: the first breaks the rule, the last has no value where there must be one."""
    return rows(10, a=[-1.0, *[float(i) for i in range(1, 10)]], n=[*range(9), None])


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """Write a rule of one's own: no value of ``a`` is negative."""
    path = tmp_path / "rules.json"
    rule = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "a", "min_value": 0},
    }
    path.write_text(json.dumps({"name": "own", "expectations": [rule], "meta": {}}))
    return str(path)


@pytest.fixture
def feed(make_feed: FeedMaker, line: str, rules: str) -> Feed:
    """A feed for the line, which sets bad rows apart."""
    return make_feed(policy={**SPLIT, "rules": rules})


@pytest.fixture
def strict(make_feed: FeedMaker, line: str, rules: str) -> Feed:
    """A feed for the line, which quarantines batches whole."""
    return make_feed(policy={"rules": rules})


def scored(feed: Feed, name: str, batch: pl.DataFrame | bytes) -> Receipt:
    """Deliver one batch and score the feed."""
    deliver(feed, name, batch)
    return by_batch(score_feed(feed))[name]


def apart(feed: Feed) -> QuarantineEntry:
    """Look at the only entry of a quarantine."""
    (entry,) = entries(feed)
    return entry


def predictions(feed: Feed, receipt: Receipt) -> pl.DataFrame:
    """Read what was published."""
    return pl.read_parquet(feed.resolve(receipt.outputs.predictions or ""), hive_partitioning=False)


def past(feed: Feed, receipt: Receipt) -> list[Receipt]:
    """Read all receipts of a batch."""
    return ReceiptStore(feed).of(receipt.batch.id)


def balanced(feed: Feed, receipt: Receipt) -> tuple[int | None, int, int | None]:
    """Count how a batch stands, and see that rows in are rows scored and rows rejected."""
    state = count_rows(past(feed, receipt))
    if state.rows_in is not None:
        assert state.rows_in == state.scored + (state.rejected or 0)
    return state.rows_in, state.scored, state.rejected


def contents(feed: Feed) -> dict[str, bytes]:
    """Read every file of a feed but the receipts and what is under way."""
    files = (p for p in Path(feed.root).rglob("*") if p.is_file())
    return {
        str(p.relative_to(feed.root)): p.read_bytes()
        for p in files
        if p.parent not in (feed.receipts, feed.claims)
    }


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Feed], str]:
    """Write a feed down as YAML, for the command line."""

    def write(feed: Feed) -> str:
        path = tmp_path / f"{feed.name}.yaml"
        path.write_text(yaml.safe_dump(feed.model_dump(mode="json")))
        return str(path)

    return write


# ----- release of a whole batch -----


def test_a_whole_batch_is_released_once_the_policy_forgives_it(strict: Feed) -> None:
    """It is scored under its own name; original and papers lie in the archive; all rows count."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    original = (strict.resolve(first.outputs.batch or "")).read_bytes()

    receipt = release_batch(strict, first.batch.id, ReleaseOptions(policy=FORGIVING))

    assert (receipt.disposition, receipt.final, receipt.previous) == ("passed", True, first.file)
    assert receipt.release
    assert (receipt.release.success, receipt.release.receipt) == ("batch", first.file)
    assert predictions(strict, receipt)["_row"].to_list() == list(range(10))
    assert receipt.outputs.predictions == f"scored/model=line/version=1/{first.batch.id}.parquet"
    archive = strict.resolve(receipt.release.archive or "")
    assert everything_below(archive) == {
        f"{first.batch.id}.parquet",
        "verdict.json",
        "report.html",
    }
    assert strict.resolve(receipt.outputs.batch or "").read_bytes() == original
    assert balanced(strict, receipt) == (10, 10, 0)
    assert entry_names(strict) == []
    assert everything_below(strict.claims) == set()
    assert list(strict.staging.iterdir()) == []


def test_a_batch_is_released_under_a_named_version(strict: Feed) -> None:
    """The version that is named judges and scores, whatever the feed's alias means."""
    first = scored(strict, "gaps.parquet", low(4, 1))

    receipt = release_batch(
        strict, "gaps.parquet", ReleaseOptions(model="models:/line/2", policy=FORGIVING)
    )

    assert (receipt.version, receipt.disposition) == ("2", "passed")
    assert "version=2" in (receipt.outputs.predictions or "")
    assert receipt.file == f"{first.batch.id}@2.1.json"


def test_a_whole_batch_may_split_on_release(strict: Feed, rules: str) -> None:
    """What fits is scored; the rest stays in quarantine, and the original goes to the archive."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    policy = Policy(keep=("key",), on_mismatch="split", max_rejected=0.5, rules=rules)

    receipt = release_batch(strict, first.batch.id, ReleaseOptions(policy=policy))

    entry = apart(strict)
    assert receipt.disposition == "split"
    assert (entry.name, entry.success) == (f"{first.batch.id}.release-1", "rows")
    assert receipt.outputs.quarantine == f"quarantine/{entry.name}"
    assert pl.read_parquet(entry.content or "")["_row"].to_list() == [0, 1, 2]
    assert predictions(strict, receipt)["_row"].to_list() == list(range(3, 10))
    assert strict.resolve(receipt.outputs.batch or "").is_file()
    assert balanced(strict, receipt) == (10, 7, 3)


def test_what_still_does_not_pass_stays_with_all_its_papers(strict: Feed) -> None:
    """Nothing moves and nothing is overwritten: new papers lie beside the old ones."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    before = contents(strict)

    second = release_batch(strict, first.batch.id)
    third = release_batch(strict, first.batch.id)

    after = contents(strict)
    assert before.items() <= after.items()
    folder = f"quarantine/{first.batch.id}"
    assert after.keys() - before.keys() == {
        f"{folder}/{paper}.release-{number}.{ending}"
        for paper, ending in (("verdict", "json"), ("report", "html"))
        for number in (1, 2)
    }
    assert [r.disposition for r in past(strict, first)] == ["quarantined"] * 3
    assert (second.previous, third.previous) == (first.file, second.file)
    assert balanced(strict, third) == (10, 0, 10)
    assert apart(strict).report.name == "report.release-2.html"


def test_a_split_that_leaves_all_rows_behind_is_none(feed: Feed) -> None:
    """No empty predictions are published, and nothing moves, however much a policy lets go."""
    first = scored(feed, "gaps.parquet", gaps(10, 3))
    before = contents(feed)
    policy = Policy(keep=("key",), on_mismatch="split", max_rejected=1)

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=policy))

    assert (receipt.disposition, receipt.outputs.predictions) == ("quarantined", None)
    assert before.items() <= contents(feed).items()
    assert balanced(feed, receipt) == (10, 7, 3)


def test_a_folder_is_released_as_it_arrived(strict: Feed) -> None:
    """A batch of several files is one batch at the desk too."""
    folder = strict.inbox / "july"
    folder.mkdir()
    low(3, 1).write_parquet(folder / "a.parquet")
    rows(2).write_parquet(folder / "b.parquet")
    first = by_batch(score_feed(strict))["july"]

    receipt = release_batch(strict, "july", ReleaseOptions(policy=FORGIVING))

    assert (first.disposition, receipt.disposition) == ("quarantined", "passed")
    assert predictions(strict, receipt)["_row"].to_list() == list(range(5))
    assert strict.resolve(receipt.outputs.batch or "").is_dir()


# ----- release of rejected rows -----


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
    """Each release leaves the rest in quarantine, under the same numbers; all of it adds up."""
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
    """Rejected rows of CSV are parsed once more, though they lie there as Parquet."""
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


def test_a_malformed_record_is_never_taken_for_a_row_of_nulls(
    make_feed: FeedMaker, line: str
) -> None:
    """Its cells are unknown, so that no policy about nulls can release it."""
    feed = make_feed(policy={**SPLIT, "max_rejected": 0.9, "keep": []}, model="models:/line/1")
    first = scored(feed, "rows.csv", b"a,n\n1.5,1\n2.5\n")

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=FORGIVING))

    assert receipt.disposition == "quarantined"
    assert receipt.outputs.predictions is None


def test_values_that_were_put_into_words_are_not_taken_for_text(feed: Feed) -> None:
    """Of JSON values of several kinds only words are left, which nobody parses for values."""
    lines = [{"a": 1.5, "n": 1}, {"a": 2.5, "n": 2}, {"a": "3.5", "n": 3}]
    text = "".join(json.dumps({**line, "key": "k"}) + "\n" for line in lines)
    first = scored(feed, "rows.jsonl", text.encode())

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=Policy(parse_text="allow")))

    assert (first.disposition, receipt.disposition) == ("split", "quarantined")
    assert "put into words" in receipt.reason
    assert apart(feed).name == first.batch.id


WAYS = {
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


@pytest.mark.parametrize("name", WAYS)
def test_rejected_rows_are_judged_as_they_were(tmp_path: Path, name: str) -> None:
    """Under the same policy each format's rows are rejected for the same reasons, row by row."""
    content, types, expected = WAYS[name]
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
    """JSON has its datetimes as text and its numbers as numbers; both come back in their types."""
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


# ----- repaired files -----


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_repaired_rows_are_released_in_place_of_the_rejected_ones(
    feed: Feed, tmp_path: Path, ending: str
) -> None:
    """In any order and format; the file is copied, and what it replaces is kept."""
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


def test_a_repaired_batch_stands_for_the_one_that_arrived(strict: Feed, tmp_path: Path) -> None:
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
    """What lies in quarantine is still told by its own verdict; the try is on record."""
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
    """No row is scored twice, and none is lost in silence: the message says which are meant."""
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
    """A repair in place must be handed in, so that the record says so."""
    scored(strict, "gaps.parquet", low(10, 3))
    rows(10).write_parquet(apart(strict).content or "")

    with pytest.raises(Misuse, match="is not what was quarantined"):
        release_batch(strict, "gaps.parquet")


# ----- discard -----


def test_what_is_given_up_lies_in_the_archive(strict: Feed, tmp_path: Path) -> None:
    """Batch and papers move as they are; the receipt says why and points to the one before."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    files = {p.name: p.read_bytes() for p in apart(strict).path.iterdir()}

    receipt = discard_batch(strict, first.batch.id, "the producer sent it again")

    assert (receipt.disposition, receipt.final, receipt.previous) == (
        "discarded",
        True,
        first.file,
    )
    assert receipt.reason == "the producer sent it again"
    assert receipt.discard
    archive = strict.resolve(receipt.discard.archive or "")
    assert archive == strict.archived("_discarded") / first.batch.id
    assert {p.name: p.read_bytes() for p in archive.iterdir()} == files
    assert strict.resolve(receipt.outputs.batch or "").parent == archive
    assert balanced(strict, receipt) == (10, 0, 10)
    assert count_rows(past(strict, first)).discarded == 10
    assert entry_names(strict) == []
    with pytest.raises(BatchNotFound, match="its latest receipt is"):
        discard_batch(strict, first.batch.id)


def test_rejected_rows_are_given_up_by_themselves(feed: Feed) -> None:
    """The batch they came from is scored and stays where it is; `again` may still score it."""
    first = scored(feed, "gaps.parquet", low(10, 3))

    receipt = discard_batch(feed, "gaps.parquet")
    anew = score_feed(feed.model_copy(update={"model": "models:/line/2"}), again=True)

    assert receipt.outputs.batch == "inbox/gaps.parquet"
    assert balanced(feed, first)[1:] == (7, 3)
    assert [(r.version, r.disposition) for r in anew.receipts] == [("2", "split")]
    assert apart(feed).batch == first.batch.id


@pytest.mark.parametrize("text", ["", "…", "no such batch", "../quarantine"])
def test_nothing_is_given_up_that_cannot_be_named(strict: Feed, text: str) -> None:
    """Even if there is only one batch, a word that does not name it takes nothing away."""
    scored(strict, "gaps.parquet", low(10, 3))

    with pytest.raises(BatchNotFound):
        discard_batch(strict, text)

    assert len(entry_names(strict)) == 1


# ----- names -----


def test_a_batch_has_many_names(strict: Feed) -> None:
    """Id, beginning, end, name on arrival, and the short form of the list mean the same."""
    first = scored(strict, "gaps of july.csv.gz", low(10, 3))
    name = first.batch.id

    for text in (name, name[:6], name[-12:], "gaps of july.csv.gz", f"gap…{name[-4:]}"):
        assert find_entry(strict, text) == name


def test_a_name_of_several_batches_is_refused(strict: Feed) -> None:
    """The message lists them; near matches are listed where none fits."""
    ids = {scored(strict, "gaps.parquet", low(10, n)).batch.id for n in (3, 4)}

    with pytest.raises(Misuse, match="may mean 2 batches") as several:
        find_entry(strict, "gaps.parquet")
    with pytest.raises(BatchNotFound, match="Near: gaps-") as none:
        find_entry(strict, "gabs")

    assert all(name in str(several.value) and name in str(none.value) for name in ids)


def test_what_the_feed_did_not_quarantine_is_left_alone(strict: Feed, tmp_path: Path) -> None:
    """A folder that somebody else put there is shown, and neither released nor taken away."""
    scored(strict, "gaps.parquet", low(10, 3))
    shutil.copytree(apart(strict).path, strict.quarantined("stranger-000000000000"))

    for act in (release_batch, discard_batch):
        with pytest.raises(Misuse, match="no receipt of feed line tells"):
            act(strict, "stranger")
    assert len(entries(strict)) == 2


# ----- once -----


def test_scoring_leaves_alone_what_was_released(feed: Feed) -> None:
    """A released batch stays done, whether all of it or some rows were released."""
    scored(feed, "gaps.parquet", low(10, 3))
    scored(feed, "more gaps.parquet", low(10, 6))
    for name in ("gaps.parquet", "more gaps.parquet"):
        release_batch(feed, name, ReleaseOptions(policy=FORGIVING))
    before = contents(feed)

    assert score_feed(feed).receipts == ()
    assert score_feed(feed, again=True).receipts == ()
    assert contents(feed) == before


def test_again_scores_the_whole_batch_after_some_rows_were_released_under_that_version(
    feed: Feed,
) -> None:
    """Rows that a newer version has scored at the desk do not stand for the batch."""
    first = scored(feed, "gaps.parquet", low(10, 3))
    release_batch(feed, first.batch.id, ReleaseOptions(model="models:/line/2", policy=FORGIVING))
    newer = feed.model_copy(update={"model": "models:/line/2"})

    (receipt,) = score_feed(newer, again=True).receipts

    assert (receipt.version, receipt.attempt, receipt.outputs.scored) == ("2", 2, 7)
    assert receipt.outputs.predictions == f"scored/model=line/version=2/{first.batch.id}.parquet"
    assert score_feed(newer, again=True).receipts == ()


def test_a_released_batch_can_be_scored_again(strict: Feed) -> None:
    """It is found in the archive, and scored by the newer version under a policy that takes it."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    release_batch(strict, first.batch.id, ReleaseOptions(policy=FORGIVING))
    newer = strict.model_copy(update={"model": "models:/line/2", "policy": FORGIVING})

    (receipt,) = score_feed(newer, again=True).receipts

    assert (receipt.version, receipt.disposition) == ("2", "passed")
    assert receipt.batch.id == first.batch.id


def test_of_two_releases_at_once_one_wins(strict: Feed) -> None:
    """While a worker has the batch, the other is told so, and touches nothing."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    refused: list[str] = []

    def meanwhile(*_: int) -> None:
        with pytest.raises(GateError, match="another worker is at work") as e:
            release_batch(strict, first.batch.id, ReleaseOptions(policy=FORGIVING))
        refused.append(str(e.value))

    receipt = release_batch(
        strict, first.batch.id, ReleaseOptions(policy=FORGIVING), watch=meanwhile
    )

    assert receipt.disposition == "passed"
    assert len(refused) == 1
    assert len(past(strict, first)) == 2
    with claimed(strict, first.batch.id) as free:
        assert free


def test_two_processes_release_one_batch_once(
    strict: Feed, written: Callable[[Feed], str], tmp_path: Path
) -> None:
    """Whoever comes second finds it taken or gone; there is one release."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("keep: [key]\n")
    first = scored(strict, "gaps.parquet", low(10, 3))
    command = ["quarantine", "release", written(strict), first.batch.id, "--policy", str(policy)]
    workers = [start_command(command, tmp_path / f"log-{n}") for n in range(2)]
    for worker in workers:
        worker.join(120)

    assert sorted(worker.exitcode for worker in workers) in ([0, 2], [0, 3])
    assert [r.disposition for r in past(strict, first)] == ["quarantined", "passed"]
    assert balanced(strict, first) == (10, 10, 0)


def test_an_attempt_that_is_half_done_is_not_cut_off(feed: Feed) -> None:
    """A crashed run that is bound to score the batch comes first."""
    from signature_gate.tasks.scoring.feed_run import current_intent
    from signature_gate.tasks.storage.intent import bind_intent

    first = scored(feed, "gaps.parquet", low(10, 3))
    newer = feed.model_copy(update={"model": "models:/line/2"})
    bind_intent(feed, first.batch.id, current_intent(newer))

    with pytest.raises(GateError, match="left half done"):
        release_batch(feed, first.batch.id)

    assert feed.intent(first.batch.id).exists()


# ----- killed -----

_KILLED = [
    ("claimed", 1, "release"),
    ("bound", 1, "release"),
    ("bound", 1, "score"),
    ("staged", 1, "release"),
    ("staged", 1, "score"),
    ("planned", 1, "release"),
    ("planned", 1, "score"),
    *(("moved", step, "release") for step in (1, 2, 3)),
    ("moved", 2, "score"),
    ("committed", 1, "release"),
    ("committed", 1, "score"),
]


def _end_is_the_same(feed: Feed, first: Receipt, expected: tuple[int, int, int]) -> None:
    receipts = past(feed, first)
    assert [r.disposition for r in receipts] == ["split", "split"]
    assert balanced(feed, first) == expected
    assert predictions(feed, receipts[1])["_row"].to_list() == [0]
    assert pl.read_parquet(apart(feed).content or "")["_row"].to_list() == [9]
    assert everything_below(feed.archived("_released")) == {
        f"{first.batch.id}/{name}" for name in ("rejected.parquet", "verdict.json", "report.html")
    }
    assert len(everything_below(Path(feed.root) / "scored")) == 2
    assert everything_below(feed.claims) == set()
    assert list(feed.staging.iterdir()) == []


@pytest.mark.parametrize(("point", "times", "then"), _KILLED)
def test_a_release_that_is_killed_ends_once(
    feed: Feed,
    written: Callable[[Feed], str],
    tmp_path: Path,
    point: str,
    times: int,
    then: str,
) -> None:
    """Released again it ends as if nothing had been; a run for the feed drops or finishes it."""
    first = scored(feed, "two.parquet", two_faults())
    before = contents(feed)
    policy = tmp_path / "policy.yaml"
    policy.write_text(IN_YAML)
    command = ["quarantine", "release", written(feed), first.batch.id, "--policy", str(policy)]
    worker = start_command(command, tmp_path / "log", point, times)
    worker.join(120)
    assert worker.exitcode == -9, (tmp_path / "log").read_text()

    planned = list(CHECKPOINTS).index(point) >= list(CHECKPOINTS).index("planned")
    if then == "score":
        summary = score_feed(feed)
        assert len(summary.receipts) == int(planned)
        if not planned:
            assert contents(feed) == before
            assert everything_below(feed.claims) == set()
    if then == "release" or not planned:
        release_batch(feed, first.batch.id, ReleaseOptions(policy=policy))

    _end_is_the_same(feed, first, (10, 9, 1))


@pytest.mark.parametrize("point", ["planned", "moved", "committed"])
def test_a_discard_that_is_killed_ends_once(
    strict: Feed, written: Callable[[Feed], str], tmp_path: Path, point: str
) -> None:
    """The same word said again completes it, and gives the same receipt."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    command = ["quarantine", "discard", written(strict), first.batch.id]
    worker = start_command(command, tmp_path / "log", point)
    worker.join(120)
    assert worker.exitcode == -9, (tmp_path / "log").read_text()

    receipt = discard_batch(strict, first.batch.id)

    assert [r.file for r in past(strict, first)] == [first.file, receipt.file]
    assert entry_names(strict) == []
    assert len(everything_below(strict.archived("_discarded"))) == 3
    assert list(strict.staging.iterdir()) == []


# ----- what must not show -----


def test_redact_keeps_values_out_of_releases(
    make_feed: FeedMaker, moody: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither receipts, papers, messages nor log lines tell a value; only data files hold it."""
    policy = {"redact": True, **SPLIT}
    feed = make_feed(model=moody, policy=policy)
    scored(feed, "some junk.csv", rows(9, a=[PLANTED, *"12345678"]))
    scored(feed, "odd.parquet", rows(3, a=[None, 98765.5, 1.0]))
    caplog.set_level("DEBUG")

    told = release_batch(feed, "some junk.csv").model_dump_json()
    raising = feed.model_copy(update={"params": {"mood": "raise"}})
    with pytest.raises(GateError) as caught:
        release_batch(
            raising, "odd.parquet", ReleaseOptions(policy=Policy(redact=True, nulls="allow"))
        )

    records = [p for p in Path(feed.root).rglob("*") if p.suffix in (".json", ".html")]
    told += "".join(p.read_text() for p in records) + caplog.text + str(caught.value)
    assert "withheld by policy redact" in str(caught.value)
    assert caught.value.__cause__ is None
    assert PLANTED not in told
    assert "98765" not in told


def test_a_model_that_raises_leaves_everything_where_it_is(
    make_feed: FeedMaker, moody: str
) -> None:
    """No receipt, no trace: the release can be asked for again."""
    feed = make_feed(model=moody)
    scored(feed, "gaps.parquet", gaps(4, 1))
    before = contents(feed)
    raising = feed.model_copy(update={"params": {"mood": "raise"}})

    with pytest.raises(GateError, match="raised ValueError"):
        release_batch(raising, "gaps.parquet", ReleaseOptions(policy=Policy(nulls="allow")))

    assert contents(feed) == before
    assert everything_below(feed.claims) == set()
    assert (
        release_batch(
            feed, "gaps.parquet", ReleaseOptions(policy=Policy(nulls="allow"))
        ).disposition
        == "passed"
    )


# ----- the command line -----

HOSTILE = [
    "\x1b[31mred\x1b[0m\nnew line.parquet",
    "x" * 200 + ".parquet",
    "Ünï <b> [bold].parquet",
    "-rf *.parquet",
]


def test_a_list_fits_a_terminal(
    make_feed: FeedMaker,
    line: str,
    written: Callable[[Feed], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line for each batch within 80 columns, hostile names included, from several feeds."""
    monkeypatch.setenv("COLUMNS", "80")
    one, other = make_feed("a" * 60), make_feed("other", policy=SPLIT)
    for name in HOSTILE:
        deliver(one, name, rows(2, a=["x", "y"]))
    deliver(other, "gaps.parquet", gaps(10, 3))
    score_feed(one)
    score_feed(other)
    rogue = one.quarantined("\x1b[2Jrogue")
    rogue.mkdir()

    code, out, err = run(capsys, "quarantine", "list", written(one), written(other))

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert len(lines) == 1 + len(HOSTILE) + 1 + 1
    assert [line for line in lines if len(line) > 80] == []
    assert "\x1b" not in out
    (told,) = (line for line in lines if line.startswith("gaps-"))
    assert told.split() == [
        apart(other).name,
        told.split()[1],
        "other",
        "null",
        "3/10",
        "rows",
    ]
    shown = [line.split()[0] for line in lines[1:] if "type_mismatch" in line]
    for short in shown:
        assert find_entry(one, short)


def test_an_empty_quarantine_says_so(
    strict: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A feed that never ran has nothing in quarantine."""
    file = written(strict)

    assert run(capsys, "quarantine", "list", file) == (
        0,
        "nothing lies in quarantine: line\n",
        "",
    )
    assert run(capsys, "quarantine", "list", file, "--json")[1] == "[]\n"


def test_a_verdict_that_cannot_be_read_is_listed_all_the_same(
    strict: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Damage to papers hides no batch, and no traceback shows."""
    scored(strict, "gaps.parquet", low(10, 3))
    (apart(strict).path / "verdict.json").write_text("{")

    assert "?/?" in run(capsys, "quarantine", "list", written(strict))[1]
    assert "cannot be read" in run(capsys, "quarantine", "show", written(strict), "gaps")[1]


def test_thousands_of_entries_are_listed_fast(strict: Feed) -> None:
    """No receipt and no batch is opened for a list."""
    scored(strict, "gaps.parquet", low(10, 3))
    papers = (apart(strict).path / "verdict.json").read_bytes()
    for number in range(2000):
        folder = strict.quarantined(f"many-{number:012x}")
        folder.mkdir()
        (folder / "verdict.json").write_bytes(papers)
        (folder / f"{folder.name}.parquet").touch()
    shutil.rmtree(strict.receipts)
    started = os.times()

    found = entries(strict)

    spent = os.times()
    assert len(found) == 2001
    assert (spent.user + spent.system) - (started.user + started.system) < 10


def test_the_desk_from_first_to_last(
    feed: Feed,
    written: Callable[[Feed], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """list, show, release that does not pass, release that does: exit codes and JSON."""
    file, policy = written(feed), tmp_path / "policy.yaml"
    policy.write_text("keep: [key]\n")
    first = scored(feed, "gaps.parquet", low(10, 3))

    (listed,) = json.loads(run(capsys, "quarantine", "list", file, "--json")[1])
    code, shown, _ = run(capsys, "quarantine", "show", file, "gaps.parquet")
    told = json.loads(run(capsys, "quarantine", "show", file, "gaps", "--json")[1])
    failed, said, _ = run(capsys, "quarantine", "release", file, "gaps")
    command = ["quarantine", "release", file, "gaps", "--policy", str(policy)]
    passed, document, err = run(capsys, *command, "--json")

    assert (listed["entry"], listed["rejected"], listed["rows"]) == (first.batch.id, 3, 10)
    assert (listed["kinds"], listed["holds"]) == (["rule"], "rows")
    assert code == 0
    assert shown.startswith("split  gaps.parquet, 10 rows, 3 rejected")
    assert "10 = 7 scored + 3 rejected" in shown
    assert f"quarantine discard {file} {first.batch.id}" in shown
    assert told["standing"] == {"rows_in": 10, "scored": 7, "rejected": 3, "discarded": 0}
    assert (failed, passed, err) == (1, 0, "")
    assert "receipt    " in said
    assert Receipt.model_validate_json(document).disposition == "passed"
    code, _, complaint = run(capsys, *command)
    assert (code, "its latest receipt is" in complaint) == (2, True)


def test_the_wrong_word_exits_2(
    strict: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2: no such batch, no such file; the message names what is near."""
    file = written(strict)
    scored(strict, "gaps.parquet", low(10, 3))

    for command in (["show"], ["release"], ["discard"]):
        code, out, err = run(capsys, "quarantine", *command, file, "gabs")
        assert (code, out) == (2, "")
        assert "no batch 'gabs' lies in the quarantine of feed line. Near: gaps-" in err
    code, _, err = run(capsys, "quarantine", "release", file, "gaps", "--file", "nowhere.csv")
    assert (code, "there is no file nowhere.csv" in err) == (2, True)


def test_a_claimed_batch_exits_3(
    strict: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3: somebody else is at work on it, and nothing was done."""
    first = scored(strict, "gaps.parquet", low(10, 3))

    with claimed(strict, first.batch.id):
        code, _, err = run(capsys, "quarantine", "discard", written(strict), "gaps")

    assert (code, "another worker is at work" in err) == (3, True)


# ----- flows -----


@pytest.mark.usefixtures("prefect_server")
def test_a_release_is_a_flow(make_feed: FeedMaker, line: str, rules: str) -> None:
    """Not passed again: Quarantined; passed: Completed; the result is the run's summary."""
    from signature_gate.flows.releasing import release_quarantined

    feed = make_feed("released", policy={"rules": rules})
    first = scored(feed, "gaps.parquet", low(10, 3))

    still = release_quarantined(feed, first.batch.id, return_state=True)
    done = release_quarantined(feed, first.batch.id, policy=FORGIVING, return_state=True)

    assert (still.name, still.type.value) == ("Quarantined", "COMPLETED")
    assert still.message.startswith("1 of 1 batch quarantined: gaps.parquet: rule")
    assert (done.name, done.message) == ("Completed", "1 of 1 batch passed")
    assert done.result().rows_scored == 10


@pytest.mark.usefixtures("prefect_server")
def test_a_discard_is_a_flow(
    make_feed: FeedMaker, line: str, written: Callable[[Feed], str]
) -> None:
    """The feed may be named by its file; a batch that is not there fails the run."""
    from signature_gate.flows.releasing import discard_quarantined

    feed = make_feed("discarded")
    first = scored(feed, "gaps.parquet", gaps(10, 3))

    state = discard_quarantined(
        written(feed), first.batch.id, reason="sent again", return_state=True
    )

    assert (state.name, state.message) == (
        "Completed",
        "1 of 1 batch discarded: gaps.parquet: sent again",
    )
    with pytest.raises(BatchNotFound):
        discard_quarantined(feed, first.batch.id)
