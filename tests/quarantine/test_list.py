"""Quarantined batches are listed and named, on the terminal too."""

from __future__ import annotations

import builtins
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from feeds import (
    deliver,
    gaps,
    rows,
)
from quarantined_feeds import (
    SPLIT,
    apart,
    low,
    scored,
)

from signature_gate.expectations.errors import BatchNotFound, Misuse
from signature_gate.tasks.feed.receipt import Receipt
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.quarantine.entries import entries, find_entry
from signature_gate.tasks.quarantine.release import release_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.claims import claimed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


def test_a_batch_has_many_names(strict: Feed) -> None:
    """Id, beginning, end, name on arrival, and the short form of the list mean the same."""
    first = scored(strict, "gaps of july.csv.gz", low(10, 3))
    name = first.batch.id

    for text in (name, name[:6], name[-12:], "gaps of july.csv.gz", f"gap…{name[-4:]}"):
        assert find_entry(strict, text) == name


def test_a_name_of_several_batches_is_refused(strict: Feed) -> None:
    """The message lists them; near matches are listed where none fits."""
    ids = {scored(strict, "gaps.parquet", low(10, n)).batch.id for n in (3, 4)}

    with pytest.raises(Misuse, match="fits 2 batches") as several:
        find_entry(strict, "gaps.parquet")
    with pytest.raises(BatchNotFound, match="Near: gaps-") as none:
        find_entry(strict, "gabs")

    assert all(name in str(several.value) and name in str(none.value) for name in ids)


def test_what_the_feed_did_not_quarantine_is_left_alone(strict: Feed, tmp_path: Path) -> None:
    """A folder of another origin is listed, and neither released nor discarded."""
    scored(strict, "gaps.parquet", low(10, 3))
    shutil.copytree(apart(strict).path, strict.quarantined("stranger-000000000000"))

    for act in (release_batch, discard_batch):
        with pytest.raises(Misuse, match="no receipt of feed line is about"):
            act(strict, "stranger")
    assert len(entries(strict)) == 2


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


def test_a_batch_with_an_unreadable_verdict_is_listed(
    strict: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged verdict hides no batch, and there is no traceback."""
    scored(strict, "gaps.parquet", low(10, 3))
    (apart(strict).path / "verdict.json").write_text("{")

    assert "?/?" in run(capsys, "quarantine", "list", written(strict))[1]
    assert "cannot be read" in run(capsys, "quarantine", "show", written(strict), "gaps")[1]


def test_a_list_reads_the_verdicts_and_nothing_else(
    strict: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither receipts nor batches are opened, so that thousands of entries are listed at once."""
    scored(strict, "gaps.parquet", low(10, 3))
    verdict = (apart(strict).path / "verdict.json").read_bytes()
    for number in range(200):
        folder = strict.quarantined(f"many-{number:012x}")
        folder.mkdir()
        (folder / "verdict.json").write_bytes(verdict)
        (folder / f"{folder.name}.parquet").touch()
    shutil.rmtree(strict.receipts)
    opened: list[str] = []
    open_file = io.open

    def record(path: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(Path(path).name)
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(io, "open", record)
    monkeypatch.setattr(builtins, "open", record)

    assert len(entries(strict)) == 201
    assert opened == ["verdict.json"] * 201


def test_list_show_and_release_agree(
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


def test_an_unknown_batch_or_file_exits_2(
    strict: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2: no such batch, no such file; the message names the closest."""
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
    """Exit 3: another worker has it, and nothing was done."""
    first = scored(strict, "gaps.parquet", low(10, 3))

    with claimed(strict, first.batch.id):
        code, _, err = run(capsys, "quarantine", "discard", written(strict), "gaps")

    assert (code, "another worker works" in err) == (3, True)
