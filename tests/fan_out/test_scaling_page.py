"""scaling.md: what the page says to run works, and its arithmetic is that of its own figures."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from page_commands import DOCS, blocks_in, commands_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["page_commands", "page_workplace"]
PAGE = "scaling.md"


def test_the_snippet_and_the_command_judge_with_workers(
    workplace: Path, execute: Callable[..., str]
) -> None:
    """A script with a guard, and the command line, on a folder of two files."""
    (workplace / "july").mkdir()
    batch = (workplace / "2013-07-12.csv").read_bytes()
    for name in ("1.csv", "2.csv"):
        (workplace / "july" / name).write_bytes(batch)
    (snippet,) = (block.text for block in blocks_in(PAGE) if block.language == "python")
    (command,) = commands_in(PAGE)
    (workplace / "script.py").write_text(snippet, "utf-8")

    script = [sys.executable, "script.py"]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout

    assert "passed" in printed
    assert "passed" in execute(command)


def test_the_arithmetic_is_right() -> None:
    """Products and sums of the page are as it states them, to two digits."""
    text = (DOCS / PAGE).read_text("utf-8").replace(",", "").replace("\N{MULTIPLICATION SIGN}", "x")
    sums = re.findall(r"(\d+) x ([\d.]+)(?: \+ (\d+) x ([\d.]+))? = (\d+)", text)

    for one, two, three, four, total in sums:
        made = float(one) * float(two) + float(three or 0) * float(four or 0)
        assert abs(made - float(total)) <= 0.02 * made
    assert len(sums) >= 6
