"""What pages of docs/ tell their readers to write and to run, done as it is printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from commands import run
from repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOCS = ROOT / "docs"
_BLOCK = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^ *```', re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code of a page.

    Attributes:
        language: ``bash`` for commands that are run; ``console`` for those that are only shown.
        title: The file that the reader writes; empty if it is none.
        text: Without its indentation in a list.
    """

    language: str
    title: str
    text: str


def blocks_in(page: str, heading: str = "") -> list[Block]:
    """List the blocks of a page, or of one of its sections, in order."""
    text = (DOCS / page).read_text("utf-8")
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        Block(language, title, re.sub(f"^{indent}", "", body, flags=re.MULTILINE))
        for indent, language, title, body in _BLOCK.findall(text)
    ]


def commands_in(page: str, heading: str = "") -> list[str]:
    """List the commands for bash of a page, or of one of its sections."""
    blocks = (block.text for block in blocks_in(page, heading) if block.language == "bash")
    return [line for block in blocks for line in block.splitlines()]


def exported(page: str, environment: Mapping[str, str], heading: str = "") -> dict[str, str]:
    """Return an environment as the ``export`` lines of a page, or of a section, leave it."""
    lines = [line for line in commands_in(page, heading) if line.startswith("export ")]
    script = "\n".join([*lines, "env -0"])
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, check=True)
    pairs = (entry.partition("=") for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, _, value in pairs}


@pytest.fixture
def execute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Run a command of a page, which ends with 0 or one of the codes named, and return its output.

    ``export`` holds for the commands after it.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.delenv("COLUMNS", raising=False)  # a width would bind what is piped

    def act(command: str, *codes: int) -> str:
        program, *arguments = shlex.split(command)
        if program == "export":
            name, _, value = arguments[0].partition("=")
            monkeypatch.setenv(name, os.path.expandvars(value))
            return ""
        if program == "signature-gate":
            code, out, err = run(capsys, *map(os.path.expandvars, arguments))
        else:
            done = subprocess.run(
                ["bash", "-c", command],
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        assert code in (0, *codes), f"{command}: {out}{err}"
        return out

    return act


def follow(page: str, execute: Callable[[str], str]) -> str:
    """Do all that a page says: write its files, run its commands and snippets.

    Returns:
        What the commands printed.
    """
    printed = list[str]()
    for language, title, text in blocks_in(page):
        if title:
            Path(title).parent.mkdir(parents=True, exist_ok=True)
            Path(title).write_text(text, "utf-8")
        elif language == "bash":
            printed += [execute(line) for line in text.splitlines()]
        elif language == "python":
            names: dict[str, Any] = {"__name__": "page"}
            exec(compile(text, page, "exec"), names)  # noqa: S102 - our own page
    return "\n".join(printed)
