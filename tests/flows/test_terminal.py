"""What a terminal of 80 columns shows, and what a pipe gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml
from commands import run
from rich.progress import Progress as Bar
from terminals import on_terminal
from typer.main import get_command

from signature_gate.expectations.batch.reading import Reading
from signature_gate.expectations.drift.change import Change
from signature_gate.flows.cli.main import app
from signature_gate.flows.terminal.changes import show_drift
from signature_gate.flows.terminal.progress import _Gauge
from signature_gate.tasks.monitoring.drift_report import DriftReport, Forecast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click import Command

    from signature_gate.expectations.verdict.verdict import Disposition

LONG = "a_column_whose_name_is_longer_than_all_of_the_line_of_a_terminal_that_has_eighty_columns"


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of pytest-xdist inherit a width, which would bind a pipe too."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Write the MLmodel file of a model with thirty columns."""
    types = {f"whole_{i}": "long" for i in range(4)} | {f"ratio_{i}": "double" for i in range(25)}
    inputs = [{"name": n, "type": t, "required": True} for n, t in {**types, LONG: "long"}.items()]
    folder = tmp_path / "model"
    folder.mkdir()
    signature = {"inputs": json.dumps(inputs), "outputs": None, "params": None}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {}, "signature": signature}))
    return str(folder)


@pytest.fixture
def batch(tmp_path: Path) -> str:
    """Write a batch with nulls in three columns, a null of its own, an extra one, conversions."""
    rows = 1000
    gaps = pl.Series([None if i % 100 == 7 else i for i in range(rows)], dtype=pl.Int64)
    frame = pl.DataFrame(
        {f"whole_{i}": gaps for i in range(3)}
        | {"whole_3": [None, None, *range(rows - 2)]}
        | {f"ratio_{i}": pl.Series(range(rows), dtype=pl.Int32) for i in range(25)}
        | {LONG: pl.Series(range(rows), dtype=pl.Int64), "more": "x"}
    )
    path = tmp_path / "july.parquet"
    frame.write_parquet(path)
    return str(path)


SHOWN = """\
quarantined  july.parquet, 1,000 rows, 12 rejected
evidence   26 by footer, 4 by scan
converted  ratio_0, ratio_1, ratio_2, ratio_3, ratio_4, ratio_5, ratio_6,
           ratio_7, ratio_8, ratio_9, ratio_10, ratio_11, ratio_12, ratio_13,
           ratio_14, ratio_15, ratio_16, ratio_17, ratio_18, ratio_19 and 5
           more: int32 to double, lossless

null in 4 columns
  columns  whole_0, whole_1, whole_2, whole_3
  expected long in every row
  observed null
  rows     2 to 10 in each
  values   null
  because  long cannot carry null to the model
  remedy   Fill each of these columns before delivery, or log the model again
           with it as an optional double, which can hold null.

extra_column
  expected only columns that the model knows
  observed 1 more: 'more'
  because  policy extra_columns: warn
  remedy   Drop them, list them in policy keep, or set policy extra_columns:
           ignore.
"""


def test_a_verdict_fits_a_terminal_of_80_columns(model: str, batch: str) -> None:
    """Wrapped below its own beginning; equal violations and changes together; warnings last."""
    shown = on_terminal("check", model, batch)

    assert shown.code == 1
    assert re.sub(r"(?s)\nmodel .*?(?=\nevidence)", "", shown.text) == SHOWN
    assert [line for line in shown.text.splitlines() if len(line) > 80] == []


def test_colour_means_something_on_a_terminal(model: str, batch: str) -> None:
    """Red for what blocks, yellow for a warning; none under NO_COLOR or on a dumb terminal."""
    coloured = on_terminal("check", model, batch).terminal

    assert "\x1b[1;31mquarantined\x1b[0m" in coloured
    assert "\x1b[31mnull in 4 columns\x1b[0m" in coloured
    assert "\x1b[33mextra_column\x1b[0m" in coloured
    assert not re.search(r"\x1b\[[0-9;]*3\dm", on_terminal("check", model, batch, NO_COLOR="1")[1])
    assert "\x1b" not in on_terminal("check", model, batch, TERM="dumb").terminal


def test_a_pipe_gets_whole_lines_and_whole_names(model: str, tmp_path: Path, capsys: Any) -> None:
    """Each field is one line, however long; no name is cut, no escape sequence is written."""
    names = [f"{LONG}_{i}_{'x' * 400}" for i in range(30)]
    path = tmp_path / "wide.parquet"
    pl.DataFrame({name: [1] for name in names}).write_parquet(path)

    code, out, err = run(capsys, "check", model, str(path))

    (columns,) = (line for line in out.splitlines() if line.startswith("  columns  ratio"))
    assert (code, err) == (1, "")
    assert columns == f"  columns  {', '.join(f'ratio_{i}' for i in range(25))}"
    assert all(repr(name) in out for name in names[:20])
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_a_table_in_a_pipe_cuts_no_name(model: str, capsys: Any) -> None:
    """A column's name stands in one line with its type."""
    out = run(capsys, "contract", model)[1]

    assert [line.split() for line in out.splitlines() if LONG in line] == [[LONG, "long", "yes"]]


