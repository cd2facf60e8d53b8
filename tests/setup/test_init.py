"""``init``: a feed's file that says why, and commands that work when followed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import yaml
from commands import run
from hypothesis import given
from hypothesis import strategies as st

from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.setup.fit import fields_of
from signature_gate.tasks.setup.new_feed import policy_lines
from signature_gate.tasks.setup.proposals import Proposal

if TYPE_CHECKING:
    from pathlib import Path

    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013 - types only

MESSY = "key;A;n\nk1;1,5;1.200\nk2;2,5;300\n"


@pytest.fixture(name="folder")
def working_folder(line: str, tmp_path: Path, monkeypatch: MonkeyPatch) -> Path:
    """Work in an empty folder, beside a registry with the model ``line``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "messy.csv").write_text(MESSY, "utf-8")
    return tmp_path


def test_the_printed_commands_score_the_sample(folder: Path, capsys: CaptureFixture[str]) -> None:
    """A feed made from a sample scores it, by the commands that ``init`` names."""
    code, out, err = run(capsys, "init", "models:/line@champion", "--from", "messy.csv")
    assert code == 0, err
    before, after = (line for line in out.splitlines() if line.startswith(("before", "after")))
    assert "quarantined" in before
    assert "passed" in after
    (folder / "messy.csv").rename(folder / "feeds/line/inbox/messy.csv")
    feed = yaml.safe_load((folder / "feeds/line.yaml").read_text("utf-8"))
    (folder / "feeds/line.yaml").write_text(yaml.safe_dump({**feed, "settle_seconds": 0}), "utf-8")
    printed = [line.split(maxsplit=1)[-1] for line in out.splitlines() if "gate score" in line]
    commands = [line[line.index("score") :].split() for line in printed]
    assert [run(capsys, *command)[0] for command in commands] == [0, 0]
    [predictions] = (folder / "feeds/line/scored").rglob("*.parquet")
    assert predictions.exists()
    assert any("signature-gate deploy feeds/line.yaml" in line for line in out.splitlines())


def test_without_a_model_it_asks(
    folder: Path, capsys: CaptureFixture[str], monkeypatch: MonkeyPatch
) -> None:
    """The answers make the same feed as options do; an empty one takes what is offered."""
    answers = "models:/line@champion\nnightly\nlanding\nmessy.csv\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    code, out, err = run(capsys, "init")
    assert code == 0, err
    feed = Feed.load(folder / "feeds/nightly.yaml")
    assert (feed.name, feed.inbox) == ("nightly", folder / "landing")
    assert feed.policy.csv.delimiter == ";"
    assert feed.inbox.is_dir()
    assert "[line]" in out + err


def test_nothing_is_overwritten(folder: Path, capsys: CaptureFixture[str]) -> None:
    """A second ``init`` of one name is refused and leaves the file as it was."""
    assert run(capsys, "init", "models:/line@champion")[0] == 0
    path = folder / "feeds/line.yaml"
    path.write_text(path.read_text("utf-8") + "# mine\n", "utf-8")
    written = path.read_bytes()
    code, _, err = run(capsys, "init", "models:/line/1")
    assert (code, path.read_bytes()) == (2, written)
    assert "not overwritten" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("models:/line@champion", "--name", "a b"), "name"),
        (("models:/line@champion", "--timezone", "Mars/Olympus"), "Mars/Olympus"),
        (("models:/nosuch@champion",), "nosuch"),
        (("models:/line@champion", "--from", "nosuch.csv"), "nosuch.csv"),
        (("models:/line@champion", "--name", "other", "--inbox", "feeds/line/inbox"), "inbox"),
    ],
)
def test_what_cannot_be_meant_writes_nothing(
    folder: Path, capsys: CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    """Bad names, zones, models, samples and shared inboxes are refused, and no file is left."""
    assert run(capsys, "init", "models:/line@champion")[0] == 0
    files = sorted(folder.rglob("*"))
    code, _, err = run(capsys, "init", *arguments)
    assert code == 2, err
    assert says in err
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == files


def test_a_contract_without_a_model_cannot_be_scheduled(
    folder: Path, capsys: CaptureFixture[str]
) -> None:
    """A suite judges batches; to score them a feed needs the model."""
    assert run(capsys, "contract", "models:/line@champion", "--out", "suite.json")[0] == 0
    code, _, err = run(capsys, "init", "suite.json", "--name", "line")
    assert code == 2, err
    assert "Name the model's URI" in err
    assert not (folder / "feeds").exists()


def test_the_folder_of_a_model_is_found_from_anywhere(
    folder: Path, capsys: CaptureFixture[str]
) -> None:
    """A relative path would count from wherever a run works."""
    import mlflow

    mlflow.artifacts.download_artifacts("models:/line/1", dst_path=str(folder / "model"))
    code, _, err = run(capsys, "init", "model", "--name", "local")
    assert code == 0, err
    assert Feed.load(folder / "feeds/local.yaml").model == str(folder / "model")


_TEXT = st.text(max_size=8)
_FIELDS = st.dictionaries(
    st.sampled_from(["keep", "null_values", "csv.true_values"]),
    st.lists(_TEXT, min_size=1),
    min_size=1,
) | st.dictionaries(st.just("rename"), st.dictionaries(_TEXT, _TEXT, min_size=1), min_size=1)
_PROPOSALS = st.lists(st.builds(Proposal, _FIELDS, _TEXT), max_size=4)


@given(taken=_PROPOSALS, left_open=_PROPOSALS)
def test_the_file_says_what_was_fitted_whatever_names_and_values_hold(
    taken: list[Proposal], left_open: list[Proposal]
) -> None:
    """YAML reads back exactly the fields that were set; reasons and what is open stay comments."""
    text = "\n".join(policy_lines(taken, left_open))
    assert (yaml.safe_load(text) or {}) == fields_of(taken)
