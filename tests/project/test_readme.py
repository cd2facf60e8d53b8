"""The README's snippets and commands run as they are printed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from commands import run
from repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["page_workplace"]

README = (ROOT / "README.md").read_text("utf-8")


def _snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def as_printed(workplace: Path) -> Path:
    """The workplace, with the feed file as the README prints it: its folders lie beside it."""
    fields = yaml.safe_load(_snippets("yaml")[0]) | {"settle_seconds": 0}
    (workplace / "feeds" / "flights.yaml").write_text(yaml.safe_dump(fields), "utf-8")
    (workplace / "feeds" / "flights" / "inbox").rename(workplace / "feeds" / "inbox")
    return workplace


def test_the_snippets_run(as_printed: Path, prefect_server: None) -> None:
    """Each Python snippet runs as it is printed, the flow included."""
    for snippet in _snippets("python"):
        names: dict[str, Any] = {}
        exec(compile(snippet, "README.md", "exec"), names)  # noqa: S102 - our own README
        if "nightly" in names:
            names["nightly"]()

    assert list((as_printed / "feeds" / "scored").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("kind", "said"), [("completed", None), ("failed", "BatchRejected: 2013-07-12.csv of 1 rows")]
)
def test_a_quarantine_fails_the_flow_where_the_feed_says_so(
    as_printed: Path, prefect_server: None, kind: str, said: str | None
) -> None:
    """The user's own flow ends in a state of the type that the feed's run has, with the reason."""
    file = as_printed / "feeds" / "flights.yaml"
    fields = yaml.safe_load(file.read_text("utf-8")) | {"quarantine_state": kind}
    file.write_text(yaml.safe_dump(fields), "utf-8")
    (as_printed / "feeds" / "inbox" / "2013-07-12.csv").write_text("a,b\n1,2\n", "utf-8")
    (snippet,) = (text for text in _snippets("python") if "def nightly" in text)
    names: dict[str, Any] = {}
    exec(compile(snippet, "README.md", "exec"), names)  # noqa: S102 - our own README

    state = names["nightly"](return_state=True)

    assert state.type.value == kind.upper()
    assert said is None or said in state.message


def test_the_commands_run(as_printed: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command line runs as it is printed and exits 0 on a batch that fits."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    lines = [line for block in _snippets("bash") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("signature-gate")]

    assert len(commands) > 4
    for command in commands:
        code, out, err = run(capsys, *shlex.split(command)[1:])
        assert code == 0, f"{command}\n{out}{err}"


def test_the_make_targets_are_there() -> None:
    """The README's make commands exist."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = re.findall(r"^make (\w+)", "\n".join(_snippets("bash")), re.MULTILINE)

    assert ["demo", "test"] == named
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


def test_the_policy_table_names_every_field() -> None:
    """No field of the policy is missing from the README."""
    from signature_gate import Policy

    for name in Policy.model_fields:
        assert f"`{name}`" in README


def test_what_it_points_to_is_there() -> None:
    """Each relative link and picture leads to a file of the repository."""
    named = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)

    assert named
    assert all((ROOT / path).is_file() for path in named)


def test_it_stays_short() -> None:
    """Under 200 lines; more goes to docs/."""
    assert len(README.splitlines()) < 200