@pytest.mark.parametrize("reads", ["stdout", "both"])
@pytest.mark.parametrize(
    "arguments",
    [("check", "{model}", "{batch}"), ("check", "{model}", "{batch}", "--json")],
    ids=" ".join,
)
def test_a_command_ends_quietly_when_its_reader_goes_away(
    arguments: tuple[str, ...], reads: str, model: str, batch: str
) -> None:
    """What is piped into ``head`` ends with the code of SIGPIPE, and prints no traceback."""
    given = [argument.format(model=model, batch=batch) for argument in arguments]
    unread, pipe = os.pipe()
    os.close(unread)

    ended = subprocess.run(
        [sys.executable, "-m", "signature_gate", *given],
        stdout=pipe,
        stderr=pipe if reads == "both" else subprocess.PIPE,
        text=True,
        check=False,
    )

    os.close(pipe)
    assert (ended.returncode, ended.stderr or "") == (141, "")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_long_judgement_shows_rows_speed_and_time_left(ending: str, tmp_path: Path) -> None:
    """On a terminal, in one line of 80 columns that is gone at the end; stdout is untouched."""
    model, path = tmp_path / "model", tmp_path / f"{'july' * 30}.{ending}"
    model.mkdir()
    inputs = '[{"type": "double", "name": "a", "required": true}]'
    (model / "MLmodel").write_text(f"flavors: {{}}\nsignature: {{inputs: '{inputs}'}}")
    frame = pl.DataFrame({"a": range(600_000)})
    write = {"csv": frame.write_csv, "jsonl": frame.write_ndjson}
    write.get(ending, lambda to: frame.write_parquet(to, statistics=False))(path)

    shown = on_terminal("check", str(model), str(path), watching="stderr")

    assert shown.code == 0
    assert shown.piped.startswith("passed  july")
    lines = shown.text.splitlines()
    assert any(re.search(r"july.*600,000 rows +[\d.]+ [kMG]B/s +\d+:\d\d", line) for line in lines)
    assert [line for line in lines if len(line) > 80] == []
    assert shown.terminal.rstrip().endswith("\x1b[2K")


def test_what_is_read_again_begins_anew(tmp_path: Path) -> None:
    """The bar of a second reading is not full from the first; rows are not counted twice."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * 1000)
    with Bar(disable=True) as bar:
        gauge = _Gauge(bar, [str(path)], "learning")
        told = [(None, 600), (5, None), (None, 1000), (9, None), (None, 300), (2, None)]
        seen = []
        for rows, position in told:
            gauge.show(Reading(path, rows=rows, position=position))
            seen.append((bar.tasks[0].completed, bar.tasks[0].fields["rows"]))

    assert seen == [
        (600, ""),
        (600, "5 rows"),
        (1000, "5 rows"),
        (1000, "9 rows"),
        (300, ""),
        (300, "2 rows"),
    ]


def _forecast(name: str, reason: str, would_be: Disposition = "quarantined") -> Forecast:
    return Forecast(
        batch=name, name=name, was="passed", would_be=would_be, evidence="scan", reason=reason
    )


DRIFT = """\
flights: 1 breaking change; 3 of 3 batches would not pass 3 (3 worse than before)
model      3

effect    change                  because
breaking  column 'a' added (long)  required

3 of 3 batches would not pass 3 (3 worse than before)

would be quarantined: 2 batches
  batches  mon.csv, tue.csv
  was      passed
  evidence scan
  because  missing_column in column 'a'

would be split: 1 batch
  batches  wed.csv
  was      passed
  evidence scan
  because  null in column 'b': expected long, observed null in 7 rows.
"""


def test_drift_gives_the_verdict_and_then_the_batches_that_are_alike(capsys: Any) -> None:
    """The first line is the verdict; batches of one fate and reason are one block."""
    reason = "missing_column in column 'a': expected long, observed 2 other columns of {}."
    added = Change(kind="added", path="a", after="long", effect="breaking", reason="required")
    forecast = (
        _forecast("mon.csv", reason.format("mon.csv")),
        _forecast("tue.csv", reason.format("tue.csv")),
        _forecast(
            "wed.csv", "null in column 'b': expected long, observed null in 7 rows.", "split"
        ),
    )
    facts = {"feed": "flights", "model": None, "version": "3", "contract": "c", "batches": 3}

    show_drift(DriftReport(**facts, changes=(added,), forecast=forecast))

    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [re.sub(" +", " ", line) for line in lines] == [
        re.sub(" +", " ", line) for line in DRIFT.splitlines()
    ]


def _commands(command: Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, *path, name)


@pytest.mark.parametrize("command", list(_commands(get_command(app))), ids=" ".join)
def test_help_cuts_no_sentence(
    command: tuple[str, ...], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 80 columns each command of a list is described by a whole sentence."""
    monkeypatch.setenv("COLUMNS", "80")

    out = run(capsys, *command, "--help")[1]

    assert out.startswith("Usage: signature-gate")
    listed = out.partition("Commands:\n")[2].splitlines()
    assert [line for line in listed if not line.endswith(".")] == []
    assert [line for line in listed if line.endswith("..")] == []
    assert [line for line in out.splitlines() if len(line) > 80] == []
