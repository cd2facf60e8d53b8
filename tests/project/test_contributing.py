"""The pages for contributors and the Makefile name what exists, and draw the layers of lint."""

from __future__ import annotations

import re
import tomllib

import pytest
from repository import ROOT

PAGES = ("CONTRIBUTING.md", "docs/architecture.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    """Folders and files in backquotes, in commands and in the trees lie in the repository."""
    named = re.findall(r"`([\w./]+(?:/|/\w+|\.py|\.md|\.toml))`", _text(page))
    named += re.findall(r"^([a-z]+/[\w/]*|[\w.]+\.toml) ", _text(page), re.MULTILINE)
    named += re.findall(r"pytest ([\w/.]+)", _text(page))
    # A module that is named alone lies beside the one named before it.
    missing = [n for n in named if not ((ROOT / n).exists() or ("/" not in n and _module(n)))]

    assert len(named) > 20
    assert missing == []


def _module(name: str) -> bool:
    return any((ROOT / "expectations").rglob(name))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    """Relative links start at the page's folder."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", _text(page))

    assert [link for link in links if not (ROOT / page).parent.joinpath(link).is_file()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_of_a_page_exists(page: str) -> None:
    """Each `make` command of the page runs a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make (\w+)", _text(page), re.MULTILINE)) <= targets


def test_every_path_of_the_makefile_exists() -> None:
    """Properties that `make prove` runs, and tools, are where the Makefile names them."""
    makefile = _text("Makefile")
    named = re.findall(r"\btests/[\w/]+\.py", makefile)
    named += [f"tests/tools/{tool}" for tool in re.findall(r"\$\(TOOL\)/(\w+\.py)", makefile)]

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).is_file()] == []


def _layers(container: str) -> list[str]:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (layers,) = (
        each["layers"]
        for each in contracts
        if each.get("containers") == [f"signature_gate.{container}"]
    )
    return layers


@pytest.mark.parametrize("container", ["flows", "tasks", "expectations"])
def test_the_picture_draws_the_layers_that_lint_holds(container: str) -> None:
    """Row by row, each block of the picture is a contract of import-linter."""
    (block,) = re.findall(
        rf"^{container}/ .*\n((?:  \w.*\n)+)", _text("docs/architecture.md"), re.MULTILINE
    )
    rows = [re.split(r" {2,}", line.strip())[0] for line in block.splitlines()]

    assert rows == _layers(container)
